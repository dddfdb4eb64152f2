package features

import "math"

const never = math.MinInt64

// history is what is kept of one entity: rows in the order (time, sequence), in chunks, the newest of them here, the others in the directory, which
// most entities do without. It knows nothing of definitions but its layout's columns.
//
// What reads a history names places in it: start is before the first entry, the place of an entry is after that entry. A window is two places, its
// entries those after lo and up to hi:
//
//	upTo(t), seek(t, sequence)      the place after all entries up to then; find(t, sequence) that of one entry
//	previous(p), next(p), count(lo, hi), start(), end()
//	time(p), sequence(p), raw(column, p), code(column, p)
//	sum(column, lo, hi)             of sumColumn and presentColumn
//	squares(column, lo, hi)
//	extreme(column, lo, hi, smallest)
//	latest(column, p)               the last entry up to p that counts in a presentColumn
//
// An insert or a drop makes places invalid.
type history struct {
	entity   string
	arrivals uint64 // events that ever named the entity, dropped ones too
	first    int64  // smallest time ever added
	newest   int64  // largest time ever added, never before that
	capped   int64  // largest time among the entries that the cap dropped, never before that
	tail     chunk
	older    *directory
	sliders  *[]slider // by position in layout.sets; nil where no window is large enough
}

func newHistory(key string) *history {
	return &history{entity: key, first: math.MaxInt64, newest: never, capped: never}
}

// place is after so many rows of a chunk; places are ordered as what lies before them. Of the two places between chunks only the first is used.
type place int

func placeOf(group, slot, row int) place { return place(group<<16 | slot<<8 | row) }
func (p place) group() int               { return int(p) >> 16 }
func (p place) slot() int                { return int(p) >> 8 & 0xff }
func (p place) row() int                 { return int(p) & 0xff }
func (p place) chunk() int               { return int(p) >> 8 }

// groups is the number of groups of the directory, which is also the group number of places in the newest chunk.
func (h *history) groups() int {
	if h.older == nil {
		return 0
	}
	return len(h.older.groups)
}

func (h *history) chunk(p place) *chunk {
	if g := p.group(); g < h.groups() {
		return &h.older.groups[g].chunks[p.slot()]
	}
	return &h.tail
}

func (h *history) start() place { return placeOf(0, 0, int(h.chunk(0).dropped)) }
func (h *history) end() place   { return placeOf(h.groups(), 0, int(h.tail.rows)) }

// upTo is the place after all entries whose time is at most t.
func (h *history) upTo(t int64) place { return h.seek(t, math.MaxUint64) }

func (h *history) seek(t int64, sequence uint64) place {
	n := h.groups()
	if n == 0 || h.tail.begins(t, sequence) {
		return placeOf(n, 0, h.tail.seek(t, sequence))
	}
	g, s := h.older.find(t, sequence)
	return placeOf(g, s, h.older.groups[g].chunks[s].seek(t, sequence))
}

// find returns the place of an event's entry, and whether it is kept.
func (h *history) find(t int64, sequence uint64) (place, bool) {
	p := h.seek(t, sequence)
	return p, p > h.start() && h.time(p) == t && h.sequence(p) == sequence
}

// next is the place after one more entry, which there is.
func (h *history) next(p place) place {
	switch c := h.chunk(p); {
	case p.row() < int(c.rows):
		return p + 1
	case p.slot()+1 < len(h.older.groups[p.group()].chunks):
		return placeOf(p.group(), p.slot()+1, 1)
	}
	return placeOf(p.group()+1, 0, 1)
}

// previous is the place before the entry of p, which there is.
func (h *history) previous(p place) place {
	switch {
	case p.row() > 1 || p.chunk() == 0:
		return p - 1
	case p.slot() > 0:
		return placeOf(p.group(), p.slot()-1, int(h.chunk(p-1<<8).rows))
	}
	s := len(h.older.groups[p.group()-1].chunks) - 1
	return placeOf(p.group()-1, s, int(h.older.groups[p.group()-1].chunks[s].rows))
}

func (h *history) time(p place) int64      { return h.chunk(p).timeOf(p.row() - 1) }
func (h *history) sequence(p place) uint64 { return h.chunk(p).sequenceOf(p.row() - 1) }

func (h *history) raw(c *column, p place) float64 {
	return math.Float64frombits(h.chunk(p).word(p.row()-1, c.offset))
}

func (h *history) code(c *column, p place) uint32 { return uint32(h.chunk(p).field(c, p.row()-1)) }

// base is a word of what lies before the chunk of p.
func (h *history) base(p place, word int) uint64 {
	d := h.older
	if d == nil {
		return 0
	}
	if g := p.group(); g < len(d.groups) {
		x := &d.groups[g]
		return x.base[word] + x.bases[p.slot()*len(x.base)+word]
	}
	return d.total[word]
}

// count is the number of entries after lo and up to hi.
func (h *history) count(lo, hi place) int {
	rows := hi.row() - lo.row()
	if lo.chunk() == hi.chunk() {
		return rows
	}
	return rows + int(h.base(hi, rowsWord)-h.base(lo, rowsWord))
}

// size is the number of all entries.
func (h *history) size() int { return h.count(h.start(), h.end()) }

// sum is the integer that a prefix column adds up over the entries after lo and up to hi.
func (h *history) sum(c *column, lo, hi place) int64 {
	sum := h.chunk(hi).sum(c, hi.row()) - h.chunk(lo).sum(c, lo.row())
	if lo.chunk() == hi.chunk() {
		return sum
	}
	return sum + int64(h.base(hi, c.word)-h.base(lo, c.word))
}

// squares is the sum of the squares of a column's values.
func (h *history) squares(l *layout, c *column, lo, hi place) wide {
	of := &l.columns[c.of]
	if lo.chunk() == hi.chunk() {
		return h.chunk(hi).squares(of, lo.row(), hi.row())
	}
	return h.squaresUpTo(c, of, hi).minus(h.squaresUpTo(c, of, lo))
}

func (h *history) squaresUpTo(c, of *column, p place) wide {
	sum := h.chunk(p).squares(of, 0, p.row())
	d := h.older
	if g := p.group(); g < len(d.groups) {
		x := &d.groups[g]
		at := p.slot()*len(x.base) + c.word
		return sum.plus(wide{x.base[c.word], x.base[c.word+1]}).plus(wide{x.bases[at], x.bases[at+1]})
	}
	return sum.plus(wide{d.total[c.word], d.total[c.word+1]})
}

// latest is the last entry up to p that counts in a presentColumn, and whether there is one.
func (h *history) latest(c *column, p place) (place, bool) {
	n := h.sum(c, h.start(), p)
	if n == 0 {
		return h.start(), false
	}
	return h.nth(c, n), true
}

// nth is the entry with which n entries count in a presentColumn, n being at least 1 and at most what there are.
func (h *history) nth(c *column, n int64) place {
	start := h.start()
	counts := func(q place) bool { return h.sum(c, start, q) < n } // it lies after q
	g := last(h.groups()+1, func(g int) bool { return counts(placeOf(g, 0, 0)) })
	s := 0
	if g < h.groups() {
		s = last(len(h.older.groups[g].chunks), func(s int) bool { return counts(placeOf(g, s, 0)) })
	}
	row := 1 + last(int(h.chunk(placeOf(g, s, 0)).rows), func(row int) bool { return counts(placeOf(g, s, row)) })
	return placeOf(g, s, row)
}

// extreme is the smallest or largest number of a column, NaN when there is none.
func (h *history) extreme(l *layout, column int, lo, hi place, smallest bool) float64 {
	x, c, n := math.NaN(), &l.columns[column], len(l.peaks)
	for cover := h.cover(lo, hi); cover.next(); {
		g := cover.group
		var y float64
		switch {
		case cover.chunk == nil && smallest:
			y = g.lowest[c.peak]
		case cover.chunk == nil:
			y = g.highest[c.peak]
		case cover.whole() && smallest:
			y = g.lows[cover.slot*n+c.peak]
		case cover.whole():
			y = g.highs[cover.slot*n+c.peak]
		default:
			y = cover.chunk.extreme(c, cover.from, cover.to, smallest, x)
		}
		if beats(y, x, smallest) {
			x = y
		}
	}
	return x
}

// cover walks over the entries of a window in pieces: whole groups, and rows of chunks. One begins with next.
type cover struct {
	h      *history
	at, hi place

	group    *group // nil in the newest chunk
	slot     int
	chunk    *chunk // nil: the whole group
	from, to int    // rows, from inclusive, to exclusive
}

func (h *history) cover(lo, hi place) cover { return cover{h: h, at: lo, hi: hi} }

// whole says whether the piece is all of a chunk that its group knows the extremes of.
func (c *cover) whole() bool { return c.group != nil && c.from == 0 && c.to == int(c.chunk.rows) }

func (c *cover) next() bool {
	if c.at >= c.hi {
		return false
	}
	g, n := c.at.group(), c.h.groups()
	c.group, c.slot, c.from = nil, c.at.slot(), c.at.row()
	if g < n {
		c.group = &c.h.older.groups[g]
		if c.from == 0 && c.slot == 0 && g < c.hi.group() {
			c.chunk, c.at = nil, placeOf(g+1, 0, 0)
			return true
		}
	}
	c.chunk = c.h.chunk(c.at)
	if c.at.chunk() == c.hi.chunk() {
		c.to, c.at = c.hi.row(), c.hi
		return true
	}
	c.to = int(c.chunk.rows)
	if c.slot+1 < len(c.group.chunks) {
		c.at = placeOf(g, c.slot+1, 0)
	} else {
		c.at = placeOf(g+1, 0, 0)
	}
	return true
}

// insert puts an event at its place: after every entry of the same time or earlier, as its sequence is the largest so far.
func (h *history) insert(l *layout, ev *Event, sequence uint64) {
	h.first, h.newest = min(h.first, ev.Time), max(h.newest, ev.Time)
	if l.stride == 0 {
		return
	}
	p := h.room(l, ev.Time, sequence)
	c := h.chunk(p)
	c.open(p.row(), ev.Time, sequence)
	c.fill(l, p.row(), ev)
	if h.sliders != nil {
		h.arrived(l, p+1)
	}
	if p.group() < h.groups() {
		var words [32]uint64
		h.older.added(l, p, l.wordsOf(ev, words[:0]))
	}
}

// room finds the place of a new entry and sees to it that its chunk has room for one more. It never moves more than one chunk's rows.
func (h *history) room(l *layout, t int64, sequence uint64) place {
	if h.tail.stride == 0 {
		h.tail.stride = uint16(l.stride)
	}
	p := h.seek(t, sequence)
	c := h.chunk(p)
	rows := int(c.rows)
	switch {
	case rows < min(c.capacity(), l.chunkRows):
		return p
	case 8*int(c.dropped) >= max(rows, 1):
		dropped := place(c.dropped)
		h.cut(l)
		return p - dropped
	case rows < l.chunkRows:
		c.reserve(min(rows+h.size()/4+1, l.chunkRows))
		return p
	case p.group() < h.groups():
		h.older.split(l, p.group(), p.slot(), l.chunkRows/2)
	default:
		h.push(l, max(p.row(), l.chunkRows/2), t, sequence)
	}
	return h.room(l, t, sequence)
}

// cut removes the rows that were dropped from the first chunk.
func (h *history) cut(l *layout) {
	if h.groups() > 0 {
		h.older.cut(l)
		return
	}
	h.tail.cut(l, int(h.tail.dropped))
}

// label adds a label to an entry.
func (h *history) label(l *layout, p place, label *Label) {
	h.chunk(p).label(l, p.row()-1, label)
	if g := p.group(); g < h.groups() {
		h.older.groups[g].judge(l)
	}
}

// push moves the first rows of the newest chunk into the directory; when these are all, the newest chunk will begin with (t, sequence).
func (h *history) push(l *layout, rows int, t int64, sequence uint64) {
	if h.older == nil {
		h.older = &directory{total: make([]uint64, l.words)}
	}
	full := h.tail
	if rows < int(full.rows) {
		h.tail = full.tail(l, rows)
	} else {
		h.tail = chunk{stride: full.stride, time: t, sequence: sequence}
	}
	full.head(l, rows)
	h.older.push(l, full)
}

// trim drops what no event within allowed lateness can reach, and what the cap does not hold.
func (h *history) trim(l *layout, lateness int64, limit int) {
	if l.stride == 0 {
		return
	}
	bound := h.newest - lateness - l.reach
	if c := &h.tail; h.groups() == 0 { // mostly there is nothing to do
		if rows := int(c.rows) - int(c.dropped); rows <= limit && (rows < 2 || c.timeOf(int(c.dropped)+1) > bound) {
			return
		}
	}
	p, n := h.start(), h.size()
	for ; n > limit; n-- {
		h.capped = max(h.capped, h.time(h.next(p)))
		p = h.drop(l)
	}
	// The newest of the unreachable entries stays: it is the last event of whoever comes next.
	for ; n > 1 && h.time(h.next(h.next(p))) <= bound; n-- {
		p = h.drop(l)
	}
}

// drop removes the first entry and returns the new start.
func (h *history) drop(l *layout) place {
	c := h.chunk(0)
	if h.sliders != nil {
		h.leaves(l, h.next(h.start()))
	}
	for i := range l.columns {
		if col := &l.columns[i]; col.release != nil {
			col.release(uint32(c.field(col, int(c.dropped))))
		}
	}
	c.dropped++
	if c.dropped == c.rows && h.groups() > 0 {
		h.older.shift(l)
	}
	return h.start()
}
