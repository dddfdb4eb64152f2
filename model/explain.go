package model

import (
	"errors"
	"fmt"
)

// ErrNoCounts is a model that cannot be explained: its file does not state how
// many rows of the training went each way.
var ErrNoCounts = errors.New("the model's file states no row counts (leaf_count, internal_count): it cannot be explained; load and save it with LightGBM 4, or train it again")

// ErrTooDeep is a model that cannot be explained because of a path on which too
// many features are split.
var ErrTooDeep = errors.New("a tree is too deep to be explained; train with fewer leaves or max_depth")

// Explain writes to out what each feature contributes to the row's raw score,
// and behind them the expected score: together they add up to the raw score.
// They are the exact Shapley values of the trees weighted by the training's row
// counts (path-dependent TreeSHAP), equal to LightGBM's pred_contrib within
// 1e-9. out has one place more than the row. It does not allocate, and may be
// called from any goroutine.
func (m *Model) Explain(row, out []float64) error {
	if len(row) != m.Features() {
		return m.wrongLength(row)
	}
	if len(out) != len(row)+1 {
		return fmt.Errorf("model %.12s: an explanation has %d values, out has room for %d", m.digest, len(row)+1, len(out))
	}
	x := m.explainer
	if x.err != nil {
		return fmt.Errorf("model %.12s: %w", m.digest, x.err)
	}
	clear(out)
	out[len(row)] = x.expected
	s := x.scratch.Get().(*explainState)
	for i := range x.trees {
		if len(x.trees[i].splits) > 0 {
			x.trees[i].explain(&m.trees[i], row, out, s)
		}
	}
	x.scratch.Put(s)
	return nil
}

// explainState is what one explanation of a tree needs. Lists of numbers hold
// one for each point of the tree's rule, after each other.
type explainState struct {
	hot     []bool    // by edge: the row satisfies all splits of the edge's feature down to it
	above   []float64 // by split: the rule's weights times the factors of the path's features
	below   []float64 // by split: the leaves below, times the factors of their paths from here
	inverse []float64 // by edge: 1 over the factor of its feature
	leaf    [2][]float64
}

// explain adds the tree's contributions.
//
// For a leaf, let feature j on its path be left in the game with chance t: its
// factor is then t*o + (1-t)*z, where o is 1 if the row satisfies all splits of
// j on the path and else 0, and z is the share of the training's rows that do.
// The Shapley value of i is the leaf times (o-z) of i times the integral over t
// from 0 to 1 of the other features' factors: a polynomial, which the rule
// integrates exactly. All factors are positive, so that nothing cancels. Leaves
// are summed up on the way back to the root, and where a feature is split once
// more, the lower split takes over its leaves from the upper one.
func (x *explainedTree) explain(t *tree, row, out []float64, s *explainState) {
	n := len(x.rule.point)
	copy(s.above[:n], x.rule.weight)
	for i := range x.splits {
		split := &x.splits[i]
		hot := 1
		if t.goesLeft(split.node, row[split.feature]) {
			hot = 0
		}
		open := split.earlier < 0 || s.hot[split.earlier]
		s.hot[2*i], s.hot[2*i+1] = false, false
		s.hot[2*i+hot] = open
		for side, child := range split.child {
			x.descend(split, s, i, side, child, open, n)
		}
	}
	for i := len(x.splits) - 1; i >= 0; i-- {
		x.ascend(t, i, out, s, n)
	}
}

// descend makes what is above the child at one side of split i, and the inverse
// of the edge's factor where a split below takes the feature up again.
func (x *explainedTree) descend(split *explainedSplit, s *explainState, i, side int, child int32, open bool, n int) {
	if child < 0 {
		return
	}
	edge := 2*i + side
	from, to := s.above[i*n:][:n], s.above[int(child)*n:][:n]
	if !open { // the factor was (1-t)*z and is (1-t)*z now: only z changes
		ratio := split.share[side] / x.share(split.earlier)
		for k, a := range from {
			to[k] = a * ratio
		}
		return
	}
	share := split.share[side]
	switch {
	case s.hot[edge]:
		for k, t := range x.rule.point[:n] {
			to[k] = from[k] * (t + x.rule.rest[k]*share)
		}
		if split.again[side] {
			inverse := s.inverse[edge*n:][:n]
			for k, t := range x.rule.point[:n] {
				inverse[k] = 1 / (t + x.rule.rest[k]*share)
			}
		}
	default:
		for k, rest := range x.rule.rest[:n] {
			to[k] = from[k] * (rest * share)
		}
	}
	if split.earlier >= 0 {
		for k, inverse := range s.inverse[int(split.earlier)*n:][:n] {
			to[k] *= inverse
		}
	}
}

// share is z of an edge.
func (x *explainedTree) share(edge int32) float64 { return x.splits[edge>>1].share[edge&1] }

// ascend sums up the leaves below split i and adds what its feature contributes.
func (x *explainedTree) ascend(t *tree, i int, out []float64, s *explainState, n int) {
	split := &x.splits[i]
	hot := 0
	if s.hot[2*i+1] {
		hot = 1
	}
	hots, colds := s.leaves(t, split.child[hot], hot, n), s.leaves(t, split.child[1-hot], 1-hot, n)
	hotShare, coldShare := split.share[hot], split.share[1-hot]
	above, below := s.above[i*n:][:n], s.below[i*n:][:n]
	if !s.hot[2*i+hot] {
		earlier := x.share(split.earlier)
		hotShare, coldShare = hotShare/earlier, coldShare/earlier
		for k := range below {
			below[k] = hotShare*hots[k] + coldShare*colds[k]
		}
		return
	}
	points, rests := x.rule.point[:n], x.rule.rest[:n]
	hotSum, coldSum := 0.0, 0.0
	if split.earlier < 0 {
		for k, a := range above {
			h, c := hots[k], colds[k]*rests[k]
			hotSum += a * h
			coldSum += a * colds[k]
			below[k] = h*(points[k]+rests[k]*hotShare) + c*coldShare
		}
		out[split.feature] += (1-hotShare)*hotSum - coldShare*coldSum
		return
	}
	inverses, all := s.inverse[int(split.earlier)*n:][:n], 0.0
	for k, a := range above {
		a *= inverses[k]
		h, c := hots[k], colds[k]*rests[k]
		hotSum += a * h
		coldSum += a * colds[k]
		below[k] = (h*(points[k]+rests[k]*hotShare) + c*coldShare) * inverses[k]
		all += a * below[k]
	}
	out[split.feature] += (1-hotShare)*hotSum - coldShare*coldSum - (1-x.share(split.earlier))*all
}

// leaves is the list of what is below a child; a leaf is the same at each point.
func (s *explainState) leaves(t *tree, child int32, side, n int) []float64 {
	if child >= 0 {
		return s.below[int(child)*n:][:n]
	}
	list, v := s.leaf[side][:n], t.leaf[^child]
	for k := range list {
		list[k] = v
	}
	return list
}
