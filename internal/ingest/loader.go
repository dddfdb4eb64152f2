package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// LoaderOptions of a Loader.
type LoaderOptions struct {
	// Log is tailed up to its durable position. Required; it must stay open until Stop has returned.
	Log *eventlog.Log
	// Sink is filled. Required; it must stay open until Stop has returned.
	Sink warehouse.Sink
	// BatchRecords is how many log records are loaded at most in one transaction; 32,768 when 0.
	BatchRecords int
	// Interval is how long the loader rests after it has caught up; 1 s when 0.
	Interval time.Duration
	// Logger is told of failures; required.
	Logger *slog.Logger
	// Registerer of the loader's metrics; required.
	Registerer prometheus.Registerer
}

// Loader keeps the warehouse up to date with the log. It runs beside scoring and takes none of its locks: when the
// warehouse fails it tries again, with growing pauses, while scoring goes on and the lag grows. It may be killed at any
// moment: the sink knows how far it came.
type Loader struct {
	options  LoaderOptions
	metrics  *loaderMetrics
	position atomic.Uint64
	wake     chan struct{} // somebody waits: do not rest

	mu      sync.Mutex
	cancel  context.CancelFunc // nil while not running
	stopped chan struct{}      // closed when the goroutine has ended
	moved   chan struct{}      // closed and made anew when the position has moved
	failure error              // of the last try, nil after a success
}

// NewLoader makes a loader that stands still.
func NewLoader(o LoaderOptions) (*Loader, error) {
	if o.Log == nil || o.Sink == nil || o.Logger == nil || o.Registerer == nil {
		return nil, errors.New("loader options: Log, Sink, Logger and Registerer are required")
	}
	if o.BatchRecords <= 0 {
		o.BatchRecords = 32_768
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	l := &Loader{options: o, wake: make(chan struct{}, 1), moved: make(chan struct{})}
	var err error
	if l.metrics, err = newLoaderMetrics(o.Registerer, l.Lag); err != nil {
		return nil, err
	}
	return l, nil
}

// Start starts loading. A loader is started once.
func (l *Loader) Start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return errors.New("the warehouse loader was started before")
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.stopped = cancel, make(chan struct{})
	go func() {
		defer close(l.stopped)
		l.run(ctx)
	}()
	return nil
}

// Stop ends loading and returns when the goroutine is gone. What was under way is rolled back; to have all loaded, Drain
// first. Stop of a loader that was never started, and a second Stop, do nothing.
func (l *Loader) Stop() {
	l.mu.Lock()
	cancel, stopped := l.cancel, l.stopped
	l.mu.Unlock()
	if cancel != nil {
		cancel()
		<-stopped
	}
	l.metrics.unregister(l.options.Registerer)
}

// Position is the last log sequence that the warehouse has, as far as this loader knows; 0 before its first look.
func (l *Loader) Position() uint64 { return l.position.Load() }

// Lag is how many durable records the warehouse does not have yet.
func (l *Loader) Lag() uint64 {
	durable, position := l.options.Log.Durable(), l.position.Load()
	return max(durable, position) - position
}

// Drain waits until the warehouse has the log up to through, which must be durable or become so. When the context ends
// first, the error says what kept the loader.
func (l *Loader) Drain(ctx context.Context, through uint64) error {
	for {
		l.mu.Lock()
		moved, stopped := l.moved, l.stopped
		l.mu.Unlock()
		if l.position.Load() >= through {
			return nil
		}
		if stopped == nil {
			return errors.New("drain the warehouse loader: it was not started")
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-stopped:
			if l.position.Load() >= through {
				return nil
			}
			return fmt.Errorf("the warehouse loader was stopped at %d, before %d: %w", l.position.Load(), through, context.Canceled)
		case <-ctx.Done():
			l.mu.Lock()
			failure := l.failure
			l.mu.Unlock()
			return errors.Join(fmt.Errorf("load the log into the warehouse up to %d, it is at %d: %w", through, l.position.Load(), ctx.Err()), failure)
		}
	}
}

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 30 * time.Second
)

// run loads until the context ends.
func (l *Loader) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		before := l.position.Load()
		err := l.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		l.note(err)
		l.metrics.failures.Inc()
		if l.position.Load() > before {
			pause = firstPause // it got somewhere
		}
		l.options.Logger.Warn("the warehouse is behind the log; trying again", "error", err, "position", l.position.Load(), "lag", l.Lag(), "pause", pause)
		l.rest(ctx, pause, nil)
		pause = min(2*pause, mostPause)
	}
}

// rest waits for a time, a wake or the end.
func (l *Loader) rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// note keeps why the last try failed, for those who wait in Drain; nil when it did not.
func (l *Loader) note(failure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = failure
}

// rouse lets those who wait in Drain look again.
func (l *Loader) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.moved)
	l.moved = make(chan struct{})
}

// follow loads from where the sink stands, until something fails or the context ends.
func (l *Loader) follow(ctx context.Context) (err error) {
	log := l.options.Log
	position, err := l.options.Sink.Position(ctx, log.ID())
	if err != nil {
		return err
	}
	if durable := log.Durable(); position > durable {
		return fmt.Errorf("the warehouse has log %s up to %d, but the log ends at %d: the log was replaced by an older copy of itself; restore it, or remove the warehouse file to have it filled anew",
			log.ID(), position, durable)
	}
	l.position.Store(position)
	l.rouse()
	reader, err := log.Read(position + 1)
	if err != nil {
		return fmt.Errorf("read the log from %d: %w", position+1, err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	b := newBatcher(log)
	for {
		if err := b.fill(reader, l.options.BatchRecords); err != nil {
			return err
		}
		if b.records == 0 {
			l.note(nil)
			l.rest(ctx, l.options.Interval, l.wake)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		began := time.Now()
		if err := l.options.Sink.Load(ctx, b.batch); err != nil {
			return err
		}
		l.metrics.loaded(&b.batch, time.Since(began))
		l.position.Store(b.batch.Through)
		l.note(nil)
		l.rouse()
		if b.records < l.options.BatchRecords {
			l.rest(ctx, l.options.Interval, l.wake)
		}
	}
}
