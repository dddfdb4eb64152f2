package eventlog

import (
	"fmt"
	"io"
	"runtime"
	"time"
)

const (
	// patience is how long a record may lie in the buffer when nobody waits for it and few others come: its sync is then
	// shared with records that somebody waits for.
	patience = 2 * time.Millisecond
	// eagerBytes in the buffer are written even when nobody waits.
	eagerBytes = 256 << 10
)

// sleep says what the writer waits for, so that appenders wake it only when it must be.
type sleep uint8

const (
	awake        sleep = iota
	sleepEmpty         // for the first record
	sleepPatient       // for a waiter, many bytes, or patience to end
)

// rouse wakes the writer. The caller holds l.mu.
func (l *Log) rouse() {
	l.sleep = awake
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the writer goroutine.
func (l *Log) run() {
	defer close(l.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var last time.Time // start of the last sync
	for {
		b := l.gather(timer)
		if b == nil {
			return
		}
		if rest := l.o.FlushInterval - time.Since(last); rest > 0 {
			l.pause(timer, rest)
		}
		b = l.take()
		last = time.Now()
		if err := l.w.flush(b); err != nil {
			l.fail(b, err)
			return
		}
		expected := l.acknowledge(b, time.Since(last))
		l.company(expected)
	}
}

// yields is how often the writer lets others run before it begins the next sync.
const yields = 8

// company lets whoever is ready to run come in before the next sync, until as many wait as did a moment ago. Those just
// woken often come back at once with their next record; begun without them, every other sync would be for few. With
// nothing else to run it costs nothing.
func (l *Log) company(expected int) {
	for range yields {
		l.mu.Lock()
		enough := l.active.waiters >= expected || l.closing.Load()
		l.mu.Unlock()
		if enough {
			return
		}
		runtime.Gosched()
	}
}

// gather waits until there is something to write; nil when the log is closing and everything is written.
func (l *Log) gather(timer *time.Timer) *batch {
	patient := true
	for {
		l.mu.Lock()
		b, closing := l.active, l.closing.Load()
		switch {
		case len(b.buf) == 0 && closing:
			l.mu.Unlock()
			return nil
		case len(b.buf) == 0:
			l.sleep = sleepEmpty
			l.mu.Unlock()
			<-l.wake
		case b.waiters > 0 || closing || !patient || len(b.buf) >= eagerBytes:
			l.sleep = awake
			l.mu.Unlock()
			return b
		default:
			l.sleep = sleepPatient
			l.mu.Unlock()
			timer.Reset(patience)
			select {
			case <-l.wake:
			case <-timer.C:
				patient = false
			}
		}
	}
}

// pause lets FlushInterval pass, unless the log is closing.
func (l *Log) pause(timer *time.Timer, d time.Duration) {
	timer.Reset(d)
	select {
	case <-timer.C:
	case <-l.hurry:
	}
}

// take swaps the buffers.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.active
	l.flight = b
	l.active = newBatch(l.spare, l.spareMarks, l.next)
	l.spare, l.spareMarks = nil, nil
	return b
}

// acknowledge wakes everybody who waits for b, which is durable. It returns how many those were and how many wait
// already for the next.
func (l *Log) acknowledge(b *batch, took time.Duration) int {
	l.mu.Lock()
	l.flight = nil
	waiters := b.waiters + l.active.waiters
	if cap(b.buf) <= keepBuffer {
		l.spare, l.spareMarks = b.buf, b.marks
	}
	l.mu.Unlock()
	l.buffered.Add(-int64(len(b.buf)))
	size, records := len(b.buf), b.last-b.first+1
	b.buf, b.marks = nil, nil
	close(b.done)
	l.metrics.fsync.Observe(took.Seconds())
	l.metrics.batch.Observe(float64(records))
	l.metrics.records.Add(float64(records))
	l.metrics.bytes.Add(float64(size))
	return waiters
}

// fail poisons the log. What was not acknowledged never will be.
func (l *Log) fail(b *batch, cause error) {
	err := fmt.Errorf("%w: %w", ErrPoisoned, cause)
	l.mu.Lock()
	l.failure.Store(&err)
	waiting := l.active
	l.flight, l.active = nil, newBatch(nil, nil, l.next)
	l.mu.Unlock()
	for _, b := range []*batch{b, waiting} {
		b.err = err
		close(b.done)
	}
	close(l.failed)
	l.metrics.poisoned.Set(1)
	l.o.Logger.Error("the event log failed; it takes no more records until it is reopened",
		"cause", cause, "durable", l.Durable(), "unknown", l.Last()-l.Durable())
}

// writer owns the open segment; only the writer goroutine uses it.
type writer struct {
	l         *Log
	seg       *segment
	file      file
	pos       int64 // where the next frame goes; everything before it is durable
	allocated int64 // bytes of the file that the disk has promised
	zeroed    int64 // bytes up to which the file was written, if only with zeros
	marked    bool  // the last frame is a mark
}

// flush writes b and makes it durable, in as many segments as it takes.
func (w *writer) flush(b *batch) error {
	rest, sequence := b.buf, b.first
	for len(rest) > 0 {
		size, records := len(rest), b.last-sequence+1
		if room := w.l.o.SegmentBytes - frameHeader - w.pos; int64(size) > room {
			if size, records = fitting(rest, room); size == 0 && sequence > w.seg.first {
				if err := w.roll(sequence, len(rest)); err != nil {
					return err
				}
				continue
			}
			if size == 0 { // longer than the segment, which has no record yet
				size, records = frameHeader+int(le.Uint32(rest)), 1
			}
		}
		if len(rest) != len(b.buf) { // not the first write of this batch, so its first frame has no durable bit yet
			w.l.mu.Lock() // Get may be reading it
			sealFrame(rest[:frameHeader+int(le.Uint32(rest))], w.l.seed, sequence, true)
			w.l.mu.Unlock()
		}
		if err := w.put(rest[:size]); err != nil {
			return err
		}
		w.publish(b, sequence, records, int64(len(b.buf)-len(rest)), int64(size))
		rest, sequence = rest[size:], sequence+records
	}
	return nil
}

const (
	zeroAhead  = 512 << 10 // how far small writes zero the file ahead of themselves
	smallWrite = 64 << 10
)

// put writes and syncs. A sync of blocks that were written before is cheaper than one of blocks that were only
// allocated, so small writes put zeros ahead now and then.
func (w *writer) put(b []byte) error {
	if err := w.writeAt(b, w.pos); err != nil {
		return err
	}
	end := w.pos + int64(len(b))
	if end > w.zeroed && len(b) <= smallWrite {
		if ahead := min(int64(len(w.l.zeros)), w.allocated-end); ahead > 0 {
			if err := w.writeAt(w.l.zeros[:ahead], end); err != nil {
				return err
			}
			w.zeroed = end + ahead
		}
	}
	w.zeroed = max(w.zeroed, end)
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.seg.path, err)
	}
	w.pos, w.marked = end, false
	w.l.space.reserved.Store(max(0, w.allocated-end))
	return nil
}

func (w *writer) writeAt(b []byte, at int64) error {
	n, err := w.file.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", w.seg.path, err)
	}
	return nil
}

// publish lets readers see what put has written: size bytes from skip on in b, the first of which is record sequence.
func (w *writer) publish(b *batch, sequence, records uint64, skip, size int64) {
	at := w.pos - size
	for _, m := range b.marks {
		if n := int64(m.offset) - skip; n >= 0 && n < size {
			w.seg.note(b.first+uint64(m.record), at+n)
		}
	}
	w.seg.end.Store(w.pos)
	w.l.durable.Store(sequence + records - 1)
}

// roll ends the segment and begins the one whose first record is sequence.
func (w *writer) roll(sequence uint64, need int) error {
	if err := w.cut(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", w.seg.path, err)
	}
	return w.begin(sequence, int64(need))
}

// cut makes the file end where its frames end.
func (w *writer) cut() error {
	if err := w.file.truncate(w.pos); err != nil {
		return fmt.Errorf("cut %s: %w", w.seg.path, err)
	}
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.seg.path, err)
	}
	w.allocated, w.zeroed = w.pos, w.pos
	return nil
}
