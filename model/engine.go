package model

import (
	"math"
	"math/bits"
	"sync"
)

// engine evaluates rows by integers alone. Every tree is cut into parts of at
// most 64 leaves. A row starts out as the typical row, which leaves every part
// by its first leaf; each node at which the row goes the other way strikes the
// leaves of the side it left out of the part, and the first leaf that is not
// struck is the row's. The nodes of one column lie in the order of their
// thresholds, so that those which tell a value from the typical one are a run:
// all that lies between the two. Far from the typical value, the strikes of the
// whole blocks on the way are merged.
type engine struct {
	columns []column
	first   []uint32  // by column: where its codes begin in runs
	runs    []runs    // by column and code
	part    []uint32  // of each strike
	strike  []uint64  // leaves without a chance
	base    []uint32  // by part: where its leaves begin in value
	cut     bool      // some tree is in parts
	value   []float64 // of a leaf; where another part goes on, a link to it
	trees   int       // the first parts are the trees' roots, in order
	walker  *walker   // instead of the parts, where it is faster
	scratch sync.Pool
}

// run is a piece of strikes.
type run struct{ from, to uint32 }

// runs are the strikes of a code.
type runs struct{ near, far run }

// state is what the scoring of one row needs.
type state struct {
	struck []uint64 // leaves, by part
	codes  []uint32 // of the walker
}

func (e *engine) predict(row []float64) float64 {
	s := e.scratch.Get().(*state)
	raw := e.score(row, s)
	e.scratch.Put(s)
	return raw
}

func (e *engine) score(row []float64, s *state) float64 {
	if e.walker != nil {
		e.walker.code(row, s.codes)
		return e.walker.score(s.codes)
	}
	struck := s.struck
	clear(struck)
	for i := range e.columns {
		c := &e.columns[i]
		r := &e.runs[e.first[i]+c.code(row[c.feature])]
		e.apply(r.near, struck)
		if r.far.to != 0 {
			e.apply(r.far, struck)
		}
	}
	if e.cut {
		return e.sumParts(struck)
	}
	return e.sum(struck)
}

func (e *engine) apply(r run, struck []uint64) {
	parts, strikes := e.part[r.from:r.to], e.strike[r.from:r.to]
	for k, p := range parts {
		struck[p] |= strikes[k]
	}
}

// sum adds the trees' leaves in tree order, as LightGBM does.
func (e *engine) sum(struck []uint64) float64 {
	raw := 0.0
	base := e.base[:len(struck)]
	for i, s := range struck {
		raw += e.value[base[i]+uint32(bits.TrailingZeros64(^s))]
	}
	return raw
}

// sumParts is sum for trees that are cut into parts.
func (e *engine) sumParts(struck []uint64) float64 {
	raw := 0.0
	for i := range e.trees {
		raw += e.leaf(uint32(i), struck)
	}
	return raw
}

// link is a NaN that names a part; leaves are finite.
func link(part uint32) float64 { return math.Float64frombits(notFinite | uint64(part)) }

const notFinite = 0x7ff << 52

// leaves are the values of the trees' leaves that a row ends in.
func (e *engine) leaves(row []float64) []float64 {
	s := e.scratch.Get().(*state)
	defer e.scratch.Put(s)
	e.score(row, s)
	values := make([]float64, e.trees)
	for i := range values {
		if e.walker != nil {
			values[i] = e.walker.leaf(e.walker.roots[i], s.codes)
		} else {
			values[i] = e.leaf(uint32(i), s.struck)
		}
	}
	return values
}

// leaf is the value at which the tree whose root is the part ends.
func (e *engine) leaf(part uint32, struck []uint64) float64 {
	for {
		v := e.value[e.base[part]+uint32(bits.TrailingZeros64(^struck[part]))]
		if v == v {
			return v
		}
		part = uint32(math.Float64bits(v))
	}
}
