package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/scoring"
	"github.com/haechi-fraud/haechi/internal/server"
	"github.com/haechi-fraud/haechi/internal/warehouse"
	"github.com/haechi-fraud/haechi/internal/warehouse/duckdb"
)

// core is the log and everything that is made from it. When the log fails, all of it is thrown away and made anew.
type core struct {
	log       *eventlog.Log
	scorer    *scoring.Scorer
	warehouse warehouse.Warehouse // nil in a build without it
	loader    *ingest.Loader
	metrics   *prometheus.Registry
	ctx       context.Context // of work in the background; ends before the rest
	cancel    context.CancelFunc
	pulls     sync.WaitGroup // that work, and readers of the warehouse, which outlive a failed log; added to under App.mu
}

// current gives the core, nil when there is none now.
func (a *App) current() *core {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.core
}

// holding gives the core to work in the background, which ends with its context; nil while there is none. done must be called.
func (a *App) holding() (c *core, done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.core == nil {
		return nil, nil
	}
	a.core.pulls.Add(1)
	return a.core, a.core.pulls.Done
}

// pulling gives the core to somebody who reads the warehouse; done must be called.
func (a *App) pulling(ctx context.Context) (c *core, done func(), err error) {
	for {
		if c, err = a.open(ctx); err != nil {
			return nil, nil, err
		}
		a.mu.Lock()
		if a.core == c {
			c.pulls.Add(1)
			a.mu.Unlock()
			return c, c.pulls.Done, nil
		}
		a.mu.Unlock()
	}
}

// open gives the core, opened when it was not. Whoever asks current meanwhile is not held up.
func (a *App) open(ctx context.Context) (*core, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	if c := a.current(); c != nil {
		return c, nil
	}
	if a.ctx.Err() != nil {
		return nil, fmt.Errorf("stopping: %w", a.ctx.Err())
	}
	c, err := a.newCore(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.core = c
	return c, nil
}

func (a *App) newCore(ctx context.Context) (_ *core, err error) {
	config := &a.project.Config
	c := &core{metrics: prometheus.NewRegistry()}
	c.ctx, c.cancel = context.WithCancel(a.ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	c.log, err = eventlog.Open(eventlog.Options{
		Dir: a.data("log"), SegmentBytes: config.Log.SegmentBytes, FlushInterval: config.Log.FlushInterval,
		MinFreeBytes: config.Log.MinFreeBytes, Compress: config.Log.Compress, Logger: a.opts.Logger, Registerer: c.metrics,
	})
	if err != nil {
		return c, fmt.Errorf("open the event log: %w", err)
	}
	if err := a.openWarehouse(ctx, c); err != nil {
		return c, err
	}
	c.scorer, err = scoring.New(scoring.Options{
		Older: a.older(c), Log: c.log, Registry: a.registry, EventTypes: a.policies, ReadDocument: readDocument, MaxSkew: config.MaxSkew,
		SnapshotDir: a.snapshotDir(), PIIKey: a.piiKey, RefuseCardNumbers: config.RefuseCardNumbers, WithoutFeatures: !a.opts.Serve, Logger: a.opts.Logger, Registerer: c.metrics,
	})
	if err != nil {
		return c, err
	}
	if err := c.scorer.Recover(ctx, a.opts.Recovering); err != nil {
		return c, err
	}
	return c, a.startLoader(c)
}

// openWarehouse opens the warehouse. A build without it scores, and says so.
func (a *App) openWarehouse(ctx context.Context, c *core) error {
	config := &a.project.Config
	w, err := duckdb.Open(ctx, duckdb.Options{
		Path: a.data("warehouse.duckdb"), MemoryLimitMiB: int(config.Warehouse.MemoryLimit >> 20), Threads: config.Warehouse.Threads, Logger: a.opts.Logger,
	})
	if errors.Is(err, warehouse.ErrUnavailable) {
		a.opts.Logger.Warn("no warehouse: history can be scored on but not queried or trained on", "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the warehouse: %w", err)
	}
	c.warehouse = w
	for _, t := range a.project.EventTypes {
		if err := w.Describe(ctx, shape(t)); err != nil {
			return fmt.Errorf("describe event type %s in the warehouse: %w", t.Name, err)
		}
	}
	return nil
}

// older is nil where there is no warehouse: then nothing is ever dropped from the log.
func (a *App) older(c *core) scoring.Older {
	if c.warehouse == nil {
		return nil
	}
	return &ingest.Older{LogID: c.log.ID(), Source: c.warehouse, Project: a.project}
}

// startLoader begins to fill the warehouse.
func (a *App) startLoader(c *core) (err error) {
	if c.warehouse == nil {
		return nil
	}
	if c.loader, err = ingest.NewLoader(ingest.LoaderOptions{Log: c.log, Sink: c.warehouse, Logger: a.opts.Logger, Registerer: c.metrics}); err != nil {
		return err
	}
	return c.loader.Start()
}

// close lets go of everything, last opened first.
func (c *core) close() error {
	var errs []error
	if c.loader != nil {
		c.loader.Stop()
	}
	c.cancel()
	c.pulls.Wait()
	if c.warehouse != nil {
		errs = append(errs, c.warehouse.Close())
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	return errors.Join(errs...)
}

func (a *App) closeCore(ctx context.Context) error {
	a.opening.Lock()
	defer a.opening.Unlock()
	a.mu.Lock()
	c := a.core
	a.core = nil
	a.mu.Unlock()
	if c == nil {
		return nil
	}
	if c.loader != nil && c.log.Writable() == nil {
		if err := c.loader.Drain(ctx, c.log.Durable()); err != nil {
			a.opts.Logger.Warn("the warehouse is behind the log; it catches up at the next start", "error", err)
		}
	}
	if a.snapshotDir() != "" && c.log.Writable() == nil {
		if _, err := c.scorer.Snapshot(ctx, 1); err != nil {
			a.opts.Logger.Warn("no snapshot could be written at the end; the next start reads more of the log", "error", err)
		}
	}
	return c.close()
}

// reopen throws the core away after its log failed and makes it anew from what is on disk. Until that has worked the
// server is not ready; the next tick tries again.
func (a *App) reopen(broken *core) {
	a.server.SetReady(false)
	a.mu.Lock()
	if a.core == broken {
		a.core = nil
	}
	a.mu.Unlock()
	if broken != nil {
		a.opts.Logger.Error("the event log failed: dropping all state and making it anew from what is on disk")
		if err := broken.close(); err != nil {
			a.opts.Logger.Error("closing after the log failed", "error", err)
		}
	}
	if _, err := a.open(a.ctx); err != nil {
		if a.ctx.Err() == nil {
			a.opts.Logger.Error("the event log cannot be opened yet, trying again", "error", err)
		}
		return
	}
	a.server.SetReady(a.ready() == nil)
	a.opts.Logger.Info("ready again after the event log was reopened")
}

// scorer is what the services score with.
func (a *App) scorer() (*scoring.Scorer, error) {
	if !a.opts.Serve {
		c, err := a.open(a.ctx)
		if err != nil {
			return nil, err
		}
		return c.scorer, nil
	}
	if c := a.current(); c != nil {
		return c.scorer, nil
	}
	return nil, server.ErrNotReady
}

// ready says why a request could not be decided now.
func (a *App) ready() error {
	s, err := a.scorer()
	if err != nil {
		return err
	}
	return s.Writable()
}

// applier brings a promotion into service at once; without a server the next start does.
func (a *App) applier() (server.Applier, error) {
	if c := a.current(); c != nil && a.opts.Serve {
		return c.scorer, nil
	}
	return nil, nil
}

// eventTypes compiles what the decision path needs.
func eventTypes(p *project.Project) ([]scoring.EventType, error) {
	var out []scoring.EventType
	for _, t := range p.EventTypes {
		compiled, err := compile(t)
		if err != nil {
			return nil, err
		}
		out = append(out, compiled)
	}
	return out, nil
}
