package model

import (
	"math/bits"
	"sync"
)

// engine evaluates rows by integers alone. Every tree is cut into parts of at
// most 64 leaves. A row starts out as the typical row, which leaves every part
// by its first leaf; each node at which the row goes the other way strikes the
// leaves of the side it left out of the part, and the first leaf that is not
// struck is the row's. The nodes of one column lie in the order of their
// thresholds, so that those which tell a value from the typical one are a run:
// all that lies between the two.
type engine struct {
	columns []column
	first   []uint32 // by column: where its codes begin in runs
	runs    []run    // by column and code
	part    []uint32 // of each strike
	strike  []uint64 // leaves without a chance
	base    []uint32 // by part: where its leaves begin in value
	value   []float64
	next    []uint32 // beside value: the part that goes on there; nil when no tree is cut
	trees   int      // the first parts are the trees' roots, in order
	scratch sync.Pool
}

// run is a piece of strikes.
type run struct{ from, to uint32 }

// state holds the leaves that are struck, by part.
type state struct{ struck []uint64 }

func (e *engine) predict(row []float64) float64 {
	s := e.scratch.Get().(*state)
	raw := e.score(row, s.struck)
	e.scratch.Put(s)
	return raw
}

func (e *engine) score(row []float64, struck []uint64) float64 {
	clear(struck)
	for i := range e.columns {
		c := &e.columns[i]
		r := e.runs[e.first[i]+c.code(row[c.feature])]
		parts := e.part[r.from:r.to]
		strikes := e.strike[r.from:r.to]
		strikes = strikes[:len(parts)]
		for k, p := range parts {
			struck[p] |= strikes[k]
		}
	}
	if e.next == nil {
		return e.sum(struck)
	}
	return e.sumParts(struck)
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
	for part := range e.trees {
		raw += e.leaf(struck, uint32(part))
	}
	return raw
}

// leaves are the values of the trees' leaves that a row ends in.
func (e *engine) leaves(row []float64) []float64 {
	s := e.scratch.Get().(*state)
	defer e.scratch.Put(s)
	e.score(row, s.struck)
	values := make([]float64, e.trees)
	for part := range values {
		values[part] = e.leaf(s.struck, uint32(part))
	}
	return values
}

// leaf is the value at which the tree whose root is the part ends.
func (e *engine) leaf(struck []uint64, part uint32) float64 {
	for {
		at := e.base[part] + uint32(bits.TrailingZeros64(^struck[part]))
		if e.next == nil || e.next[at] == 0 {
			return e.value[at]
		}
		part = e.next[at]
	}
}
