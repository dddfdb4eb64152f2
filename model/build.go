package model

import (
	"cmp"
	"math"
	"slices"
)

// partLeaves is how many leaves a part has at most: a bit for each in a word.
const partLeaves = 64

// builder makes an engine of checked trees.
type builder struct {
	trees []tree
	e     *engine
	cuts  []cutTree
	sum   []uint64 // by part: what a merged run strikes; zero between merges
	parts []uint32 // those of sum that are not zero
}

// shape is how rows are evaluated.
type shape int

const (
	fastest shape = iota // what the trees' shape lets expect
	parts
	walk
)

func newEngine(trees []tree, features int, as shape) *engine {
	b := builder{trees: trees, e: &engine{trees: len(trees)}, cuts: make([]cutTree, len(trees))}
	e := b.e
	e.scratch.New = e.newState
	uses := make([][]use, features)
	left := make([][]bool, len(trees)) // by tree and node: where the typical row goes
	for i := range trees {
		left[i] = make([]bool, len(trees[i].feature))
		for node, feature := range trees[i].feature {
			uses[feature] = append(uses[feature], use{int32(i), int32(node)})
		}
	}
	sides := make([]splits, 0, features)
	for feature, u := range uses {
		if len(u) == 0 {
			continue
		}
		e.columns = append(e.columns, newColumn(trees, feature, u))
		s := newSplits(trees, &e.columns[len(e.columns)-1], u)
		s.typical(trees, left)
		sides = append(sides, s)
	}
	if as == walk || as == fastest && walksFaster(trees, left) {
		e.walker = newWalker(trees, e.columns, features)
		return e
	}
	b.cut(left)
	b.sum = make([]uint64, len(e.base))
	for i := range sides {
		b.addRuns(&e.columns[i], &sides[i], left)
	}
	e.runs, e.part, e.strike = slices.Clip(e.runs), slices.Clip(e.part), slices.Clip(e.strike)
	return e
}

// walksFaster compares the strikes and the steps that a row of the training
// costs in the mean, as the counts have it.
func walksFaster(trees []tree, left [][]bool) bool {
	const (
		strikesAStep = 12  // cost as much
		unknown      = 0.3 // of the nodes strike
	)
	strikes, steps := 0.0, 0.0
	for i := range trees {
		t := &trees[i]
		for node := range t.feature {
			l, r := t.sideCounts(int32(node))
			if l+r <= 0 {
				strikes, steps = strikes+unknown, steps+1/math.Sqrt(float64(node+1))
				continue
			}
			if left[i][node] {
				strikes += r / (l + r)
			} else {
				strikes += l / (l + r)
			}
			steps += (l + r) / max(l+r, float64(t.nodeCount[0]))
		}
	}
	return strikes > strikesAStep*steps
}

// splits are a column's nodes in the order of their thresholds.
type splits struct {
	uses []use
	rank []uint32 // of the threshold: codes up to it go left; nil: categories
}

func newSplits(trees []tree, c *column, uses []use) splits {
	s := splits{uses: uses}
	if c.codes != nil {
		return s
	}
	type rankedUse struct {
		rank uint32
		use  use
	}
	ranked := make([]rankedUse, len(uses))
	for i, u := range uses {
		ranked[i] = rankedUse{c.rank(trees[u.tree].threshold[u.node]), u}
	}
	slices.SortStableFunc(ranked, func(a, b rankedUse) int { return cmp.Compare(a.rank, b.rank) })
	s.rank = make([]uint32, len(uses))
	for i, r := range ranked {
		s.rank[i], s.uses[i] = r.rank, r.use
	}
	return s
}

// typical finds the value from which the rows of the training differ at the
// fewest nodes, by the counts of those that went either way, and notes which
// way it goes at each node. Without counts it is the middle threshold; of
// categories it is one that no split knows. Any choice gives the same scores.
func (s *splits) typical(trees []tree, left [][]bool) {
	if s.rank == nil {
		return
	}
	// cost(m) is what goes left at the nodes below m and right at the others.
	cost := make([]float64, len(s.uses))
	total, best, at := 0.0, 0.0, 0
	for i, u := range s.uses {
		l, r := trees[u.tree].sideCounts(u.node)
		total += l - r
		cost[i] = total
	}
	if total == 0 && cost[0] == 0 {
		at = len(s.uses) / 2
	}
	for i := range cost {
		if cost[i] < best {
			best, at = cost[i], i+1
		}
	}
	for at > 0 && at < len(s.uses) && s.rank[at] == s.rank[at-1] {
		at-- // nodes of one threshold stay together
	}
	for _, u := range s.uses[at:] {
		left[u.tree][u.node] = true
	}
}

// sideCounts are the training's rows left and right of a node, 0 when they are
// not stated.
func (t *tree) sideCounts(node int32) (left, right float64) {
	if t.leafCount == nil || t.nodeCount == nil {
		return 0, 0
	}
	return float64(t.count(t.left[node])), float64(t.count(t.right[node]))
}

// count is the training's rows at a node or leaf.
func (t *tree) count(child int32) int32 {
	if child < 0 {
		return t.leafCount[^child]
	}
	return t.nodeCount[child]
}
