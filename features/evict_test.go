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

// TestRestingShowsInNoValue: an engine that puts entities to rest all the time, and one that never does, give the same vectors, ordinals and flags, for
// events that come too late as well.
func TestRestingShowsInNoValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := randomSchema(t)
		names, specs, _ := randomSpecs(t)
		engines := [2]*features.Engine{rapidEngine(t, schema, names, specs, 1), rapidEngine(t, schema, names, specs, 1)}
		vectors := [2][]float64{make([]float64, len(names)), make([]float64, len(names))}
		all := engines[0].Definitions()
		scopes := []*features.Scope{features.NewScope(schema, all...), features.NewScope(schema, all[0])}
		var clock features.Clock
		var now int64
		var past []placed
		rested := 0
		for sequence := uint64(1); sequence < 150; sequence++ {
			if rapid.IntRange(0, 3).Draw(t, "evict") == 0 {
				rested += engines[0].Evict(clock.Watermark())
			}
			if len(past) > 0 && rapid.IntRange(0, 4).Draw(t, "label") == 0 {
				p := past[rapid.IntRange(0, len(past)-1).Draw(t, "event")]
				for _, e := range engines {
					require.NoError(t, e.Label(&p.event, p.sequence, func() (features.Label, error) {
						return features.Label{Sequence: sequence, KnownAt: now, Verdict: features.Fraud}, nil
					}))
				}
				continue
			}
			ev := randomEvent(t, &now, features.Second)
			p := features.Placement{Sequence: sequence, Outcome: clock.Admit(ev.Time, schema.AllowedLateness), Since: clock.Since(), Watermark: clock.Watermark()}
			var ordinals [2][]uint64
			var results [2]features.Result
			for i, e := range engines {
				var err error
				results[i], err = e.Observe(&ev, vectors[i], func(got []uint64) (features.Placement, error) {
					ordinals[i] = append(ordinals[i], got...)
					return p, nil
				})
				require.NoError(t, err)
			}
			require.Equal(t, ordinals[0], ordinals[1])
			for _, of := range scopes {
				complete, degraded := results[0].Within(of)
				wasComplete, wasDegraded := results[1].Within(of)
				require.Equal(t, []bool{wasComplete, wasDegraded, results[1].Complete, results[1].Degraded},
					[]bool{complete, degraded, results[0].Complete, results[0].Degraded})
			}
			for i, x := range vectors[1] {
				require.Equal(t, math.Float64bits(x), math.Float64bits(vectors[0][i]), names[i])
			}
			past = append(past, placed{ev, sequence})
		}
		if m := engines[0].Memory(); m.Resting > rested {
			t.Fatal(m, rested)
		}
	})
}

// TestRestingEntitiesAreSmall and come back one by one as they were.
func TestRestingEntitiesAreSmall(t *testing.T) {
	schema := &features.Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2, AllowedLateness: features.Day, Entities: []features.EntityKind{{Name: "customer"}}}
	names := []string{"n", "mean", "last", "seen"}
	specs := map[string]features.Spec{"n": {Count: "events", By: "customer", Windows: []string{"7d"}, IncludeCurrent: ptr(false)},
		"mean": {Mean: "amount", By: "customer", Windows: []string{"7d"}, IncludeCurrent: ptr(false)},
		"last": {TimeSinceLast: "events", By: "customer"}, "seen": {FirstSeenAge: "events", By: "customer"}}
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(schema, definitions, features.EngineOptions{Shards: 2})
	require.NoError(t, err)
	const customers, each = 20_000, 5
	sequence, vector := uint64(0), make([]float64, 4)
	observe := func(customer int, at int64) uint64 {
		sequence++
		var ordinal uint64
		_, err := engine.Observe(&features.Event{ID: "e", Time: at, Amount: 500, Entities: []string{fmt.Sprintf("customer-%d", customer)}}, vector,
			func(ordinals []uint64) (features.Placement, error) {
				ordinal = ordinals[0]
				return features.Placement{Sequence: sequence, Outcome: features.InOrder, Watermark: at}, nil
			})
		require.NoError(t, err)
		return ordinal
	}
	for i := range int64(customers * each) {
		observe(int(i%customers), i*features.Second)
	}
	before := engine.Checksum()
	require.Zero(t, engine.Evict(8*features.Day), "all can be reached")
	require.Equal(t, before, engine.Checksum())
	rested := engine.Evict(30 * features.Day)
	require.InDelta(t, customers, rested, 5, "but for keys whose hashes are alike")
	m := engine.Memory()
	require.Equal(t, rested, m.Resting)
	require.Less(t, float64(m.RestingBytes)/float64(rested), 75.0)
	t.Logf("%d bytes of %d resting entities", m.RestingBytes, rested)
	checksum := engine.Checksum()
	random := rand.New(rand.NewSource(1))
	for i, customer := range random.Perm(customers) {
		require.EqualValues(t, each+1, observe(customer, 40*features.Day))
		require.Equal(t, []float64{0, float64(40*86_400 - (customers*(each-1) + customer)), float64(40*86_400 - customer)},
			[]float64{vector[0], vector[2], vector[3]})
		if i == customers/2 {
			require.NotEqual(t, checksum, engine.Checksum())
		}
	}
	require.Zero(t, engine.Memory().Resting)
	require.LessOrEqual(t, engine.Memory().RestingBytes, 2*65536, "blocks are given back")
}
