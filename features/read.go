package features

import "math"

// read fills the vector from the histories as they stand before ev is added.
func (e *Engine) read(ev *Event, s *scratch, vector []float64, result *Result) {
	for kind, key := range ev.Entities {
		l := &e.layouts[kind]
		if key == "" {
			for i := range l.readings {
				vector[l.readings[i].out] = math.NaN()
			}
			continue
		}
		h := s.histories[kind]
		if h == nil || l.stride > 0 && h.size() == 0 {
			h = &e.blanks[kind]
		}
		q := query{l: l, h: h, ev: ev, windows: s.bounds[:len(l.windows)], lateness: e.schema.AllowedLateness}
		q.bound(kind, result)
		for i := range l.readings {
			vector[l.readings[i].out] = q.answer(&l.readings[i])
		}
	}
	s.frame = frame{vector, ev}
	for i := range e.derived {
		vector[e.derived[i].out] = e.derived[i].value(&s.frame)
	}
	s.frame = frame{}
}

// query is one entity's history asked at one event.
type query struct {
	l        *layout
	h        *history
	ev       *Event
	windows  []bounds
	last     place // of the latest entry not after the event
	hasLast  bool  // and whether there is one
	lateness int64
}

// bound finds the entries of every window. What is older than a window of an event just within allowed lateness of the entity's newest is gone: no
// window sees it, whether its rows are dropped yet or not.
func (q *query) bound(kind int, result *Result) {
	if q.l.stride == 0 {
		return
	}
	t, h := q.ev.Time, q.h
	oldest := int64(never)
	if h.newest != never {
		oldest = h.newest - q.lateness
	}
	if t < oldest {
		result.Complete = false
	} else {
		q.last = h.upTo(t)
		q.hasLast = q.last > h.start()
		result.Degraded = result.Degraded || !q.hasLast && h.capped != never
	}
	if t < oldest || h.capped != never {
		result.gaps = append(result.gaps, q.gap(kind, oldest))
	}
	for i := range q.windows {
		w, b := &q.l.windows[i], &q.windows[i]
		*b = bounds{to: t - w.delay}
		b.from = max(b.to-w.length, max(oldest, never+w.delay+w.length)-w.delay-w.length)
		b.hi = q.last
		if t < oldest || b.to < t {
			b.hi = h.upTo(b.to)
		}
		b.lo = min(h.upTo(b.from), b.hi)
		b.events = h.count(b.lo, b.hi)
		if h.capped > b.from {
			result.Degraded = true
		}
		if w.frauds {
			h.frauds(t, b)
		}
	}
}

// gap tells what the history does not hold; oldest is the earliest time at which it can be asked.
func (q *query) gap(kind int, oldest int64) gap {
	g := gap{kind: kind, late: q.ev.Time < oldest, reach: math.MaxInt64}
	if q.h.capped != never {
		g.last = !g.late && !q.hasLast
		g.reach = max(q.ev.Time, oldest) - q.h.capped
	}
	return g
}

// answer computes one definition.
func (q *query) answer(r *reading) float64 {
	switch r.operation {
	case timeSinceLast:
		if !q.hasLast {
			return math.NaN()
		}
		return seconds(q.ev.Time - q.h.time(q.last))
	case firstSeenAge:
		if q.h.first > q.ev.Time {
			return math.NaN()
		}
		return seconds(q.ev.Time - q.h.first)
	case distanceFromLast:
		if !q.hasLast {
			return math.NaN()
		}
		return haversine(q.h.raw(&q.l.columns[r.raw], q.last), q.h.raw(&q.l.columns[r.raw2], q.last), q.ev.Numbers[r.lat], q.ev.Numbers[r.lon])
	case fraudCount, fraudShare, lastFraudAge, firstFraudAge:
		return q.frauds(r)
	case minValue, maxValue:
		return q.extreme(r)
	}
	return q.total(r)
}

// seconds converts microseconds.
func seconds(us int64) float64 { return float64(us) / 1e6 }

func (q *query) frauds(r *reading) float64 {
	b := &q.windows[r.window]
	switch {
	case r.operation == fraudCount:
		return float64(b.frauds)
	case r.operation == fraudShare:
		if b.events == 0 {
			return 0
		}
		return float64(b.frauds) / float64(b.events)
	case b.frauds == 0:
		return math.NaN()
	case r.operation == lastFraudAge:
		return seconds(q.ev.Time - b.latestFraud)
	}
	return seconds(q.ev.Time - b.firstFraud)
}

// total answers from sums: counts, sums, means, deviations.
func (q *query) total(r *reading) float64 {
	b := &q.windows[r.window]
	n := int64(b.events)
	counts := r.current
	if r.present >= 0 {
		c := &q.l.columns[r.present]
		n = q.h.sum(c, b.lo, b.hi)
		counts = counts && c.adds(q.ev) > 0
	}
	if counts {
		n++
	}
	if r.operation == countEvents || r.operation == countValues {
		return float64(n)
	}
	c := &q.l.columns[r.sum]
	var own int64
	if counts {
		own = c.adds(q.ev)
	}
	sum := q.h.sum(c, b.lo, b.hi) + own
	switch {
	case r.operation == sumValues:
		return float64(sum) / r.power
	case n == 0:
		return math.NaN()
	case r.operation == meanValues:
		return float64(sum) / float64(float64(n)*r.power)
	}
	squares := q.h.squares(q.l, &q.l.columns[r.squares], b.lo, b.hi).plus(square(own))
	return deviation(n, sum, squares, r.power)
}

// extreme finds the smallest or largest value of a window; absent ones do not count.
func (q *query) extreme(r *reading) float64 {
	b, smallest := &q.windows[r.window], r.operation == minValue
	x := q.h.extreme(q.l, r.extreme, b.lo, b.hi, smallest)
	if r.current {
		if own := q.l.columns[r.extreme].number(q.ev); beats(own, x, smallest) {
			x = own
		}
	}
	return x / r.power
}
