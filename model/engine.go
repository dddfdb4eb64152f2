package model

import (
	"bufio"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/dmitryikh/leaves"
)

// zero is LightGBM's zero: its predictor reads every |x| <= zero as 0, its
// constant is the float32 1e-35.
const zero = float64(float32(1e-35))

// firstUnsafeCategory is the first double whose conversion to int32 is not
// defined in C; LightGBM's result there is a category no model has seen.
const firstUnsafeCategory = 1 << 31

// engine evaluates rows by leaves.
type engine struct {
	ensemble    *leaves.Ensemble
	columns     int
	categorical []int
	scratch     sync.Pool // of *scratch
}

type scratch struct {
	row []float64
	out [1]float64
}

func newEngine(trees []section, columns int, categorical []int) (e *engine, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			e, err = nil, refuse("leaves cannot read it: %v", reason)
		}
	}()
	ensemble, err := leaves.LGEnsembleFromReader(bufio.NewReader(strings.NewReader(leavesText(trees, columns))), false)
	if err != nil {
		return nil, refuse("leaves cannot read it: %s", err)
	}
	e = &engine{ensemble: ensemble, columns: columns, categorical: categorical}
	e.scratch.New = func() any { return &scratch{row: make([]float64, columns)} }
	return e, nil
}

// leavesText writes what leaves needs and nothing else: it knows no v4, takes
// "=" in a feature name for a syntax error, and may only see checked trees.
func leavesText(trees []section, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tree\nversion=v3\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=%d\ntree_sizes=0%s\n\n",
		columns-1, strings.Repeat(" 0", len(trees)-1))
	keys := [...]string{"num_leaves", "num_cat", "split_feature", "threshold", "decision_type",
		"left_child", "right_child", "leaf_value", "cat_boundaries", "cat_threshold"}
	for _, s := range trees {
		for _, key := range keys {
			if value, ok := s.fields[key]; ok {
				b.WriteString(key)
				b.WriteByte('=')
				b.WriteString(strings.Join(strings.Fields(value), " "))
				b.WriteByte('\n')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (e *engine) predict(row []float64) (float64, error) {
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	err := e.ensemble.Predict(e.prepare(row, s), 0, s.out[:])
	return s.out[0], err
}

// prepare gives leaves a row on which it decides as LightGBM does: values
// within LightGBM's zero are 0, and a category that C's conversion to int
// takes for negative is -1 on every platform. A row without such values, which
// is nearly every row, is passed on as it is.
func (e *engine) prepare(row []float64, s *scratch) []float64 {
	prepared := row
	for i, v := range row {
		if v != 0 && math.Abs(v) <= zero {
			prepared = s.own(row, prepared)
			prepared[i] = 0
		}
	}
	for _, i := range e.categorical {
		if v := prepared[i]; !(v > -1 && v < firstUnsafeCategory) && v != -1 {
			prepared = s.own(row, prepared)
			prepared[i] = -1
		}
	}
	return prepared
}

// own gives the copy of row that may be changed, made at the first change.
func (s *scratch) own(row, prepared []float64) []float64 {
	if &row[0] == &prepared[0] {
		copy(s.row, row)
	}
	return s.row
}
