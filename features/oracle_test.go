package features_test

import (
	"math"
	"math/big"
	"slices"

	"github.com/haechi-fraud/haechi/features"
)

// oracle keeps plain lists and computes every feature by looking at all of them, straight from the rules of docs/features.md. It shares no code with
// the engine: exact sums are big.Int, distances come from the standard library.
type oracle struct {
	schema    *features.Schema
	added     []placed // not the dropped ones
	labels    map[uint64][]features.Label
	since     int64
	watermark int64        // after the event at hand, where the engine is told
	asked     map[int]held // what was looked up for the event at hand, by entity kind
}

// held is what is kept of an entity.
type held struct {
	entries        []placed
	capped, newest int64
}

type placed struct {
	event    features.Event
	sequence uint64
}

// defined is one feature: an entry as written with one of its windows.
type defined struct {
	name                string
	spec                features.Spec
	window, delay, over int64
	labels              bool
	counts              func(*features.Event) bool // the filter
}

// answer is what Observe should say of an event.
type answer struct {
	vector             []float64
	complete, degraded bool
}

// kept are the entries of an entity that the cap leaves, in the order (time, sequence), the largest time that it does not, the newest time of all.
func (o *oracle) kept(kind int, key string) (entries []placed, capped, newest int64) {
	if h, known := o.asked[kind]; known {
		return h.entries, h.capped, h.newest
	}
	defer func() { o.asked[kind] = held{entries, capped, newest} }()
	capped, newest = math.MinInt64, math.MinInt64
	for _, p := range o.added {
		if p.event.Entities[kind] == key {
			entries = append(entries, p)
			newest = max(newest, p.event.Time)
		}
	}
	slices.SortFunc(entries, func(a, b placed) int {
		if a.event.Time != b.event.Time {
			return int(a.event.Time - b.event.Time)
		}
		return int(a.sequence) - int(b.sequence)
	})
	limit := o.schema.Cap
	if limit == 0 {
		limit = features.DefaultCap
	}
	if beyond := len(entries) - limit; beyond > 0 {
		capped = entries[beyond-1].event.Time
		entries = entries[beyond:]
	}
	return entries, capped, newest
}

func (o *oracle) fraud(sequence uint64, t int64) bool {
	current := features.Label{KnownAt: math.MinInt64}
	for _, l := range o.labels[sequence] {
		if l.KnownAt <= t && (l.KnownAt > current.KnownAt || l.KnownAt == current.KnownAt && l.Sequence > current.Sequence) {
			current = l
		}
	}
	return current.Verdict == features.Fraud
}

func (o *oracle) observe(ev *features.Event, defs []defined) answer {
	a := answer{complete: true}
	o.asked = map[int]held{}
	for _, d := range defs {
		if d.window > 0 && ev.Time-max(d.window, d.over)-d.delay < o.since {
			a.complete = false
		}
	}
	for _, d := range defs {
		if d.counts == nil {
			d.counts = func(*features.Event) bool { return true }
		}
		a.vector = append(a.vector, o.value(ev, d, &a))
	}
	return a
}

// value computes one feature of history.
func (o *oracle) value(ev *features.Event, d defined, a *answer) float64 {
	nan := math.NaN()
	kind := slices.IndexFunc(o.schema.Entities, func(k features.EntityKind) bool { return k.Name == d.spec.By })
	key := ev.Entities[kind]
	if key == "" {
		return nan
	}
	if d.spec.FirstSeenAge != "" && d.window == 0 {
		return o.firstSeen(ev, kind, key)
	}
	entries, capped, newest := o.kept(kind, key)
	oldest := int64(math.MinInt64 / 2)
	if newest != math.MinInt64 {
		oldest = max(newest, o.watermark) - o.schema.AllowedLateness
	}
	var last *placed
	for i := range entries {
		if entries[i].event.Time <= ev.Time {
			last = &entries[i]
		}
	}
	switch {
	case ev.Time < oldest:
		a.complete, last = false, nil
	case last == nil && capped != math.MinInt64:
		a.degraded = true
	}
	if d.window == 0 {
		if last == nil {
			return nan
		}
		return o.previous(ev, d, []placed{*last})
	}
	within := func(window int64) (inside []placed) {
		to := ev.Time - d.delay
		from := max(to-window, oldest-d.delay-window)
		a.degraded = a.degraded || capped > from
		for _, p := range entries {
			if p.event.Time > from && p.event.Time <= to && d.counts(&p.event) {
				inside = append(inside, p)
			}
		}
		if d.spec.IncludeCurrent != nil && *d.spec.IncludeCurrent && d.counts(ev) {
			inside = append(inside, placed{event: *ev})
		}
		return inside
	}
	inside := within(d.window)
	switch {
	case d.labels:
		return o.frauds(ev, d, inside)
	case readsPrevious(&d.spec):
		return o.previous(ev, d, inside)
	case d.spec.Velocity != "":
		return o.velocity(d, inside, within(d.over))
	case d.spec.Distinct != "":
		return o.distinct(d, inside)
	case d.spec.ShareOfValue != "":
		return o.share(ev, d, inside)
	}
	return o.aggregate(d, inside)
}

func (o *oracle) firstSeen(ev *features.Event, kind int, key string) float64 {
	first := int64(math.MaxInt64)
	for _, p := range o.added {
		if p.event.Entities[kind] == key {
			first = min(first, p.event.Time)
		}
	}
	if first > ev.Time {
		return math.NaN()
	}
	return float64(ev.Time-first) / 1e6
}

func (o *oracle) frauds(ev *features.Event, d defined, inside []placed) float64 {
	var times []int64
	for _, p := range inside {
		if o.fraud(p.sequence, ev.Time) {
			times = append(times, p.event.Time)
		}
	}
	switch {
	case d.spec.FraudCount != "":
		return float64(len(times))
	case d.spec.FraudShare != "" && len(inside) == 0:
		return 0
	case d.spec.FraudShare != "":
		return float64(len(times)) / float64(len(inside))
	case len(times) == 0:
		return math.NaN()
	case d.spec.LastFraudAge != "":
		return float64(ev.Time-slices.Max(times)) / 1e6
	}
	return float64(ev.Time-slices.Min(times)) / 1e6
}

// aggregate works on exact decimals: the values as integers of the amount's or the number's decimals.
func (o *oracle) aggregate(d defined, inside []placed) float64 {
	s := d.spec
	of := s.Count + s.Sum + s.Mean + s.Std + s.Min + s.Max
	if of == "events" {
		return float64(len(inside))
	}
	digits := o.schema.MinorDigits
	at := slices.IndexFunc(o.schema.Numbers, func(n features.Number) bool { return n.Name == of })
	if at >= 0 {
		digits = o.schema.Numbers[at].Scale
	}
	var floats []float64
	for _, p := range inside {
		switch {
		case at < 0:
			floats = append(floats, float64(p.event.Amount)/math.Pow10(digits))
		case !math.IsNaN(p.event.Numbers[at]):
			floats = append(floats, p.event.Numbers[at]+0) // -0 is 0
		}
	}
	n := int64(len(floats))
	switch {
	case s.Count != "":
		return float64(n)
	case n == 0 && s.Sum == "", n < 2 && s.Std != "":
		return math.NaN()
	case s.Min != "":
		return slices.Min(floats)
	case s.Max != "":
		return slices.Max(floats)
	}
	sum, squares := new(big.Int), new(big.Int)
	for _, x := range floats {
		v := big.NewInt(int64(math.Round(x * math.Pow10(digits))))
		sum.Add(sum, v)
		squares.Add(squares, new(big.Int).Mul(v, v))
	}
	total, _ := new(big.Float).SetInt(sum).Float64()
	switch {
	case s.Sum != "":
		return total / math.Pow10(digits)
	case s.Mean != "":
		return total / (float64(n) * math.Pow10(digits))
	}
	squares.Mul(squares, big.NewInt(n)).Sub(squares, sum.Mul(sum, sum))
	spread, _ := new(big.Float).SetInt(squares).Float64()
	return math.Sqrt(spread/float64(n*(n-1))) / math.Pow10(digits)
}

// globe is the haversine distance by the standard library.
func globe(lat1, lon1, lat2, lon2 float64) float64 {
	if max(math.Abs(lat1), math.Abs(lat2)) > 90 || max(math.Abs(lon1), math.Abs(lon2)) > 180 {
		return math.NaN()
	}
	radians := math.Pi / 180
	u, v := math.Sin((lat1-lat2)/2*radians), math.Sin((lon1-lon2)/2*radians)
	h := u*u + math.Cos(lat1*radians)*math.Cos(lat2*radians)*v*v
	return 2 * 6371.0088 * math.Asin(math.Sqrt(min(h, 1)))
}
