package features

import "math"

// presentColumn is the column at a position, nil for -1.
func (l *layout) presentColumn(at int) *column {
	if at < 0 {
		return nil
	}
	return &l.columns[at]
}

// before finds the last entry that a reading looks at: that of the latest event, or the latest one within its window that counts.
func (q *query) before(r *reading) (place, bool) {
	if r.window < 0 {
		return q.last, q.hasLast
	}
	b := &q.windows[r.window]
	p, found := b.hi, b.events > 0
	if r.filter >= 0 && found {
		p, found = q.h.latest(&q.l.columns[r.filter], b.hi)
	}
	return p, found && p > b.lo
}

// firstSeen is the age of the entity's first event ever, or of the first one within a window that counts.
func (q *query) firstSeen(r *reading) float64 {
	if r.window < 0 {
		if q.h.first > q.ev.Time {
			return math.NaN()
		}
		return seconds(q.ev.Time - q.h.first)
	}
	b := &q.windows[r.window]
	if q.counting(r.filter, b) == 0 {
		return math.NaN()
	}
	var p place
	if r.filter < 0 {
		p = q.h.next(b.lo)
	} else {
		c := &q.l.columns[r.filter]
		p = q.h.nth(c, q.h.sum(c, q.h.start(), b.lo)+1)
	}
	return seconds(q.ev.Time - q.h.time(p))
}

// previous answers from one event before.
func (q *query) previous(r *reading) float64 {
	p, found := q.before(r)
	if !found {
		return math.NaN()
	}
	switch r.operation {
	case timeSinceLast:
		return seconds(q.ev.Time - q.h.time(p))
	case distanceFromLast:
		return q.way(r, p)
	case speedFromLast:
		return speed(q.way(r, p), q.ev.Time-q.h.time(p))
	case speedOfRoute:
		n := q.ev.Numbers
		return speed(haversine(n[r.places[0]], n[r.places[1]], n[r.places[2]], n[r.places[3]]), q.ev.Time-q.h.time(p))
	case lastValue:
		return q.h.number(&q.l.columns[r.column], p) / r.power
	}
	return q.compare(r, p)
}

// way is the distance from the place of an entry to that of the event.
func (q *query) way(r *reading, p place) float64 {
	return haversine(q.h.raw(&q.l.columns[r.raw], p), q.h.raw(&q.l.columns[r.raw2], p), q.ev.Numbers[r.places[0]], q.ev.Numbers[r.places[1]])
}

// speed is in km/h. Less time than can be told, a microsecond, is taken as one: so no speed is infinite, and who did not move has speed 0.
func speed(km float64, us int64) float64 { return km / (float64(max(us, 1)) / 3.6e9) }

// number is the value of an entry, NaN when it has none; amounts are in minor units.
func (h *history) number(c *column, p place) float64 { return h.chunk(p).number(c, p.row()-1) }

// compare says whether the event's value differs from that of an entry, or equals it; NaN when one of them has none.
func (q *query) compare(r *reading, p place) float64 {
	c := &q.l.columns[r.column]
	var equal bool
	if c.kind == codeColumn {
		text, code := c.text(q.ev), q.h.code(c, p)
		if text == "" || code == 0 {
			return math.NaN()
		}
		equal = q.l.interner.find(text) == code
	} else {
		own, before := c.number(q.ev), q.h.number(c, p)
		if math.IsNaN(own) || math.IsNaN(before) {
			return math.NaN()
		}
		equal = own == before
	}
	if equal == (r.operation == sameAsLast) {
		return 1
	}
	return 0
}
