package scoring

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/haechi-fraud/haechi/features"
)

// idKey is 128 bits of an event's type and id under seeds drawn at start: nobody outside can aim at a collision, and at a
// billion ids an accidental one has a chance below 10^-20. It never leaves the process.
type idKey struct{ a, b uint64 }

// place is what is known of an event: sequences of its records, 0 where there is none.
type place struct {
	event    uint64
	decision uint64
	// label is the first label record of the event; further ones are in idShard.labels.
	label uint64
}

// flight is one id being worked on; done is closed when its place is final.
type flight struct{ done chan struct{} }

type idShard struct {
	sync.Mutex
	places   map[idKey]place
	labels   map[idKey][]uint64
	waiting  map[idKey][]features.Label
	flights  map[idKey]*flight
	labelled map[idKey]*flight
}

const (
	idShards = 64
	// maxWaiting bounds the labels that wait for an event nobody has seen.
	maxWaiting = 1 << 20
)

// ids is the index of every event id of the log: it makes an id count once, whoever sends it how often.
type ids struct {
	seedA, seedB maphash.Seed
	shards       [idShards]idShard
	waits        atomic.Int64 // labels that wait for their event
}

func newIDs() *ids {
	x := &ids{seedA: maphash.MakeSeed(), seedB: maphash.MakeSeed()}
	for i := range x.shards {
		x.shards[i].places = map[idKey]place{}
		x.shards[i].labels = map[idKey][]uint64{}
		x.shards[i].waiting = map[idKey][]features.Label{}
		x.shards[i].flights = map[idKey]*flight{}
		x.shards[i].labelled = map[idKey]*flight{}
	}
	return x
}

func (x *ids) key(eventType, id string) idKey {
	return idKey{x.hash(x.seedA, eventType, id), x.hash(x.seedB, eventType, id)}
}

func (x *ids) hash(seed maphash.Seed, eventType, id string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(eventType)
	h.WriteByte(0)
	h.WriteString(id)
	return h.Sum64()
}

func (x *ids) shard(k idKey) *idShard { return &x.shards[k.a%idShards] }

// reserve takes the id for the caller, who must end the flight by land or drop. When the id is known already it returns
// its place; when another request holds it, reserve waits for that one until ctx ends.
func (x *ids) reserve(ctx context.Context, k idKey) (known place, mine bool, err error) {
	s := x.shard(k)
	for {
		s.Lock()
		if p, ok := s.places[k]; ok {
			s.Unlock()
			return p, false, nil
		}
		f, busy := s.flights[k]
		if !busy {
			s.flights[k] = &flight{done: make(chan struct{})}
			s.Unlock()
			return place{}, true, nil
		}
		s.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return place{}, false, ctx.Err()
		}
	}
}

// land ends a flight with the event's place.
func (x *ids) land(k idKey, p place) {
	s := x.shard(k)
	s.Lock()
	for _, l := range s.waiting[k] {
		if p.label == 0 {
			p.label = l.Sequence
		} else {
			s.labels[k] = append(s.labels[k], l.Sequence)
		}
	}
	if n := len(s.waiting[k]); n > 0 {
		delete(s.waiting, k)
		x.waits.Add(-int64(n))
	}
	s.places[k] = p
	f := s.flights[k]
	delete(s.flights, k)
	s.Unlock()
	if f != nil {
		close(f.done)
	}
}

// drop ends a flight that left no trace.
func (x *ids) drop(k idKey) {
	s := x.shard(k)
	s.Lock()
	f := s.flights[k]
	delete(s.flights, k)
	s.Unlock()
	close(f.done)
}

// find looks an id up, waiting for a request that holds it until ctx ends.
func (x *ids) find(ctx context.Context, k idKey) (place, bool, error) {
	s := x.shard(k)
	for {
		s.Lock()
		p, ok := s.places[k]
		f := s.flights[k]
		s.Unlock()
		if ok || f == nil {
			return p, ok, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return place{}, false, ctx.Err()
		}
	}
}

// decided notes the decision record of an event.
func (x *ids) decided(k idKey, sequence uint64) {
	s := x.shard(k)
	s.Lock()
	p := s.places[k]
	p.decision = sequence
	s.places[k] = p
	s.Unlock()
}

// beginLabel makes the caller the only one who labels this event until endLabel.
func (x *ids) beginLabel(ctx context.Context, k idKey) error {
	s := x.shard(k)
	for {
		s.Lock()
		f, busy := s.labelled[k]
		if !busy {
			s.labelled[k] = &flight{done: make(chan struct{})}
			s.Unlock()
			return nil
		}
		s.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *ids) endLabel(k idKey) {
	s := x.shard(k)
	s.Lock()
	f := s.labelled[k]
	delete(s.labelled, k)
	s.Unlock()
	close(f.done)
}

// addLabel notes a label record of a known event.
func (x *ids) addLabel(k idKey, sequence uint64) {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	p := s.places[k]
	if p.label == 0 {
		p.label = sequence
		s.places[k] = p
		return
	}
	s.labels[k] = append(s.labels[k], sequence)
}

// labelsOf gives the label records of an event, known or awaited, in log order.
func (x *ids) labelsOf(k idKey) []uint64 {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	p, ok := s.places[k]
	if !ok {
		var out []uint64
		for _, l := range s.waiting[k] {
			out = append(out, l.Sequence)
		}
		return out
	}
	if p.label == 0 {
		return nil
	}
	return append([]uint64{p.label}, s.labels[k]...)
}

// wait appends a label record for an event that nobody has seen, under the id's lock, so that the event cannot slip in
// between. It reports false, appending nothing, when the event is known or being appended.
func (x *ids) wait(k idKey, appendRecord func() (features.Label, error)) (l features.Label, waits bool, err error) {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	if _, known := s.places[k]; known || s.flights[k] != nil {
		return features.Label{}, false, nil
	}
	if x.waits.Load() >= maxWaiting {
		return features.Label{}, true, ErrTooManyWaiting
	}
	if l, err = appendRecord(); err != nil {
		return features.Label{}, true, err
	}
	s.waiting[k] = append(s.waiting[k], l)
	x.waits.Add(1)
	return l, true, nil
}

// restore notes a label that the log says was waiting for its event.
func (x *ids) restore(k idKey, l features.Label) {
	s := x.shard(k)
	s.Lock()
	s.waiting[k] = append(s.waiting[k], l)
	s.Unlock()
	x.waits.Add(1)
}

// awaited gives the labels that came before their event, in log order.
func (x *ids) awaited(k idKey) []features.Label {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	return s.waiting[k]
}
