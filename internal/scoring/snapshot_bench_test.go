package scoring

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/registry/sqlite"
)

// BenchmarkScoreBesideSnapshots takes turns of 16 callers, alone and beside snapshots of 300,000 events that are written one
// after the other, and reports the ratio of their 99th percentiles.
func BenchmarkScoreBesideSnapshots(b *testing.B) {
	typ, err := readDocument([]byte(document))
	require.NoError(b, err)
	store, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	log, err := eventlog.Open(eventlog.Options{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	s, err := New(Options{Log: log, Registry: store, EventTypes: []EventType{typ}, ReadDocument: readDocument, SnapshotDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	require.NoError(b, s.Recover(context.Background(), nil))
	var n atomic.Int64
	for range 300_000 {
		i := int(n.Add(1))
		_, err := s.AppendEvent(b.Context(), "payment", pay(fmt.Sprint(i), fmt.Sprint("c-", i%30_000), int64(i)))
		require.NoError(b, err)
	}
	turn := func(beside bool) float64 {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		if beside {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = s.Snapshot(ctx, .1)
				}
			})
		}
		took := make([][]time.Duration, 16)
		for c := range took {
			wg.Go(func() {
				for ctx.Err() == nil {
					i := int(n.Add(1))
					start := time.Now()
					if _, err := s.Score(context.Background(), "payment", pay(fmt.Sprint(i), fmt.Sprint("c-", i%30_000), int64(i))); err != nil {
						b.Error(err)
						return
					}
					took[c] = append(took[c], time.Since(start))
				}
			})
		}
		wg.Wait()
		all := slices.Concat(took...)
		slices.Sort(all)
		return all[len(all)*99/100].Seconds()
	}
	turn(false)
	var ratios, alone []float64
	for b.Loop() {
		a, with := turn(false), turn(true)
		ratios, alone = append(ratios, with/a), append(alone, a)
	}
	slices.Sort(ratios)
	slices.Sort(alone)
	b.ReportMetric(ratios[len(ratios)/2], "p99-ratio")
	b.ReportMetric(1e3*alone[len(alone)/2], "p99-alone-ms")
}
