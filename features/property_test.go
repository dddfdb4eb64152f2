package features_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

var errDuplicate = errors.New("duplicate")

// TestEngineEqualsOracle: random features, events, labels, delays, orders of arrival and restarts.
func TestEngineEqualsOracle(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) { rapid.Check(t, engineEqualsOracle) })
	}
}

// restarted is an engine that was read from what another one has written.
func restarted(t *rapid.T, schema *features.Schema, e *features.Engine) *features.Engine {
	engine, err := features.NewEngine(schema, e.Definitions(), features.EngineOptions{Shards: e.Shards()})
	require.NoError(t, err)
	for i := range e.Shards() {
		var written bytes.Buffer
		_, err := e.WriteShard(&written, i)
		require.NoError(t, err)
		_, err = engine.ReadShard(&written)
		require.NoError(t, err)
	}
	_, err = engine.Restored()
	require.NoError(t, err)
	return engine
}

// engineEqualsOracle holds two engines, one with all features and many shards, one with the first feature alone and one shard, to the oracle.
func engineEqualsOracle(t *rapid.T) {
	schema := randomSchema(t)
	names, specs, defs := randomSpecs(t)
	engine := rapidEngine(t, schema, names, specs, 16)
	single := rapidEngine(t, schema, names[:1], specs, 1)
	all := features.NewScope(schema, engine.Definitions()...)
	o := &oracle{schema: schema, labels: map[uint64][]features.Label{}}
	var clock features.Clock
	var sequence uint64
	var now int64
	var past []placed
	vector, alone := make([]float64, len(defs)), make([]float64, 1)
	label := func(after int64) features.Label {
		sequence++
		return features.Label{Sequence: sequence, KnownAt: after + rapid.Int64Range(-20, 40).Draw(t, "known")*features.Second,
			Verdict: rapid.SampledFrom([]features.Verdict{features.Fraud, features.Fraud, features.Legitimate, features.Withdrawn}).Draw(t, "verdict")}
	}
	unit := rapid.SampledFrom([]int64{features.Second, features.Second / 50}).Draw(t, "unit") // sparse or dense windows
	told := rapid.Bool().Draw(t, "told")                                                      // of the watermark, so that entities may rest
	for range rapid.IntRange(1, 250).Draw(t, "steps") {
		if len(past) > 0 && rapid.IntRange(0, 3).Draw(t, "label") == 0 {
			p := past[rapid.IntRange(0, len(past)-1).Draw(t, "event")]
			l := label(p.event.Time)
			for _, e := range []*features.Engine{engine, single} {
				require.NoError(t, e.Label(&p.event, p.sequence, func() (features.Label, error) { return l, nil }))
			}
			o.labels[p.sequence] = append(o.labels[p.sequence], l)
			continue
		}
		if rapid.IntRange(0, 29).Draw(t, "restart") == 0 {
			engine, single = restarted(t, schema, engine), restarted(t, schema, single)
		}
		ev := randomEvent(t, &now, unit)
		require.NoError(t, schema.Validate(&ev))
		if rapid.IntRange(0, 9).Draw(t, "duplicate") == 0 {
			for _, e := range []*features.Engine{engine, single} { // its id is in the log already: nothing happens
				_, err := e.Observe(&ev, nil, func([]uint64) (features.Placement, error) { return features.Placement{}, errDuplicate })
				require.ErrorIs(t, err, errDuplicate)
			}
		}
		p := features.Placement{}
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "waiting") {
			p.Labels = append(p.Labels, label(ev.Time))
		}
		if told && len(past) > 0 && rapid.IntRange(0, 9).Draw(t, "evict") == 0 {
			engine.Evict(clock.Watermark())
		}
		sequence++
		p.Sequence, p.Outcome = sequence, clock.Admit(ev.Time, schema.AllowedLateness)
		p.Since, o.since = clock.Since(), clock.Since()
		if told {
			p.Watermark, o.watermark = clock.Watermark(), clock.Watermark()
		}
		want := o.observe(&ev, defs)
		if rapid.IntRange(0, 9).Draw(t, "explain") == 0 {
			explained(t, engine, &ev, p, defs, want.vector)
		}
		commit := func([]uint64) (features.Placement, error) { return p, nil }
		got, err := engine.Observe(&ev, vector, commit)
		require.NoError(t, err)
		first, err := single.Observe(&ev, alone, commit)
		require.NoError(t, err)
		complete, degraded := got.Within(all)
		require.Equal(t, []bool{got.Complete, got.Degraded}, []bool{complete, degraded}, "of all definitions")
		complete, degraded = got.Within(features.NewScope(schema, engine.Definitions()[:1]...))
		require.Equal(t, []bool{first.Complete, first.Degraded}, []bool{complete, degraded}, "flags do not depend on what else is computed")
		for i := range defs {
			require.True(t, same(defs[i], vector[i], want.vector[i]), "%s %+v is %v, want %v", defs[i].name, defs[i].spec, vector[i], want.vector[i])
		}
		require.Equal(t, math.Float64bits(vector[0]), math.Float64bits(alone[0]), "a feature does not depend on what else is computed")
		require.Equal(t, want.complete, got.Complete, "complete")
		require.Equal(t, want.degraded, got.Degraded, "degraded")
		if p.Outcome != features.LateDropped {
			o.added = append(o.added, placed{ev, p.Sequence})
			o.labels[p.Sequence] = p.Labels
		}
		past = append(past, placed{ev, p.Sequence})
	}
	counted, found := engine.HeldTexts()
	require.Equal(t, found, counted, "texts are kept as long as entries hold them")
}

// TestExtremesEqualOracle: the smallest and largest of long windows, one entity, with events a little late and some not read: what is remembered
// from one event to the next must not show.
func TestExtremesEqualOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := shop()
		schema.Cap = rapid.SampledFrom([]int{0, 50}).Draw(t, "cap")
		names, specs, defs := []string{}, map[string]features.Spec{}, []defined{}
		for i := range 4 {
			d := defined{name: fmt.Sprint("f", i), window: rapid.Int64Range(5, 60).Draw(t, "window") * features.Second}
			d.spec = features.Spec{By: "customer", Windows: []string{fmt.Sprintf("%dus", d.window)}, IncludeCurrent: ptr(false)}
			if i >= 2 {
				d.delay, d.spec.Delay, d.spec.IncludeCurrent = 3*features.Second, "3s", nil
			}
			of := rapid.SampledFrom([]string{"amount", "lat"}).Draw(t, "of")
			if rapid.Bool().Draw(t, "min") {
				d.spec.Min = of
			} else {
				d.spec.Max = of
			}
			names, specs[d.name], defs = append(names, d.name), d.spec, append(defs, d)
		}
		engine := rapidEngine(t, schema, names, specs, 1)
		o, vector := &oracle{schema: schema}, make([]float64, len(defs))
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		var clock features.Clock
		for i := range 130 {
			ev := event(max(0, float64(i/2)-float64(random.Intn(2)*random.Intn(4))), random.Int63n(1000))
			if random.Intn(3) > 0 {
				ev.Numbers[0] = float64(random.Intn(1000))
			}
			want := o.observe(ev, defs)
			p := features.Placement{Sequence: uint64(i + 1), Outcome: clock.Admit(ev.Time, schema.AllowedLateness)}
			reading := vector
			if random.Intn(5) == 0 {
				reading = nil
			}
			_, err := engine.Observe(ev, reading, func([]uint64) (features.Placement, error) { return p, nil })
			require.NoError(t, err)
			for k, d := range defs {
				if reading == nil {
					break
				}
				require.True(t, same(d, vector[k], want.vector[k]), "event %d: %+v is %v, want %v", i, d.spec, vector[k], want.vector[k])
			}
			o.added = append(o.added, placed{*ev, p.Sequence})
		}
	})
}

// same compares to the bit, but for distances, whose last bits are our own.
func same(d defined, got, want float64) bool {
	tolerance := 1e-3 // a metre: at the antipode one rounding of h moves a haversine that far
	switch {
	case d.spec.SpeedFromLast != nil, d.spec.Speed != nil:
		tolerance = 1e-3 * 3.6e9 // over a microsecond
		fallthrough
	case d.spec.DistanceFromLast != nil:
		return math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= tolerance
	}
	return math.Float64bits(got) == math.Float64bits(want) || math.IsNaN(got) && math.IsNaN(want)
}

func rapidEngine(t *rapid.T, schema *features.Schema, names []string, specs map[string]features.Spec, shards int) *features.Engine {
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(schema, definitions, features.EngineOptions{Shards: shards}.Small(rapid.SampledFrom([]int{0, 4, 7}).Draw(t, "rows"), 2))
	require.NoError(t, err)
	return engine
}

// TestConcurrentEqualsSerial: 64 goroutines, most of them on one entity, on four shards, labels among them, give the vectors and the state of a replay
// in sequence order.
func TestConcurrentEqualsSerial(t *testing.T) {
	key := func(random *rand.Rand) string {
		if random.Intn(5) == 0 {
			return fmt.Sprint(random.Intn(9))
		}
		return "hot"
	}
	t.Run("published", func(t *testing.T) {
		names, specs := personalSpecs()
		concurrentEqualsSerial(t, handbookSchema(), names, specs, func(random *rand.Rand) features.Event {
			return features.Event{ID: "e", Time: random.Int63n(20) * features.Day, Amount: random.Int63n(10_000), Entities: []string{key(random), fmt.Sprint(random.Intn(9))}}
		})
	})
	t.Run("later", func(t *testing.T) {
		names, specs := hotSpecs("10d", "20d")
		schema := shop()
		schema.AllowedLateness = features.DefaultAllowedLateness
		concurrentEqualsSerial(t, schema, names, specs, func(random *rand.Rand) features.Event {
			ev := event(0, random.Int63n(10_000), attribute(0, []string{"", "chip", "online"}[random.Intn(3)]), attribute(2, fmt.Sprint("note ", random.Intn(400))))
			ev.Time, ev.Entities = random.Int63n(20)*features.Day, []string{key(random), fmt.Sprint("device ", random.Intn(400))}
			return *ev
		})
	})
}

func concurrentEqualsSerial(t *testing.T, schema *features.Schema, names []string, specs map[string]features.Spec, draw func(*rand.Rand) features.Event) {
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(schema, definitions, features.EngineOptions{Shards: 4})
	require.NoError(t, err)
	type step struct {
		event    features.Event
		sequence uint64 // of the event
		place    features.Placement
		label    *features.Label
		vector   []float64
		ordinals []uint64
	}
	var mu sync.Mutex // the log's append lock
	var clock features.Clock
	var log []*step
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			random := rand.New(rand.NewSource(int64(g)))
			for range 50 {
				s := &step{vector: make([]float64, len(engine.Definitions()))}
				s.event = draw(random)
				_, err := engine.Observe(&s.event, s.vector, func(ordinals []uint64) (features.Placement, error) {
					mu.Lock()
					defer mu.Unlock()
					log = append(log, s)
					s.sequence, s.ordinals = uint64(len(log)), append([]uint64(nil), ordinals...)
					s.place = features.Placement{Sequence: s.sequence, Outcome: clock.Admit(s.event.Time, schema.AllowedLateness), Since: clock.Since()}
					return s.place, nil
				})
				if err != nil {
					t.Error(err)
				}
				if random.Intn(3) > 0 {
					continue
				}
				err = engine.Label(&s.event, s.sequence, func() (features.Label, error) {
					mu.Lock()
					defer mu.Unlock()
					l := features.Label{Sequence: uint64(len(log) + 1), Verdict: features.Verdict(1 + random.Intn(3)), KnownAt: random.Int63n(20) * features.Day}
					log = append(log, &step{event: s.event, sequence: s.sequence, label: &l})
					return l, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	serial := newEngine(t, schema, names, specs)
	vector := make([]float64, len(serial.Definitions()))
	for _, s := range log {
		if s.label != nil {
			require.NoError(t, serial.Label(&s.event, s.sequence, func() (features.Label, error) { return *s.label, nil }))
			continue
		}
		_, err := serial.Observe(&s.event, vector, func(ordinals []uint64) (features.Placement, error) {
			require.Equal(t, s.ordinals, ordinals)
			return s.place, nil
		})
		require.NoError(t, err)
		for i := range vector {
			require.Equal(t, math.Float64bits(s.vector[i]), math.Float64bits(vector[i]), serial.Definitions()[i].Name)
		}
	}
	require.Equal(t, serial.Checksum(), engine.Checksum())
}
