package features_test

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// TestManyValuesEqualOracle: distinct and shares over windows of hundreds of events, around 256 different values and far from it, with late events,
// events that are not read, filters and caps: what is remembered of a window from one event to the next must not show.
func TestManyValuesEqualOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := shop()
		schema.Cap = rapid.SampledFrom([]int{0, 0, 300}).Draw(t, "cap")
		names, specs, defs := []string{}, map[string]features.Spec{}, []defined{}
		for i := range 6 {
			d := defined{name: fmt.Sprint("f", i), window: rapid.SampledFrom([]int64{20, 60, 270, 330, 400}).Draw(t, "window") * features.Second}
			d.spec = features.Spec{By: "customer", Windows: []string{fmt.Sprintf("%dus", d.window)}, IncludeCurrent: ptr(rapid.Bool().Draw(t, "current"))}
			if rapid.IntRange(0, 3).Draw(t, "delayed") == 0 {
				d.delay, d.spec.Delay, d.spec.IncludeCurrent = 3*features.Second, "3s", nil
			}
			if rapid.IntRange(0, 3).Draw(t, "filtered") == 0 {
				f := rapid.SampledFrom(filters).Draw(t, "where")
				d.spec.Where, d.counts = f.text, f.counts
			}
			of := rapid.SampledFrom([]string{"note", "device", "lat", "amount", "channel"}).Draw(t, "of")
			if rapid.IntRange(0, 2).Draw(t, "share") == 0 {
				d.spec.ShareOfValue = of
			} else {
				d.spec.Distinct = of
			}
			names, specs[d.name], defs = append(names, d.name), d.spec, append(defs, d)
		}
		engine := rapidEngine(t, schema, names, specs, 1)
		o, vector := &oracle{schema: schema}, make([]float64, len(defs))
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		values := rapid.SampledFrom([]int{4, 250, 300, 5_000}).Draw(t, "values")
		var clock features.Clock
		for i := range 400 {
			ev := event(max(0, float64(i)-float64(random.Intn(2)*random.Intn(2)*random.Intn(90))), random.Int63n(int64(values)))
			ev.Attributes = []string{fmt.Sprint("channel ", random.Intn(values)), []string{"", "true", "false"}[random.Intn(3)], fmt.Sprint("note ", random.Intn(values))}
			ev.Numbers[0], ev.Entities[1] = float64(random.Intn(values))/100, []string{"", fmt.Sprint("device ", random.Intn(values))}[random.Intn(2)]
			p := features.Placement{Sequence: uint64(i + 1), Outcome: clock.Admit(ev.Time, schema.AllowedLateness)}
			if random.Intn(60) == 0 {
				engine.Warm(clock.Watermark())
			}
			var reading []float64
			var want answer
			if i > 340 && random.Intn(3) == 0 || i < 340 && random.Intn(60) == 0 {
				reading, want = vector, o.observe(ev, defs)
			}
			_, err := engine.Observe(ev, reading, func([]uint64) (features.Placement, error) { return p, nil })
			require.NoError(t, err)
			for k := range reading {
				require.Equal(t, math.Float64bits(want.vector[k]), math.Float64bits(vector[k]), "event %d: %+v is %v, want %v", i, defs[k].spec, vector[k], want.vector[k])
			}
			if p.Outcome != features.LateDropped {
				o.added = append(o.added, placed{*ev, p.Sequence})
			}
		}
	})
}

// hotSpecs read one entity by every kind that came later.
func hotSpecs(windows ...string) ([]string, map[string]features.Spec) {
	yes := ptr(true)
	return named([]namedSpec{
		{"devices", features.Spec{Distinct: "device", By: "customer", Windows: windows, IncludeCurrent: yes}},
		{"notes", features.Spec{Distinct: "note", By: "customer", Windows: windows, IncludeCurrent: ptr(false), Where: `channel == "online"`}},
		{"same_note", features.Spec{ShareOfValue: "note", By: "customer", Windows: windows, IncludeCurrent: yes}},
		{"pace", features.Spec{Velocity: "amount", By: "customer", Windows: windows[:1], Over: windows[1], IncludeCurrent: yes}},
		{"last_channel", features.Spec{Last: "channel", By: "customer"}},
		{"last_large", features.Spec{Last: "amount", By: "customer", Windows: windows, Where: "amount > 500"}},
		{"new_device", features.Spec{Changed: "device", By: "customer"}},
		{"same_present", features.Spec{SameAsLast: "present", By: "customer"}},
		{"speed", features.Spec{SpeedFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer"}},
		{"speed_home", features.Spec{Speed: &features.Route{From: []string{"lat", "lon"}, To: []string{"lat", "lon"}}, By: "customer"}},
		{"online", features.Spec{Count: "events", By: "customer", Windows: windows, IncludeCurrent: yes, Where: `channel in ["online"] && amount > 1`}},
		{"online_max", features.Spec{Max: "amount", By: "customer", Windows: windows, IncludeCurrent: yes, Where: `!missing(device)`}},
		{"online_seen", features.Spec{FirstSeenAge: "events", By: "customer", Windows: windows, Where: `channel == "online"`}},
		{"risk", features.Spec{FraudShare: "events", By: "customer", Windows: windows, Delay: "0s", Where: `channel == "online"`}},
	})
}

// hotEvents are events of one customer, a fresh time every second.
func hotEvents(n, values int) func(i int) *features.Event {
	random := rand.New(rand.NewSource(1))
	ring := make([]features.Event, n)
	for i := range ring {
		ring[i] = *event(0, random.Int63n(100_000))
		ring[i].Entities = []string{"hot", fmt.Sprint("device ", random.Intn(values))}
		ring[i].Attributes = []string{[]string{"chip", "online"}[random.Intn(2)], "true", fmt.Sprint("note ", random.Intn(values))}
		ring[i].Numbers[0], ring[i].Numbers[1] = float64(random.Intn(90)), float64(random.Intn(90))
	}
	return func(i int) *features.Event {
		ev := &ring[i%n]
		ev.Time = int64(i) * features.Second
		return ev
	}
}

// TestLaterKindsDoNotAllocate once the windows are full.
func TestLaterKindsDoNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("make data runs this, without the race detector")
	}
	names, specs := hotSpecs("10m", "2h")
	schema := shop()
	engine := newEngine(t, schema, names, specs)
	vector := make([]float64, len(engine.Definitions()))
	next, sequence, i := hotEvents(10_000, 2_000), uint64(0), 0
	commit := func([]uint64) (features.Placement, error) {
		sequence++
		return features.Placement{Sequence: sequence, Outcome: features.InOrder}, nil
	}
	observe := func() {
		if _, err := engine.Observe(next(i), vector, commit); err != nil {
			t.Error(err)
		}
		i++
	}
	for range 12_000 { // windows of 7,200
		observe()
	}
	require.Zero(t, testing.AllocsPerRun(5_000, observe))
}

// BenchmarkHotValues: one entity with a day of events, one a second, read by all later kinds; where they are late, every twentieth is, by up to ten
// minutes.
func BenchmarkHotValues(b *testing.B) {
	for _, values := range []int{200, 2_000, 100_000} {
		for _, late := range []int64{0, 600} {
			benchmarkHotValues(b, values, late)
		}
	}
}

func benchmarkHotValues(b *testing.B, values int, late int64) {
	b.Run(fmt.Sprintf("%d_values_late_%d", values, late), func(b *testing.B) {
		names, specs := hotSpecs("1h", "1d")
		schema := shop()
		schema.Cap = features.MaxCap
		engine := newEngine(b, schema, names, specs)
		vector, next, sequence := make([]float64, len(engine.Definitions())), hotEvents(200_000, values), uint64(0)
		commit := func([]uint64) (features.Placement, error) {
			sequence++
			return features.Placement{Sequence: sequence, Outcome: features.InOrder}, nil
		}
		for i := range 100_000 {
			if _, err := engine.Observe(next(i), vector, commit); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			ev := next(100_000 + i)
			if late > 0 && i%20 == 0 {
				ev.Time -= int64(i) * 7919 % late * features.Second
			}
			if _, err := engine.Observe(ev, vector, commit); err != nil {
				b.Fatal(err)
			}
		}
	})
}
