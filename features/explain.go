package features

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Explanation is how one value came about: the very events that were read.
type Explanation struct {
	Name     string
	Value    float64
	From, To int64 // the window (From, To] in event time; of a velocity the longer one; both 0 without a window
	Short    int64 // of a velocity: where the shorter window begins
	Events   int   // entries that the window holds; those listed are the latest of them
	Entries  []ExplainedEntry
	Inputs   []Explanation // of an expression
	Fields   []ExplainedField
}

// ExplainedEntry is one event that was read, or looked at and passed over.
type ExplainedEntry struct {
	Sequence uint64 // 0 where it is not kept: the first event of all of first_seen_age
	Time     int64
	Counts   bool    // false: the filter says no, or it has no value
	Value    float64 // what it contributes, in the feature's unit; of fraud features 1 for a known fraud; NaN where it is a text or nothing
	Text     string
	Current  bool // the event itself
}

// ExplainedField is what an expression reads of the event itself.
type ExplainedField struct {
	Name  string
	Value float64
}

// Explain tells how the engine comes to the values of ev that are named, given that Observe of ev with that placement comes next: it is for replay.
// Entries are limited to the latest so many of each. Nothing that decides a value changes. It costs what a window is long and is not for serving.
func (e *Engine) Explain(ev *Event, p Placement, limit int, names ...string) ([]Explanation, error) {
	if len(ev.Entities) != len(e.schema.Entities) || len(ev.Attributes) != len(e.schema.Attributes) || len(ev.Numbers) != len(e.schema.Numbers) {
		return nil, fmt.Errorf("explain %s: the event does not have the fields of %s", ev.ID, e.schema.EventType)
	}
	at := e.locate(ev, nil)
	held := e.lock(at, nil)
	defer e.unlock(held)
	s := &e.shards[held[0]].scratch
	for i, key := range ev.Entities {
		s.histories[i] = nil
		if key != "" {
			s.histories[i] = e.entity(at[i], i, key)
		}
	}
	x := explainer{e: e, ev: ev, s: s, placement: &p, limit: limit, vector: make([]float64, len(e.defs))}
	e.read(ev, s, x.vector, &Result{Placement: p, time: ev.Time})
	out := make([]Explanation, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(e.defs, func(d Definition) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("explain %s: no feature is called %s", ev.ID, name)
		}
		out = append(out, x.explain(i))
	}
	return out, nil
}

// explainer is the work of one Explain.
type explainer struct {
	e         *Engine
	ev        *Event
	s         *scratch
	placement *Placement
	limit     int
	vector    []float64
}

func (x *explainer) explain(i int) Explanation {
	d := &x.e.defs[i]
	out := Explanation{Name: d.Name, Value: x.vector[i]}
	if d.form.By != "" {
		x.history(&out, x.e.schema.entity(d.form.By), i)
		return out
	}
	in := &frame{vector: x.vector, event: x.ev}
	for _, field := range d.form.Fields {
		out.Fields = append(out.Fields, ExplainedField{field, x.e.schema.value(field)(in)})
	}
	for _, name := range slices.Sorted(maps.Keys(d.form.Inputs)) {
		input := slices.IndexFunc(x.e.defs, func(other Definition) bool { return other.hash == d.form.Inputs[name] })
		read := x.explain(input)
		read.Name = name
		out.Inputs = append(out.Inputs, read)
	}
	return out
}

// history explains what is read of an entity.
func (x *explainer) history(out *Explanation, kind, definition int) {
	l, h := &x.e.layouts[kind], x.s.histories[kind]
	if x.ev.Entities[kind] == "" || h == nil {
		h = &x.e.blanks[kind]
	}
	r := &l.readings[slices.IndexFunc(l.readings, func(r reading) bool { return r.out == definition })]
	q := query{l: l, h: h, ev: x.ev, windows: x.s.bounds[:len(l.windows)], known: x.s.frauds[:len(l.tallies)], lateness: x.e.schema.AllowedLateness,
		watermark: x.placement.Watermark}
	q.bound(kind, &Result{Placement: *x.placement})
	switch {
	case x.ev.Entities[kind] == "":
		return
	case r.operation == firstSeenAge && r.window < 0:
		if h.first <= x.ev.Time {
			out.Events, out.Entries = 1, []ExplainedEntry{{Time: h.first, Counts: true, Value: math.NaN()}}
		}
		return
	case r.window < 0:
		if q.hasLast {
			out.Events, out.Entries = 1, []ExplainedEntry{x.entry(&q, r, q.last)}
		}
		return
	}
	b := &q.windows[r.window]
	if r.operation == velocity {
		out.Short, b = b.from, &q.windows[r.long]
	}
	out.From, out.To, out.Events = b.from, b.to, b.events
	x.window(out, &q, r, b)
}

// window lists the latest entries of a window, and the event itself where it is part of it.
func (x *explainer) window(out *Explanation, q *query, r *reading, b *bounds) {
	for p := b.hi; p > b.lo && len(out.Entries) < x.limit; p = q.h.previous(p) {
		out.Entries = append(out.Entries, x.entry(q, r, p))
	}
	slices.Reverse(out.Entries)
	if !r.current {
		return
	}
	own := ExplainedEntry{Sequence: x.placement.Sequence, Time: x.ev.Time, Current: true, Counts: q.counts(r.counting()), Value: 1}
	if c := r.values(q.l); c != nil && c.kind == codeColumn {
		own.Value, own.Text = math.NaN(), c.text(x.ev)
	} else if c != nil {
		own.Value = c.number(x.ev) / x.unit(c, r)
	}
	own.Counts = own.Counts && (own.Text != "" || !math.IsNaN(own.Value))
	out.Events++
	out.Entries = append(out.Entries, own)
}

// counting is the presentColumn of the entries that a reading counts, -1 when it counts all.
func (r *reading) counting() int {
	if r.present >= 0 {
		return r.present
	}
	return r.filter
}

// values is the column whose values a reading reads, nil when it reads none or a place.
func (r *reading) values(l *layout) *column {
	return l.presentColumn(r.column)
}

// unit is what a column's numbers are divided by to be in the feature's unit.
func (x *explainer) unit(c *column, r *reading) float64 {
	f := &x.e.defs[r.out].form
	switch number := x.e.schema.number(f.Of); {
	case f.Of == overAmount:
		return powers[x.e.schema.MinorDigits]
	case c.kind == sumColumn && number >= 0:
		return powers[max(x.e.schema.Numbers[number].Scale, 0)]
	}
	return 1
}

// entry explains one entry.
func (x *explainer) entry(q *query, r *reading, p place) ExplainedEntry {
	h, before := q.h, q.h.previous(p)
	out := ExplainedEntry{Sequence: h.sequence(p), Time: h.time(p), Counts: true, Value: 1}
	if c := q.l.presentColumn(r.counting()); c != nil {
		out.Counts = h.sum(c, before, p) > 0
	}
	switch c := r.values(q.l); {
	case r.operation >= fraudCount && r.operation <= firstFraudAge:
		out.Value = float64(h.frauds(q.l, x.ev.Time, before, p, everything).frauds)
	case c == nil:
	case c.kind == codeColumn:
		out.Value, out.Text = math.NaN(), q.l.interner.text(h.code(c, p))
		out.Counts = out.Counts && out.Text != ""
	default:
		out.Value = h.number(c, p) / x.unit(c, r)
		out.Counts = out.Counts && !math.IsNaN(out.Value)
	}
	return out
}
