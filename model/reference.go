package model

import (
	"bufio"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dmitryikh/leaves"
)

// reference evaluates rows by leaves, which shares no code with the engine. It
// is for one goroutine.
type reference struct {
	ensemble    *leaves.Ensemble
	categorical []int
	row         []float64
	out         [1]float64
}

func (m *Model) newReference() (r *reference, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			r, err = nil, fmt.Errorf("leaves cannot read model %.12s: %v", m.digest, reason)
		}
	}()
	text := bufio.NewReader(strings.NewReader(leavesText(m.trees, m.Features())))
	ensemble, err := leaves.LGEnsembleFromReader(text, false)
	if err != nil {
		return nil, fmt.Errorf("leaves cannot read model %.12s: %w", m.digest, err)
	}
	return &reference{ensemble: ensemble, categorical: m.categorical, row: make([]float64, m.Features())}, nil
}

// leavesText writes what leaves needs and nothing else: it knows no v4, takes
// "=" in a feature name for a syntax error, and may only see checked trees.
func leavesText(trees []tree, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tree\nversion=v3\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=%d\ntree_sizes=0%s\n\n",
		columns-1, strings.Repeat(" 0", len(trees)-1))
	for i := range trees {
		t := &trees[i]
		fmt.Fprintf(&b, "num_leaves=%d\nnum_cat=%d\n", len(t.leaf), max(0, len(t.catBounds)-1))
		writeList(&b, "leaf_value", t.leaf, appendFloat)
		writeList(&b, "split_feature", t.feature, appendInt)
		writeList(&b, "threshold", t.threshold, appendFloat)
		writeList(&b, "decision_type", t.decision, appendInt)
		writeList(&b, "left_child", t.left, appendInt)
		writeList(&b, "right_child", t.right, appendInt)
		writeList(&b, "cat_boundaries", t.catBounds, appendInt)
		writeList(&b, "cat_threshold", t.catBitsets, appendInt)
		b.WriteByte('\n')
	}
	return b.String()
}

func writeList[T any](b *strings.Builder, key string, values []T, text func([]byte, T) []byte) {
	if len(values) == 0 {
		return
	}
	b.WriteString(key)
	var word [32]byte
	separator := byte('=')
	for _, v := range values {
		b.WriteByte(separator)
		b.Write(text(word[:0], v))
		separator = ' '
	}
	b.WriteByte('\n')
}

func appendInt[T int32 | uint8 | uint32](b []byte, v T) []byte {
	return strconv.AppendInt(b, int64(v), 10)
}

func appendFloat(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'g', -1, 64) }

// predict sums the first n trees, all for 0.
func (r *reference) predict(row []float64, n int) (float64, error) {
	err := r.ensemble.Predict(r.prepare(row), n, r.out[:])
	return r.out[0], err
}

// prepare gives leaves a row on which it decides as LightGBM does: values
// within LightGBM's zero are 0, and a category that C's conversion to int
// takes for negative is -1 on every platform.
func (r *reference) prepare(row []float64) []float64 {
	for i, v := range row {
		if math.Abs(v) <= zero {
			v = 0
		}
		r.row[i] = v
	}
	for _, i := range r.categorical {
		if v := r.row[i]; !(v > -1 && v < firstUnsafeCategory) {
			r.row[i] = -1
		}
	}
	return r.row
}
