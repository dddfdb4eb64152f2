package model

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVerifyNamesTheTreeWhereEnginesPart: a leaf is changed under one engine.
func TestVerifyNamesTheTreeWhereEnginesPart(t *testing.T) {
	for _, as := range []shape{parts, walk} {
		m, g := load(t, "binary")
		m.engine = newEngine(m.trees, m.Features(), as)
		require.NoError(t, m.Verify(g))

		values := m.engine.value
		if as == walk {
			values = m.engine.walker.value
		}
		leaf := 0
		for tree := range 3 {
			leaf += len(m.trees[tree].leaf)
		}
		for i := range m.trees[3].leaf {
			values[leaf+i] = math.Nextafter(values[leaf+i], 9)
		}
		var mismatch *Mismatch
		require.ErrorAs(t, m.Verify(g), &mismatch)
		require.Equal(t, "haechi", mismatch.Engine)
		require.Equal(t, 3, mismatch.Tree)
		require.ErrorContains(t, mismatch, "tree 3")
	}

	m, g := load(t, "binary")
	for i := range m.trees[2].leaf { // of which leaves is loaded
		m.trees[2].leaf[i]++
	}
	var mismatch *Mismatch
	require.ErrorAs(t, m.Verify(g), &mismatch)
	require.Equal(t, "leaves", mismatch.Engine)
	require.Equal(t, 2, mismatch.Tree)
}

func TestPredictRows(t *testing.T) {
	m, g := load(t, "many_leaves")
	raw := make([]float64, len(g.Rows))
	require.NoError(t, m.PredictRows(g.Rows, raw))
	for i := range raw {
		require.True(t, same(g.Raw[i], raw[i]), "row %d", i)
	}
	require.ErrorContains(t, m.PredictRows(g.Rows, raw[1:]), "room for")
	require.ErrorContains(t, m.PredictRows([][]float64{g.Rows[0], {1}}, raw[:2]), "row 1")
	require.NoError(t, m.PredictRows(nil, nil))
	require.Less(t, testing.AllocsPerRun(200, func() { _ = m.PredictRows(g.Rows[:10], raw[:10]) }), 0.5)
}

func TestCompare(t *testing.T) {
	m, g := load(t, "binary")
	c, err := m.Compare(g.Rows, g.Raw)
	require.NoError(t, err)
	require.True(t, c.Same())
	require.Equal(t, len(g.Rows), c.Rows)
	require.Equal(t, -1, c.LightGBM.First)

	g.Raw[5], g.Raw[9] = g.Raw[5]+0.25, g.Raw[9]+0.5
	c, err = m.Compare(g.Rows, g.Raw)
	require.NoError(t, err)
	require.False(t, c.Same())
	require.Equal(t, Difference{First: -1, Tree: -1}, c.Leaves)
	require.Equal(t, Difference{Rows: 2, First: 5, Tree: -1, Largest: 0.5}, *c.LightGBM)
	require.Equal(t, *c.LightGBM, *c.LeavesOfThose)

	m.trees[1].leaf[0]++ // of which leaves is loaded
	c, err = m.Compare(g.Rows, nil)
	require.NoError(t, err)
	require.Nil(t, c.LightGBM)
	require.Equal(t, 1, c.Leaves.Tree)
	require.InDelta(t, 1, c.Leaves.Largest, 1e-12)

	_, err = m.Compare(g.Rows, g.Raw[1:])
	require.Error(t, err)
	_, err = m.Compare([][]float64{{1}}, nil)
	require.ErrorContains(t, err, "row 0")
}
