package evaluate

import "fmt"

// KnownRule leaves entities out of a test that were already known as fraudulent: finding them again is no merit of the model.
// It depends on the test alone, not on how long the model was trained.
type KnownRule struct {
	Kind  string `json:"kind"`  // entity kind, for people: customer
	Start int64  `json:"start"` // start of the test, microseconds since the Unix epoch
	Span  int64  `json:"span"`  // how long before the start knowledge begins, microseconds: 14 days for customer:14d
	Delay int64  `json:"delay"` // how late labels come, microseconds: 7 days
}

// History is the events in which frauds became known: everything from Start - Span on that may matter, the test's own
// days included. Rows may come in any order.
type History struct {
	Time   []int64 // microseconds since the Unix epoch
	Entity []int   // numbered as the test's are; negative = absent
	Fraud  []bool
}

// KnownEntities says which test events are left out: on test day d (0, 1, ...) every event of an entity that had a fraud in
//
//	[Start - Span, Start - Delay + d days)
//
// A day is 24 hours from Start. Events without an entity (negative) stay. Times in microseconds since the Unix epoch.
// Domain: no test event before Start, 0 <= Delay <= Span.
//
// Source: the Fraud Detection Handbook (2022), chapter 3, "known compromised customers" of its get_train_test_set, with the
// start of knowledge fixed by Span instead of by the length of training.
func KnownEntities(time []int64, entity []int, history History, rule KnownRule) ([]bool, error) {
	if err := lengths(len(time), "entities", len(entity)); err != nil {
		return nil, err
	}
	if len(history.Entity) != len(history.Time) || len(history.Fraud) != len(history.Time) {
		return nil, fmt.Errorf("evaluate: %w: history has %d times, %d entities, %d labels", ErrLength, len(history.Time), len(history.Entity), len(history.Fraud))
	}
	if rule.Delay < 0 || rule.Span < rule.Delay {
		return nil, fmt.Errorf("evaluate: %w: knowledge of %v days with labels %v days late; the span must reach back beyond the delay", ErrRange, inDays(rule.Span), inDays(rule.Delay))
	}
	first := map[int]int64{} // the earliest fraud of an entity in the span: known from then on
	for i, t := range history.Time {
		if !history.Fraud[i] || history.Entity[i] < 0 || t < rule.Start-rule.Span {
			continue
		}
		if before, ok := first[history.Entity[i]]; !ok || t < before {
			first[history.Entity[i]] = t
		}
	}
	out := make([]bool, len(time))
	for i, t := range time {
		if t < rule.Start {
			return nil, fmt.Errorf("evaluate: %w: event %d lies before the start of the test", ErrRange, i)
		}
		known, ok := first[entity[i]]
		today := (t - rule.Start) / DayUS * DayUS
		out[i] = ok && entity[i] >= 0 && known < rule.Start-rule.Delay+today
	}
	return out, nil
}

func inDays(us int64) float64 { return float64(us) / float64(DayUS) }
