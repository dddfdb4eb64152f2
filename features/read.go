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
		q := query{l: l, h: h, ev: ev, windows: s.bounds[:len(l.windows)], known: s.frauds[:len(l.tallies)], lateness: e.schema.AllowedLateness,
			watermark: result.Watermark}
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
	l         *layout
	h         *history
	ev        *Event
	windows   []bounds
	known     []verdicts
	last      place // of the latest entry not after the event
	hasLast   bool  // and whether there is one
	lateness  int64
	watermark int64
}

// bound finds the entries of every window. What is older than a window of an event just within allowed lateness of the watermark, or of the entity's
// newest, is gone: no window sees it, whether its rows are dropped yet or not.
func (q *query) bound(kind int, result *Result) {
	if q.l.stride == 0 {
		return
	}
	t, h := q.ev.Time, q.h
	oldest := int64(never)
	if h.newest != never {
		oldest = max(h.newest, q.watermark) - q.lateness
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
	}
	for i, tally := range q.l.tallies {
		b := &q.windows[tally.window]
		q.known[i] = h.frauds(q.l, t, b.lo, b.hi, tally.judged)
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
	case firstSeenAge:
		return q.firstSeen(r)
	case timeSinceLast, distanceFromLast, speedFromLast, speedOfRoute, lastValue, changedValue, sameAsLast:
		return q.previous(r)
	case fraudCount, fraudShare, lastFraudAge, firstFraudAge:
		return q.frauds(r)
	case minValue, maxValue:
		return q.extreme(r)
	case distinctValues:
		return q.distinct(r)
	case shareOfValue:
		return q.share(r)
	case velocity:
		return q.velocity(r)
	}
	return q.total(r)
}

// seconds converts microseconds.
func seconds(us int64) float64 { return float64(us) / 1e6 }

func (q *query) frauds(r *reading) float64 {
	known := &q.known[r.tally]
	switch {
	case r.operation == fraudCount:
		return float64(known.frauds)
	case r.operation == fraudShare:
		events := q.members(r)
		if events == 0 {
			return 0
		}
		return float64(known.frauds) / float64(events)
	case known.frauds == 0:
		return math.NaN()
	case r.operation == lastFraudAge:
		return seconds(q.ev.Time - known.last)
	}
	return seconds(q.ev.Time - known.first)
}

// counting is how many entries of a window count in a presentColumn, which -1 stands for all.
func (q *query) counting(present int, b *bounds) int64 {
	if present < 0 {
		return int64(b.events)
	}
	return q.h.sum(&q.l.columns[present], b.lo, b.hi)
}

// counts says whether the event itself counts in a presentColumn.
func (q *query) counts(present int) bool { return present < 0 || q.l.columns[present].adds(q.ev) > 0 }

// members is how many events of a reading's window pass its filter, the event itself included if it is to be.
func (q *query) members(r *reading) int64 {
	n := q.counting(r.filter, &q.windows[r.window])
	if r.current && q.counts(r.filter) {
		n++
	}
	return n
}

// total answers from sums: counts, sums, means, deviations.
func (q *query) total(r *reading) float64 {
	b := &q.windows[r.window]
	n := q.counting(r.present, b)
	counts := r.current && q.counts(r.present)
	if counts {
		n++
	}
	if r.operation == countEvents || r.operation == countValues {
		return float64(n)
	}
	c := &q.l.columns[r.column]
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

// velocity is the rate of a window over that of a longer one.
func (q *query) velocity(r *reading) float64 {
	short, long := q.volume(r, r.window), q.volume(r, r.long)
	if long == 0 {
		return math.NaN()
	}
	return float64(float64(short)/float64(long)) * r.rate
}

// volume is the count or the sum that a velocity compares.
func (q *query) volume(r *reading, window int) int64 {
	b := &q.windows[window]
	if r.column >= 0 {
		c := &q.l.columns[r.column]
		sum := q.h.sum(c, b.lo, b.hi)
		if r.current {
			sum += c.adds(q.ev)
		}
		return sum
	}
	n := q.counting(r.filter, b)
	if r.current && q.counts(r.filter) {
		n++
	}
	return n
}

// extreme finds the smallest or largest value of a window; absent ones do not count.
func (q *query) extreme(r *reading) float64 {
	b, smallest := &q.windows[r.window], r.operation == minValue
	x := q.h.extreme(q.l, r.column, b.lo, b.hi, smallest)
	if r.current {
		if own := q.l.columns[r.column].number(q.ev); beats(own, x, smallest) {
			x = own
		}
	}
	return x / r.power
}
