package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sealedEvery is how far apart offsets are in the index of a sealed segment, in bytes: records in it are looked up
	// rarely, and a log has many segments.
	sealedEvery = 16 << 10
	// unpacked is how many of the newest sealed segments are left as they are: what follows the log reads them.
	unpacked = 2
	// retryIndex is how long after a failure an index is tried again.
	retryIndex = 10 * time.Second
)

// keeper looks after sealed segments in the background: it makes their indexes and packs them.
type keeper struct {
	l       *Log
	wake    chan struct{}
	stopped chan struct{}
	indexed atomic.Uint64

	files   sync.Mutex // held while files of sealed segments are made or taken away
	mu      sync.Mutex
	told    func(upTo uint64)
	damaged map[*segment]bool
}

func newKeeper(l *Log) *keeper {
	k := &keeper{l: l, wake: make(chan struct{}, 1), stopped: make(chan struct{}), damaged: map[*segment]bool{}}
	for _, s := range *l.segments.Load() {
		x := s.ids.Load()
		if x == nil {
			break
		}
		k.indexed.Store(x.last)
	}
	return k
}

// OnIndexed has f called, now and whenever Find answers for more records than before. f must be short; it is called from one
// goroutine at a time, until Close.
func (l *Log) OnIndexed(f func(upTo uint64)) {
	k := l.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = f
	f(k.indexed.Load())
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// restEvery is after how many records the keeper rests.
const restEvery = 512

// rester makes a function that sleeps as long as there was work since it was called last: sealed segments can wait, requests
// cannot. A log that closes is in no mood to rest.
func (k *keeper) rester() func() {
	since := time.Now()
	return func() {
		select {
		case <-time.After(min(time.Since(since), time.Second)):
		case <-k.l.hurry:
		}
		since = time.Now()
	}
}

// again has the index of a segment made anew.
func (k *keeper) again(s *segment) {
	k.mu.Lock()
	k.damaged[s] = true
	k.mu.Unlock()
	k.rouse()
}

func (k *keeper) run() {
	defer close(k.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if err := k.pass(); err != nil {
			k.l.o.Logger.Error("cannot look after a sealed segment; without its index ids stay in memory; it is tried again", "cause", err)
			timer.Reset(retryIndex)
		}
		select {
		case <-k.wake:
		case <-timer.C:
		case <-k.l.hurry:
			return
		}
	}
}

// pass indexes what is sealed and has no index, and packs. Between two segments others may come in.
func (k *keeper) pass() error {
	for done := uint64(0); ; {
		next, err := k.step(done)
		if err != nil || next == 0 {
			return err
		}
		done = next
	}
}

// step looks after the first sealed segment that begins after a record; it returns where that one begins, or 0 when there is
// none or the log closes.
func (k *keeper) step(after uint64) (uint64, error) {
	k.files.Lock()
	defer k.files.Unlock()
	select {
	case <-k.l.hurry:
		return 0, nil
	default:
	}
	segments := *k.l.segments.Load()
	sealed := segments[:len(segments)-1]
	i := slices.IndexFunc(sealed, func(s *segment) bool { return s.first > after })
	if i < 0 {
		return 0, nil
	}
	s, last := sealed[i], segments[i+1].first-1
	k.mu.Lock()
	damaged := k.damaged[s]
	k.mu.Unlock()
	if s.ids.Load() == nil || damaged {
		if err := k.index(s, last); err != nil {
			return 0, fmt.Errorf("index %s: %w", s.name(), err)
		}
	}
	k.publish(last)
	if path := s.name(); k.l.o.Compress && i < len(sealed)-unpacked && !isPacked(path) {
		if err := k.pack(s, path); err != nil {
			return 0, fmt.Errorf("pack %s: %w", path, err)
		}
	}
	return s.first, nil
}

// pack has a packed file take the place of a sealed segment's.
func (k *keeper) pack(s *segment, path string) error {
	if err := pack(path, s.end.Load(), k.rester()); err != nil {
		return err
	}
	if err := os.Rename(path+packedSuffix+newSuffix, path+packedSuffix); err != nil {
		return err
	}
	if err := (osDisk{}).syncDir(k.l.o.Dir); err != nil {
		return err
	}
	s.moved(path + packedSuffix)
	return os.Remove(path)
}

func (k *keeper) publish(upTo uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if upTo <= k.indexed.Load() {
		return
	}
	k.indexed.Store(upTo)
	if k.told != nil {
		k.told(upTo)
	}
}

// index makes the index of a sealed segment from its file.
func (k *keeper) index(s *segment, last uint64) error {
	c, err := k.l.read(s, last, k.rester())
	if err != nil {
		return err
	}
	path := indexPath(s.name())
	if err := writeDurably(path, c.encode()); err != nil {
		return err
	}
	x, _, err := openIndex(path)
	if err != nil {
		return err
	}
	s.adopt(x) // the one before, if any, may be in use still: its file is closed with the last reference
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.damaged, s)
	return nil
}

// adopt has the segment use an index.
func (s *segment) adopt(x *idIndex) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = x.offsets
	s.ids.Store(x)
}

// read goes through a sealed segment for its index.
// rest is called now and then.
func (c *catalog) read(s *segment, last uint64, rest func()) (*contentsOfIndex, error) {
	f, err := s.source()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	h, err := readHeader(f, s.end.Load())
	if err != nil {
		return nil, &CorruptError{File: s.name(), Problem: err.Error()}
	}
	out := &contentsOfIndex{log: c.id, first: s.first, last: last, end: s.end.Load(), types: len(h.types), latest: noEvent}
	cur := newCursor(f, c.seed, s.first, s.start)
	for {
		f, err := cur.nextIn(s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(f.payload) == 0 {
			continue
		}
		if f.sequence%restEvery == 0 {
			rest()
		}
		ahead := uint32(f.offset - s.start)
		if n := len(out.offsets); n == 0 && ahead >= sealedEvery || n > 0 && ahead-out.offsets[n-1].offset >= sealedEvery {
			out.offsets = append(out.offsets, entry{uint32(f.sequence - s.first), ahead})
		}
		about, speaks, err := SubjectOf(f.payload)
		if err != nil {
			return nil, &CorruptError{File: s.name(), Offset: f.offset, Problem: err.Error()}
		}
		if !speaks {
			if f.payload[0] == tagEventType {
				out.types++
			}
			continue
		}
		t, stated := c.EventType(about.EventType)
		if !stated {
			return nil, &CorruptError{File: s.name(), Offset: f.offset, Problem: fmt.Sprintf("it refers to event type %d, which was not stated", about.EventType)}
		}
		if about.Kind == EventRecord {
			out.latest = max(out.latest, about.Time)
		}
		out.traces = append(out.traces, newTrace(keyOf(c.id, t.GetName(), string(about.ID)), about.Kind, f.sequence))
	}
	if cur.want != last+1 {
		return nil, &CorruptError{File: s.name(), Offset: cur.at, Problem: fmt.Sprintf("it ends with record %d, not %d", cur.want-1, last)}
	}
	return out, nil
}

// writeDurably makes a file appear whole or not at all.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+newSuffix))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err
	}
	return osDisk{}.syncDir(filepath.Dir(path))
}
