package scoring

import (
	"runtime"
	"strconv"
	"testing"
)

// BenchmarkIDs reports what one event id of the log takes in memory.
func BenchmarkIDs(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := newIDs()
	for i := range b.N {
		x.land(x.key("card_payment", strconv.Itoa(i)), place{event: uint64(i) + 1, decision: uint64(i) + 2})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/id")
	runtime.KeepAlive(x)
}
