package features

import (
	"math"
	"strings"
)

// values makes columns of one entity kind's rows for what definitions read. With a filter, an event that does not count has no value in them.
type values struct {
	s      *Schema
	l      *layout
	suffix string // tells columns with different filters apart
	counts test   // nil: all events count
}

// filtered are the columns behind a filter, which may be nil.
func (l *layout) filtered(s *Schema, w *filter) (values, error) {
	v := values{s: s, l: l}
	if w == nil {
		return v, nil
	}
	counts, err := w.compile(s)
	v.suffix, v.counts = " where "+w.Text, counts
	return v, err
}

// all are the same columns without the filter.
func (v values) all() values { return values{s: v.s, l: v.l} }

// filter is the presentColumn of events that count, -1 when all do.
func (v values) filter() int {
	if v.counts == nil {
		return -1
	}
	counts := v.counts
	return v.l.column(column{kind: presentColumn, name: v.suffix, value: func(ev *Event) (int64, bool) { return 1, counts(ev) }})
}

// integer is a column of the amount or of a number with a scale.
func (v values) integer(kind columnKind, of string) column {
	value := amountValue
	if of != overAmount {
		number := v.s.number(of)
		value = scaledNumber(number, v.s.Numbers[number].Scale)
	}
	if counts, all := v.counts, value; counts != nil {
		value = func(ev *Event) (int64, bool) {
			if !counts(ev) {
				return 0, false
			}
			return all(ev)
		}
	}
	return column{kind: kind, name: of + v.suffix, value: value}
}

// present is the presentColumn of events that count and have a value, -1 when all do.
func (v values) present(of string) int {
	if of == overEvents || of == overAmount || v.s.Numbers[v.s.number(of)].Required {
		return v.filter()
	}
	return v.l.column(v.integer(presentColumn, of))
}

// number is a column of the amount in minor units or of a number as it is, but for -0.
func (v values) number(of string) column {
	if of == overAmount {
		if v.counts == nil {
			return v.integer(sumColumn, of)
		}
		return v.raw(of, func(ev *Event) float64 { return float64(ev.Amount) })
	}
	return v.raw(of, rawNumber(of, v.s.number(of)).raw)
}

func amountValue(ev *Event) (int64, bool) { return ev.Amount, true }

// scaledNumber is the integer value of a number with a scale, where there is one.
func scaledNumber(number, scale int) func(*Event) (int64, bool) {
	return func(ev *Event) (int64, bool) {
		x := ev.Numbers[number]
		if math.IsNaN(x) {
			return 0, false
		}
		return scaled(x, max(scale, 0)), true
	}
}

// rawNumber is a column of a number as it is, but for -0.
func rawNumber(name string, number int) column {
	return column{kind: rawColumn, name: name, raw: func(ev *Event) float64 { return ev.Numbers[number] + 0 }}
}

// raw is a column of float64s.
func (v values) raw(name string, raw func(*Event) float64) column {
	if counts, all := v.counts, raw; counts != nil {
		raw = func(ev *Event) float64 {
			if !counts(ev) {
				return math.NaN()
			}
			return all(ev)
		}
	}
	return column{kind: rawColumn, name: name + v.suffix, raw: raw}
}

// any is a column of a field of any sort by which values are told apart: numbers as they are, texts by code.
func (v values) any(of, as string) column {
	var text func(ev *Event) string
	switch as {
	case asAmount, asNumber:
		return v.number(of)
	case asEntity:
		i := v.s.entity(of)
		text = func(ev *Event) string { return ev.Entities[i] }
	default:
		i := v.s.attribute(of)
		text = func(ev *Event) string { return ev.Attributes[i] }
	}
	if counts, all := v.counts, text; counts != nil {
		text = func(ev *Event) string {
			if !counts(ev) {
				return ""
			}
			return all(ev)
		}
	}
	in := v.l.interner
	return column{kind: codeColumn, name: of + v.suffix, text: text, release: in.release,
		code: func(ev *Event) uint32 { return in.hold(text(ev)) }}
}

// last is a column of what a `last:` feature gives of a field; an amount is in minor units.
func (v values) last(f *form) column {
	switch f.As {
	case asCategory:
		return v.raw(f.Of+" of "+strings.Join(f.Values, "\x00"), categoryCode(v.s.attribute(f.Of), f.Values))
	case asFlag:
		return v.raw(f.Of, flagValue(v.s.attribute(f.Of)))
	}
	return v.number(f.Of)
}
