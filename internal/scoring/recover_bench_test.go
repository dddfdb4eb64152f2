package scoring

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/registry/sqlite"
)

// BenchmarkRecover makes all state from a log of events and one label for each, and reports events a second.
func BenchmarkRecover(b *testing.B) {
	const events = 400_000
	typ, err := readDocument([]byte(document))
	require.NoError(b, err)
	store, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	where := eventlog.Options{Dir: b.TempDir(), SegmentBytes: 64 << 20}
	open := func(without bool) (*Scorer, *eventlog.Log) {
		log, err := eventlog.Open(where)
		require.NoError(b, err)
		s, err := New(Options{Log: log, Registry: store, EventTypes: []EventType{typ}, ReadDocument: readDocument, WithoutFeatures: without, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		require.NoError(b, s.Recover(context.Background(), nil))
		return s, log
	}
	s, log := open(true)
	for i := range events {
		ev := pay(fmt.Sprint(i), fmt.Sprint("c-", i%5000), int64(i))
		ev.Entities[1] = fmt.Sprint("d-", i%3000)
		_, err := s.AppendEvent(b.Context(), "payment", ev)
		require.NoError(b, err)
		if i >= 1000 {
			_, err = s.AppendLabel(b.Context(), "payment", fmt.Sprint(i-1000), LabelStatement{Verdict: features.Legitimate, Kind: "chargeback"})
			require.NoError(b, err)
		}
	}
	require.NoError(b, s.Flush(b.Context()))
	require.NoError(b, log.Close())
	b.ResetTimer()
	for b.Loop() {
		_, log := open(false)
		b.StopTimer()
		require.NoError(b, log.Close())
		b.StartTimer()
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
