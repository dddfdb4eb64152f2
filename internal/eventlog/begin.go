package eventlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// begin makes the segment whose first record is first. need is how many bytes wait for it: when the disk has no room
// for a whole segment it is asked for those at least. The file gets its name when its header is durable.
func (w *writer) begin(first uint64, need int64) error {
	l := w.l
	h := &header{id: l.id, first: first, types: l.statedBefore(first)}
	text, err := h.encode()
	if err != nil {
		return err
	}
	path := filepath.Join(l.o.Dir, segmentName(first))
	f, err := l.o.disk.create(path + newSuffix)
	if err != nil {
		return fmt.Errorf("make a segment: %w", err)
	}
	w.file, w.seg = f, newSegment(path, h)
	if w.allocated, err = l.allocate(f, max(l.o.SegmentBytes, h.size+need+frameHeader), h.size+need+frameHeader); err != nil {
		return err
	}
	if err := w.writeAt(text, 0); err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	if err := l.o.disk.rename(path+newSuffix, path); err != nil {
		return fmt.Errorf("name a segment: %w", err)
	}
	if err := l.o.disk.syncDir(l.o.Dir); err != nil {
		return fmt.Errorf("sync the folder of the event log: %w", err)
	}
	w.pos, w.zeroed, w.marked = h.size, h.size, false
	l.space.reserved.Store(max(0, w.allocated-w.pos))
	l.space.look()
	l.addSegment(w.seg)
	return nil
}

// allocate reserves want bytes, or least when there is no room for more, and returns how many it got: 0 where the file
// system cannot promise any.
func (l *Log) allocate(f file, want, least int64) (int64, error) {
	err := f.allocate(want)
	if err == nil {
		return want, nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		if l.warned.CompareAndSwap(false, true) {
			l.o.Logger.Warn("this file system cannot preallocate: a full disk is noticed by free space only", "dir", l.o.Dir)
		}
		if err := f.truncate(want); err != nil {
			return 0, fmt.Errorf("extend a segment: %w", err)
		}
		return 0, nil
	}
	if want > least {
		l.o.Logger.Warn("no room for a whole segment", "bytes", want, "cause", err)
		return l.allocate(f, least, least)
	}
	return 0, fmt.Errorf("preallocate %d bytes of a segment: %w", want, err)
}

func (l *Log) addSegment(s *segment) {
	l.mu.Lock() // Drop changes the list too
	defer l.mu.Unlock()
	var segments []*segment
	if old := l.segments.Load(); old != nil {
		segments = slices.Clone(*old)
	}
	segments = append(segments, s)
	l.segments.Store(&segments)
	l.metrics.segments.Set(float64(len(segments)))
	if l.keeper != nil { // not while the log is being opened
		l.keeper.rouse()
	}
}

// statedBefore returns the event types that were stated before the sequence.
func (l *Log) statedBefore(sequence uint64) []*logv1.EventType {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := slices.BinarySearch(l.statedAt, sequence)
	return (*l.types.Load())[:n]
}

// space knows how much free disk there is.
type space struct {
	l        *Log
	reserved atomic.Int64 // bytes already promised for records to come
	free     atomic.Int64 // as of the last look; negative: could not be found out
	looked   atomic.Int64 // when, in nanoseconds since the log was opened
	since    time.Time
}

// spaceLookEvery is how old a look at the disk may be.
const spaceLookEvery = 100 * time.Millisecond

func (s *space) look() {
	free, err := s.l.o.disk.free(s.l.o.Dir)
	if err != nil {
		s.l.o.Logger.Error("cannot find out the free disk of the event log", "cause", err)
		free = -1
	}
	s.free.Store(free)
	s.l.metrics.free.Set(float64(free))
}

// enough says whether records can still be taken: the floor is kept, and beyond it there is room for the next segment
// by the time that three quarters of this one are used.
func (s *space) enough() bool {
	now, last := int64(time.Since(s.since)), s.looked.Load()
	if now-last >= int64(spaceLookEvery) && s.looked.CompareAndSwap(last, now) {
		s.look()
	}
	need := s.l.o.MinFreeBytes
	if s.reserved.Load()-s.l.buffered.Load() < s.l.o.SegmentBytes/4 {
		need += s.l.o.SegmentBytes
	}
	return s.free.Load() >= need
}

// Writable says whether a record may be appended now: nil, ErrPoisoned, ErrClosed, ErrOverloaded, or ErrDiskFull when
// the disk is below its floor. It is cheap enough for every request.
func (l *Log) Writable() error {
	if err := l.unusable(); err != nil {
		return err
	}
	if l.buffered.Load() >= l.o.MaxBuffered {
		return ErrOverloaded
	}
	if !l.space.enough() {
		return fmt.Errorf("%w: %s has %d bytes left, the floor is %d and a segment takes %d",
			ErrDiskFull, l.o.Dir, l.space.free.Load(), l.o.MinFreeBytes, l.o.SegmentBytes)
	}
	return nil
}
