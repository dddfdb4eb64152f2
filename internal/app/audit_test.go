package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// TestAudit: the server computes decisions again by itself, and on demand.
func TestAudit(t *testing.T) {
	dir, _ := newPayments(t)
	config, err := os.ReadFile(filepath.Join(dir, "haechi.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "haechi.yaml"), append(config, "audit: {every: 20ms, one_in: 2, share: 1}\n"...), 0o600))
	a := open(t, dir, true)
	for i := range 40 {
		score(t, a.Conn(), pay(number("a", i), number("c", i%3), begin().Add(time.Duration(i)*time.Second)))
	}
	require.Eventually(t, func() bool { return metric(t, a, "haechi_parity_values_total") > 0 }, time.Minute, 10*time.Millisecond)
	require.Positive(t, metric(t, a, "haechi_parity_finished_timestamp_seconds"))
	require.InDelta(t, 0, metric(t, a, "haechi_parity_mismatches_total"), 0)

	stream, err := haechiv1.NewFeaturesClient(a.Conn()).VerifyFeatures(t.Context(), &haechiv1.VerifyFeaturesRequest{})
	require.NoError(t, err)
	var last *haechiv1.VerifyFeaturesResponse
	for last == nil || !last.Done {
		last, err = stream.Recv()
		require.NoError(t, err)
	}
	require.EqualValues(t, 40, last.Decisions)
	require.EqualValues(t, 40*5, last.Values)
	require.Zero(t, last.Mismatches)

	list, err := haechiv1.NewFeaturesClient(a.Conn()).ListFeatures(t.Context(), &haechiv1.ListFeaturesRequest{})
	require.NoError(t, err)
	require.Equal(t, "payment", list.EventType)
	require.Equal(t, "card_count_1h", list.Features[3].Name)
	require.Contains(t, list.Features[3].Words, "card")
	code, text := get(t, a, "/v1/features/payment")
	require.Equal(t, 200, code)
	require.Contains(t, text, "card_count_1h")
}
