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
	one     []float64 // by edge: 1 if the row satisfies the splits of the edge's feature down to it, else 0
	above   []float64 // by split: the weights times the factors of the path's other features
	below   []float64 // by split: the leaves below times the factors of their paths from here; then the leaves
	inverse []float64 // by split: 1 over its feature's factor so far, where the feature is split above
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
// more, the lower split takes over its leaves from the upper one. What differs
// from row to row is told by numbers rather than by branches, which would be
// guessed wrong half of the time.
func (x *explainedTree) explain(t *tree, row, out []float64, s *explainState) {
	n := len(x.rule.point)
	copy(s.below[n*len(x.splits):], t.leaf)
	copy(s.above[:n], x.rule.weight)
	for i := range x.splits {
		split := &x.splits[i]
		if i > 0 {
			x.descend(split, i, s)
		}
		so := 1.0
		if split.earlier >= 0 {
			so = s.one[split.earlier]
		}
		side := 1
		if t.goesLeft(split.node, row[split.feature]) {
			side = 0
		}
		s.one[2*i+side], s.one[2*i+1-side] = so, 0
	}
	for i := len(x.splits) - 1; i >= 0; i-- {
		x.ascend(i, out, s)
	}
}

// descend makes what is above split i from what is above its parent.
func (x *explainedTree) descend(split *explainedSplit, i int, s *explainState) {
	points := x.rule.point
	n := len(points)
	rests := x.rule.rest[:n]
	one, share := s.one[split.edge], x.share(split.edge)
	from, to := s.above[int(split.edge>>1)*n:][:n], s.above[i*n:][:n]
	if split.earlier < 0 {
		for k, t := range points {
			to[k] = from[k] * (t*one + rests[k]*share)
		}
		return
	}
	oneBefore, shareBefore := s.one[split.earlier], x.share(split.earlier)
	inverse := s.inverse[i*n:][:n]
	for k, t := range points {
		v := 1 / (t*oneBefore + rests[k]*shareBefore)
		inverse[k] = v
		to[k] = from[k] * (t*one + rests[k]*share) * v
	}
}

// share is z of an edge.
func (x *explainedTree) share(edge int32) float64 { return x.splits[edge>>1].share[edge&1] }

// ascend sums up the leaves below split i and adds what its feature contributes.
func (x *explainedTree) ascend(i int, out []float64, s *explainState) {
	split := &x.splits[i]
	points := x.rule.point
	n := len(points)
	rests, above, below := x.rule.rest[:n], s.above[i*n:][:n], s.below[i*n:][:n]
	lefts, rights := s.below[split.below[0]:], s.below[split.below[1]:]
	leftMask, rightMask := split.mask[0], split.mask[1]
	leftOne, rightOne := s.one[2*i], s.one[2*i+1]
	leftShare, rightShare := split.share[0], split.share[1]
	leftSum, rightSum := 0.0, 0.0
	for k, t := range points {
		a, rest, left, right := above[k], rests[k], lefts[k&leftMask], rights[k&rightMask]
		leftSum += a * left
		rightSum += a * right
		below[k] = left*(t*leftOne+rest*leftShare) + right*(t*rightOne+rest*rightShare)
	}
	contribution := (leftOne-leftShare)*leftSum + (rightOne-rightShare)*rightSum
	if split.earlier >= 0 {
		inverse, all := s.inverse[i*n:][:n], 0.0
		for k, a := range above {
			below[k] *= inverse[k]
			all += a * below[k]
		}
		contribution -= (s.one[split.earlier] - x.share(split.earlier)) * all
	}
	out[split.feature] += contribution
}
