package scoring

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
)

// place is what is known of an event: sequences of its records, 0 where there is none.
type place struct {
	event    uint64
	decision uint64
}

// flight is one id being worked on; done is closed when its place is final.
type flight struct{ done chan struct{} }

type idShard struct {
	sync.Mutex
	places   map[eventlog.Key]place // an event of 0 is in the log's index, only its decision is newer
	labels   map[eventlog.Key][]uint64
	waiting  map[eventlog.Key]*awaiting
	flights  map[eventlog.Key]*flight
	labelled map[eventlog.Key]*flight
}

const (
	idShards = 64
	// maxWaiting bounds the labels that wait for an event nobody has seen.
	maxWaiting = 1 << 20
)

// ids finds every event id of the log and makes an id count once, whoever sends it how often. In memory are those of records
// that the log's own index does not hold yet, about a segment of them; the rest is looked up there.
type ids struct {
	log    *eventlog.Log
	shards [idShards]idShard
	waits  atomic.Int64 // labels that wait for their event
	// forgotten is the sequence up to which records may have left memory.
	forgotten atomic.Uint64

	met struct { // labels whose event came while a snapshot is taken, which may be of a moment before it
		sync.Mutex
		keep   bool
		labels []awaitedLabel
	}
}

// awaiting are the labels of an event that nobody has seen, in log order.
type awaiting struct {
	eventType, id string
	labels        []features.Label
}

// awaitedLabel is a label that waits, or waited, for its event.
type awaitedLabel struct {
	key           eventlog.Key
	eventType, id string
	label         features.Label
}

func newIDs(log *eventlog.Log) *ids {
	x := &ids{log: log}
	for i := range x.shards {
		x.shards[i].places = map[eventlog.Key]place{}
		x.shards[i].labels = map[eventlog.Key][]uint64{}
		x.shards[i].waiting = map[eventlog.Key]*awaiting{}
		x.shards[i].flights = map[eventlog.Key]*flight{}
		x.shards[i].labelled = map[eventlog.Key]*flight{}
	}
	return x
}

func (x *ids) key(eventType, id string) eventlog.Key { return x.log.Key(eventType, id) }

func (x *ids) shard(k eventlog.Key) *idShard { return &x.shards[k[0]%idShards] }

// reserve takes the id for the caller, who must end the flight by land or drop. When the id is known already it returns
// its place; when another request holds it, reserve waits for that one until ctx ends.
func (x *ids) reserve(ctx context.Context, k eventlog.Key) (known place, mine bool, err error) {
	s := x.shard(k)
	for {
		s.Lock()
		p, here := s.places[k]
		f, busy := s.flights[k]
		if !here && !busy {
			s.flights[k] = &flight{done: make(chan struct{})}
		}
		s.Unlock()
		switch {
		case here:
			if p, here, err = x.whole(k, p); here || err != nil {
				return p, false, err
			}
		case !busy: // the caller's, unless the log has it
			t, err := x.log.Find(k)
			if err != nil || t.Event != 0 {
				x.drop(k)
				return place{t.Event, t.Decision}, false, err
			}
			return place{}, true, nil
		default:
			if err := f.wait(ctx); err != nil {
				return place{}, false, err
			}
		}
	}
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whole adds to a place in memory what the log's index has of it. It reports false, forgetting the place, when the event is
// not in the log any more.
func (x *ids) whole(k eventlog.Key, p place) (place, bool, error) {
	if p.event != 0 {
		return p, true, nil
	}
	t, err := x.log.Find(k)
	if err != nil {
		return place{}, false, err
	}
	if t.Event == 0 {
		s := x.shard(k)
		s.Lock()
		delete(s.places, k)
		s.Unlock()
	}
	return place{t.Event, p.decision}, t.Event != 0, nil
}

// land ends a flight with the event's place.
func (x *ids) land(k eventlog.Key, p place) {
	s := x.shard(k)
	s.Lock()
	if w := s.waiting[k]; w != nil {
		for _, l := range w.labels {
			s.labels[k] = append(s.labels[k], l.Sequence)
		}
	}
	x.arrive(s, k)
	s.places[k] = p
	f := s.flights[k]
	delete(s.flights, k)
	s.Unlock()
	if f != nil {
		close(f.done)
	}
}

// arrived notes that an event came which the log's index holds: labels do not wait for it any more.
func (x *ids) arrived(k eventlog.Key) {
	s := x.shard(k)
	s.Lock()
	x.arrive(s, k)
	s.Unlock()
}

func (x *ids) arrive(s *idShard, k eventlog.Key) {
	w := s.waiting[k]
	if w == nil {
		return
	}
	x.met.Lock()
	if x.met.keep {
		x.met.labels = w.appendTo(x.met.labels, k)
	}
	x.met.Unlock()
	delete(s.waiting, k)
	x.waits.Add(-int64(len(w.labels)))
}

func (w *awaiting) appendTo(all []awaitedLabel, k eventlog.Key) []awaitedLabel {
	for _, l := range w.labels {
		all = append(all, awaitedLabel{k, w.eventType, w.id, l})
	}
	return all
}

// watch keeps the labels that end their waiting from now on, until waitingAt.
func (x *ids) watch() {
	x.met.Lock()
	x.met.keep, x.met.labels = true, nil
	x.met.Unlock()
}

// unwatch ends watch, if waitingAt has not.
func (x *ids) unwatch() {
	x.met.Lock()
	x.met.keep, x.met.labels = false, nil
	x.met.Unlock()
}

// waitingAt gives the labels that waited when the record with that sequence was the last one, which was after watch. Every
// event up to there must have landed.
func (x *ids) waitingAt(ctx context.Context, sequence uint64) ([]awaitedLabel, error) {
	var all []awaitedLabel
	for i := range x.shards {
		s := &x.shards[i]
		s.Lock()
		for k, w := range s.waiting {
			all = w.appendTo(all, k)
		}
		s.Unlock()
	}
	x.met.Lock() // after the shards: a label is in either, or in both
	all = append(all, x.met.labels...)
	x.met.keep, x.met.labels = false, nil
	x.met.Unlock()
	var out []awaitedLabel
	seen := map[uint64]bool{}
	for _, a := range all {
		if a.label.Sequence > sequence || seen[a.label.Sequence] {
			continue
		}
		seen[a.label.Sequence] = true
		p, known, err := x.find(ctx, a.key)
		if err != nil {
			return nil, err
		}
		if !known || p.event > sequence {
			out = append(out, a)
		}
	}
	return out, nil
}

// settle waits until every id that is being worked on now has landed or been dropped.
func (x *ids) settle(ctx context.Context) error {
	for i := range x.shards {
		s := &x.shards[i]
		var flights []*flight
		s.Lock()
		for _, f := range s.flights {
			flights = append(flights, f)
		}
		s.Unlock()
		for _, f := range flights {
			if err := f.wait(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop ends a flight that left no trace.
func (x *ids) drop(k eventlog.Key) {
	s := x.shard(k)
	s.Lock()
	f := s.flights[k]
	delete(s.flights, k)
	s.Unlock()
	close(f.done)
}

// find looks an id up, waiting for a request that holds it until ctx ends.
func (x *ids) find(ctx context.Context, k eventlog.Key) (place, bool, error) {
	s := x.shard(k)
	for {
		s.Lock()
		p, here := s.places[k]
		f, busy := s.flights[k]
		s.Unlock()
		switch {
		case here:
			if p, here, err := x.whole(k, p); here || err != nil {
				return p, here, err
			}
		case !busy:
			t, err := x.log.Find(k)
			return place{t.Event, t.Decision}, t.Event != 0, err
		default:
			if err := f.wait(ctx); err != nil {
				return place{}, false, err
			}
		}
	}
}

// decided notes the decision record of an event.
func (x *ids) decided(k eventlog.Key, sequence uint64) {
	s := x.shard(k)
	s.Lock()
	p := s.places[k]
	p.decision = sequence
	s.places[k] = p
	s.Unlock()
}

// beginLabel makes the caller the only one who labels this event until endLabel.
func (x *ids) beginLabel(ctx context.Context, k eventlog.Key) error {
	s := x.shard(k)
	for {
		s.Lock()
		f, busy := s.labelled[k]
		if !busy {
			s.labelled[k] = &flight{done: make(chan struct{})}
		}
		s.Unlock()
		if !busy {
			return nil
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
}

func (x *ids) endLabel(k eventlog.Key) {
	s := x.shard(k)
	s.Lock()
	f := s.labelled[k]
	delete(s.labelled, k)
	s.Unlock()
	close(f.done)
}

// addLabel notes a label record of a known event.
func (x *ids) addLabel(k eventlog.Key, sequence uint64) {
	s := x.shard(k)
	s.Lock()
	s.labels[k] = append(s.labels[k], sequence)
	s.Unlock()
}

// labelsOf gives the label records of an event, known or awaited, in log order.
func (x *ids) labelsOf(k eventlog.Key) ([]uint64, error) {
	s := x.shard(k)
	s.Lock()
	out := slices.Clone(s.labels[k])
	if w := s.waiting[k]; w != nil {
		for _, l := range w.labels {
			out = append(out, l.Sequence)
		}
	}
	s.Unlock()
	t, err := x.log.Find(k) // after memory: what left it meanwhile is here
	if err != nil {
		return nil, err
	}
	out = append(out, t.Labels...)
	first := x.log.First() // records before it were dropped
	out = slices.DeleteFunc(out, func(sequence uint64) bool { return sequence < first })
	slices.Sort(out)
	return slices.Compact(out), nil
}

// wait appends a label record for an event that nobody has seen, under the id's lock, so that the event cannot slip in
// between. forgotten is from before the caller found that the event is not known. It reports false, appending nothing, when
// the event may be known by now or is being appended.
func (x *ids) wait(k eventlog.Key, eventType, id string, forgotten uint64, appendRecord func() (features.Label, error)) (l features.Label, waits bool, err error) {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	if _, known := s.places[k]; known || s.flights[k] != nil || x.forgotten.Load() != forgotten {
		return features.Label{}, false, nil
	}
	if x.waits.Load() >= maxWaiting {
		return features.Label{}, true, ErrTooManyWaiting
	}
	if l, err = appendRecord(); err != nil {
		return features.Label{}, true, err
	}
	x.await(s, k, eventType, id, l)
	return l, true, nil
}

// restore notes a label that the log says was waiting for its event.
func (x *ids) restore(k eventlog.Key, eventType, id string, l features.Label) {
	s := x.shard(k)
	s.Lock()
	x.await(s, k, eventType, id, l)
	s.Unlock()
}

func (x *ids) await(s *idShard, k eventlog.Key, eventType, id string, l features.Label) {
	if s.waiting[k] == nil {
		s.waiting[k] = &awaiting{eventType: eventType, id: id}
	}
	s.waiting[k].labels = append(s.waiting[k].labels, l)
	x.waits.Add(1)
}

// awaited gives the labels that came before their event, in log order.
func (x *ids) awaited(k eventlog.Key) []features.Label {
	s := x.shard(k)
	s.Lock()
	defer s.Unlock()
	if w := s.waiting[k]; w != nil {
		return w.labels
	}
	return nil
}

// forget drops from memory what the log's index holds: records up to a sequence. The maps are made anew, as one that was
// large keeps its memory.
func (x *ids) forget(upTo uint64) {
	x.forgotten.Store(upTo)
	for i := range x.shards {
		s := &x.shards[i]
		s.Lock()
		places, labels := map[eventlog.Key]place{}, map[eventlog.Key][]uint64{}
		for k, p := range s.places {
			if max(p.event, p.decision) > upTo {
				places[k] = p
			}
		}
		for k, all := range s.labels {
			if all = slices.DeleteFunc(all, func(sequence uint64) bool { return sequence <= upTo }); len(all) > 0 {
				labels[k] = all
			}
		}
		s.places, s.labels = places, labels
		s.Unlock()
	}
}
