package model

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const explained = 1e-9 // what is promised

func explain(t require.TestingT, m *Model, row []float64) []float64 {
	out := make([]float64, len(row)+1)
	require.NoError(t, m.Explain(row, out))
	return out
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// TestContributionsAreLightGBMs: the expected values are LightGBM's pred_contrib
// of every seventh golden row, see testdata/make.py.
func TestContributionsAreLightGBMs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.contributions.json")
	require.NoError(t, err)
	require.Len(t, files, 29)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".contributions.json")
		t.Run(name, func(t *testing.T) {
			m, g := load(t, name)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var want [][]exact
			require.NoError(t, json.Unmarshal(data, &want))
			require.Len(t, want, (len(g.Rows)+6)/7)
			for i := range want {
				row, raw := g.Rows[7*i], g.Raw[7*i]
				got := explain(t, m, row)
				require.InDelta(t, raw, sum(got), explained)
				require.Len(t, want[i], len(got))
				for k := range got {
					require.InDelta(t, float64(want[i][k]), got[k], explained, "row %d column %d", 7*i, k)
				}
			}
		})
	}
}

// shapley is the definition: the mean over all orders of the features of what
// each adds when it comes to those before it. Of features that are not in, both
// sides of a split count by the rows of the training.
func (t *tree) shapley(row []float64, phi []float64) {
	n := len(row)
	value := make([]float64, 1<<n)
	for set := range value {
		value[set] = t.given(0, row, set)
	}
	factorial := []float64{1}
	for i := 1; i <= n; i++ {
		factorial = append(factorial, factorial[i-1]*float64(i))
	}
	for set := range value {
		size := 0
		for i := range n {
			size += set >> i & 1
		}
		for i := range n {
			if set>>i&1 == 0 {
				phi[i] += factorial[size] * factorial[n-size-1] / factorial[n] * (value[set|1<<i] - value[set])
			}
		}
	}
	phi[n] += value[0]
}

// given is the tree's mean when the features of the set are known.
func (t *tree) given(node int32, row []float64, set int) float64 {
	if node < 0 || len(t.feature) == 0 {
		return t.leaf[max(0, ^node)]
	}
	f := t.feature[node]
	left, right := t.left[node], t.right[node]
	if set>>f&1 != 0 {
		if t.goesLeft(node, row[f]) {
			return t.given(left, row, set)
		}
		return t.given(right, row, set)
	}
	n := float64(t.nodeCount[node])
	return t.given(left, row, set)*float64(t.count(left))/n + t.given(right, row, set)*float64(t.count(right))/n
}

func TestContributionsAreShapleyValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 7).Draw(t, "columns")
		g := growth{
			trees:      rapid.IntRange(1, 3).Draw(t, "trees"),
			leaves:     rapid.IntRange(1, 60).Draw(t, "leaves"),
			columns:    columns,
			categories: rapid.IntRange(0, min(2, columns)).Draw(t, "categories"),
			missing:    rapid.IntRange(anyMissing, missingNaN).Draw(t, "missing"),
			rows:       300,
			seed:       rapid.Uint64().Draw(t, "seed"),
		}
		m, rows := g.model(t)
		for _, row := range m.GoldenRows(rows, 20) {
			want := make([]float64, columns+1)
			for i := range m.trees {
				m.trees[i].shapley(row, want)
			}
			require.InDeltaSlice(t, want, explain(t, m, row), 1e-12)
		}
	})
}

// TestContributionsAddUp on trees with long paths.
func TestContributionsAddUp(t *testing.T) {
	for _, g := range []growth{
		{trees: 20, leaves: 500, columns: 100, categories: 5, missing: anyMissing, rows: 3000, seed: 1},
		{trees: 3, leaves: 4000, columns: 30, missing: missingNaN, rows: 20000, seed: 2},
	} {
		m, rows := g.model(t)
		for _, row := range m.GoldenRows(rows, 100) {
			raw, err := m.Predict(row)
			require.NoError(t, err)
			require.InDelta(t, raw, sum(explain(t, m, row)), explained)
		}
	}
}

func TestLegendre(t *testing.T) {
	for n := 1; n <= maxPathFeatures/2; n++ {
		r := legendre(n)
		for power := range 2 * n {
			integral := 0.0
			for k, x := range r.point {
				integral += r.weight[k] * math.Pow(x, float64(power))
				require.InDelta(t, 1, x+r.rest[k], 1e-15)
			}
			require.InDelta(t, 1/float64(power+1), integral, 1e-13, "%d points, power %d", n, power)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	m, g := load(t, "binary")
	require.ErrorContains(t, m.Explain(make([]float64, 4), make([]float64, 6)), "the model needs 5")
	require.ErrorContains(t, m.Explain(g.Rows[0], make([]float64, 5)), "room for 5")

	text, err := os.ReadFile("testdata/binary.txt")
	require.NoError(t, err)
	cut := func(old, replacement string) error { // of the first tree, keeping its length
		require.Contains(t, string(text), old)
		m, err := Parse(bytes.Replace(text, []byte(old), []byte(replacement), 1))
		require.NoError(t, err)
		return m.Explain(g.Rows[0], make([]float64, 6))
	}
	require.ErrorIs(t, cut("\nleaf_count=", "\nleaf_cxunt="), ErrNoCounts)
	require.ErrorIs(t, cut("\ninternal_count=", "\ninternal_cxunt="), ErrNoCounts)
	require.ErrorIs(t, cut("internal_count=800", "internal_count=000"), ErrNoCounts)

	var chain tree
	for i := range int32(maxPathFeatures + 1) {
		chain.feature, chain.threshold, chain.decision = append(chain.feature, i), append(chain.threshold, 0), append(chain.decision, 0)
		chain.left, chain.right = append(chain.left, ^(i+1)), append(chain.right, i+1)
		chain.leaf, chain.leafCount, chain.nodeCount = append(chain.leaf, 1), append(chain.leafCount, 1), append(chain.nodeCount, 1000-i)
	}
	chain.right[maxPathFeatures] = ^0
	chain.leaf, chain.leafCount = append(chain.leaf, 1), append(chain.leafCount, 1)
	require.NoError(t, chain.checkShape())
	require.ErrorIs(t, newExplainer([]tree{chain}, maxPathFeatures+1).err, ErrTooDeep)
}

func TestExplainConcurrentlyWithoutAllocation(t *testing.T) {
	m, g := load(t, "dart")
	want := make([][]float64, len(g.Rows))
	for i, row := range g.Rows {
		want[i] = explain(t, m, row)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			out := make([]float64, m.Features()+1)
			for i, row := range g.Rows {
				_ = m.Explain(row, out)
				for k := range out {
					if !same(out[k], want[i][k]) {
						t.Errorf("row %d column %d: %v, alone %v", i, k, out[k], want[i][k])
					}
				}
			}
		})
	}
	wg.Wait()
	out := make([]float64, m.Features()+1)
	// The race detector empties pools at random; without the pool there are five.
	require.Less(t, testing.AllocsPerRun(1000, func() { _ = m.Explain(g.Rows[0], out) }), 3.0)
}
