package features

import "math"

const never = math.MinInt64

// history is what is kept of one entity: rows in the order (time, sequence), columns of prefix sums in them, so that any window is the difference of
// two rows. Rows lie one after the other in words; the row at head is the base, whose prefixes the first entry's are counted from, and entry i is
// the row head+i. It knows nothing of definitions but its layout's columns, so that another representation can take its place.
type history struct {
	words    []uint64
	head     int    // row of the base
	count    int    // entries
	arrivals uint64 // events that ever named the entity, dropped ones too
	first    int64  // smallest time ever added
	newest   int64  // largest time ever added, never before that
	capped   int64  // largest time among the entries that the cap dropped, never before that
	dropped  uint64 // entries dropped so far: entry i is the one numbered dropped+i
	labels   *labels
	cursors  *cursors
}

func newHistory() *history { return &history{first: math.MaxInt64, newest: never, capped: never} }

// at returns a word of entry i; entry 0 is the base.
func (h *history) at(stride, i, word int) uint64 { return h.words[(h.head+i)*stride+word] }

func (h *history) time(stride, i int) int64 { return int64(h.at(stride, i, timeWord)) }

// upTo counts the entries whose time is at most t.
func (h *history) upTo(stride int, t int64) int { return h.seek(stride, t, h.count) }

// seek is upTo, searched from a guess outwards.
func (h *history) seek(stride int, t int64, guess int) int {
	lo, hi := guess, guess+1
	for step := 1; lo > 0 && h.time(stride, lo) > t; step *= 2 {
		lo, hi = max(lo-step, 0), lo
	}
	for step := 1; hi <= h.count && h.time(stride, hi) <= t; step *= 2 {
		lo, hi = hi, min(hi+step, h.count+1)
	}
	for hi-lo > 1 { // entry lo (or the base) is at most t, entry hi (or the end) is above
		if middle := int(uint(lo+hi) >> 1); h.time(stride, middle) <= t {
			lo = middle
		} else {
			hi = middle
		}
	}
	return lo
}

// find returns the entry of an event, 0 when it is not kept.
func (h *history) find(stride int, t int64, sequence uint64) int {
	for i := h.upTo(stride, t); i > 0 && h.time(stride, i) == t; i-- {
		if h.at(stride, i, sequenceWord) == sequence {
			return i
		}
	}
	return 0
}

// sum is the integer that a prefix column adds up over the entries lo+1 to hi.
func (h *history) sum(stride, word, lo, hi int) int64 {
	return int64(h.at(stride, hi, word) - h.at(stride, lo, word))
}

func (h *history) squares(stride, word, lo, hi int) wide {
	a := wide{h.at(stride, hi, word), h.at(stride, hi, word+1)}
	return a.minus(wide{h.at(stride, lo, word), h.at(stride, lo, word+1)})
}

func (h *history) raw(stride, word, i int) float64 {
	return math.Float64frombits(h.at(stride, i, word))
}

// insert puts an event at its place: after every entry of the same time or earlier, as its sequence is the largest so far.
func (h *history) insert(l *layout, ev *Event, sequence uint64) {
	h.first, h.newest = min(h.first, ev.Time), max(h.newest, ev.Time)
	if l.stride == 0 {
		return
	}
	i := h.upTo(l.stride, ev.Time) + 1
	h.grow(l.stride)
	start := (h.head + i) * l.stride
	copy(h.words[start+l.stride:], h.words[start:len(h.words)-l.stride])
	if h.count++; h.cursors != nil && i < h.count {
		clear(h.cursors.extremes) // they may span the new entry, as Observe need not have read before
	}
	row, before := h.words[start:start+l.stride], h.words[start-l.stride:start]
	row[timeWord], row[sequenceWord] = uint64(ev.Time), sequence
	for _, c := range l.columns {
		h.fill(l.stride, &c, ev, row, before, h.words[start+l.stride:])
	}
}

// fill sets one column of a new row and adds its value to the prefixes after it.
func (h *history) fill(stride int, c *column, ev *Event, row, before, after []uint64) {
	at := c.offset
	if c.kind == rawColumn {
		row[at] = math.Float64bits(ev.Numbers[c.source] + 0) // -0 becomes 0
		return
	}
	if c.kind == presentColumn {
		one := uint64(1)
		if math.IsNaN(ev.Numbers[c.source]) {
			one = 0
		}
		addTo(stride, at, one, row, before, after)
		return
	}
	v, _ := value(ev, c.source, c.scale)
	if c.kind == sumColumn {
		addTo(stride, at, uint64(v), row, before, after)
		return
	}
	s := square(v)
	total := wide{before[at], before[at+1]}.plus(s)
	row[at], row[at+1] = total.high, total.low
	for ; len(after) > 0; after = after[stride:] {
		total := wide{after[at], after[at+1]}.plus(s)
		after[at], after[at+1] = total.high, total.low
	}
}

func addTo(stride, at int, v uint64, row, before, after []uint64) {
	row[at] = before[at] + v
	for ; len(after) > 0; after = after[stride:] {
		after[at] += v
	}
}

// grow makes words one row longer: into what is allocated, over rows dropped before when they are a quarter of it, or by half as much again.
func (h *history) grow(stride int) {
	if len(h.words) == 0 {
		h.words = make([]uint64, stride, 4*stride)
	}
	if len(h.words)+stride > cap(h.words) {
		live := h.words[h.head*stride:]
		if 4*h.head*stride < cap(h.words) {
			h.words = make([]uint64, len(live), len(live)+max(2, len(live)/stride/2)*stride)
		}
		h.words = h.words[:copy(h.words, live)]
		h.head = 0
	}
	h.words = h.words[:len(h.words)+stride]
}

// trim drops what no event within allowed lateness can reach, and what the cap does not hold.
func (h *history) trim(l *layout, lateness int64, limit int) {
	if l.stride == 0 {
		return
	}
	before := h.head
	for h.count > limit {
		h.capped = max(h.capped, h.time(l.stride, 1))
		h.drop()
	}
	// The newest of the unreachable entries stays: it is the last event of whoever comes next.
	for bound := h.newest - lateness - l.reach; h.count > 1 && h.time(l.stride, 2) <= bound; {
		h.drop()
	}
	if h.labels != nil && h.head != before {
		if h.count == 0 {
			h.labels = nil
			return
		}
		h.labels.trim(h.time(l.stride, 1), h.at(l.stride, 1, sequenceWord))
	}
}

func (h *history) drop() { h.head, h.count, h.dropped = h.head+1, h.count-1, h.dropped+1 }
