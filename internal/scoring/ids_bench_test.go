package scoring

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// BenchmarkIDs reserves and lands one new id after the other, as records of them go into the log, and reports what an id takes
// in memory: with more ids than a segment holds most are in the log's index only.
func BenchmarkIDs(b *testing.B) {
	log, err := eventlog.Open(eventlog.Options{Dir: b.TempDir(), SegmentBytes: 16 << 20})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	index, err := log.StateEventType(&logv1.EventType{Name: "card_payment"})
	require.NoError(b, err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := newIDs(log)
	log.OnIndexed(x.forget)
	b.ResetTimer()
	for i := range b.N {
		id := strconv.Itoa(i)
		k := x.key("card_payment", id)
		_, mine, err := x.reserve(context.Background(), k)
		require.NoError(b, err)
		require.True(b, mine)
		sequence, err := log.Append(&logv1.Record{Body: &logv1.Record_Event{Event: &logv1.Event{EventType: index, Id: id}}}, nil)
		if err != nil {
			require.ErrorIs(b, err, eventlog.ErrOverloaded)
			require.NoError(b, log.Wait(context.Background(), log.Last()))
			x.drop(k)
			continue
		}
		x.land(k, place{event: sequence})
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/id")
	runtime.KeepAlive(x)
}
