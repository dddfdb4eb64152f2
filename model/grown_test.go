package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/stretchr/testify/require"
)

// growth says what a model looks like that is grown for a test: as LightGBM
// writes it, with real counts, but from random splits. It makes in moments what
// training takes minutes for, and kinds of trees that no training makes.
type growth struct {
	trees, leaves, columns int
	categories             int // so many of the last columns are categories
	missing                int // missing kind of the number columns; anyMissing: each split its own
	rows                   int
	seed                   uint64
}

const anyMissing = -1

// sample are rows as fraud features look: amounts, counts, and mostly zeros,
// with values missing, small categories at the end.
func (g growth) sample() [][]float64 {
	r := rand.New(rand.NewPCG(g.seed, 1))
	rows := make([][]float64, g.rows)
	for i := range rows {
		row := make([]float64, g.columns)
		for c := range row {
			switch {
			case c >= g.columns-g.categories:
				row[c] = float64(r.IntN(40 + 50*(c%3)))
			case c%4 == 0:
				row[c] = math.Exp(r.NormFloat64()*1.5 + 3)
			case c%4 == 1:
				row[c] = math.Floor(r.ExpFloat64() * float64(1+c))
			case c%4 == 2:
				row[c] = max(0, r.NormFloat64()-1) * 10
			default:
				row[c] = r.NormFloat64()
			}
			if c%5 == 3 && r.Float64() < 0.2 {
				row[c] = math.NaN()
			}
		}
		rows[i] = row
	}
	return rows
}

// text grows the model on the rows.
func (g growth) text(rows [][]float64) []byte {
	r := rand.New(rand.NewPCG(g.seed, 2))
	var sizes []string
	var body strings.Builder
	for i := range g.trees {
		t := g.tree(r, rows)
		block := fmt.Sprintf("Tree=%d\n%sshrinkage=0.1\n\n\n", i, t.text())
		sizes = append(sizes, fmt.Sprint(len(block)))
		body.WriteString(block)
	}
	names := make([]string, g.columns)
	for i := range names {
		names[i] = fmt.Sprintf("f%d", i)
	}
	return fmt.Appendf(nil, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%d\nobjective=binary sigmoid:1\nfeature_names=%s\ntree_sizes=%s\n\n%send of trees\n",
		g.columns-1, strings.Join(names, " "), strings.Join(sizes, " "), body.String())
}

// text is the tree's block without its first and last lines.
func (t *tree) text() string {
	var b strings.Builder
	text := leavesText([]tree{*t}, 1)
	_, text, _ = strings.Cut(text, "\n\n")
	b.WriteString(strings.TrimRight(text, "\n") + "\n")
	writeList(&b, "leaf_count", t.leafCount, appendInt)
	writeList(&b, "internal_count", t.nodeCount, appendInt)
	return b.String()
}

// tree splits the leaf with the most rows, now and then another, as leaf-wise
// growth does.
func (g growth) tree(r *rand.Rand, rows [][]float64) tree {
	type open struct {
		rows   [][]float64
		parent int32
		left   bool
	}
	leaves := []open{{rows: rows, parent: -1}}
	var t tree
	for tries := 0; len(leaves) < g.leaves && tries < 20*g.leaves; tries++ {
		at := r.IntN(len(leaves))
		for i := range leaves {
			if r.IntN(4) > 0 && len(leaves[i].rows) > len(leaves[at].rows) {
				at = i
			}
		}
		l := leaves[at]
		if len(l.rows) < 2 {
			continue
		}
		node := int32(len(t.feature))
		left, right := g.split(r, &t, l.rows)
		if left == nil {
			continue
		}
		t.nodeCount = append(t.nodeCount, int32(len(l.rows)))
		t.left, t.right = append(t.left, 0), append(t.right, 0)
		t.attach(l.parent, l.left, node)
		leaves[at] = open{rows: left, parent: node, left: true}
		leaves = append(leaves, open{rows: right, parent: node})
	}
	for i, l := range leaves {
		t.attach(l.parent, l.left, ^int32(i))
		t.leaf = append(t.leaf, r.NormFloat64()*0.05)
		t.leafCount = append(t.leafCount, int32(len(l.rows)))
	}
	if len(t.catBitsets) > 0 {
		t.catBounds = append([]int32{0}, t.catBounds...)
	}
	return t
}

func (t *tree) attach(parent int32, left bool, child int32) {
	switch {
	case parent < 0:
	case left:
		t.left[parent] = child
	default:
		t.right[parent] = child
	}
}

// split adds a split of the rows to the tree, nil when all go one way.
func (g growth) split(r *rand.Rand, t *tree, rows [][]float64) (left, right [][]float64) {
	column := r.IntN(g.columns)
	next := tree{feature: []int32{int32(column)}, decision: []uint8{0}, threshold: []float64{rows[r.IntN(len(rows))][column]}}
	var set []uint32
	if column >= g.columns-g.categories {
		next.decision[0], next.threshold[0] = categoricalBit, 0
		set = make([]uint32, 1+r.IntN(5))
		for i := range set {
			set[i] = r.Uint32() & r.Uint32() & r.Uint32()
		}
		set[len(set)-1] |= 1 << r.IntN(32)
		next.catBounds, next.catBitsets = []int32{0, int32(len(set))}, set
	} else {
		missing := g.missing
		if missing == anyMissing {
			missing = r.IntN(3)
		}
		next.decision[0] = uint8(missing<<missingShift | r.IntN(2)*defaultLeftBit)
		if math.IsNaN(next.threshold[0]) {
			next.threshold[0] = math.Inf(1)
		}
	}
	for _, row := range rows {
		if next.goesLeft(0, row[column]) {
			left = append(left, row)
		} else {
			right = append(right, row)
		}
	}
	if len(left) == 0 || len(right) == 0 {
		return nil, nil
	}
	if set != nil {
		next.threshold[0] = float64(len(t.catBounds))
		t.catBitsets = append(t.catBitsets, set...)
		t.catBounds = append(t.catBounds, int32(len(t.catBitsets)))
	}
	t.feature = append(t.feature, next.feature[0])
	t.threshold = append(t.threshold, next.threshold[0])
	t.decision = append(t.decision, next.decision[0])
	return left, right
}

func (g growth) model(t require.TestingT) (*Model, [][]float64) {
	rows := g.sample()
	m, err := Parse(g.text(rows))
	require.NoError(t, err)
	return m, rows
}
