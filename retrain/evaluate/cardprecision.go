package evaluate

import "fmt"

// CardPrecision is the card precision top-k of the Fraud Detection Handbook: for each day, of the top entities with the
// highest score (the maximum over their events of the day) the share that was defrauded that day; entities found on one day
// leave the later days; mean over the days that have events.
//
//	CP@k = mean over days of (defrauded among the k highest) / k
//
// The divisor is k even on a day with fewer entities. Equal scores go to the entity whose first event of the day comes
// earlier in the slices. A negative entity is an absent one and cannot rank. Domain: finite scores, top >= 1. Range [0,1]; a perfect
// score does not reach 1 where a day has fewer than k defrauded entities: CardPrecision of the labels themselves is the ceiling.
//
// Source: Le Borgne, Siblini, Lebichot and Bontempi, Reproducible Machine Learning for Credit Card Fraud Detection:
// Practical Handbook (2022), chapter 4, precision top-k metrics.
func CardPrecision(day, entity []int, fraud []bool, score []float64, top int) (float64, error) {
	perDay, err := CardPrecisionByDay(day, entity, fraud, score, top)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, v := range perDay {
		sum += v
	}
	return sum / float64(len(perDay)), nil
}

// CardPrecisionByDay gives the daily values whose mean is CardPrecision, for the days that have events, in order.
func CardPrecisionByDay(day, entity []int, fraud []bool, score []float64, top int) ([]float64, error) {
	if top < 1 {
		return nil, fmt.Errorf("evaluate: %w: the top %d entities; give at least 1", ErrRange, top)
	}
	if entity == nil {
		return nil, fmt.Errorf("evaluate: %w: card precision needs the entity of each event", ErrLength)
	}
	if _, err := rankable(fraud, score); err != nil {
		return nil, err
	}
	if err := dayed(day, entity, score); err != nil {
		return nil, err
	}
	found := map[int]bool{}
	var values []float64
	for _, rows := range byDay(day) {
		units := rankUnits(rows, entity, fraud, score, found)
		hits := 0
		for _, u := range units[:min(top, len(units))] {
			if u.fraud {
				hits++
				found[u.entity] = true
			}
		}
		values = append(values, ratio(hits, top))
	}
	return values, nil
}
