package evaluate

import (
	"fmt"
	"slices"
)

// Input is a test: parallel slices of judged events in the order in which they were judged, and what to measure on them.
type Input struct {
	Title       string // what was tested, for people
	Start       int64  // start of the test, microseconds since the Unix epoch; days are counted from here
	End         int64  // end of the test, not included; 0 = the end of the last event's day
	Time        []int64
	Entity      []int  // whose history the alerts are about; negative = absent; nil = no measures by entity
	EntityKind  string // for people: customer
	Fraud       []bool
	Raw         []float64  // ranked, and compared with thresholds
	Probability []float64  // nil = no measures of probability
	Amount      []float64  // major units; nil = no measures of money
	Decision    []Decision // what was or would be done; nil = by Review and Decline

	Known *Known // entities left out; nil = none

	Budgets []int    // alerts a day; nil = 100
	Tops    []int    // k of card precision; nil = 100
	Bins    int      // of calibration; 0 = 10
	Points  int      // of each curve at most, about; 0 = 200
	Review  *float64 // threshold on raw; nil = none
	Decline *float64
	Costs   *Costs // nil = cost is not measured
}

// Known is a rule of exclusion and what it needs. Its entities may be of another kind than those of the alerts.
type Known struct {
	Rule    KnownRule // its Start is the Input's and need not be set
	Entity  []int     // of the Input's events; nil = Input.Entity
	History History
}

// excluded is the mark of each event that the rule leaves out, nil when there is no rule.
func (in *Input) excluded() ([]bool, error) {
	if in.Known == nil {
		return nil, nil
	}
	rule := in.Known.Rule
	rule.Start = in.Start
	entity := in.Known.Entity
	if entity == nil {
		entity = in.Entity
	}
	return KnownEntities(in.Time, entity, in.Known.History, rule)
}

// check refuses slices of different lengths and events outside of the test.
func (in *Input) check() error {
	n := len(in.Fraud)
	if err := lengths(n, "times", len(in.Time), "scores", len(in.Raw)); err != nil {
		return err
	}
	for _, s := range []struct {
		name   string
		absent bool
		length int
	}{
		{"entities", in.Entity == nil, len(in.Entity)},
		{"probabilities", in.Probability == nil, len(in.Probability)},
		{"amounts", in.Amount == nil, len(in.Amount)},
		{"decisions", in.Decision == nil, len(in.Decision)},
	} {
		if !s.absent && s.length != n {
			return fmt.Errorf("evaluate: %w: %d %s for %d labels", ErrLength, s.length, s.name, n)
		}
	}
	for i, t := range in.Time {
		if t < in.Start || in.End != 0 && t >= in.End {
			return fmt.Errorf("evaluate: %w: event %d lies outside of the test span; pass only its events", ErrRange, i)
		}
	}
	if in.Bins < 0 || in.Points < 0 {
		return fmt.Errorf("evaluate: %w: %d bins, %d points", ErrRange, in.Bins, in.Points)
	}
	return nil
}

// without gives the input with the marked events left out and defaults filled in.
func (in Input) without(marked []bool) Input {
	if in.End == 0 {
		in.End = in.Start + (slices.Max(in.Time)-in.Start)/DayUS*DayUS + DayUS
	}
	if in.Budgets == nil {
		in.Budgets = []int{100}
	}
	if in.Tops == nil {
		in.Tops = []int{100}
	}
	if in.Bins == 0 {
		in.Bins = 10
	}
	if in.Points == 0 {
		in.Points = 200
	}
	if marked == nil {
		return in
	}
	in.Time, in.Entity, in.Fraud = keep(in.Time, marked), keep(in.Entity, marked), keep(in.Fraud, marked)
	in.Raw, in.Probability, in.Amount = keep(in.Raw, marked), keep(in.Probability, marked), keep(in.Amount, marked)
	in.Decision = keep(in.Decision, marked)
	return in
}

// keep copies what is not marked; nil stays nil.
func keep[T any](values []T, marked []bool) []T {
	if values == nil {
		return nil
	}
	kept := make([]T, 0, len(values))
	for i, v := range values {
		if !marked[i] {
			kept = append(kept, v)
		}
	}
	return kept
}
