package evaluate

import (
	"cmp"
	"fmt"
	"slices"
)

// Budget is what a team that looks at a fixed number of alerts a day finds. A unit is an event, or an entity on one day.
type Budget struct {
	PerDay       int      `json:"per_day"`       // alerts a day
	Per          string   `json:"per,omitempty"` // kind of the units, for people: event, customer, ...
	Days         int      `json:"days"`          // days with any event
	Alerts       int      `json:"alerts"`        // units alerted, at most PerDay * Days
	Hits         int      `json:"hits"`          // alerted units with a fraud
	Frauds       int      `json:"frauds"`        // units with a fraud
	Precision    float64  `json:"precision"`     // Hits / Alerts, [0,1]
	Recall       float64  `json:"recall"`        // Hits / Frauds, [0,1]
	AmountRecall *float64 `json:"amount_recall,omitempty"`
}

// Alerted marks the events that a budget of perDay alerts a day reaches.
//
// With entity nil it marks, for each day, the perDay events of highest score. Otherwise an alert is an entity on one
// day: the perDay entities of highest score (the maximum over their events of the day) are alerted, and all their events
// of that day are marked, since whoever looks at the alert sees them. A negative entity is an absent one and is never alerted.
// Equal scores go to the unit whose first event of the day comes earlier in the slices.
func Alerted(day, entity []int, score []float64, perDay int) ([]bool, error) {
	if perDay < 1 {
		return nil, fmt.Errorf("evaluate: %w: a budget of %d alerts a day; give at least 1", ErrRange, perDay)
	}
	if err := dayed(day, entity, score); err != nil {
		return nil, err
	}
	marked := make([]bool, len(score))
	for _, rows := range byDay(day) {
		if entity == nil {
			slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
			for _, row := range rows[:min(perDay, len(rows))] {
				marked[row] = true
			}
			continue
		}
		units := rankUnits(rows, entity, nil, score, nil)
		for _, u := range units[:min(perDay, len(units))] {
			for _, row := range u.rows {
				marked[row] = true
			}
		}
	}
	return marked, nil
}

// AtBudget is the precision and recall of perDay alerts a day (see Alerted), over all days together:
//
//	precision = alerted units with a fraud / alerted units,  recall = alerted units with a fraud / units with a fraud
//
// With entity nil a unit is an event, otherwise an entity on one day. Nobody leaves after being found; CardPrecision is
// the measure in which they do. Domain: both classes present, finite scores, perDay >= 1.
//
// Source: Dal Pozzolo et al., Learned lessons in credit card fraud detection from a practitioner perspective, Expert
// Systems with Applications 41 (2014): alert precision with a fixed number of investigators.
func AtBudget(day, entity []int, fraud []bool, score []float64, perDay int) (Budget, error) {
	if _, err := rankable(fraud, score); err != nil {
		return Budget{}, err
	}
	marked, err := Alerted(day, entity, score, perDay)
	if err != nil {
		return Budget{}, err
	}
	b := Budget{PerDay: perDay}
	tally := func(alerted, isFraud bool) {
		if alerted {
			b.Alerts++
		}
		if isFraud {
			b.Frauds++
		}
		if alerted && isFraud {
			b.Hits++
		}
	}
	for _, rows := range byDay(day) {
		b.Days++
		if entity == nil {
			for _, row := range rows {
				tally(marked[row], fraud[row])
			}
			continue
		}
		for _, u := range rankUnits(rows, entity, fraud, score, nil) {
			tally(marked[u.rows[0]], u.fraud)
		}
	}
	if b.Alerts == 0 || b.Frauds == 0 {
		return Budget{}, fmt.Errorf("evaluate: %w: %d alerts and %d defrauded entities; events without an entity cannot be alerted by entity", ErrOneClass, b.Alerts, b.Frauds)
	}
	b.Precision, b.Recall = ratio(b.Hits, b.Alerts), ratio(b.Hits, b.Frauds)
	return b, nil
}
