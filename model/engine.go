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

// state is what the scoring of rows needs.
type state struct {
	struck []uint64 // leaves, by part
	codes  []uint32 // by row and column
}

// Rows are coded by blocks: of at most so many rows, and of so many codes if
// one row has not more.
const (
	blockRows  = 64
	blockCodes = 1 << 12
)

// newState holds a block of rows.
func (e *engine) newState() any {
	n := e.rowCodes()
	return &state{codes: make([]uint32, n*max(1, min(blockRows, blockCodes/n))), struck: make([]uint64, len(e.base))}
}

// rowCodes is the room that a row's codes need.
func (e *engine) rowCodes() int {
	if e.walker != nil {
		return max(1, e.walker.codes)
	}
	return max(1, len(e.columns))
}

func (e *engine) predict(row []float64) float64 {
	s := e.scratch.Get().(*state)
	defer e.scratch.Put(s)
	if e.walker != nil {
		return e.walker.predict(row, s.codes)
	}
	return e.strikeOut(e.code(row, s.codes), s.struck)
}

// predictRows scores rows block by block: a column's thresholds and a tree's
// nodes are then at hand for the next row.
func (e *engine) predictRows(rows [][]float64, raw []float64) {
	s := e.scratch.Get().(*state)
	defer e.scratch.Put(s)
	n := e.rowCodes()
	for block := len(s.codes) / n; len(rows) > 0; {
		block = min(block, len(rows))
		if e.walker != nil {
			e.walker.predictRows(rows[:block], raw[:block], s.codes)
		} else {
			e.codeRows(rows[:block], s.codes, n)
			for i := range rows[:block] {
				raw[i] = e.strikeOut(s.codes[i*n:][:len(e.columns)], s.struck)
			}
		}
		rows, raw = rows[block:], raw[block:]
	}
}

// code writes the positions in runs of the row's codes.
func (e *engine) code(row []float64, codes []uint32) []uint32 {
	codes = codes[:len(e.columns)]
	for i := range codes {
		c := &e.columns[i]
		codes[i] = e.first[i] + c.code(row[c.feature])
	}
	return codes
}

func (e *engine) codeRows(rows [][]float64, codes []uint32, n int) {
	for i := range e.columns {
		c := &e.columns[i]
		for k, row := range rows {
			codes[k*n+i] = e.first[i] + c.code(row[c.feature])
		}
	}
}

// strikeOut strikes what the codes leave out and adds what remains.
func (e *engine) strikeOut(codes []uint32, struck []uint64) float64 {
	clear(struck)
	for _, code := range codes {
		r := &e.runs[code]
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
	values := make([]float64, e.trees)
	if e.walker != nil {
		e.walker.predict(row, s.codes)
		for i, root := range e.walker.roots {
			values[i] = e.walker.leaf(root, s.codes)
		}
		return values
	}
	e.strikeOut(e.code(row, s.codes), s.struck)
	for i := range values {
		values[i] = e.leaf(uint32(i), s.struck)
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
