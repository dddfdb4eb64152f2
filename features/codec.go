package features

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// What is written of an entity: how often it came and when, then its rows chunk by chunk as they are packed in memory, then what labels say of them.
// Texts that columns have codes for are written out, as codes mean nothing to another process.

const (
	wasAdded  = 1 << iota // some event of the entity was added
	wasCapped             // the cap dropped some
)

// encoder turns histories into bytes, kept in out, or written to w where there is one.
type encoder struct {
	l     *layout
	out   []byte
	chunk chunk // a copy that may be changed
	w     io.Writer
	err   error
}

// flush hands what is encoded to the writer when it is more than limit.
func (x *encoder) flush(limit int) {
	if x.w == nil || len(x.out) <= limit {
		return
	}
	if x.err == nil {
		_, x.err = x.w.Write(x.out)
	}
	x.out = x.out[:0]
}

func (x *encoder) history(h *history) {
	x.header(h)
	chunks := 1
	for g := range h.groups() {
		chunks += len(h.older.groups[g].chunks)
	}
	if h.tail.rows == 0 {
		chunks = 0
	}
	x.out = binary.AppendUvarint(x.out, uint64(chunks))
	for g := range h.groups() {
		for s := range h.older.groups[g].chunks {
			x.rows(&h.older.groups[g].chunks[s])
		}
	}
	if chunks > 0 {
		x.rows(&h.tail)
	}
}

// header writes what is kept of an entity besides rows.
func (x *encoder) header(h *history) {
	flags := byte(0)
	if h.newest != never {
		flags |= wasAdded
	}
	if h.capped != never {
		flags |= wasCapped
	}
	x.out = append(binary.AppendUvarint(x.out, h.arrivals), flags)
	if flags&wasAdded != 0 {
		x.out = binary.AppendUvarint(binary.AppendVarint(x.out, h.newest), uint64(h.newest-h.first))
	}
	if flags&wasCapped != 0 {
		x.out = binary.AppendUvarint(x.out, uint64(h.newest-h.capped))
	}
}

func (x *encoder) rows(from *chunk) {
	c := &x.chunk
	data := append(append(c.data[:0], from.data[:int(from.rows)*int(from.stride)]...), make([]byte, wordBytes)...)
	*c = *from
	c.data, c.shared = data, false
	if c.dropped > 0 {
		c.cut(x.l, int(c.dropped))
	}
	x.out = binary.AppendUvarint(x.out, uint64(c.rows))
	x.out = append(x.out, c.data[:int(c.rows)*int(c.stride)]...)
	x.texts(c)
	x.said(c)
	x.flush(blockSize)
}

// said writes what labels say of a chunk's rows.
func (x *encoder) said(c *chunk) {
	if c.labels == nil {
		x.out = append(x.out, 0)
		return
	}
	x.out = binary.AppendUvarint(x.out, uint64(len(c.labels.said)))
	for _, s := range c.labels.said {
		v := uint64(s.row) << 1
		if s.fraud {
			v |= 1
		}
		x.out = binary.AppendVarint(binary.AppendUvarint(x.out, v), s.knownAt)
	}
}

// decoder reads what an encoder has written, by whoever it was.
type decoder struct {
	l   *layout
	in  source
	err error
}

// source is what a decoder reads from.
type source interface {
	io.Reader
	io.ByteReader
}

// ErrDamaged is in the error of ReadShard when what it read is not what WriteShard wrote.
var ErrDamaged = errors.New("damaged")

func (x *decoder) fail(problem string) {
	if x.err == nil {
		x.err = fmt.Errorf("%w: %s", ErrDamaged, problem)
	}
}

func (x *decoder) took(err error) {
	if err != nil && x.err == nil {
		x.err = err
	}
}

func (x *decoder) uvarint() uint64 {
	if x.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(x.in)
	x.took(err)
	return v
}

func (x *decoder) varint() int64 {
	if x.err != nil {
		return 0
	}
	v, err := binary.ReadVarint(x.in)
	x.took(err)
	return v
}

// upTo reads a number that is at most so large.
func (x *decoder) upTo(limit uint64, what string) int {
	v := x.uvarint()
	if v > limit {
		x.fail(what)
		return 0
	}
	return int(v)
}

func (x *decoder) bytes(into []byte) {
	if x.err == nil {
		_, err := io.ReadFull(x.in, into)
		x.took(err)
	}
}

// text reads a key or value.
func (x *decoder) text() string {
	var b [maxKey]byte
	n := x.upTo(maxKey, "a text is too long")
	x.bytes(b[:n])
	return string(b[:n])
}

// header reads what is kept of an entity besides rows.
func (x *decoder) header(h *history) {
	h.arrivals = x.uvarint()
	var flags [1]byte
	x.bytes(flags[:])
	if flags[0]&wasAdded != 0 {
		h.newest = x.varint()
		h.first = h.newest - int64(x.uvarint())
		if h.newest >= maxTime || h.first < 0 || h.first > h.newest {
			x.fail("times are out of range")
		}
	}
	if flags[0]&wasCapped != 0 {
		h.capped = h.newest - int64(x.uvarint())
		if h.capped < 0 || h.capped > h.newest {
			x.fail("times are out of range")
		}
	}
}

// history reads an entity; it is of no use when there is an error.
func (x *decoder) history(key string) *history {
	h := newHistory(key)
	x.header(h)
	chunks := x.upTo(MaxCap, "too many chunks")
	if (chunks > 0) != (x.l.stride > 0 && h.newest != never) {
		x.fail("entries where none can be, or none where there are")
	}
	h.tail.stride = uint16(x.l.stride)
	for i := 0; i < chunks && x.err == nil; i++ {
		c := x.rows()
		if x.err != nil {
			break
		}
		if i > 0 {
			if last := int(h.tail.rows) - 1; !h.tail.starts(last, c.time, c.sequence) {
				x.fail("entries are out of order")
			}
			h.push(x.l, int(h.tail.rows), 0, 0)
		}
		h.tail = c
	}
	if x.err == nil && chunks > 0 && h.time(h.end()) != h.newest {
		x.fail("times are out of range")
	}
	return h
}

func (x *decoder) rows() chunk {
	rows := x.upTo(chunkRows, "too many rows")
	if rows == 0 {
		x.fail("an empty chunk")
		return chunk{}
	}
	c := newChunk(x.l.stride, rows)
	c.rows = uint8(rows)
	x.bytes(c.data[:rows*x.l.stride])
	c.time, c.sequence = c.timeOf(0), c.sequenceOf(0)
	for row := range rows {
		if t := c.timeOf(row); t < 0 || t >= maxTime || row > 0 && !c.starts(row-1, t, c.sequenceOf(row)) {
			x.fail("entries are out of order")
		}
	}
	x.check(&c)
	x.codes(&c)
	said := x.upTo(1<<32, "too many labels")
	if said > 0 {
		c.labels = &labels{}
	}
	for i := 0; i < said && x.err == nil; i++ {
		v := x.upTo(2*uint64(rows)-1, "a label of no row")
		c.labels.said = append(c.labels.said, statement{knownAt: x.varint(), row: uint8(v >> 1), fraud: v&1 != 0})
	}
	if c.labels != nil && !slices.IsSortedFunc(c.labels.said, statement.order) {
		x.fail("labels are out of order")
	}
	if x.err == nil {
		c.judge(x.l)
	}
	return c
}

// check holds the values of rows to what events may have, as sums fit their bytes only then.
func (x *decoder) check(c *chunk) {
	for i := range x.l.columns {
		col := &x.l.columns[i]
		for row := range int(c.rows) {
			switch v := c.field(col, row) - c.sum(col, row); {
			case col.kind == sumColumn && (v > maxUnits || v < -maxUnits), col.kind == presentColumn && (v < 0 || v > 1):
				x.fail("a value is out of range")
			}
		}
	}
}

// order is that of labels.said, but for those that are known at the same time.
func (s statement) order(t statement) int {
	if s.row != t.row {
		return int(s.row) - int(t.row)
	}
	return cmp.Compare(s.knownAt, t.knownAt)
}

// texts writes what the codes of a chunk's rows stand for, each text once.
func (x *encoder) texts(c *chunk) {
	for i := range x.l.columns {
		col := &x.l.columns[i]
		if col.kind != codeColumn {
			continue
		}
		var seen [chunkRows]uint32
		n := 0
		for row := range int(c.rows) {
			code := uint32(c.field(col, row))
			at := slices.Index(seen[:n], code)
			if at >= 0 {
				x.out = binary.AppendUvarint(x.out, uint64(at))
				continue
			}
			x.out = binary.AppendUvarint(x.out, uint64(n))
			x.out = appendText(x.out, x.l.interner.text(code))
			seen[n] = code
			n++
		}
	}
}

// codes gives the texts of a chunk's rows codes of this process.
func (x *decoder) codes(c *chunk) {
	for i := range x.l.columns {
		col := &x.l.columns[i]
		if col.kind != codeColumn {
			continue
		}
		var seen [chunkRows]string
		n := 0
		for row := 0; row < int(c.rows) && x.err == nil; row++ {
			at := x.upTo(uint64(n), "a text that was not written")
			if at == n {
				seen[n] = x.text()
				n++
			}
			if x.err == nil {
				c.put(row, col.offset, col.shift, uint64(x.l.interner.hold(seen[at])))
			}
		}
	}
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}
