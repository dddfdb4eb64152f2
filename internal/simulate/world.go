package simulate

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

const dayUS = int64(86_400_000_000)

// World is a made world. It does not change after New; any number of goroutines may read it.
type World struct {
	config    Config
	customers []Customer
	terminals []Terminal
	events    []Event
	labels    []Label
}

// Label is the verdict of a fraud as it becomes known.
type Label struct {
	Event   int64 // Event.ID, which is also its position in World.Events
	KnownAt int64 // microseconds since the Unix epoch
}

// Step is what happens next in a replay: an event or a label, the other is nil.
type Step struct {
	At    int64 // microseconds since the Unix epoch
	Event *Event
	Label *Label
}

// Summary counts a span.
type Summary struct {
	Events      int
	Frauds      int
	ByScenario  [CardTest + 1]int
	Amount      int64 // minor units
	FraudAmount int64 // minor units
}

// New makes the world that c describes.
func New(c Config) (*World, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &World{config: c}
	w.settle()
	for i := range w.customers {
		w.pay(&w.customers[i])
	}
	for day := range c.Days {
		w.test(day)
	}
	slices.SortStableFunc(w.events, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range w.events {
		e := &w.events[i]
		e.ID = int64(i)
		if e.Fraud() {
			w.labels = append(w.labels, Label{Event: e.ID, KnownAt: e.KnownAt})
		}
	}
	slices.SortStableFunc(w.labels, func(a, b Label) int { return cmp.Compare(a.KnownAt, b.KnownAt) })
	return w, nil
}

// day is the first microsecond of a day, counted from 0.
func (w *World) day(n int) int64 { return w.config.Start.UnixMicro() + int64(n)*dayUS }

// weekend says whether a day starts on a Saturday or Sunday, UTC.
func (w *World) weekend(n int) bool {
	d := time.UnixMicro(w.day(n)).UTC().Weekday()
	return d == time.Saturday || d == time.Sunday
}

// Config is what the world was made of.
func (w *World) Config() Config { return w.config }

// Day is the start of a day, counted from 0, in microseconds since the Unix epoch; Day(Config().Days) is the end of the world.
func (w *World) Day(n int) int64 { return w.day(n) }

// Customers, Terminals and Events are the world's own slices: read only. Events are in order of time.
func (w *World) Customers() []Customer { return w.customers }

// Terminals are where customers pay; see Customers.
func (w *World) Terminals() []Terminal { return w.terminals }

// Events are all payments in order of time; see Customers.
func (w *World) Events() []Event { return w.events }

// Labels are the frauds' verdicts in the order in which they become known; see Customers. Some become known after the last event.
func (w *World) Labels() []Label { return w.labels }

// Between gives the events of [from, to), microseconds since the Unix epoch.
func (w *World) Between(from, to int64) []Event {
	at := func(t int64) int {
		i, _ := slices.BinarySearchFunc(w.events, t, func(e Event, t int64) int { return cmp.Compare(e.Time, t) })
		return i
	}
	first := at(from)
	return w.events[first:max(first, at(to))]
}

// Replay gives what happens in [from, to), microseconds since the Unix epoch, in order: events as they are made, labels as they
// become known, also those of events before from; at the same microsecond labels come first, but never before their own event.
func (w *World) Replay(from, to int64) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		next, _ := slices.BinarySearchFunc(w.labels, from, func(l Label, t int64) int { return cmp.Compare(l.KnownAt, t) })
		labels := func(before func(*Label) bool) bool {
			for ; next < len(w.labels) && before(&w.labels[next]); next++ {
				if l := &w.labels[next]; !yield(Step{At: l.KnownAt, Label: l}) {
					return false
				}
			}
			return true
		}
		events := w.Between(from, to)
		for i := range events {
			e := &events[i]
			due := func(l *Label) bool { return l.KnownAt < e.Time || l.KnownAt == e.Time && l.Event < e.ID }
			if !labels(due) || !yield(Step{At: e.Time, Event: e}) {
				return
			}
		}
		labels(func(l *Label) bool { return l.KnownAt < to })
	}
}

// Summary counts the events of [from, to), microseconds since the Unix epoch.
func (w *World) Summary(from, to int64) Summary {
	var s Summary
	for _, e := range w.Between(from, to) {
		s.Events++
		s.ByScenario[e.Scenario]++
		s.Amount += e.Amount
		if e.Fraud() {
			s.Frauds++
			s.FraudAmount += e.Amount
		}
	}
	return s
}
