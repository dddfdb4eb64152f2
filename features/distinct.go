package features

import "math"

// fewValues is the most entries of a window that are compared with each other; of larger windows the values are remembered.
const fewValues = 32

// slider remembers how often each value occurs among the entries with a time in (from, to]. It saves time and decides nothing.
type slider struct {
	from, to int64
	values   *multiset // nil: remembers nothing
}

// key is what tells the value of an entry from others, and whether it has one.
func (h *history) key(c *column, p place) (uint64, bool) {
	if c.kind == codeColumn {
		code := h.code(c, p)
		return uint64(code), code != 0
	}
	x := h.number(c, p)
	return math.Float64bits(x), !math.IsNaN(x)
}

// ownKey is the key of the event's own value and its hash, and whether it has one. A text that no entry has is given a key that no entry has.
func (q *query) ownKey(c *column) (key, hash uint64, present bool) {
	if c.kind == codeColumn {
		text := c.text(q.ev)
		if text == "" {
			return 0, 0, false
		}
		return uint64(q.l.interner.find(text)), hashText(text), true
	}
	x := c.number(q.ev)
	key = math.Float64bits(x)
	return key, hashNumber(key), !math.IsNaN(x)
}

// distinct is how many different values a window holds.
func (q *query) distinct(r *reading) float64 {
	c, b := &q.l.columns[r.column], &q.windows[r.window]
	var key, hash uint64
	own := false
	if r.current {
		key, hash, own = q.ownKey(c)
	}
	if s := q.slider(r.set, b); s != nil {
		s.move(q, &q.l.sets[r.set], b)
		return s.values.distinct(own, key, hash)
	}
	var seen [fewValues + 1]uint64
	n := 0
	if own {
		seen[0], n = key, 1
	}
	for p := b.lo; p < b.hi; {
		p = q.h.next(p)
		x, present := q.h.key(c, p)
		if !present {
			continue
		}
		i := 0
		for i < n && seen[i] != x {
			i++
		}
		if i == n {
			seen[n] = x
			n++
		}
	}
	return float64(n)
}

// share is the share of a window's events that have the event's own value.
func (q *query) share(r *reading) float64 {
	c, b := &q.l.columns[r.column], &q.windows[r.window]
	key, _, present := q.ownKey(&r.own)
	if !present {
		return math.NaN()
	}
	events, same := q.members(r), 0
	if events == 0 {
		return 0
	}
	switch s := q.slider(r.set, b); {
	case s == nil:
		same = q.occurrences(c, key, b.lo, b.hi)
	case s.values != nil && s.from < b.to && b.to < s.to && b.from <= s.from: // a late event: what is remembered stays where the next one needs it
		same = s.values.count(key) + q.occurrences(c, key, b.lo, q.h.upTo(s.from)) - q.occurrences(c, key, b.hi, q.h.upTo(s.to))
	default:
		s.move(q, &q.l.sets[r.set], b)
		same = s.values.count(key)
	}
	if r.current && q.counts(r.filter) {
		same++
	}
	return float64(same) / float64(events)
}

// occurrences counts the entries after lo and up to hi that have a key.
func (q *query) occurrences(c *column, key uint64, lo, hi place) (n int) {
	for lo < hi {
		lo = q.h.next(lo)
		if x, has := q.h.key(c, lo); has && x == key {
			n++
		}
	}
	return n
}

// slider is what remembers the values of a window, nil for windows of few entries.
func (q *query) slider(set int, b *bounds) *slider {
	h := q.h
	if b.events <= fewValues && (h.sliders == nil || (*h.sliders)[set].values == nil) {
		return nil
	}
	if h.sliders == nil {
		sliders := make([]slider, len(q.l.sets))
		h.sliders = &sliders
	}
	s := &(*h.sliders)[set]
	if b.events <= fewValues/2 {
		s.values = nil
		return nil
	}
	return s
}

// move brings a slider to a window.
func (s *slider) move(q *query, set *valueSet, b *bounds) {
	if s.values == nil || b.from >= s.to || b.to <= s.from {
		s.values = newMultiset(q.l.seed)
		s.add(q, set, b.lo, b.hi)
		s.from, s.to = b.from, b.to
		return
	}
	if b.to > s.to {
		s.add(q, set, q.h.upTo(s.to), b.hi)
	}
	if b.from < s.from {
		s.add(q, set, b.lo, q.h.upTo(s.from))
	}
	if b.to < s.to {
		s.remove(q, set, b.hi, q.h.upTo(s.to))
	}
	if b.from > s.from {
		s.remove(q, set, q.h.upTo(s.from), b.lo)
	}
	s.from, s.to = b.from, b.to
}

// add counts in the entries after lo and up to hi.
func (s *slider) add(q *query, set *valueSet, lo, hi place) {
	for c := &q.l.columns[set.column]; lo < hi; {
		lo = q.h.next(lo)
		if key, present := q.h.key(c, lo); present {
			s.values.add(key, set.hash)
		}
	}
}

// remove counts out the entries after lo and up to hi.
func (s *slider) remove(q *query, set *valueSet, lo, hi place) {
	for c := &q.l.columns[set.column]; lo < hi; {
		lo = q.h.next(lo)
		if key, present := q.h.key(c, lo); present {
			s.values.remove(key)
		}
	}
}

// arrived tells the sliders of an entry that was just put in.
func (h *history) arrived(l *layout, p place) {
	for i := range *h.sliders {
		s, set := &(*h.sliders)[i], &l.sets[i]
		if key, concerned := s.concerns(h, &l.columns[set.column], p); concerned {
			s.values.add(key, set.hash)
		}
	}
}

// leaves tells the sliders of an entry that is about to be dropped.
func (h *history) leaves(l *layout, p place) {
	for i := range *h.sliders {
		s := &(*h.sliders)[i]
		if key, concerned := s.concerns(h, &l.columns[l.sets[i].column], p); concerned {
			s.values.remove(key)
		}
	}
}

// concerns says whether an entry is among those that a slider remembers.
func (s *slider) concerns(h *history, c *column, p place) (key uint64, concerned bool) {
	if t := h.time(p); s.values == nil || t <= s.from || t > s.to {
		return 0, false
	}
	return h.key(c, p)
}

// Warm has the engine remember the values of large windows that end at the watermark, as it would after some events of each entity: for an engine
// whose state was just read. It changes no value.
func (e *Engine) Warm(watermark int64) {
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for kind := range e.layouts {
			s.entities[kind].each(func(_ uint64, h *history) { e.warm(kind, h, &s.scratch, watermark) })
		}
		s.mu.Unlock()
	}
}

func (e *Engine) warm(kind int, h *history, s *scratch, watermark int64) {
	l := &e.layouts[kind]
	if len(l.sets) == 0 || h.size() <= fewValues {
		return
	}
	q := query{l: l, h: h, ev: &Event{Time: watermark}, windows: s.bounds[:len(l.windows)], known: s.frauds[:len(l.tallies)],
		lateness: e.schema.AllowedLateness, watermark: watermark}
	q.bound(kind, &Result{})
	for i := range l.sets {
		b := &q.windows[l.sets[i].window]
		if s := q.slider(i, b); s != nil {
			s.move(&q, &l.sets[i], b)
		}
	}
}
