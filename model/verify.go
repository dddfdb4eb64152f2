package model

import (
	"fmt"
	"math"
)

// Mismatch is a golden row to which an engine gives another score than
// LightGBM's library did.
type Mismatch struct {
	Row       int
	Want, Got float64
	Engine    string // "haechi" or "leaves"
	// Tree is the first one for which the engines give different leaves, -1 when
	// they agree with each other: of LightGBM's score only the sum is known.
	Tree int
}

func (m *Mismatch) Error() string {
	where := "the engines agree on every tree"
	if m.Tree >= 0 {
		where = fmt.Sprintf("the engines part at tree %d", m.Tree)
	}
	return fmt.Sprintf("golden row %d: LightGBM gives %v, %s gives %v (%s): do not serve this model, it is not evaluated exactly",
		m.Row, m.Want, m.Engine, m.Got, where)
}

// Verify evaluates the golden rows with the model's own engine and with leaves,
// which is loaded for that alone; the first score that is not bit-equal to
// LightGBM's is a *Mismatch.
func (m *Model) Verify(g Golden) error {
	if len(g.Rows) == 0 || len(g.Rows) != len(g.Raw) {
		return fmt.Errorf("golden rows: %d rows and %d scores: make them again", len(g.Rows), len(g.Raw))
	}
	ref, err := m.newReference()
	if err != nil {
		return err
	}
	for i, row := range g.Rows {
		ours, err := m.Predict(row)
		if err != nil {
			return fmt.Errorf("golden row %d: %w", i, err)
		}
		theirs, err := ref.predict(row, 0)
		if err != nil {
			return fmt.Errorf("golden row %d: %w", i, err)
		}
		switch want := g.Raw[i]; {
		case !same(ours, want):
			return &Mismatch{Row: i, Want: want, Got: ours, Engine: "haechi", Tree: m.part(ref, row)}
		case !same(theirs, want):
			return &Mismatch{Row: i, Want: want, Got: theirs, Engine: "leaves", Tree: m.part(ref, row)}
		}
	}
	return nil
}

func same(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// part is the first tree for which the engine, the walk over the tree and
// leaves do not give the same leaf; -1 when there is none.
func (m *Model) part(ref *reference, row []float64) int {
	values := m.engine.leaves(row)
	sum := 0.0
	for i := range m.trees {
		sum += values[i]
		theirs, err := ref.predict(row, i+1)
		if err != nil || !same(sum, theirs) || !same(values[i], m.trees[i].value(row)) {
			return i
		}
	}
	return -1
}
