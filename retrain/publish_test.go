package retrain

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/registry/sqlite"
)

func store(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// dying is a registry whose process dies before the n-th piece of evidence.
type dying struct {
	Registry
	left int
}

func (d *dying) PutEvidence(ctx context.Context, e registry.Evidence) error {
	if d.left--; d.left < 0 {
		return errors.New("died")
	}
	return d.Registry.PutEvidence(ctx, e)
}

// TestPublishCompletesEvidence: whatever a crash kept from being stored is stored by the next run that gives the same model.
func TestPublishCompletesEvidence(t *testing.T) {
	dir, text := t.TempDir(), []byte("tree\nany bytes\n")
	report, err := json.Marshal(Report{Version: registry.Digest(text), Training: &Trained{}})
	require.NoError(t, err)
	for name, body := range map[string][]byte{fileModel: text, fileReport: report, fileGolden: []byte(`{"rows":[]}`)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), body, 0o600))
	}
	p := &Plan{EventType: "payment", Train: Span{From: 0, To: features.Day}}
	for left := range 2 {
		s := store(t)
		_, err := Publish(t.Context(), &dying{s, left}, p, dir, "ann")
		require.ErrorContains(t, err, "died")
		for range 2 { // the second is no change
			digest, err := Publish(t.Context(), s, p, dir, "bob")
			require.NoError(t, err)
			require.Equal(t, registry.Digest(text), digest)
			evidence, err := s.Evidence(t.Context(), digest)
			require.NoError(t, err)
			require.Len(t, evidence, 2)
			require.Equal(t, registry.EvidenceGolden, evidence[0].Kind)
			require.Equal(t, registry.EvidenceReport, evidence[1].Kind)
		}
	}
}

// TestPulledRowsAreRemoved: a run that died leaves nothing large behind.
func TestPulledRowsAreRemoved(t *testing.T) {
	s, dir := store(t), t.TempDir()
	now := time.Now()
	require.NoError(t, s.PutRun(t.Context(), registry.Run{ID: "r1", EventType: "payment", State: registry.RunRunning, CreatedAt: now, UpdatedAt: now}))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "r1"), 0o700))
	for _, name := range []string{fileRows, fileRows + ".part", fileReport} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "r1", name), []byte("x"), 0o600))
	}
	r := NewRunner(Options{Registry: s, Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, r.Recover(t.Context()))
	left, err := os.ReadDir(filepath.Join(dir, "r1"))
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, fileReport, left[0].Name())
	run, err := s.Run(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, registry.RunFailed, run.State)
	r.Stop()
}

func TestAlertEntity(t *testing.T) {
	per := func(kind string) *policy.ThresholdSpec { return &policy.ThresholdSpec{AlertsPerDay: 1, Per: kind} }
	for _, c := range []struct {
		review, decline *policy.ThresholdSpec
		want            string
	}{
		{nil, nil, "card"}, {per(""), per(""), "card"}, {per("customer"), nil, "customer"}, {nil, per("customer"), "customer"},
		{per(""), per("customer"), "customer"}, {per("customer"), per("customer"), "customer"}, {per("customer"), per("terminal"), ""},
	} {
		p := &Plan{AlertEntity: "card", Thresholds: policy.ThresholdsSpec{Review: c.review, Decline: c.decline}}
		err := p.alertEntity()
		if c.want == "" {
			require.ErrorIs(t, err, ErrRequest)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, p.AlertEntity)
	}
}
