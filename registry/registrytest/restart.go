package registrytest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

// content is all that can be read of a registry.
type content struct {
	Versions []registry.Version
	Models   map[string]string
	Evidence map[string][]registry.Evidence
	History  []registry.Assignment
	Head     registry.State
	Runs     []registry.Run
	Steps    []registry.Step
	Document string
}

func read(ctx context.Context, t *testing.T, s registry.Store) content {
	t.Helper()
	c := content{Models: map[string]string{}, Evidence: map[string][]registry.Evidence{}}
	var err error
	c.Versions, err = s.ListVersions(ctx, "")
	require.NoError(t, err)
	for _, v := range c.Versions {
		model, err := s.Model(ctx, v.Digest)
		require.NoError(t, err)
		c.Models[v.Digest] = string(model)
		c.Evidence[v.Digest], err = s.Evidence(ctx, v.Digest)
		require.NoError(t, err)
	}
	c.History, err = s.History(ctx, "")
	require.NoError(t, err)
	c.Head, err = s.Head(ctx, "card_payment")
	require.NoError(t, err)
	c.Runs, err = s.ListRuns(ctx, "")
	require.NoError(t, err)
	c.Steps, err = s.Steps(ctx, "r1")
	require.NoError(t, err)
	document, err := s.EventType(ctx, registry.Digest([]byte("document")))
	require.NoError(t, err)
	c.Document = string(document)
	return c
}

// fill puts one of everything.
func fill(ctx context.Context, t *testing.T, s registry.Store) {
	t.Helper()
	a := put(ctx, t, s, "card_payment", 1)
	require.NoError(t, s.PutEvidence(ctx, registry.Evidence{Version: a, Kind: registry.EvidenceReport, Body: json.RawMessage(`{}`), CreatedBy: "ana"}))
	_, err := s.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, a)})
	require.NoError(t, err)
	require.NoError(t, s.PutRun(ctx, run("r1", 1)))
	require.NoError(t, s.PutStep(ctx, registry.Step{Run: "r1", Name: "pull", Output: json.RawMessage(`1`)}))
	require.NoError(t, s.PutEventType(ctx, registry.Digest([]byte("document")), "card_payment", []byte("document")))
}

func testReopen(t *testing.T, p Place) {
	ctx := t.Context()
	first := p.Open(t)
	fill(ctx, t, first)
	want := read(ctx, t, first)
	require.Len(t, want.Versions, 1)
	require.NoError(t, first.Close())
	second := open(t, p)
	require.Equal(t, want, read(ctx, t, second))
	_, err := second.Assign(ctx, 0, []registry.Assignment{give("card_payment", registry.Champion, want.Versions[0].Digest)})
	require.ErrorIs(t, err, registry.ErrConflict, "the head is remembered")
}

// What one handle has been acknowledged, another one sees, and both go on.
func testTwoHandles(t *testing.T, p Place) {
	ctx, a, b := t.Context(), open(t, p), open(t, p)
	fill(ctx, t, a)
	require.Equal(t, read(ctx, t, a), read(ctx, t, b))
	digest := put(ctx, t, b, "card_payment", 2)
	_, err := b.Assign(ctx, 1, []registry.Assignment{give("card_payment", registry.Champion, digest)})
	require.NoError(t, err)
	require.Equal(t, read(ctx, t, a), read(ctx, t, b))
	_, err = a.Assign(ctx, 1, []registry.Assignment{give("card_payment", registry.Champion, digest)})
	require.ErrorIs(t, err, registry.ErrConflict)
}
