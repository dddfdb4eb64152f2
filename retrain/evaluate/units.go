package evaluate

import (
	"cmp"
	"slices"
)

// DayUS is a day in microseconds.
const DayUS = int64(86_400_000_000)

// Days numbers the days of events from start: floor((time - start) / 24 h), in microseconds since the Unix epoch.
// Days are spans of 24 hours, never calendar days of a zone.
func Days(time []int64, start int64) []int {
	days := make([]int, len(time))
	for i, t := range time {
		d := (t - start) / DayUS
		if (t-start)%DayUS < 0 {
			d--
		}
		days[i] = int(d)
	}
	return days
}

// dayed checks what is ranked within days.
func dayed(day, entity []int, score []float64) error {
	if entity != nil {
		if err := lengths(len(score), "entities", len(entity)); err != nil {
			return err
		}
	}
	if err := lengths(len(score), "days", len(day)); err != nil {
		return err
	}
	return finite("score", score)
}

// byDay gives the rows of each day that has any, days in order, rows in the given order.
func byDay(day []int) [][]int {
	at := map[int]int{}
	distinct := slices.Clone(day)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	for i, d := range distinct {
		at[d] = i
	}
	groups := make([][]int, len(distinct))
	for row, d := range day {
		groups[at[d]] = append(groups[at[d]], row)
	}
	return groups
}

// unit is an entity on one day.
type unit struct {
	entity int
	best   float64
	fraud  bool
	rows   []int
}

// rankUnits gathers the entities of one day's rows without those that left, the highest score first, equal ones in
// order of their first row. fraud may be nil.
func rankUnits(rows, entity []int, fraud []bool, score []float64, left map[int]bool) []unit {
	at := map[int]int{}
	var units []unit
	for _, row := range rows {
		e := entity[row]
		if e < 0 || left[e] {
			continue
		}
		i, ok := at[e]
		if !ok {
			i = len(units)
			at[e] = i
			units = append(units, unit{entity: e, best: score[row]})
		}
		u := &units[i]
		u.best = max(u.best, score[row])
		u.fraud = u.fraud || fraud != nil && fraud[row]
		u.rows = append(u.rows, row)
	}
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(b.best, a.best) })
	return units
}
