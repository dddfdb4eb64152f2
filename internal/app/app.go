// Package app makes a running Haechi out of its parts: it opens the stores of a project, recovers, serves, follows the
// registry and stops in order. It is the only package that knows all others, and holds no logic of theirs.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc"

	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/scoring"
	"github.com/haechi-fraud/haechi/internal/server"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/registry/sqlite"
	"github.com/haechi-fraud/haechi/retrain"
)

// Options of an App.
type Options struct {
	// Dir is the project folder.
	Dir string
	// Command is what this process does, for the lock file: serve, import, ...
	Command string
	// Serve listens on the project's addresses and scores. Otherwise the stores are opened when a call needs them, no
	// feature state is kept and only Conn reaches the services.
	Serve bool
	// Self is the argv of this program, to which the names of its child commands are added.
	Self []string
	// Listen replaces the project's addresses when set; tests use port 0.
	Listen *project.Listen
	Logger *slog.Logger
	// Recovering is told records done and records there are while state is made from the log; may be nil.
	Recovering func(done, total uint64)
	// Memory bounds a retrain run in bytes, over the project's; 0: the project's.
	Memory int64
}

// App is one project, opened.
type App struct {
	opts     Options
	project  *project.Project
	lock     *project.Lock
	registry registry.Store
	runner   *retrain.Runner
	server   *server.Server
	conn     *grpc.ClientConn
	base     *prometheus.Registry
	policies []scoring.EventType
	piiKey   []byte

	opening sync.Mutex // held while the core is made or let go of, which takes as long as recovery takes
	mu      sync.Mutex // guards core, for an instant
	core    *core      // nil: not opened, or being opened anew after a failure

	listeners *listeners
	ctx       context.Context // ends with Stop
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	failed    chan error
	closers   []func(context.Context) error // run last to first
}

// New opens a project: it reads its files, takes its lock and opens its registry. Stop must follow.
func New(ctx context.Context, o Options) (_ *App, err error) {
	p, err := project.Load(o.Dir)
	if err != nil {
		return nil, err
	}
	a := &App{opts: o, project: p, base: prometheus.NewRegistry(), failed: make(chan error, 1)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(ctx))
		}
	}()
	if o.Listen != nil {
		a.project.Config.Listen = *o.Listen
	}
	a.base.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if a.piiKey, err = p.PIIKey(); err != nil {
		return a, err
	}
	if a.policies, err = eventTypes(p); err != nil {
		return a, err
	}
	if a.lock, err = project.AcquireLock(p.Config.Data, project.Owner{Command: o.Command}); err != nil {
		return a, err
	}
	a.closers = append(a.closers, func(context.Context) error { return a.lock.Release() })
	if err := a.openRegistry(ctx); err != nil {
		return a, err
	}
	return a, a.newServer()
}

func (a *App) data(name string) string { return filepath.Join(a.project.Config.Data, name) }

func (a *App) openRegistry(ctx context.Context) error {
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: a.data("registry")})
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	a.registry = store
	a.closers = append(a.closers, func(context.Context) error { return store.Close() })
	for _, t := range a.project.EventTypes {
		if err := store.PutEventType(ctx, t.Hash, t.Name, t.Document); err != nil {
			return fmt.Errorf("store event type %s in the registry: %w", t.Name, err)
		}
	}
	a.closers = append(a.closers, a.closeCore)
	options := a.retrainOptions()
	a.runner = retrain.NewRunner(options)
	a.closers = append(a.closers, func(context.Context) error { a.runner.Stop(); return nil })
	return a.runner.Recover(ctx)
}

func (a *App) newServer() error {
	err := os.RemoveAll(a.data("spool")) // what an import was receiving when the last process died
	if err != nil {
		return err
	}
	a.server, err = server.New(server.Options{
		Scorer: a.scorer, Ready: a.ready, Applier: a.applier, Registry: a.registry, Runs: a.registry, Retrain: a.runner,
		Models: &retrain.Importer{Options: a.retrainOptions()}, Importer: importer{a}, Spool: a.data("spool"),
		Logger: a.opts.Logger, Registerer: a.base, Gatherer: prometheus.GathererFunc(a.gather),
	})
	if err != nil {
		return err
	}
	a.goServe(a.server.ServeMemory)
	a.closers = append(a.closers, func(ctx context.Context) error { a.server.Stop(ctx); return nil })
	if a.conn, err = a.server.Dial(); err != nil {
		return err
	}
	a.closers = append(a.closers, func(context.Context) error { return a.conn.Close() })
	return nil
}

// goServe runs a server until it ends; an unexpected end is told by Failed.
func (a *App) goServe(serve func() error) {
	a.wg.Add(1)
	go func() {
		defer a.wg.Done()
		if err := serve(); err != nil && a.ctx.Err() == nil {
			select {
			case a.failed <- err:
			default:
			}
		}
	}()
}

// Start recovers and listens: when it returns, requests are answered. Only for Serve.
func (a *App) Start(ctx context.Context) error {
	if _, err := a.open(ctx); err != nil {
		return err
	}
	a.wg.Add(1)
	go func() { defer a.wg.Done(); a.follow() }()
	a.auditParity()
	a.keepState()
	l, err := a.listen()
	if err != nil {
		return err
	}
	a.listeners = l
	a.server.SetReady(true)
	return a.lock.Announce(project.Owner{Command: a.opts.Command, GRPC: l.addresses.GRPC, HTTP: l.addresses.HTTP, Admin: l.addresses.Admin})
}

// Addresses are where the server listens, after Start.
func (a *App) Addresses() project.Listen { return a.listeners.addresses }

// Failed gives an error that ends the server.
func (a *App) Failed() <-chan error { return a.failed }

// Conn reaches every service in memory, through the checks that remote callers pass.
func (a *App) Conn() *grpc.ClientConn { return a.conn }

// Project is the project that was opened.
func (a *App) Project() *project.Project { return a.project }

// Stop drains and closes everything, last opened first. It may be called once.
func (a *App) Stop(ctx context.Context) error {
	a.cancel()
	if a.runner != nil {
		a.runner.Stop() // first: those who watch a run would keep the servers from draining
	}
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i](ctx))
	}
	a.closers = nil
	a.wg.Wait()
	return errors.Join(errs...)
}

// gather is what /metrics shows: the process and, when there is one, the decision path.
func (a *App) gather() ([]*dto.MetricFamily, error) {
	gatherers := prometheus.Gatherers{a.base}
	if c := a.current(); c != nil {
		gatherers = append(gatherers, c.metrics)
	}
	return gatherers.Gather()
}

const followInterval = 500 * time.Millisecond

// follow brings assignments that others made into service, and opens the log anew when it failed.
func (a *App) follow() {
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	told := map[string]string{} // event type -> the error that was logged last: the same one is not repeated at every tick
	for a.ctx.Err() == nil {
		c := a.current()
		var broken <-chan struct{}
		if c != nil {
			broken = c.log.Failed()
		}
		select {
		case <-a.ctx.Done():
			return
		case <-broken:
			a.reopen(c)
		case <-tick.C:
			if c == nil {
				a.reopen(nil)
				continue
			}
			a.server.SetReady(a.ready() == nil)
			a.apply(c, told)
		}
	}
}

// apply brings every event type's assignments into service.
func (a *App) apply(c *core, told map[string]string) {
	for _, name := range c.scorer.EventTypes() {
		err := c.scorer.Apply(a.ctx, name)
		switch {
		case a.ctx.Err() != nil:
			return
		case err == nil:
			delete(told, name)
		case told[name] != err.Error():
			told[name] = err.Error()
			a.opts.Logger.Error("assignments are not in service, what was before stays", "event_type", name, "error", err)
		}
	}
}
