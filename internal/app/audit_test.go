package app_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// TestAudit: the server computes decisions again by itself, and on demand.
func TestAudit(t *testing.T) {
	dir, _ := newPayments(t)
	config, err := os.ReadFile(filepath.Join(dir, "haechi.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "haechi.yaml"), append(config, "audit: {every: 20ms, one_in: 2, share: 1}\n"...), 0o600))
	a := open(t, dir, true)
	defer stop(t, a)
	for i := range 40 {
		score(t, a.Conn(), pay(number("a", i), number("c", i%3), begin().Add(time.Duration(i)*time.Second)))
	}
	require.Eventually(t, func() bool { return metric(t, a, "haechi_parity_values_total") > 0 }, time.Minute, 10*time.Millisecond)
	require.Positive(t, metric(t, a, "haechi_parity_finished_timestamp_seconds"))
	require.InDelta(t, 0, metric(t, a, "haechi_parity_mismatches_total"), 0)

	stream, err := haechiv1.NewDecisionsClient(a.Conn()).ReplayDecisions(t.Context(), &haechiv1.ReplayDecisionsRequest{})
	require.NoError(t, err)
	var last *haechiv1.ReplayDecisionsResponse
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

// TestVerifyFindsAChangedValue writes a log again with one logged value changed in its last bit, and sees it found and
// explained.
func TestVerifyFindsAChangedValue(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	for i := range 20 {
		score(t, a.Conn(), pay(number("v", i), number("c", i%2), begin().Add(time.Duration(i)*time.Second)))
	}
	stop(t, a)
	data := filepath.Join(dir, "data")
	was, err := eventlog.OpenReader(filepath.Join(data, "log"))
	require.NoError(t, err)
	changed, err := eventlog.Open(eventlog.Options{Dir: filepath.Join(data, "changed")})
	require.NoError(t, err)
	r, err := was.Read(0)
	require.NoError(t, err)
	for {
		_, rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if d := rec.GetDecision(); d != nil && d.EventId == "v-7" {
			d.Vector[3] = math.Nextafter(d.Vector[3], 9)
		}
		if et := rec.GetEventType(); et != nil {
			_, err = changed.StateEventType(et)
		} else {
			_, err = changed.Append(rec, nil)
		}
		require.NoError(t, err)
	}
	require.NoError(t, errors.Join(r.Close(), changed.Close(), os.RemoveAll(filepath.Join(data, "log")), os.RemoveAll(filepath.Join(data, "snapshots")),
		os.Rename(filepath.Join(data, "changed"), filepath.Join(data, "log"))))

	a = open(t, dir, true)
	defer stop(t, a)
	stream, err := haechiv1.NewDecisionsClient(a.Conn()).ReplayDecisions(t.Context(), &haechiv1.ReplayDecisionsRequest{})
	require.NoError(t, err)
	m, err := stream.Recv()
	require.NoError(t, err)
	require.True(t, m.Done)
	require.EqualValues(t, 20, m.Decisions)
	require.EqualValues(t, 1, m.Mismatches)
	require.Equal(t, "v-7", m.FirstMismatchId)
	require.Contains(t, m.FirstMismatch.Differences[0], "4.000000000000001")
	require.Len(t, m.FirstMismatchTraces, 1)
	trace := m.FirstMismatchTraces[0]
	require.InDelta(t, 4, trace.Value, 0)
	require.Len(t, trace.Listed, 4)
	require.Equal(t, "v-1", trace.Listed[0].EventId)
	require.True(t, trace.Listed[3].Current)
}
