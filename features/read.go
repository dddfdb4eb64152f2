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
		q.bound(result)
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
func (q *query) bound(result *Result) {
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
	for i := range q.windows {
		w, b := &q.l.windows[i], &q.windows[i]
		*b = bounds{to: t - w.delay}
		b.from = max(b.to-w.length, max(oldest, never+w.delay+w.length)-w.delay-w.length)
		b.hi = h.upTo(q.l.stride, b.to)
		b.lo = min(h.upTo(q.l.stride, b.from), b.hi)
		if h.capped > b.from {
			result.Degraded = true
		}
		if w.frauds && h.labels != nil {
			h.labels.count(t, b)
		}
	}
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

// extremeAmount scans the window's amounts, each the difference of two prefixes.
func (q *query) extremeAmount(r *reading) float64 {
	b := &q.windows[r.window]
	words, stride := q.h.words, q.l.stride
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	if r.current {
		low, high = q.ev.Amount, q.ev.Amount
	} else if b.lo == b.hi {
		return math.NaN()
	}
	at := (q.h.head+b.lo)*stride + r.sum
	before := words[at]
	for range b.hi - b.lo {
		at += stride
		amount := int64(words[at] - before)
		before = words[at]
		low, high = min(low, amount), max(high, amount)
	}
	if r.operation == minAmount {
		return float64(low) / r.power
	}
	return float64(high) / r.power
}

// extremeRaw scans the window's numbers; those absent do not count.
func (q *query) extremeRaw(r *reading) float64 {
	b := &q.windows[r.window]
	best := math.NaN()
	take := func(x float64) {
		if math.IsNaN(best) || r.operation == minRaw && x < best || r.operation == maxRaw && x > best {
			best = x
		}
	}
	for i := b.lo + 1; i <= b.hi; i++ {
		take(q.h.raw(q.l.stride, r.raw, i))
	}
	if r.current {
		take(q.ev.Numbers[r.source] + 0)
	}
	return best
}
