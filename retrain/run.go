package retrain

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Runner runs retrains, one at a time per event type. Stop ends it.
type Runner struct {
	opts   Options
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	live map[string]*liveRun // by run id
}

// liveRun is a run under way and those who watch it.
type liveRun struct {
	eventType string
	cancel    context.CancelFunc
	done      chan struct{}

	mu      sync.Mutex
	latest  Progress
	changed chan struct{} // closed and replaced at every change
}

func (l *liveRun) tell(p Progress) {
	l.mu.Lock()
	l.latest = p
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
}

func (l *liveRun) now() (Progress, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, l.changed
}

// NewRunner makes a runner. Runs that an earlier process left running are marked as failed by Recover.
func NewRunner(o Options) *Runner {
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Runner{opts: o, ctx: ctx, cancel: cancel, live: map[string]*liveRun{}}
}

// Recover marks runs that died with their process.
func (r *Runner) Recover(ctx context.Context) error {
	runs, err := r.opts.Registry.ListRuns(ctx, "")
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.State == registry.RunRunning || run.State == registry.RunPending {
			run.State, run.Error = registry.RunFailed, "the server ended while this run was under way; start it again"
			if err := r.put(ctx, run); err != nil {
				return err
			}
			if err := removeRows(filepath.Join(r.opts.Dir, run.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeRows removes what a run pulled: it is large, and no other run reads it.
func removeRows(dir string) error {
	var errs []error
	for _, name := range []string{fileRows, fileRows + ".part"} {
		if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stop cancels what runs and waits for it.
func (r *Runner) Stop() {
	r.mu.Lock() // a run that claimed its place counts in wg already, later ones are refused
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Runner) eventType(name string) (*EventType, error) {
	for i := range r.opts.EventTypes {
		if t := &r.opts.EventTypes[i]; t.Name == name || name == "" && len(r.opts.EventTypes) == 1 {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: unknown event type %q", ErrRequest, name)
}

// Start plans a run and begins it; it returns the run's id.
func (r *Runner) Start(ctx context.Context, req Request) (string, error) {
	t, err := r.eventType(req.EventType)
	if err != nil {
		return "", err
	}
	at, err := r.opts.Locator.Locate(ctx, t.Name)
	if err != nil {
		return "", err
	}
	p, err := plan(t, req, at, r.opts.Threads)
	if err != nil {
		return "", err
	}
	config, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	id, err := newRunID()
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	run := registry.Run{ID: id, EventType: t.Name, State: registry.RunRunning, Step: "pull", Config: config, CreatedAt: now, UpdatedAt: now, Actor: req.Actor}
	runCtx, live, err := r.claim(t.Name, id)
	if err != nil {
		return "", err
	}
	if err := r.put(ctx, run); err != nil {
		r.release(id, live)
		return "", err
	}
	go func() {
		defer r.release(id, live)
		r.work(runCtx, run, p, live)
	}()
	return id, nil
}

func newRunID() (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return time.Now().UTC().Format("20060102-150405-") + hex.EncodeToString(b[:]), nil
}

func (r *Runner) claim(eventType, id string) (context.Context, *liveRun, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, l := range r.live {
		if l.eventType == eventType {
			return nil, nil, fmt.Errorf("%w: %s; wait for it or cancel it", ErrBusy, other)
		}
	}
	if r.ctx.Err() != nil {
		return nil, nil, fmt.Errorf("the server is stopping: %w", r.ctx.Err())
	}
	ctx, cancel := context.WithCancel(r.ctx)
	l := &liveRun{eventType: eventType, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
	r.live[id] = l
	r.wg.Add(1)
	return ctx, l, nil
}

func (r *Runner) release(id string, l *liveRun) {
	r.mu.Lock()
	delete(r.live, id)
	r.mu.Unlock()
	l.cancel()
	close(l.done)
	r.wg.Done()
}

func (r *Runner) put(ctx context.Context, run registry.Run) error {
	run.UpdatedAt = time.Now().UTC()
	return r.opts.Registry.PutRun(ctx, run)
}

// work does the run and writes down how it ended, whatever happened.
func (r *Runner) work(ctx context.Context, run registry.Run, p *Plan, live *liveRun) {
	tell := func(x Progress) {
		if x.Step != run.Step {
			run.Step = x.Step
			if err := r.put(context.WithoutCancel(ctx), run); err != nil {
				r.opts.Logger.Error("retrain: the run's step could not be stored", "run", run.ID, "error", err)
			}
		}
		live.tell(x)
	}
	version, report, err := r.steps(ctx, run, p, tell)
	run.Version, run.Report, run.State = version, report, registry.RunDone
	switch {
	case err != nil && ctx.Err() != nil:
		run.State, run.Error = registry.RunCancelled, "cancelled"
	case err != nil:
		run.State, run.Error = registry.RunFailed, err.Error()
	}
	if err := r.put(context.WithoutCancel(ctx), run); err != nil {
		r.opts.Logger.Error("retrain: the end of the run could not be stored", "run", run.ID, "error", err)
	}
	r.opts.Logger.Info("retrain ended", "run", run.ID, "event_type", run.EventType, "state", string(run.State), "version", version, "error", run.Error)
}

func (r *Runner) steps(ctx context.Context, run registry.Run, p *Plan, tell func(Progress)) (version string, report []byte, err error) {
	library := r.opts.Library
	if library == "" {
		if library, err = lightgbm.FindLibrary(); err != nil {
			return "", nil, err
		}
	}
	dir := filepath.Join(r.opts.Dir, run.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, removeRows(dir)) }()
	pulled, err := Pull(ctx, r.opts.Source, p, filepath.Join(dir, fileRows), tell)
	if err != nil {
		return "", nil, err
	}
	t := task{Plan: p, Events: pulled.Events, Library: library, LightGBM: r.opts.LightGBM, Memory: r.opts.Memory}
	text, err := json.Marshal(t)
	if err != nil {
		return "", nil, err
	}
	if err := writeWhole(filepath.Join(dir, fileTask), text); err != nil {
		return "", nil, err
	}
	if err := r.child(ctx, dir, tell); err != nil {
		return "", nil, err
	}
	tell(Progress{Step: "publish"})
	version, err = Publish(ctx, r.opts.Registry, p, dir, run.Actor)
	if err != nil {
		return "", nil, err
	}
	report, err = os.ReadFile(filepath.Join(dir, fileReport))
	return version, report, err
}

// child runs the steps between pull and publish in a process of their own, below the server's priority.
func (r *Runner) child(ctx context.Context, dir string, tell func(Progress)) error {
	argv := append(slices.Clone(r.opts.Command), dir)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the command is this program itself
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(os.Environ(), "OMP_WAIT_POLICY=passive", fmt.Sprintf("GOMAXPROCS=%d", r.opts.Threads))
	if r.opts.Memory > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", r.opts.Memory))
	}
	var last tail
	cmd.Stderr = &last
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // Pdeathsig is sent when the thread that forked ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the run's process: %w", err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, r.opts.Nice); err != nil {
		r.opts.Logger.Warn("retrain: the run's process could not be niced", "error", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p Progress
		if json.Unmarshal(lines.Bytes(), &p) == nil {
			tell(p)
		}
	}
	err = lines.Err()
	_, _ = io.Copy(io.Discard, out) // after a line that is too long: nobody must wait for a full pipe
	err = errors.Join(err, cmd.Wait())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if text := last.text(); text != "" {
			return errors.New(text)
		}
		return fmt.Errorf("the run's process ended (%w) and said nothing; a kill is often the machine out of memory: lower --memory or the training span", err)
	}
	return nil
}

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - 16<<10; over > 0 {
		t.buf = slices.Delete(t.buf, 0, over)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// Watch tells progress until the run ends, then gives the run.
func (r *Runner) Watch(ctx context.Context, id string, tell func(Progress) error) (registry.Run, error) {
	r.mu.Lock()
	l := r.live[id]
	r.mu.Unlock()
	for l != nil {
		p, changed := l.now()
		if p.Step != "" {
			if err := tell(p); err != nil {
				return registry.Run{}, err
			}
		}
		select {
		case <-changed:
			continue
		case <-l.done:
		case <-ctx.Done():
			return registry.Run{}, ctx.Err()
		}
		break
	}
	return r.opts.Registry.Run(ctx, id)
}

// Cancel ends a run that is under way and waits for its end.
func (r *Runner) Cancel(ctx context.Context, id string) error {
	r.mu.Lock()
	l := r.live[id]
	r.mu.Unlock()
	if l == nil {
		run, err := r.opts.Registry.Run(ctx, id)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: run %s is not under way, it is %s", ErrNotFound, id, run.State)
	}
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Artifact opens a file that a run left.
func (r *Runner) Artifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	if _, err := r.opts.Registry.Run(ctx, id); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{fileModel, fileReport, fileText, filePredictions, fileGolden}, name) {
		return nil, fmt.Errorf("%w: run %s has %s, %s, %s and %s", ErrNotFound, id, fileReport, fileText, filePredictions, fileModel)
	}
	f, err := os.Open(filepath.Join(r.opts.Dir, id, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: run %s left no %s", ErrNotFound, id, name)
	}
	return f, err
}
