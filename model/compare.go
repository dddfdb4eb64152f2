package model

import (
	"fmt"
	"math"
)

// Difference is what two engines make of the same rows.
type Difference struct {
	Rows    int     // whose scores are not bit-equal
	First   int     // of them, -1: none
	Tree    int     // at which the engines part on the first one, -1: not known
	Largest float64 // difference of two scores
}

// Comparison holds the engines against each other.
type Comparison struct {
	Rows          int
	Leaves        Difference  // ours and leaves
	LightGBM      *Difference // ours and LightGBM's library; nil without its scores
	LeavesOfThose *Difference // leaves and LightGBM's library; nil without its scores
}

// Same says that no score differs.
func (c *Comparison) Same() bool {
	return c.Leaves.Rows == 0 && (c.LightGBM == nil || c.LightGBM.Rows == 0 && c.LeavesOfThose.Rows == 0)
}

// Compare scores all rows with the model's own engine and with leaves, and
// holds them against raw, what LightGBM's library gave for them. raw may be nil:
// leaves is then the only judge.
func (m *Model) Compare(rows [][]float64, raw []float64) (*Comparison, error) {
	if raw != nil && len(raw) != len(rows) {
		return nil, fmt.Errorf("model %.12s: %d scores by LightGBM for %d rows", m.digest, len(raw), len(rows))
	}
	ref, err := m.newReference()
	if err != nil {
		return nil, err
	}
	c := &Comparison{Rows: len(rows), Leaves: newDifference()}
	if raw != nil {
		a, b := newDifference(), newDifference()
		c.LightGBM, c.LeavesOfThose = &a, &b
	}
	for i, row := range rows {
		ours, err := m.Predict(row)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		theirs, err := ref.predict(row, 0)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		part := func() int { return m.part(ref, row) }
		c.Leaves.add(i, ours, theirs, part)
		if raw != nil {
			c.LightGBM.add(i, ours, raw[i], part)
			c.LeavesOfThose.add(i, theirs, raw[i], part)
		}
	}
	return c, nil
}

func newDifference() Difference { return Difference{First: -1, Tree: -1} }

func (d *Difference) add(row int, a, b float64, part func() int) {
	if same(a, b) {
		return
	}
	if d.Rows == 0 {
		d.First, d.Tree = row, part()
	}
	d.Rows++
	d.Largest = max(d.Largest, math.Abs(a-b))
}
