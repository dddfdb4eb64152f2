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
		if h == nil || l.stride > 0 && h.count == 0 {
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
	last     int // the latest entry not after the event, 0 when there is none
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
	} else if q.last = h.upTo(q.l.stride, t); q.last == 0 && h.capped != never {
		result.Degraded = true
	}
	if t < oldest || h.capped != never {
		result.gaps = append(result.gaps, q.gap(kind, oldest))
	}
	h.remember(q.l)
	for i := range q.windows {
		w, b := &q.l.windows[i], &q.windows[i]
		*b = bounds{to: t - w.delay}
		b.from = max(b.to-w.length, max(oldest, never+w.delay+w.length)-w.delay-w.length)
		q.search(i, b)
		if h.capped > b.from {
			result.Degraded = true
		}
		if w.frauds && h.labels != nil {
			h.labels.count(t, b)
		}
	}
}

// gap tells what the history does not hold; oldest is the earliest time at which it can be asked.
func (q *query) gap(kind int, oldest int64) gap {
	g := gap{kind: kind, late: q.ev.Time < oldest, reach: math.MaxInt64}
	if q.h.capped != never {
		g.last = !g.late && q.last == 0
		g.reach = max(q.ev.Time, oldest) - q.h.capped
	}
	return g
}

// search finds a window's entries, from where they were last time if that is known.
func (q *query) search(i int, b *bounds) {
	h, stride := q.h, q.l.stride
	if h.cursors == nil {
		b.hi = h.upTo(stride, b.to)
		b.lo = min(h.upTo(stride, b.from), b.hi)
		return
	}
	c := &h.cursors.windows[i]
	if b.to == q.ev.Time {
		b.hi = h.upTo(stride, b.to)
	} else {
		b.hi = h.seek(stride, b.to, h.guess(c.hi))
	}
	b.lo = min(h.seek(stride, b.from, h.guess(c.lo)), b.hi)
	c.lo, c.hi = h.dropped+uint64(b.lo), h.dropped+uint64(b.hi)
}

// answer computes one definition.
func (q *query) answer(r *reading) float64 {
	switch r.operation {
	case timeSinceLast:
		if q.last == 0 {
			return math.NaN()
		}
		return seconds(q.ev.Time - q.h.time(q.l.stride, q.last))
	case firstSeenAge:
		if q.h.first > q.ev.Time {
			return math.NaN()
		}
		return seconds(q.ev.Time - q.h.first)
	case distanceFromLast:
		if q.last == 0 {
			return math.NaN()
		}
		return haversine(q.h.raw(q.l.stride, r.raw, q.last), q.h.raw(q.l.stride, r.raw2, q.last), q.ev.Numbers[r.lat], q.ev.Numbers[r.lon])
	case fraudCount, fraudShare, lastFraudAge, firstFraudAge:
		return q.frauds(r)
	case minAmount, maxAmount:
		return q.extremeAmount(r)
	case minRaw, maxRaw:
		return q.extremeRaw(r)
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
		if b.hi == b.lo {
			return 0
		}
		return float64(b.frauds) / float64(b.hi-b.lo)
	case b.frauds == 0:
		return math.NaN()
	case r.operation == lastFraudAge:
		return seconds(q.ev.Time - b.latestFraud)
	}
	return seconds(q.ev.Time - b.firstFraud)
}

// total answers from prefix columns: counts, sums, means, deviations.
func (q *query) total(r *reading) float64 {
	b := &q.windows[r.window]
	n := int64(b.hi - b.lo)
	if r.present >= 0 {
		n = q.h.sum(q.l.stride, r.present, b.lo, b.hi)
	}
	var own int64
	counts := r.current
	if r.current && r.operation != countEvents {
		own, counts = value(q.ev, r.source, max(r.scale, 0))
	}
	if counts {
		n++
	}
	if r.operation == countEvents || r.operation == countValues {
		return float64(n)
	}
	sum := q.h.sum(q.l.stride, r.sum, b.lo, b.hi) + own
	switch {
	case r.operation == sumValues:
		return float64(sum) / r.power
	case n == 0:
		return math.NaN()
	case r.operation == meanValues:
		return float64(sum) / float64(float64(n)*r.power)
	}
	squares := q.h.squares(q.l.stride, r.squares, b.lo, b.hi)
	if counts {
		squares = squares.plus(square(own))
	}
	return deviation(n, sum, squares, r.power)
}

// extremeAmount finds the window's smallest or largest amount, each the difference of two prefixes.
func (q *query) extremeAmount(r *reading) float64 {
	b, smallest := &q.windows[r.window], r.operation == minAmount
	i, best := q.resume(r, b)
	var amount int64
	if best > 0 {
		amount = q.h.sum(q.l.stride, r.sum, best-1, best)
	}
	for i++; i <= b.hi; i++ {
		x := q.h.sum(q.l.stride, r.sum, i-1, i)
		if best == 0 || smallest && x < amount || !smallest && x > amount {
			best, amount = i, x
		}
	}
	q.keep(r, b, best)
	own := q.ev.Amount
	switch {
	case best == 0 && !r.current:
		return math.NaN()
	case best == 0, r.current && (smallest && own < amount || !smallest && own > amount):
		amount = own
	}
	return float64(amount) / r.power
}

// extremeRaw finds the window's smallest or largest number; those absent do not count.
func (q *query) extremeRaw(r *reading) float64 {
	b, smallest := &q.windows[r.window], r.operation == minRaw
	i, best := q.resume(r, b)
	x := math.NaN()
	if best > 0 {
		x = q.h.raw(q.l.stride, r.raw, best)
	}
	for i++; i <= b.hi; i++ {
		if y := q.h.raw(q.l.stride, r.raw, i); beats(y, x, smallest) {
			best, x = i, y
		}
	}
	q.keep(r, b, best)
	if own := q.ev.Numbers[r.source] + 0; r.current && beats(own, x, smallest) {
		return own
	}
	return x
}

// beats says whether y takes the place of x, which may be missing as y may.
func beats(y, x float64, smallest bool) bool {
	return math.IsNaN(x) && !math.IsNaN(y) || smallest && y < x || !smallest && y > x
}

// resume tells behind which entry the scan of a window begins, and the extreme of what lies before, 0 when nothing does.
func (q *query) resume(r *reading, b *bounds) (behind, best int) {
	if q.h.cursors == nil {
		return b.lo, 0
	}
	return q.h.cursors.extremes[r.extreme].start(q.h.dropped, b.lo, b.hi)
}

// keep remembers the extreme of a window.
func (q *query) keep(r *reading, b *bounds, best int) {
	if q.h.cursors == nil {
		return
	}
	x := extreme{}
	if best > 0 {
		x = extreme{q.h.dropped + uint64(b.lo), q.h.dropped + uint64(b.hi), q.h.dropped + uint64(best)}
	}
	q.h.cursors.extremes[r.extreme] = x
}
