package evaluate

import (
	"cmp"
	"fmt"
	"slices"
)

// Choice is a threshold on raw scores and what it achieves on the events it was chosen from or applied to.
// An event is alerted when its score is at or above the threshold.
type Choice struct {
	Threshold         float64 `json:"threshold"`
	Rule              string  `json:"rule,omitempty"`           // how it was chosen
	Events            int     `json:"events"`                   // events at or above
	Frauds            int     `json:"frauds"`                   // frauds among them
	Precision         float64 `json:"precision"`                // Frauds / Events, [0,1]
	Recall            float64 `json:"recall"`                   // Frauds / all frauds, [0,1]
	FalsePositiveRate float64 `json:"false_positive_rate"`      // legitimate at or above / all legitimate, [0,1]
	AlertsPerDay      float64 `json:"alerts_per_day,omitempty"` // units a day, where the days are known
	AlertPrecision    float64 `json:"alert_precision,omitempty"`
}

// AtThreshold says what alerting every event with score >= threshold achieves. With no event at or above, precision is 0.
// Domain: both classes present, finite scores and threshold.
func AtThreshold(fraud []bool, score []float64, threshold float64) (Choice, error) {
	frauds, err := rankable(fraud, score)
	if err != nil {
		return Choice{}, err
	}
	if err := finite("threshold", []float64{threshold}); err != nil {
		return Choice{}, err
	}
	c := Choice{Threshold: threshold}
	for i, s := range score {
		if s >= threshold {
			c.Events++
			if fraud[i] {
				c.Frauds++
			}
		}
	}
	c.Precision = ratio(c.Frauds, c.Events)
	c.Recall = ratio(c.Frauds, frauds)
	c.FalsePositiveRate = ratio(c.Events-c.Frauds, len(fraud)-frauds)
	return c, nil
}

// ThresholdForBudget is the lowest threshold that alerts, on the mean over the days that have events, at most perDay units a
// day: events when entity is nil, else entities (one alert an entity a day, at the maximum of its scores; negative
// entities are absent and not counted). A live threshold cannot know the rest of the day, so the budget holds on average and not each day.
// ErrNoThreshold when even the highest score alerts more. Domain: both classes present, finite scores, perDay > 0.
func ThresholdForBudget(day, entity []int, fraud []bool, score []float64, perDay float64) (Choice, error) {
	if !(perDay > 0) {
		return Choice{}, fmt.Errorf("evaluate: %w: a budget of %v alerts a day; give more than 0", ErrRange, perDay)
	}
	if _, err := rankable(fraud, score); err != nil {
		return Choice{}, err
	}
	if err := dayed(day, entity, score); err != nil {
		return Choice{}, err
	}
	units, days := unitScores(day, entity, fraud, score)
	slices.SortFunc(units, func(a, b unit) int { return cmp.Compare(b.best, a.best) })
	limit, chosen, hits, atChosen := perDay*float64(days), 0, 0, 0
	for i, u := range units {
		if u.fraud {
			hits++
		}
		if float64(i+1) > limit {
			break
		}
		if i+1 == len(units) || units[i+1].best != u.best {
			chosen, atChosen = i+1, hits
		}
	}
	if chosen == 0 {
		return Choice{}, fmt.Errorf("evaluate: %w: the highest score alone is more than %v alerts a day over %d days", ErrNoThreshold, perDay, days)
	}
	c, err := AtThreshold(fraud, score, units[chosen-1].best)
	if err != nil {
		return Choice{}, err
	}
	c.Rule = fmt.Sprintf("at most %g alerts a day", perDay)
	c.AlertsPerDay = float64(chosen) / float64(days)
	c.AlertPrecision = ratio(atChosen, chosen)
	return c, nil
}

// unitScores gives every event, or every entity on every day, with its highest score, and the number of days with events.
func unitScores(day, entity []int, fraud []bool, score []float64) ([]unit, int) {
	groups := byDay(day)
	var units []unit
	for _, rows := range groups {
		if entity != nil {
			units = append(units, rankUnits(rows, entity, fraud, score, nil)...)
			continue
		}
		for _, row := range rows {
			units = append(units, unit{best: score[row], fraud: fraud[row]})
		}
	}
	return units, len(groups)
}

// ThresholdForPrecision is the lowest threshold, so the one of largest recall, whose precision over all events at or above it
// is at least floor. Precision does not fall steadily with the threshold: the lowest that holds is taken, whatever lies above.
// The precision is that of the events it was chosen from and so a little hopeful; the test span says what it is worth.
// ErrNoThreshold when none holds. Domain: both classes present, finite scores, floor in (0,1].
func ThresholdForPrecision(fraud []bool, score []float64, floor float64) (Choice, error) {
	if !(floor > 0 && floor <= 1) {
		return Choice{}, fmt.Errorf("evaluate: %w: a precision of %v; give a share above 0 and up to 1", ErrRange, floor)
	}
	if _, err := rankable(fraud, score); err != nil {
		return Choice{}, err
	}
	steps := sweep(fraud, score)
	for i := len(steps) - 1; i >= 0; i-- {
		if ratio(steps[i].tp, steps[i].tp+steps[i].fp) < floor {
			continue
		}
		c, err := AtThreshold(fraud, score, steps[i].threshold)
		c.Rule = fmt.Sprintf("precision at least %g", floor)
		return c, err
	}
	return Choice{}, fmt.Errorf("evaluate: %w: no score reaches a precision of %v; lower the floor", ErrNoThreshold, floor)
}

// CostChoice is the pair of thresholds of least cost. A nil one means that this decision never pays.
type CostChoice struct {
	Review  *Choice `json:"review,omitempty"`
	Decline *Choice `json:"decline,omitempty"`
	Cost    Cost    `json:"cost"`
}

// ThresholdsForCost finds review <= decline on raw scores that together cost least by CostPerTransaction, exactly, over
// all pairs of distinct scores, "never" included. With events in falling order of score, i declined and the next up to j reviewed,
//
//	cost(i, j) = false declines among the first i + review * (j - i) + missed frauds after j,  i <= j
//
// whose minimum over i for each j is kept while j runs. Among equal costs the fewest reviews, then the fewest alerts win.
// Domain: both classes present, finite scores, declared costs.
func ThresholdsForCost(fraud []bool, score, amount []float64, costs Costs) (CostChoice, error) {
	if _, err := rankable(fraud, score); err != nil {
		return CostChoice{}, err
	}
	if err := costed(fraud, amount, costs); err != nil {
		return CostChoice{}, err
	}
	declined, alerted := cheapest(fraud, score, amount, costs)
	order := descending(score)
	var choice CostChoice
	var review, decline *float64
	pick := func(n int, name string) (*float64, *Choice, error) {
		c, err := AtThreshold(fraud, score, score[order[n-1]])
		c.Rule = "least cost, " + name
		return &c.Threshold, &c, err
	}
	var err error
	if declined > 0 {
		if decline, choice.Decline, err = pick(declined, "decline"); err != nil {
			return CostChoice{}, err
		}
	}
	if alerted > declined {
		if review, choice.Review, err = pick(alerted, "review"); err != nil {
			return CostChoice{}, err
		}
	}
	choice.Cost, err = CostPerTransaction(fraud, amount, Decide(score, review, decline), costs)
	return choice, err
}

// cheapest gives how many of the highest scores to decline and how many to alert at all.
func cheapest(fraud []bool, score, amount []float64, costs Costs) (declined, alerted int) {
	order := descending(score)
	missed := 0.0
	for i := range fraud {
		missed += missedAt(i, fraud, amount, costs)
	}
	falseDeclines := 0.0
	// head is the cost of declining the first `at` events, less the reviews that they then do not need.
	head, at := 0.0, 0
	best := missed
	for n, row := range order {
		missed -= missedAt(row, fraud, amount, costs)
		if !fraud[row] {
			falseDeclines += costs.FalseDecline
		}
		if n+1 < len(order) && score[order[n+1]] == score[row] {
			continue
		}
		if h := falseDeclines - float64(costs.Review*float64(n+1)); h <= head {
			head, at = h, n+1
		}
		if c := head + float64(costs.Review*float64(n+1)) + missed; c < best {
			best, declined, alerted = c, at, n+1
		}
	}
	return declined, alerted
}
