package eventlog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Log is an open log. All methods may be called from any goroutine.
type Log struct {
	catalog
	o       Options
	metrics *metrics
	space   space
	keeper  *keeper
	warned  atomic.Bool

	failure atomic.Pointer[error] // set once: the log is poisoned
	failed  chan struct{}
	closing atomic.Bool // set under mu
	close   func() error

	last     atomic.Uint64
	buffered atomic.Int64 // bytes not yet durable

	mu         sync.Mutex // orders the log; guards what follows
	next       uint64
	active     *batch // being filled
	flight     *batch // being written
	spare      []byte
	spareMarks []entry
	sleep      sleep
	byHash     map[string]uint32
	statedAt   []uint64 // sequence that stated each event type; 0 before this Open

	wake    chan struct{} // to the writer
	hurry   chan struct{} // closed when the log closes
	stopped chan struct{} // closed when the writer is done
	w       writer        // the writer's own
	zeros   []byte
	cutOff  int64 // bytes of the torn tail that Open cut
}

// Open opens the log in o.Dir, or makes a new one there, and finds out what is in it: every frame is checked that stands in
// the last segment or in one without an index; the others' frames are checked when they are read. A torn tail of the last
// segment is cut off: it was never acknowledged. Anything else that is not as it was written is ErrCorrupt, and nothing is
// changed then. What was found is durable when Open returns.
func Open(o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Log{
		o: o, failed: make(chan struct{}), byHash: map[string]uint32{}, sleep: awake,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}), stopped: make(chan struct{}), zeros: make([]byte, zeroAhead),
	}
	l.w.l, l.space.l, l.space.since = l, l, time.Now()
	l.close = sync.OnceValue(l.shut)
	if l.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, err
	}
	if err := l.recover(); err != nil {
		l.metrics.unregister()
		if l.w.file != nil {
			_ = l.w.file.Close()
		}
		return nil, err
	}
	l.next = l.durable.Load() + 1
	l.last.Store(l.next - 1)
	l.active = newBatch(nil, nil, l.next)
	l.space.look()
	l.metrics.segments.Set(float64(len(*l.segments.Load())))
	l.keep.Store(true)
	l.keeper = newKeeper(l)
	go l.run()
	go l.keeper.run()
	return l, nil
}

// recover makes the catalog and the writer from what is on disk.
func (l *Log) recover() error {
	if err := makeDir(l.o.disk, l.o.Dir); err != nil {
		return err
	}
	if err := l.removeUnnamed(); err != nil {
		return err
	}
	paths, err := segmentFiles(l.o.Dir)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		if _, err := rand.Read(l.id[:]); err != nil {
			return fmt.Errorf("name the event log: %w", err)
		}
		l.seed = seedOf(l.id)
		l.types.Store(&[]*logv1.EventType{})
		return l.w.begin(1, 0)
	}
	all := scanAll(paths, scanning{})
	if err := firstError(all); err != nil {
		return err
	}
	l.adopt(all)
	for _, t := range *l.types.Load() {
		l.byHash[string(t.GetHash())] = t.GetIndex()
		l.statedAt = append(l.statedAt, 0)
	}
	return l.w.resume(all[len(all)-1])
}

// removeUnnamed removes files that were being made when the last process ended, segments that it had just packed, and the index
// of one that it had just dropped.
func (l *Log) removeUnnamed() error {
	entries, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return fmt.Errorf("list the event log: %w", err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for _, e := range entries {
		unnamed := strings.HasSuffix(e.Name(), newSuffix)
		packedToo := strings.HasSuffix(e.Name(), segmentSuffix) && names[e.Name()+packedSuffix]
		segment := strings.TrimSuffix(e.Name(), indexSuffix) + segmentSuffix
		dropped := strings.HasSuffix(e.Name(), indexSuffix) && !names[segment] && !names[segment+packedSuffix]
		if unnamed || packedToo || dropped {
			if err := l.o.disk.remove(filepath.Join(l.o.Dir, e.Name())); err != nil {
				return fmt.Errorf("remove an unfinished file: %w", err)
			}
		}
	}
	return nil
}

// resume goes on with the last segment.
func (w *writer) resume(s *scanned) error {
	f, err := w.l.o.disk.open(s.seg.path)
	if err != nil {
		return fmt.Errorf("open the last segment: %w", err)
	}
	w.file, w.seg, w.pos, w.marked = f, s.seg, s.seg.end.Load(), s.marked
	w.zeroed = w.pos
	if s.garbage > 0 {
		w.l.cutOff = s.garbage
		w.l.o.Logger.Warn("cut a torn tail off the event log: it was never acknowledged",
			"file", s.seg.path, "offset", w.pos, "bytes", s.garbage, "last", s.last)
		if err := w.cut(); err != nil {
			return err
		}
	}
	if !s.marked {
		if err := w.rewrite(s.synced); err != nil {
			return err
		}
	}
	w.allocated, err = w.l.allocate(f, max(w.l.o.SegmentBytes, w.pos), w.pos)
	if err != nil {
		w.allocated = 0
		w.l.o.Logger.Warn("cannot preallocate the rest of the segment", "file", s.seg.path, "cause", err)
	}
	if err := f.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.seg.path, err)
	}
	w.l.space.reserved.Store(max(0, w.allocated-w.pos))
	return nil
}

// rewrite writes again what the last process may have written but not synced: after a failed sync the system may hold
// it for clean although the disk never got it.
func (w *writer) rewrite(from int64) error {
	b := make([]byte, min(readChunk, w.pos-from))
	for ; from < w.pos; from += int64(len(b)) {
		b = b[:min(int64(len(b)), w.pos-from)]
		if _, err := w.file.ReadAt(b, from); err != nil {
			return fmt.Errorf("read %s: %w", w.seg.path, err)
		}
		if err := w.writeAt(b, from); err != nil {
			return err
		}
	}
	return nil
}

// Last is the sequence given last, 0 in an empty log.
func (l *Log) Last() uint64 { return l.last.Load() }

// Failed is closed when the log is poisoned.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Close writes what is in the buffer, marks the log as closed in order and lets go of it. It returns ErrPoisoned when
// the log had failed. Readers that are open can go on reading.
func (l *Log) Close() error { return l.close() }

func (l *Log) shut() error {
	l.mu.Lock()
	l.closing.Store(true)
	close(l.hurry)
	l.rouse()
	l.mu.Unlock()
	<-l.stopped
	<-l.keeper.stopped
	l.keeper.files.Lock() // until a Drop under way is done
	defer l.keeper.files.Unlock()
	defer l.metrics.unregister()
	if err := l.failure.Load(); err != nil {
		_ = l.closeFiles()
		_ = l.w.file.Close()
		return *err
	}
	return errors.Join(l.closeFiles(), l.w.finish(), l.w.file.Close())
}

// finish puts the mark that says that everything is synced, and gives back what was preallocated.
func (w *writer) finish() error {
	if !w.marked {
		mark := markFrame(w.l.seed, w.l.Durable()+1)
		if err := w.writeAt(mark, w.pos); err != nil {
			return err
		}
		w.pos += int64(len(mark))
	}
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.seg.path, err)
	}
	return w.cut()
}
