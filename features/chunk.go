package features

import (
	"encoding/binary"
	"math"
)

// Rows are packed: a chunk holds them one after the other, each with its time, its sequence and its columns, little-endian and as narrow as what
// they may hold. Sums are counted from the chunk's first row, so that they stay narrow and a row that comes late changes only its own chunk.
const (
	chunkRows = 120 // most rows of a chunk: their sums of 10^12 each fit sumBytes, their number countBytes

	timeBytes     = 7 // event times lie below 2^53
	sequenceBytes = 6
	sumBytes      = 6
	countBytes    = 1
	codeBytes     = 4
	rawBytes      = 8

	sequenceAt  = timeBytes
	firstColumn = timeBytes + sequenceBytes
	wordBytes   = 8 // every field is loaded as a word, so that many bytes follow the last row

	cacheLine = 64

	maxSequence = 1<<(8*sequenceBytes) - 1 // a log of 2.8 * 10^14 records
)

// chunk is a run of an entity's rows in the order (time, sequence).
type chunk struct {
	data          []byte
	time          int64  // of the first row, as is sequence; not kept up for the first chunk of a history, where nobody asks
	sequence      uint64 //
	labels        *labels
	stride        uint16 // bytes of a row
	shared        bool   // a snapshot reads data and labels
	rows, dropped uint8  // rows, of which the first are dropped: they only tell what the sums after them are counted from
}

func (c *chunk) word(row, offset int) uint64 {
	return binary.LittleEndian.Uint64(c.data[row*int(c.stride)+offset:])
}

// touch loads what is in use of the rows, a cache line at a time; without windows to be read only where rows are dropped and added.
func (c *chunk) touch(windows bool) (sum uint64) {
	data := c.data[:int(c.rows)*int(c.stride)]
	if !windows && len(data) > 0 {
		return uint64(data[int(c.dropped)*int(c.stride)]) + uint64(data[len(data)-1])
	}
	for ; len(data) > 0; data = data[min(cacheLine, len(data)):] {
		sum += uint64(data[0])
	}
	return sum
}

// put writes the low bits of a field, 64-shift of them.
func (c *chunk) put(row, offset int, shift uint, v uint64) {
	at := c.data[row*int(c.stride)+offset:]
	mask := ^uint64(0) >> (shift & 63)
	binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)&^mask|v&mask)
}

func (c *chunk) timeOf(row int) int64 {
	return int64(c.word(row, 0)<<(64-8*timeBytes)) >> (64 - 8*timeBytes)
}

func (c *chunk) sequenceOf(row int) uint64 {
	return c.word(row, sequenceAt) << (64 - 8*sequenceBytes) >> (64 - 8*sequenceBytes)
}

// field reads a column's bytes as a signed integer.
func (c *chunk) field(col *column, row int) int64 {
	shift := col.shift & 63
	return int64(c.word(row, col.offset)<<shift) >> shift
}

// sum is what a prefix column adds up over the first rows.
func (c *chunk) sum(col *column, rows int) int64 {
	if rows == 0 {
		return 0
	}
	return c.field(col, rows-1)
}

// squares adds up the squares of a sum column's values over the rows from (inclusive) to (exclusive).
func (c *chunk) squares(col *column, from, to int) (total wide) {
	before := c.sum(col, from)
	for row := from; row < to; row++ {
		after := c.field(col, row)
		total, before = total.plus(square(after-before)), after
	}
	return total
}

// number is the value of a row as min and max see it: NaN when it has none. Amounts are exact as float64.
func (c *chunk) number(col *column, row int) float64 {
	if col.kind == rawColumn {
		return math.Float64frombits(c.word(row, col.offset))
	}
	return float64(c.field(col, row) - c.sum(col, row))
}

// extreme is the smallest or largest number among x and the rows from (inclusive) to (exclusive).
func (c *chunk) extreme(col *column, from, to int, smallest bool, x float64) float64 {
	for row := from; row < to; row++ {
		if y := c.number(col, row); beats(y, x, smallest) {
			x = y
		}
	}
	return x
}

// beats says whether y takes the place of x, which may be missing as y may.
func beats(y, x float64, smallest bool) bool {
	return math.IsNaN(x) && !math.IsNaN(y) || smallest && y < x || !smallest && y > x
}

// seek counts the rows up to (t, sequence), dropped ones among them.
func (c *chunk) seek(t int64, sequence uint64) int {
	lo, hi := int(c.dropped), int(c.rows)
	if hi > lo && c.starts(hi-1, t, sequence) {
		return hi
	}
	for lo < hi {
		if middle := (lo + hi) / 2; c.starts(middle, t, sequence) {
			lo = middle + 1
		} else {
			hi = middle
		}
	}
	return lo
}

// starts says whether a row lies at or before (t, sequence).
func (c *chunk) starts(row int, t int64, sequence uint64) bool {
	at := c.timeOf(row)
	return at < t || at == t && c.sequenceOf(row) <= sequence
}

// capacity is the number of rows that there is room for.
func (c *chunk) capacity() int { return max(0, len(c.data)-wordBytes) / int(c.stride) }

// newChunk has room for so many rows, or a few more.
func newChunk(stride, rows int) chunk {
	c := chunk{stride: uint16(stride)}
	c.reserve(rows)
	return c
}

// reserve makes room for so many rows, and as many more as the allocator gives anyway.
func (c *chunk) reserve(rows int) {
	data := append([]byte(nil), make([]byte, rows*int(c.stride)+wordBytes)...)
	data = data[:cap(data)]
	copy(data, c.data[:int(c.rows)*int(c.stride)])
	c.data = data
}

// open puts an empty row before another, with the sums that lead to it.
func (c *chunk) open(row int, t int64, sequence uint64) {
	if row < int(c.rows) {
		c.own()
	}
	stride := int(c.stride)
	at := c.data[row*stride:]
	copy(at[stride:], at[:(int(c.rows)-row)*stride])
	c.rows++
	if c.labels != nil {
		c.labels.open(row)
	}
	if row == 0 {
		clear(at[:stride])
		c.time, c.sequence = t, sequence
	} else {
		copy(at[:stride], c.data[(row-1)*stride:])
	}
	c.put(row, 0, 64-8*timeBytes, uint64(t))
	c.put(row, sequenceAt, 64-8*sequenceBytes, sequence)
}

// fill sets the columns of a row that was opened and adds to the sums after it.
func (c *chunk) fill(l *layout, row int, ev *Event) {
	for i := range l.columns {
		col := &l.columns[i]
		switch col.kind {
		case rawColumn:
			c.put(row, col.offset, col.shift, math.Float64bits(col.raw(ev)))
		case codeColumn:
			c.put(row, col.offset, col.shift, uint64(col.code(ev)))
		case sumColumn, presentColumn:
			if v := col.adds(ev); v != 0 {
				c.shift(col, row, v)
			}
		case squareColumn: // has no bytes: squares come from the values
		}
	}
}

// shift adds to the sums of a row and all after it.
func (c *chunk) shift(col *column, row int, v int64) {
	for ; row < int(c.rows); row++ {
		c.put(row, col.offset, col.shift, uint64(c.field(col, row)+v))
	}
}

// tail is a chunk of the rows from one on, which there is.
func (c *chunk) tail(l *layout, from int) chunk {
	rows := int(c.rows) - from
	t := newChunk(int(c.stride), rows+rows/4+1)
	copy(t.data, c.data[from*int(c.stride):int(c.rows)*int(c.stride)])
	t.rows, t.time, t.sequence = uint8(rows), c.timeOf(from), c.sequenceOf(from)
	t.rebase(l, c, from, 0)
	if c.labels != nil {
		t.labels = c.labels.from(from)
		t.judge(l)
	}
	return t
}

// head leaves only the first rows.
func (c *chunk) head(l *layout, rows int) {
	if rows == int(c.rows) {
		return
	}
	c.own() // rows to come take the places of those that go
	c.rows = uint8(rows)
	if c.labels != nil {
		c.labels.until(rows)
		c.judge(l)
	}
}

// cut removes the first rows for good.
func (c *chunk) cut(l *layout, rows int) {
	c.own()
	c.rebase(l, c, rows, rows)
	copy(c.data, c.data[rows*int(c.stride):int(c.rows)*int(c.stride)])
	c.rows, c.dropped = c.rows-uint8(rows), 0
	if c.labels != nil {
		c.labels = c.labels.from(rows)
		c.judge(l)
	}
}

// rebase takes what the first rows of a chunk add up to off the sums of the rows from one on.
func (c *chunk) rebase(l *layout, of *chunk, rows, from int) {
	for i := range l.columns {
		col := &l.columns[i]
		if col.kind != sumColumn && col.kind != presentColumn {
			continue
		}
		if sum := of.sum(col, rows); sum != 0 {
			c.shift(col, from, -sum)
		}
	}
}
