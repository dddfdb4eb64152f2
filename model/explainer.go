package model

import "sync"

// Bounds of what is explained; LightGBM's models stay far below.
const (
	maxPathFeatures = 256     // split on one path
	maxExplainState = 1 << 22 // numbers a tree's explanation holds
)

// explainer is what explanations need of the trees, beside the trees.
type explainer struct {
	trees    []explainedTree
	expected float64
	err      error
	scratch  sync.Pool
}

type explainedTree struct {
	splits []explainedSplit // each behind its parent; edge 2*i+side is the side of split i
	rule   rule
}

type explainedSplit struct {
	node    int32
	feature int32
	child   [2]int32   // left and right: a position in splits, or ^leaf
	earlier int32      // the nearest edge above that is of the same feature, -1: none
	share   [2]float64 // of the training's rows that satisfy this and the earlier splits of the feature, of those that satisfy the path's others
	again   [2]bool    // a split below has this side as its earlier edge
}

func newExplainer(trees []tree, features int) *explainer {
	x := &explainer{trees: make([]explainedTree, len(trees))}
	latest := make([]int32, features)
	for i := range latest {
		latest[i] = -1
	}
	rules := map[int]rule{}
	numbers, edges := 0, 0
	for i := range trees {
		t := &trees[i]
		x.expected += t.expected()
		if len(t.feature) == 0 {
			continue
		}
		if !t.counted() {
			return &explainer{err: ErrNoCounts}
		}
		e, longest := t.explained(latest)
		points := (longest + 1) / 2
		if longest > maxPathFeatures || points*len(e.splits) > maxExplainState {
			return &explainer{err: ErrTooDeep}
		}
		if _, made := rules[points]; !made {
			rules[points] = legendre(points)
		}
		e.rule = rules[points]
		x.trees[i] = e
		numbers, edges = max(numbers, points*len(e.splits)), max(edges, 2*len(e.splits))
	}
	x.scratch.New = func() any {
		s := &explainState{
			hot: make([]bool, edges), above: make([]float64, numbers), below: make([]float64, numbers),
			inverse: make([]float64, 2*numbers),
		}
		s.leaf[0], s.leaf[1] = make([]float64, maxPathFeatures/2), make([]float64, maxPathFeatures/2)
		return s
	}
	return x
}

// counted says whether all counts are there; an empty side has no share to
// weigh it with.
func (t *tree) counted() bool {
	if t.leafCount == nil || t.nodeCount == nil {
		return false
	}
	for _, counts := range [2][]int32{t.leafCount, t.nodeCount} {
		for _, n := range counts {
			if n <= 0 {
				return false
			}
		}
	}
	return true
}

// expected is the mean of the leaves over the training's rows.
func (t *tree) expected() float64 {
	if len(t.feature) == 0 {
		return t.leaf[0]
	}
	if !t.counted() {
		return 0
	}
	sum := 0.0
	for i, v := range t.leaf {
		sum += float64(t.leafCount[i]) / float64(t.nodeCount[0]) * v
	}
	return sum
}

// step is an edge on the way from the root to the split at hand.
type step struct {
	to, feature, before int32 // before: the feature's latest edge above this one
}

// explained lays the splits out and finds how many features are split at most
// on one path. latest holds -1 for every feature, before and after.
func (t *tree) explained(latest []int32) (e explainedTree, longest int) {
	position := make([]int32, len(t.order))
	for i, node := range t.order {
		position[node] = int32(i)
	}
	parents := t.parents()
	e.splits = make([]explainedSplit, len(t.order))
	var path []step
	different := 0
	leave := func(last step) {
		latest[last.feature] = last.before
		if last.before < 0 {
			different--
		}
	}
	for i, node := range t.order {
		if parent := parents[node]; parent >= 0 {
			for len(path) > 0 && path[len(path)-1].to != parent {
				leave(path[len(path)-1])
				path = path[:len(path)-1]
			}
			at, feature := position[parent], t.feature[parent]
			edge := 2 * at
			if t.right[parent] == node {
				edge++
			}
			path = append(path, step{to: node, feature: feature, before: latest[feature]})
			if latest[feature] < 0 {
				different++
			}
			latest[feature] = edge
		}
		e.splits[i] = t.explainedSplit(node, position)
		e.connect(int32(i), latest[t.feature[node]])
		if e.splits[i].earlier < 0 {
			longest = max(longest, different+1)
		} else {
			longest = max(longest, different)
		}
	}
	for i := len(path) - 1; i >= 0; i-- {
		leave(path[i])
	}
	return e, longest
}

func (t *tree) explainedSplit(node int32, position []int32) explainedSplit {
	s := explainedSplit{node: node, feature: t.feature[node]}
	for side, child := range [2]int32{t.left[node], t.right[node]} {
		s.child[side] = child
		if child >= 0 {
			s.child[side] = position[child]
		}
		s.share[side] = float64(t.count(child)) / float64(t.nodeCount[node])
	}
	return s
}

// connect notes the feature's earlier edge; shares multiply along it.
func (e *explainedTree) connect(i, earlier int32) {
	split := &e.splits[i]
	split.earlier = earlier
	if earlier < 0 {
		return
	}
	above := &e.splits[earlier>>1]
	above.again[earlier&1] = true
	split.share[0] *= above.share[earlier&1]
	split.share[1] *= above.share[earlier&1]
}
