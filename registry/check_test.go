package registry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

// All that is wrong with a version is said at once.
func TestCheckSaysAll(t *testing.T) {
	err := registry.Version{Digest: "ABC", Source: "found", Features: []registry.Feature{{Name: "amount", Hash: "no", Canonical: "{}"}}}.Check()
	require.ErrorIs(t, err, registry.ErrInvalid)
	for _, part := range []string{`digest "ABC"`, "event type", `source "found"`, "verified", `feature "amount"`} {
		require.ErrorContains(t, err, part)
	}
}

func TestSame(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	v := registry.Version{Digest: "a", CreatedAt: at, CreatedBy: "ana", Span: registry.Span{From: at, To: at}, Parameters: map[string]string{}}
	w := v
	w.CreatedAt, w.CreatedBy, w.Parameters = at.Add(time.Hour), "ben", nil
	w.Span.From = at.Add(7 * time.Nanosecond).In(time.FixedZone("east", 3600))
	require.True(t, v.Same(w))
	w.Span.From = at.Add(time.Microsecond)
	require.False(t, v.Same(w))
}

// Await returns what reading gives: a revision above, or the error.
func TestAwaitError(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := registry.Await(t.Context(), &registry.Bell{}, time.Hour, 0, func(context.Context) (uint64, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
}

// A ring between reading and waiting is not lost: the poll of an hour would show it.
func TestAwaitMissesNoRing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var bell registry.Bell
	reads := uint64(0)
	revision, err := registry.Await(ctx, &bell, time.Hour, 3, func(context.Context) (uint64, error) {
		reads++
		bell.Ring() // the change comes while this reads the state before it
		return reads, nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 4, revision)
}
