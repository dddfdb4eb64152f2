package model

import (
	"math"
	"slices"
)

// walker evaluates rows from node to node, by the same codes: for models whose
// trees are so large that a walk meets far fewer nodes than a row has strikes.
type walker struct {
	columns []walkColumn
	codes   int // numbers in all
	nodes   []walkNode
	value   []float64 // of the leaves
	roots   []int32
	sets    []run // of words, by category split
	words   []uint32
}

// walkNode goes on to child[0] when the code is at most the rank, else to
// child[1]; the leaf i is ^i.
type walkNode struct {
	code  uint32 // position of the row's code
	rank  uint32 // or, with the bit categorySet, the position of a set
	child [2]int32
}

const (
	categorySet = 1 << 31
	alwaysRight = 1<<31 - 1 // a code above all ranks
)

// walkColumn is a column with a code for each way its nodes take missing values.
type walkColumn struct {
	column *column
	zero   uint32 // rank of 0
	first  int    // position of the first code
	ways   []uint8
}

const wayBits = defaultLeftBit | 3<<missingShift

func newWalker(trees []tree, columns []column, features int) *walker {
	w := &walker{columns: make([]walkColumn, len(columns))}
	of := make([]int, features)
	for i := range columns {
		of[columns[i].feature] = i
		w.columns[i] = walkColumn{column: &columns[i]}
		if columns[i].codes == nil {
			w.columns[i].zero = columns[i].rank(0)
		}
	}
	for i := range trees {
		for node, feature := range trees[i].feature {
			c, way := &w.columns[of[feature]], trees[i].decision[node]&wayBits
			if !slices.Contains(c.ways, way) {
				c.ways = append(c.ways, way)
			}
		}
	}
	for i := range w.columns {
		w.columns[i].first = w.codes
		w.codes += len(w.columns[i].ways)
	}
	for i := range trees {
		w.addTree(&trees[i], of)
	}
	return w
}

// addTree lays the tree's nodes down so that the child that more rows of the
// training went to comes next, which is often in the same cache line.
func (w *walker) addTree(t *tree, of []int) {
	firstLeaf := int32(len(w.value))
	w.value = append(w.value, t.leaf...)
	if len(t.feature) == 0 {
		w.roots = append(w.roots, ^firstLeaf)
		return
	}
	w.roots = append(w.roots, int32(len(w.nodes)))
	type wait struct {
		node, parent int32
		side         int
	}
	for open := []wait{{parent: -1}}; len(open) > 0; {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		at := int32(len(w.nodes))
		if next.parent >= 0 {
			w.nodes[next.parent].child[next.side] = at
		}
		n := w.node(t, next.node, of)
		left, right := wait{t.left[next.node], at, 0}, wait{t.right[next.node], at, 1}
		if l, r := t.sideCounts(next.node); l > r {
			left, right = right, left
		}
		for _, child := range [2]wait{left, right} {
			if child.node < 0 {
				n.child[child.side] = ^(firstLeaf + ^child.node)
			} else {
				open = append(open, child)
			}
		}
		w.nodes = append(w.nodes, n)
	}
}

// node is the node without its children.
func (w *walker) node(t *tree, node int32, of []int) walkNode {
	c := &w.columns[of[t.feature[node]]]
	n := walkNode{code: uint32(c.first + slices.Index(c.ways, t.decision[node]&wayBits))}
	if !t.categorical(int(node)) {
		n.rank = c.column.rank(t.threshold[node])
		return n
	}
	n.rank = categorySet | uint32(len(w.sets))
	set := t.bitset(int(node))
	w.sets = append(w.sets, run{uint32(len(w.words)), uint32(len(w.words) + len(set))})
	w.words = append(w.words, set...)
	return n
}

// code writes the row's codes.
func (w *walker) code(row []float64, codes []uint32) {
	for i := range w.columns {
		c := &w.columns[i]
		v := row[c.column.feature]
		if c.column.codes != nil {
			category := uint32(alwaysRight)
			if v > -1 && v < firstUnsafeCategory {
				category = uint32(int(v))
			}
			for k := range c.ways {
				codes[c.first+k] = category
			}
			continue
		}
		isNaN, isZero := v != v, math.Abs(v) <= zero
		rank := c.zero
		if !isNaN && !isZero {
			rank = c.column.rank(v)
		}
		for k, way := range c.ways {
			code, missing := rank, way>>missingShift
			if isNaN && missing != 0 || isZero && missing == missingZero {
				code = alwaysRight
				if way&defaultLeftBit != 0 {
					code = 0
				}
			}
			codes[c.first+k] = code
		}
	}
}

// lanes are walked at a time, so that they wait for memory together.
const lanes = 8

// predict adds the trees' leaves in tree order, as LightGBM does.
func (w *walker) predict(row []float64, codes []uint32) float64 {
	w.code(row, codes)
	raw := 0.0
	for roots := w.roots; len(roots) > 0; {
		n := min(lanes, len(roots))
		raw = w.add(raw, roots[:n], codes)
		roots = roots[n:]
	}
	return raw
}

// predictRows sends all rows through some trees before it goes on to the next.
func (w *walker) predictRows(rows [][]float64, raw []float64, codes []uint32) {
	for i, row := range rows {
		w.code(row, codes[i*w.codes:][:w.codes])
	}
	clear(raw)
	for roots := w.roots; len(roots) > 0; {
		n := min(lanes, len(roots))
		for i := range rows {
			raw[i] = w.add(raw[i], roots[:n], codes[i*w.codes:][:w.codes])
		}
		roots = roots[n:]
	}
}

// add walks at most as many trees as there are lanes and adds their leaves.
func (w *walker) add(raw float64, roots []int32, codes []uint32) float64 {
	if len(roots) < lanes {
		for _, root := range roots {
			raw += w.leaf(root, codes)
		}
		return raw
	}
	at := [lanes]int32(roots)
	for walking := true; walking; {
		walking = false
		for i := range at {
			if at[i] >= 0 {
				at[i] = w.next(at[i], codes)
				walking = true
			}
		}
	}
	for _, leaf := range at {
		raw += w.value[^leaf]
	}
	return raw
}

// leaf is the value at which the tree of the root ends.
func (w *walker) leaf(at int32, codes []uint32) float64 {
	for at >= 0 {
		at = w.next(at, codes)
	}
	return w.value[^at]
}

func (w *walker) next(at int32, codes []uint32) int32 {
	n := &w.nodes[at]
	code := codes[n.code]
	if n.rank >= categorySet {
		return w.nextOfSet(n, code)
	}
	// 1 where the code is above the rank; both are below 1<<31.
	return n.child[(n.rank-code)>>31]
}

func (w *walker) nextOfSet(n *walkNode, category uint32) int32 {
	set := w.sets[n.rank&^categorySet]
	if member(w.words[set.from:set.to], int(category)) {
		return n.child[0]
	}
	return n.child[1]
}
