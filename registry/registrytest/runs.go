package registrytest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

func run(id string, second int) registry.Run {
	at := time.Date(2026, 4, 1, 0, 0, second, 5000, time.UTC)
	return registry.Run{ID: id, EventType: "card_payment", State: registry.RunRunning, Step: "pull", Config: json.RawMessage(`{"note":"a<b","seed":1}`),
		CreatedAt: at, UpdatedAt: at, Actor: "ana"}
}

func testRuns(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	_, err := s.Run(ctx, "r1")
	require.ErrorIs(t, err, registry.ErrNotFound)
	r := run("r1", 1)
	require.NoError(t, s.PutRun(ctx, r))
	got, err := s.Run(ctx, "r1")
	require.NoError(t, err)
	require.JSONEq(t, string(r.Config), string(got.Config))
	require.Nil(t, got.Report)
	got.Config = r.Config
	require.Equal(t, r, got)

	r.State, r.Step, r.Version, r.Report = registry.RunDone, "publish", "abc", json.RawMessage(`{"auc":0.9}`)
	r.UpdatedAt = r.UpdatedAt.Add(time.Minute)
	r.Config = json.RawMessage(`{ "note": "a<b", "seed": 1 }`) // the same, written otherwise
	require.NoError(t, s.PutRun(ctx, r))
	again, err := s.Run(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, registry.RunDone, again.State)
	require.Equal(t, r.UpdatedAt, again.UpdatedAt)
	require.JSONEq(t, `{"auc":0.9}`, string(again.Report))
	require.NoError(t, s.PutRun(ctx, again), "what was read can be stored")

	other := run("r0", 2)
	other.EventType = "login"
	require.NoError(t, s.PutRun(ctx, other))
	require.NoError(t, s.PutRun(ctx, run("r2", 3)))
	for eventType, want := range map[string][]string{"": {"r2", "r0", "r1"}, "card_payment": {"r2", "r1"}, "payout": nil} {
		all, err := s.ListRuns(ctx, eventType)
		require.NoError(t, err)
		var ids []string
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		require.Equal(t, want, ids, eventType)
	}
}

func testRunsRefused(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	r := run("r1", 1)
	require.ErrorIs(t, s.UpdateRun(ctx, registry.RunRunning, r), registry.ErrNotFound)
	require.NoError(t, s.PutRun(ctx, r))
	for name, c := range map[string]struct {
		change func(*registry.Run)
		want   error
	}{
		"no id":            {func(r *registry.Run) { r.ID = "" }, registry.ErrInvalid},
		"no event type":    {func(r *registry.Run) { r.EventType = "" }, registry.ErrInvalid},
		"unknown state":    {func(r *registry.Run) { r.State = "asleep" }, registry.ErrInvalid},
		"config not JSON":  {func(r *registry.Run) { r.Config = json.RawMessage(`{`) }, registry.ErrInvalid},
		"other config":     {func(r *registry.Run) { r.Config = json.RawMessage(`{"seed":2}`) }, registry.ErrImmutable},
		"other event type": {func(r *registry.Run) { r.EventType = "login" }, registry.ErrImmutable},
		"other creation":   {func(r *registry.Run) { r.CreatedAt = r.CreatedAt.Add(time.Second) }, registry.ErrImmutable},
	} {
		other := r
		c.change(&other)
		require.ErrorIs(t, s.PutRun(ctx, other), c.want, name)
		if errors.Is(c.want, registry.ErrImmutable) {
			require.ErrorIs(t, s.UpdateRun(ctx, registry.RunRunning, other), c.want, name)
		}
	}
	r.State = registry.RunDone
	require.ErrorIs(t, s.UpdateRun(ctx, registry.RunPending, r), registry.ErrConflict)
	got, err := s.Run(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, registry.RunRunning, got.State)
}

// Of many that take a failed run up again at once, one gets it.
func testUpdateRunRace(t *testing.T, p Place) {
	ctx, stores := t.Context(), []registry.Store{open(t, p), open(t, p)}
	r := run("r1", 1)
	r.State = registry.RunFailed
	require.NoError(t, stores[0].PutRun(ctx, r))
	r.State = registry.RunRunning
	var won, conflicts atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			switch err := stores[i%2].UpdateRun(ctx, registry.RunFailed, r); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, registry.ErrConflict):
				conflicts.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
	require.EqualValues(t, 15, conflicts.Load())
}

func testSteps(t *testing.T, p Place) {
	ctx, s := t.Context(), open(t, p)
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	pull := registry.Step{Run: "r1", Name: "pull", Output: json.RawMessage(`{ "rows": 7 }`), Started: at, Ended: at.Add(time.Second)}
	require.ErrorIs(t, s.PutStep(ctx, pull), registry.ErrNotFound)
	require.NoError(t, s.PutRun(ctx, run("r1", 1)))
	require.NoError(t, s.PutRun(ctx, run("r2", 2)))
	none, err := s.Steps(ctx, "r1")
	require.NoError(t, err)
	require.Empty(t, none)

	train := pull
	train.Name, train.Output = "assemble", json.RawMessage(`null`)
	require.NoError(t, s.PutStep(ctx, pull))
	require.NoError(t, s.PutStep(ctx, train))
	again, other := pull, pull
	again.Ended = at.Add(time.Hour)
	require.NoError(t, s.PutStep(ctx, again))
	other.Output = json.RawMessage(`{"rows":8}`)
	require.ErrorIs(t, s.PutStep(ctx, other), registry.ErrImmutable)
	other.Run = "r2"
	require.NoError(t, s.PutStep(ctx, other), "every run has its own steps")
	got, err := s.Steps(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, []registry.Step{pull, train}, got)

	for _, bad := range []registry.Step{{Run: "r1", Output: pull.Output}, {Run: "r1", Name: "x"}, {Run: "r1", Name: "x", Output: json.RawMessage(`{`)}} {
		require.ErrorIs(t, s.PutStep(ctx, bad), registry.ErrInvalid)
	}
}

// A cancelled call changes nothing and says why.
func testCancelled(t *testing.T, p Place) {
	s := open(t, p)
	a := put(t.Context(), t, s, "card_payment", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.PutRun(ctx, run("r1", 1)), context.Canceled)
	_, err = s.ListVersions(ctx, "")
	require.ErrorIs(t, err, context.Canceled)
	head, err := s.Head(t.Context(), "card_payment")
	require.NoError(t, err)
	require.Zero(t, head.Revision)
}
