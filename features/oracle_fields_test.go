package features_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"github.com/haechi-fraud/haechi/features"
)

// field is what an event has under a name: a text or a float64; nil when absent.
func (o *oracle) field(ev *features.Event, name string) any {
	if name == "amount" {
		return float64(ev.Amount) / math.Pow10(o.schema.MinorDigits)
	}
	for i, n := range o.schema.Numbers {
		if n.Name == name && !math.IsNaN(ev.Numbers[i]) {
			return ev.Numbers[i] + 0 // -0 is 0
		}
	}
	for i, a := range o.schema.Attributes {
		if a.Name == name && ev.Attributes[i] != "" {
			return ev.Attributes[i]
		}
	}
	for i, e := range o.schema.Entities {
		if e.Name == name && ev.Entities[i] != "" {
			return ev.Entities[i]
		}
	}
	return nil
}

// previous computes what reads the last event of those inside (or the first, for first_seen_age).
func (o *oracle) previous(ev *features.Event, d defined, inside []placed) float64 {
	if len(inside) == 0 {
		return math.NaN()
	}
	s, last := d.spec, inside[len(inside)-1].event
	gap := ev.Time - last.Time
	hours := float64(max(gap, 1)) / 3.6e9
	switch {
	case s.FirstSeenAge != "":
		return float64(ev.Time-inside[0].event.Time) / 1e6
	case s.TimeSinceLast != "":
		return float64(gap) / 1e6
	case s.DistanceFromLast != nil:
		return globe(last.Numbers[0], last.Numbers[1], ev.Numbers[0], ev.Numbers[1])
	case s.SpeedFromLast != nil:
		return globe(last.Numbers[0], last.Numbers[1], ev.Numbers[0], ev.Numbers[1]) / hours
	case s.Speed != nil:
		at := func(name string) float64 {
			return ev.Numbers[slices.IndexFunc(o.schema.Numbers, func(n features.Number) bool { return n.Name == name })]
		}
		return globe(at(s.Speed.From[0]), at(s.Speed.From[1]), at(s.Speed.To[0]), at(s.Speed.To[1])) / hours
	case s.Last != "":
		return o.lastValue(o.field(&last, s.Last), s.Last)
	}
	before, now := o.field(&last, s.Changed+s.SameAsLast), o.field(ev, s.Changed+s.SameAsLast)
	switch {
	case before == nil || now == nil:
		return math.NaN()
	case (before == now) == (s.SameAsLast != ""):
		return 1
	}
	return 0
}

func (o *oracle) lastValue(value any, name string) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case string:
		for _, a := range o.schema.Attributes {
			switch {
			case a.Name != name:
			case a.Kind == features.Category:
				return float64(slices.Index(a.Values, v)) // -1 when not declared
			case v == "true":
				return 1
			default:
				return 0
			}
		}
	}
	return math.NaN()
}

func (o *oracle) share(ev *features.Event, d defined, inside []placed) float64 {
	now, same := o.field(ev, d.spec.ShareOfValue), 0
	if now == nil {
		return math.NaN()
	}
	for _, p := range inside {
		if o.field(&p.event, d.spec.ShareOfValue) == now {
			same++
		}
	}
	if len(inside) == 0 {
		return 0
	}
	return float64(same) / float64(len(inside))
}

// velocity is (S/L)(over/window) with S and L exact.
func (o *oracle) velocity(d defined, short, long []placed) float64 {
	total := func(inside []placed) float64 {
		sum := new(big.Int)
		for _, p := range inside {
			switch v := o.field(&p.event, d.spec.Velocity).(type) {
			case float64:
				digits := map[string]int{"amount": 2, "km": 3}[d.spec.Velocity]
				sum.Add(sum, big.NewInt(int64(math.Round(v*math.Pow10(digits)))))
			case nil:
				if d.spec.Velocity == "events" {
					sum.Add(sum, big.NewInt(1))
				}
			}
		}
		f, _ := new(big.Float).SetInt(sum).Float64()
		return f
	}
	if total(long) == 0 {
		return math.NaN()
	}
	return total(short) / total(long) * (float64(d.over) / float64(d.window))
}

// distinct is exact up to 256, else HyperLogLog with 2^14 registers over the values' hashes.
func (o *oracle) distinct(d defined, inside []placed) float64 {
	values := map[any]bool{}
	for _, p := range inside {
		switch v := o.field(&p.event, d.spec.Distinct); {
		case d.spec.Distinct == "amount":
			values[float64(p.event.Amount)] = true // minor units are what is hashed
		case v != nil:
			values[v] = true
		}
	}
	if len(values) <= 256 {
		return float64(len(values))
	}
	table := make([]int, 16384)
	for v := range values {
		h := oracleHash(v)
		first := 1
		for bit := 49; bit >= 0 && h>>bit&1 == 0; bit-- {
			first++
		}
		table[h>>50] = max(table[h>>50], first)
	}
	var c [52]float64
	for _, k := range table {
		c[k]++
	}
	return ertl(c)
}

func oracleHash(v any) uint64 {
	mixed := func(x uint64) uint64 {
		for _, factor := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53, 1} {
			x ^= x >> 33
			x *= factor
		}
		return x
	}
	const seed = 0x9e3779b97f4a7c15
	text, isText := v.(string)
	if !isText {
		return mixed(math.Float64bits(v.(float64)) + seed)
	}
	h, padded := uint64(seed), append([]byte(text), make([]byte, 8)...)
	for i := 0; i < len(text); i += 8 {
		h = mixed(h ^ binary.LittleEndian.Uint64(padded[i:]))
	}
	return mixed(h + uint64(len(text)))
}

// ertl is the improved raw estimator (arXiv:1702.01284) of registers counted by what they hold, its sums written out to where nothing is added.
func ertl(c [52]float64) float64 {
	const m = 16384.0
	sigma, x, y := c[0]/m, c[0]/m, 1.0
	for range 200 {
		x = float64(x * x)
		sigma += float64(x * y)
		y *= 2
	}
	tau, x, y := 1-(1-c[51]/m), 1-c[51]/m, 1.0
	for range 200 {
		x = math.Sqrt(x)
		y /= 2
		tau -= float64(float64((1-x)*(1-x)) * y)
	}
	z := float64(m * (tau / 3))
	for k := 50; k >= 1; k-- {
		z = (z + c[k]) / 2
	}
	return m * m / (2 * math.Ln2) / (z + float64(m*sigma))
}
