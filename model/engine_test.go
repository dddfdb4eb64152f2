package model

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// requireSame holds the engine, the walk over the trees and leaves against each
// other, to the bit.
func requireSame(t require.TestingT, m *Model, rows [][]float64) {
	ref, err := m.newReference()
	require.NoError(t, err)
	engines := []*engine{newEngine(m.trees, m.Features(), parts), newEngine(m.trees, m.Features(), walk)}
	many := [][]float64{make([]float64, len(rows)), make([]float64, len(rows))}
	for shape, e := range engines {
		e.predictRows(rows, many[shape])
	}
	batch := make([]float64, len(rows))
	require.NoError(t, m.PredictRows(rows, batch))
	for i, row := range rows {
		walked := 0.0
		for k := range m.trees {
			walked += m.trees[k].value(row)
		}
		ours, err := m.Predict(row)
		require.NoError(t, err)
		theirs, err := ref.predict(row, 0)
		require.NoError(t, err)
		for shape, e := range engines {
			if got := e.predict(row); !same(got, theirs) || !same(theirs, many[shape][i]) {
				require.Failf(t, "scores differ", "row %d %v: shape %d gives %v, in a batch %v, leaves %v", i, row, shape+1, got, many[shape][i], theirs)
			}
		}
		if !same(ours, theirs) || !same(ours, walked) || !same(ours, batch[i]) {
			require.Failf(t, "scores differ", "row %d %v: ours %v, in a batch %v, leaves %v, walked %v, part at tree %d",
				i, row, ours, batch[i], theirs, walked, m.part(ref, row))
		}
	}
}

// TestScoresOfGrownModels: random trees of every kind, on the model's own
// thresholds and on special values.
func TestScoresOfGrownModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 12).Draw(t, "columns")
		g := growth{
			trees:      rapid.IntRange(1, 12).Draw(t, "trees"),
			leaves:     rapid.SampledFrom([]int{1, 2, 3, 31, 63, 64, 65, 66, 127, 300}).Draw(t, "leaves"),
			columns:    columns,
			categories: rapid.IntRange(0, min(3, columns)).Draw(t, "categories"),
			missing:    rapid.IntRange(anyMissing, missingNaN).Draw(t, "missing"),
			rows:       rapid.SampledFrom([]int{2, 50, 500}).Draw(t, "rows"),
			seed:       rapid.Uint64().Draw(t, "seed"),
		}
		m, rows := g.model(t)
		requireSame(t, m, m.GoldenRows(rows, 400))
	})
}

// TestScoresOfTrainedModels: LightGBM's models on other rows than its golden ones.
func TestScoresOfTrainedModels(t *testing.T) {
	for _, name := range []string{"binary", "zero_as_missing", "deep", "many_leaves", "many_features", "infinite", "dart", "old_2.2.3"} {
		m, g := load(t, name)
		requireSame(t, m, m.GoldenRows(g.Rows, 3000))
	}
}

// TestHugeTrees: thousands of leaves, and a chain of nodes, which no cut halves.
func TestHugeTrees(t *testing.T) {
	m, rows := growth{trees: 3, leaves: 4000, columns: 9, categories: 2, missing: anyMissing, rows: 20000, seed: 3}.model(t)
	require.Greater(t, len(m.trees[0].leaf), 3500)
	requireSame(t, m, m.GoldenRows(rows, 300))

	r := rand.New(rand.NewPCG(1, 1))
	const nodes = 1000
	chain := tree{leaf: []float64{-1}}
	for i := range nodes {
		chain.feature, chain.threshold = append(chain.feature, int32(i%2)), append(chain.threshold, r.NormFloat64())
		chain.decision = append(chain.decision, missingNaN<<missingShift)
		chain.left, chain.right = append(chain.left, ^int32(i+1)), append(chain.right, int32(i+1))
		chain.leaf = append(chain.leaf, float64(i))
	}
	chain.right[nodes-1] = ^int32(0)
	require.NoError(t, chain.checkShape())
	e, w := newEngine([]tree{chain}, 2, parts), newEngine([]tree{chain}, 2, walk)
	require.Greater(t, len(e.base), nodes/partLeaves)
	for range 1000 {
		row := []float64{r.NormFloat64() * 2, r.NormFloat64() * 2}
		require.Equal(t, chain.value(row), e.predict(row))
		require.Equal(t, chain.value(row), w.predict(row))
	}
}

// TestPartsHoldAllLeavesOnce: each leaf has one place, and no part is too large.
func TestPartsHoldAllLeavesOnce(t *testing.T) {
	m, _ := growth{trees: 5, leaves: 1000, columns: 9, missing: missingNaN, rows: 5000, seed: 4}.model(t)
	e, want := newEngine(m.trees, m.Features(), parts), map[float64]int{}
	for i := range m.trees {
		for _, v := range m.trees[i].leaf {
			want[v]++
		}
	}
	for _, v := range e.value {
		if v == v { // no link
			want[v]--
		}
	}
	for v, n := range want {
		require.Zero(t, n, "leaf %v", v)
	}
	require.Less(t, len(e.base), len(e.value)/20, "parts are well filled")
	for _, s := range e.strike {
		require.NotEqual(t, 64, bits.OnesCount64(s), "a leaf is left")
	}
}

func TestSortable(t *testing.T) {
	values := []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1)}
	for i := range values[1:] {
		require.Less(t, sortable(values[i]), sortable(values[i+1]))
	}
	require.Equal(t, sortable(0), sortable(math.Copysign(0, -1)))
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64().Draw(t, "a"), rapid.Float64().Draw(t, "b")
		require.Equal(t, a <= b, sortable(a) <= sortable(b))
		require.Equal(t, a, unsortable(sortable(a)))
	})
}

// TestRank counts the thresholds below a value, for thresholds of all sizes.
func TestRank(t *testing.T) {
	special := []float64{math.Inf(-1), math.Inf(1), -math.MaxFloat64, math.MaxFloat64, zero, -zero, math.SmallestNonzeroFloat64, 0}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom(special), rapid.Float64Range(-3, 3), rapid.Float64Range(0, 1e6),
			rapid.Map(rapid.IntRange(-9, 300), func(i int) float64 { return float64(i) }))
		one := tree{}
		var uses []use
		for i, v := range rapid.SliceOfN(value, 1, 200).Draw(t, "thresholds") {
			one.feature, one.threshold, one.decision = append(one.feature, 0), append(one.threshold, v), append(one.decision, 0)
			uses = append(uses, use{0, int32(i)})
		}
		c := newColumn([]tree{one}, 0, uses)
		for _, v := range append(rapid.SliceOfN(value, 1, 50).Draw(t, "values"), one.threshold...) {
			below := map[float64]bool{}
			for _, t := range one.threshold {
				if t < v {
					below[t] = true
				}
			}
			require.Equal(t, len(below), int(c.rank(v)), "%v", v)
		}
	})
}
