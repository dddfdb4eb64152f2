package features_test

import (
	"fmt"
	"math/rand"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// busySchema has four entities; busySpecs are twenty features over them.
func busySchema() *features.Schema {
	return &features.Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2, AllowedLateness: features.Day,
		Entities: []features.EntityKind{{Name: "customer"}, {Name: "card"}, {Name: "terminal"}, {Name: "device"}}}
}

func busySpecs() ([]string, map[string]features.Spec) {
	windows := []string{"1h", "1d", "7d"}
	specs := map[string]features.Spec{
		"customer_n":    {Count: "events", By: "customer", Windows: windows, IncludeCurrent: ptr(true)},
		"customer_mean": {Mean: "amount", By: "customer", Windows: windows, IncludeCurrent: ptr(false)},
		"customer_max":  {Max: "amount", By: "customer", Windows: windows[2:], IncludeCurrent: ptr(false)},
		"card_sum":      {Sum: "amount", By: "card", Windows: windows, IncludeCurrent: ptr(true)},
		"card_std":      {Std: "amount", By: "card", Windows: windows[2:], IncludeCurrent: ptr(true)},
		"card_gap":      {TimeSinceLast: "events", By: "card"},
		"terminal_n":    {Count: "events", By: "terminal", Windows: windows, Delay: "1d"},
		"terminal_risk": {FraudShare: "events", By: "terminal", Windows: windows, Delay: "1d"},
		"device_seen":   {FirstSeenAge: "events", By: "device"},
		"ratio":         {Expr: "missing(customer_mean_7d) ? 1 : amount / customer_mean_7d"},
	}
	return []string{"customer_n", "customer_mean", "customer_max", "card_sum", "card_std", "card_gap", "terminal_n", "terminal_risk", "device_seen", "ratio"}, specs
}

// stream makes events of a few thousand entities, ten seconds apart.
func stream(n int) func(i int) *features.Event {
	random := rand.New(rand.NewSource(1))
	keys := make([]string, 4_000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	ring := make([]features.Event, n)
	for i := range ring {
		ring[i] = features.Event{ID: "e", Amount: random.Int63n(100_000), Entities: []string{keys[random.Intn(4_000)], keys[random.Intn(4_000)],
			keys[random.Intn(1_000)], keys[random.Intn(2_000)]}}
	}
	return func(i int) *features.Event {
		ev := &ring[i%n]
		ev.Time = int64(i) * 10 * features.Second
		return ev
	}
}

// TestObserveDoesNotAllocate once the windows are full.
func TestObserveDoesNotAllocate(t *testing.T) {
	names, specs := busySpecs()
	engine := newEngine(t, busySchema(), names, specs)
	require.Len(t, engine.Definitions(), 20)
	vector := make([]float64, 20)
	next, sequence := stream(100_000), uint64(0)
	commit := func([]uint64) (features.Placement, error) {
		sequence++
		return features.Placement{Sequence: sequence, Outcome: features.InOrder}, nil
	}
	i := 0
	observe := func() {
		if _, err := engine.Observe(next(i), vector, commit); err != nil {
			t.Error(err)
		}
		i++
	}
	for range 150_000 { // 17 days, windows of 9
		observe()
	}
	require.Zero(t, testing.AllocsPerRun(20_000, observe))
}

// BenchmarkObserve: four entities, twenty features, full windows; one operation is one event.
func BenchmarkObserve(b *testing.B) {
	names, specs := busySpecs()
	for _, serial := range []bool{true, false} {
		b.Run(map[bool]string{true: "serial", false: "parallel"}[serial], func(b *testing.B) {
			engine := newEngine(b, busySchema(), names, specs)
			var sequence atomic.Uint64
			commit := func([]uint64) (features.Placement, error) {
				return features.Placement{Sequence: sequence.Add(1), Outcome: features.InOrder}, nil
			}
			vector, next := make([]float64, 20), stream(100_000)
			events := make([]*features.Event, 100_000)
			for i := range events {
				events[i] = next(i)
			}
			for i := range 200_000 {
				if _, err := engine.Observe(next(i), vector, commit); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			if serial {
				for i := range b.N {
					if _, err := engine.Observe(next(200_000+i), vector, commit); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			var clock atomic.Int64 // one event clock for all, as a server has
			clock.Store(200_000)
			b.SetParallelism(32)
			b.RunParallel(func(p *testing.PB) {
				vector, ev := make([]float64, 20), features.Event{}
				for p.Next() {
					i := clock.Add(1)
					ev = *events[int(i)%len(events)]
					ev.Time = i * 10 * features.Second
					if _, err := engine.Observe(&ev, vector, commit); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
