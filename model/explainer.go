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
	edge    int32 // that leads here
	earlier int32 // the nearest edge above that is of the same feature, -1: none
	// share is, left and right, which part of the training's rows at each split of
	// the feature on the path went on along it, multiplied.
	share [2]float64
	below [2]uint32 // where the list of what is below begins, left and right
	mask  [2]int    // 0 where it is a leaf, which is the same at each point, else -1
}

func newExplainer(trees []tree, features int) *explainer {
	x := &explainer{trees: make([]explainedTree, len(trees))}
	latest := make([]int32, features)
	for i := range latest {
		latest[i] = -1
	}
	rules := map[int]rule{}
	numbers, splits, leaves := 0, 0, 0
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
		e.settle(t, points)
		x.trees[i] = e
		splits, leaves = max(splits, len(e.splits)), max(leaves, len(t.leaf))
		numbers = max(numbers, points*len(e.splits))
	}
	x.scratch.New = func() any {
		return &explainState{
			one: make([]float64, 2*splits), above: make([]float64, numbers),
			below: make([]float64, numbers+leaves), inverse: make([]float64, numbers),
		}
	}
	return x
}

// settle says where the lists of what is below the splits are.
func (x *explainedTree) settle(t *tree, points int) {
	position := t.positions()
	for i := range x.splits {
		s := &x.splits[i]
		for side, child := range [2]int32{t.left[s.node], t.right[s.node]} {
			if child < 0 {
				s.below[side] = uint32(points*len(x.splits)) + uint32(^child)
			} else {
				s.below[side], s.mask[side] = uint32(points)*uint32(position[child]), -1
			}
		}
	}
}

// positions are the places of the nodes in the order.
func (t *tree) positions() []int32 {
	position := make([]int32, len(t.order))
	for i, node := range t.order {
		position[node] = int32(i)
	}
	return position
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
	position, parents := t.positions(), t.parents()
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
		edge := int32(-1)
		if parent := parents[node]; parent >= 0 {
			for len(path) > 0 && path[len(path)-1].to != parent {
				leave(path[len(path)-1])
				path = path[:len(path)-1]
			}
			at, feature := position[parent], t.feature[parent]
			edge = 2 * at
			if t.right[parent] == node {
				edge++
			}
			path = append(path, step{to: node, feature: feature, before: latest[feature]})
			if latest[feature] < 0 {
				different++
			}
			latest[feature] = edge
		}
		e.splits[i] = explainedSplit{node: node, feature: t.feature[node], edge: edge, earlier: latest[t.feature[node]]}
		e.weigh(t, &e.splits[i])
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

// weigh sets the shares of a split whose path is known.
func (x *explainedTree) weigh(t *tree, s *explainedSplit) {
	before := 1.0
	if s.earlier >= 0 {
		before = x.share(s.earlier)
	}
	for side, child := range [2]int32{t.left[s.node], t.right[s.node]} {
		s.share[side] = float64(t.count(child)) / float64(t.nodeCount[s.node]) * before
	}
}
