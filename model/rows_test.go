package model

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func load(t *testing.T, name string) (*Model, Golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txt")
	require.NoError(t, err)
	m, err := Parse(text)
	require.NoError(t, err)
	data, err := os.ReadFile("testdata/" + name + ".golden.json")
	require.NoError(t, err)
	var g Golden
	require.NoError(t, json.Unmarshal(data, &g))
	return m, g
}

// walk tells which way each reached node of a tree went.
func (t *tree) walk(row []float64, visit func(node int, v float64, left bool)) float64 {
	if len(t.feature) == 0 {
		return t.leaf[0]
	}
	for node := int32(0); ; {
		v := row[t.feature[node]]
		left := t.goesLeft(node, v)
		visit(int(node), v, left)
		child := t.right[node]
		if left {
			child = t.left[node]
		}
		if child < 0 {
			return t.leaf[^child]
		}
		node = child
	}
}

func TestGoldenRowsReachTheSplits(t *testing.T) {
	for _, name := range []string{"binary", "one_hot", "zero_as_missing", "no_missing", "dart", "one_feature"} {
		t.Run(name, func(t *testing.T) {
			m, g := load(t, name)
			rows := m.GoldenRows(g.Rows[:40], 2000)
			require.LessOrEqual(t, len(rows), 2000)

			type side struct {
				tree, node int
				left       bool
			}
			sides, exact, total := map[side]bool{}, map[side]bool{}, 0
			for _, row := range rows {
				sum := 0.0
				for i := range m.trees {
					tr := &m.trees[i]
					sum += tr.walk(row, func(node int, v float64, left bool) {
						sides[side{i, node, left}] = true
						if !tr.categorical(node) && v == tr.threshold[node] {
							exact[side{i, node, true}] = true
						}
					})
				}
				got, err := m.Predict(row)
				require.NoError(t, err)
				require.Equal(t, math.Float64bits(sum), math.Float64bits(got))
			}
			numeric := 0
			for i := range m.trees {
				for node := range m.trees[i].feature {
					total += 2
					if !m.trees[i].categorical(node) {
						numeric++
					}
				}
			}
			require.GreaterOrEqual(t, len(sides), total*95/100, "sides of splits that were walked")
			require.GreaterOrEqual(t, len(exact), numeric*90/100, "splits met by their own threshold")
		})
	}
}

func TestGoldenRowsAreDeterministicAndBounded(t *testing.T) {
	m, g := load(t, "binary")
	for _, limit := range []int{0, 1, 10, 100, 1000} {
		rows := m.GoldenRows(g.Rows, limit)
		require.LessOrEqual(t, len(rows), limit)
		first, err := json.Marshal(Golden{Rows: rows, Raw: make([]float64, len(rows))})
		require.NoError(t, err)
		second, err := json.Marshal(Golden{Rows: m.GoldenRows(g.Rows, limit), Raw: make([]float64, len(rows))})
		require.NoError(t, err)
		require.JSONEq(t, string(first), string(second))
	}
	require.NotEmpty(t, m.GoldenRows(nil, 100))
	for _, row := range m.GoldenRows([][]float64{{1, 2}}, 100) {
		require.Len(t, row, 5, "a real row of another length is left out")
	}
}
