package eventlog

import (
	"fmt"
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
