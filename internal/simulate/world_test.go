package simulate_test

import (
	"bytes"
	"crypto/sha256"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/internal/simulate"
)

var monday = time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)

const (
	minute = int64(60_000_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// usual is the world of the default configuration, which most tests only read.
var usual = sync.OnceValues(func() (*simulate.World, error) { return simulate.New(simulate.DefaultConfig(7, monday)) })

func make120(t *testing.T, change func(*simulate.Config)) *simulate.World {
	t.Helper()
	if change == nil {
		w, err := usual()
		require.NoError(t, err)
		return w
	}
	c := simulate.DefaultConfig(7, monday)
	if change != nil {
		change(&c)
	}
	w, err := simulate.New(c)
	require.NoError(t, err)
	return w
}

func small(c *simulate.Config) { c.Days, c.Customers, c.Terminals = 20, 200, 300 }

func digest(t *testing.T, w *simulate.World) [32]byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, w.WriteEvents(&b, simulate.Export{}))
	require.NoError(t, w.WriteLabels(&b, simulate.Export{}))
	return sha256.Sum256(b.Bytes())
}

func TestSameSeedSameBytes(t *testing.T) {
	again := make120(t, func(*simulate.Config) {})
	require.NotSame(t, make120(t, nil), again)
	require.Equal(t, digest(t, make120(t, nil)), digest(t, again))
	other := make120(t, func(c *simulate.Config) { c.Seed++ })
	require.NotEqual(t, digest(t, make120(t, nil)), digest(t, other))
}

func TestRatesAreWithinBounds(t *testing.T) {
	for seed := range uint64(3) {
		w := make120(t, func(c *simulate.Config) { c.Seed = seed })
		s := w.Summary(w.Day(0), w.Day(120))
		require.Len(t, w.Events(), s.Events)
		require.Greater(t, s.Events, 280_000, "seed %d", seed)
		require.Less(t, s.Events, 340_000, "seed %d", seed)
		rate := float64(s.Frauds) / float64(s.Events)
		require.Greater(t, rate, .005, "seed %d: %+v", seed, s)
		require.Less(t, rate, .010, "seed %d: %+v", seed, s)
		for scenario := simulate.LargeAmount; scenario <= simulate.CardTest; scenario++ {
			require.Greater(t, s.ByScenario[scenario], 50, "seed %d, scenario %d", seed, scenario)
		}
		t.Logf("seed %d: %d events, %.3f %% frauds, by scenario %v", seed, s.Events, 100*rate, s.ByScenario)
	}
}

func TestEventsAreInOrderAndComplete(t *testing.T) {
	w := make120(t, nil)
	last := w.Day(0)
	for i, e := range w.Events() { // plain conditions: there are 300,000
		if e.ID != int64(i) || e.Time < last || e.Time >= w.Day(120) || e.Amount < 1 || e.KnownAt < e.Time ||
			e.Customer >= len(w.Customers()) || e.Terminal >= len(w.Terminals()) {
			require.Failf(t, "impossible event", "%d after %d: %+v", i, last, e)
		}
		last = e.Time
	}
	require.Len(t, slices.CompactFunc(slices.Clone(w.Events()), func(a, b simulate.Event) bool { return a.Time == b.Time && a.Customer == b.Customer }), len(w.Events()))
}

func TestGenuineCustomersStayNearHomeAndKeepARhythm(t *testing.T) {
	w := make120(t, nil)
	var byHour [24]int
	countries, bands := map[string]int{}, map[string]int{}
	for _, c := range w.Customers() {
		countries[c.Country]++
		bands[c.AgeBand]++
		require.NotEmpty(t, c.Terminals)
	}
	for _, e := range w.Events() {
		byHour[e.Time%day/hour]++
		if e.Scenario == simulate.CardTest {
			continue
		}
		c, at := w.Customers()[e.Customer], w.Terminals()[e.Terminal]
		if d := math.Hypot(c.X-at.X, c.Y-at.Y); d > w.Config().Radius {
			require.Equal(t, []int{e.Terminal}, c.Terminals, "only where no terminal is nearer")
		}
	}
	require.Greater(t, byHour[12], 5*byHour[3], "nights are quiet: %v", byHour)
	require.Greater(t, byHour[18], 5*byHour[3])
	require.Len(t, countries, 5)
	require.Len(t, bands, 4)
}

func TestWeekendsDiffer(t *testing.T) {
	w := make120(t, func(c *simulate.Config) { c.Days = 7 * 16 })
	var weekend, week, weekendLate, weekLate float64
	for _, e := range w.Events() {
		late := 0.0
		if e.Time%day >= 21*hour {
			late = 1
		}
		if d := (e.Time - w.Day(0)) / day % 7; d >= 5 { // day 0 is a Monday
			weekend++
			weekendLate += late
		} else {
			week++
			weekLate += late
		}
	}
	require.InDelta(t, 1.1, weekend/2/(week/5), .06, "weekend factors are 0.7 to 1.5")
	require.Greater(t, weekendLate/weekend, 1.5*weekLate/week, "evenings are longer")
}

func TestLargeAmountsAreFrauds(t *testing.T) {
	w := make120(t, nil)
	for _, e := range w.Events() {
		if e.Amount > 220_00 {
			require.True(t, e.Fraud())
		}
		if e.Scenario == simulate.LargeAmount {
			require.Greater(t, e.Amount, int64(220_00))
		}
	}
}

func TestCompromisedTerminalsAreFraudForTheirTime(t *testing.T) {
	w := make120(t, func(c *simulate.Config) {
		c.Frauds.CustomerRate, c.Frauds.BurstRate, c.Frauds.LargeAmount = 0, 0, 1e6
		c.Frauds.TerminalRate = .0003
	})
	first, last := map[int]int64{}, map[int]int64{}
	for _, e := range w.Events() {
		if !e.Fraud() {
			continue
		}
		require.Equal(t, simulate.CompromisedTerminal, e.Scenario)
		if _, ok := first[e.Terminal]; !ok {
			first[e.Terminal] = e.Time
		}
		last[e.Terminal] = e.Time
	}
	require.Greater(t, len(first), 20)
	long := 0
	for _, e := range w.Events() {
		if from, ok := first[e.Terminal]; ok && last[e.Terminal]-from <= 28*day && e.Time >= from && e.Time <= last[e.Terminal] {
			require.True(t, e.Fraud(), "between two frauds of one compromise everything is fraud")
		}
	}
	for terminal, from := range first {
		if last[terminal]-from > 20*day {
			long++
		}
	}
	require.Positive(t, long, "a compromise lasts weeks")
}

func TestCompromisedCustomersPayMore(t *testing.T) {
	w := make120(t, func(c *simulate.Config) { c.Frauds.LargeAmount = 1e6 })
	var ratio, n float64
	for _, e := range w.Events() {
		if e.Scenario == simulate.CompromisedCustomer {
			ratio += float64(e.Amount) / 100 / w.Customers()[e.Customer].Mean
			n++
		}
	}
	require.Greater(t, n, 200.0)
	require.InDelta(t, 5, ratio/n, .35)
}

func TestCardTestsAreBursts(t *testing.T) {
	w := make120(t, nil)
	tests := map[int][]simulate.Event{}
	for _, e := range w.Events() {
		if e.Scenario == simulate.CardTest {
			tests[e.Customer] = append(tests[e.Customer], e)
		}
	}
	require.Greater(t, len(tests), 10)
	for _, events := range tests {
		var tiny []simulate.Event
		for _, e := range events {
			if e.Amount <= 2_00 {
				tiny = append(tiny, e)
				continue
			}
			require.GreaterOrEqual(t, e.Amount, int64(150_00), "the last one is large")
			if len(tiny) == 0 || len(tiny) > 20 {
				continue // two tests of one customer may overlap
			}
			require.GreaterOrEqual(t, len(tiny), 8)
			require.LessOrEqual(t, e.Time-tiny[0].Time, 21*minute)
			require.Less(t, tiny[len(tiny)-1].Time-tiny[0].Time, 10*minute)
			places := map[int]bool{}
			for _, v := range tiny {
				places[v.Terminal] = true
			}
			require.Greater(t, len(places), len(tiny)/2, "anywhere in the plane")
			tiny = nil
		}
	}
}

func TestLabelsComeLate(t *testing.T) {
	w := make120(t, nil)
	sum, capped := 0.0, 0
	for i, l := range w.Labels() {
		e := w.Events()[l.Event]
		require.True(t, e.Fraud())
		require.Equal(t, e.KnownAt, l.KnownAt)
		require.GreaterOrEqual(t, l.KnownAt, e.Time+day)
		require.LessOrEqual(t, l.KnownAt, e.Time+30*day)
		if l.KnownAt == e.Time+30*day {
			capped++
		}
		sum += float64(l.KnownAt-e.Time) / float64(day)
		if i > 0 {
			require.LessOrEqual(t, w.Labels()[i-1].KnownAt, l.KnownAt)
		}
	}
	require.Len(t, w.Labels(), w.Summary(w.Day(0), w.Day(120)).Frauds)
	require.InDelta(t, 6, sum/float64(len(w.Labels())), .4, "one day and an exponential of five")
	require.Less(t, capped, len(w.Labels())/50)
}

func TestLongerWorldsStartWithShorterOnes(t *testing.T) {
	short := make120(t, func(c *simulate.Config) { c.Days = 30 })
	long := make120(t, func(c *simulate.Config) { c.Days = 45 })
	require.Equal(t, short.Events(), long.Between(long.Day(0), long.Day(30)))
}

func TestDriftChangesTheWorldFromItsDayOn(t *testing.T) {
	const from = 60
	before := make120(t, nil)
	after := make120(t, func(c *simulate.Config) { c.Drift = simulate.DefaultDrift(from) })
	require.Equal(t, before.Between(before.Day(0), before.Day(from)), after.Between(after.Day(0), after.Day(from)))

	medians := func(w *simulate.World, scenario simulate.Scenario) (amount int64, distance float64) {
		var amounts []int64
		var distances []float64
		for _, e := range w.Between(w.Day(from), w.Day(120)) {
			if e.Scenario == scenario {
				c, at := w.Customers()[e.Customer], w.Terminals()[e.Terminal]
				amounts = append(amounts, e.Amount)
				distances = append(distances, math.Hypot(c.X-at.X, c.Y-at.Y))
			}
		}
		require.Greater(t, len(amounts), 50)
		slices.Sort(amounts)
		slices.Sort(distances)
		return amounts[len(amounts)/2], distances[len(distances)/2]
	}
	amount, near := medians(before, simulate.CompromisedCustomer)
	drifted, far := medians(after, simulate.CompromisedCustomer)
	require.Less(t, float64(drifted), .5*float64(amount))
	require.Less(t, near, 5.0)
	require.Greater(t, far, 25.0)
	tiny, _ := medians(before, simulate.CardTest)
	less, _ := medians(after, simulate.CardTest)
	require.Greater(t, less, 8*tiny)
	genuine, _ := medians(before, simulate.Genuine)
	same, _ := medians(after, simulate.Genuine)
	require.InEpsilon(t, genuine, same, .03, "honest people pay as before")
}

func TestReplayIsOrderedAndWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := simulate.DefaultConfig(rapid.Uint64().Draw(rt, "seed"), monday)
		small(&c)
		if rapid.Bool().Draw(rt, "at once") {
			c.Labels = simulate.Labels{} // labels at their events' own microsecond
		}
		w, err := simulate.New(c)
		require.NoError(rt, err)
		from := w.Day(rapid.IntRange(0, 10).Draw(rt, "from"))
		to := from + rapid.Int64Range(0, 12*day).Draw(rt, "length")
		last, events, labels := from, 0, 0
		seen := map[int64]bool{}
		for step := range w.Replay(from, to) {
			require.GreaterOrEqual(rt, step.At, last)
			require.Less(rt, step.At, to)
			last = step.At
			if step.Event != nil {
				require.Nil(rt, step.Label)
				require.Equal(rt, step.At, step.Event.Time)
				seen[step.Event.ID] = true
				events++
				continue
			}
			require.Equal(rt, step.At, step.Label.KnownAt)
			e := w.Events()[step.Label.Event]
			require.True(rt, e.Time < from || seen[e.ID], "a label before its event")
			labels++
		}
		require.Equal(rt, len(w.Between(from, to)), events)
		due := 0
		for _, l := range w.Labels() {
			if l.KnownAt >= from && l.KnownAt < to {
				due++
			}
		}
		require.Equal(rt, due, labels)
		w.Replay(from, to)(func(simulate.Step) bool { return false }) // stopping early is allowed
	})
}

func TestImpossibleWorldsAreRefused(t *testing.T) {
	_, err := simulate.New(simulate.Config{Start: monday.Add(time.Hour), PaymentsPerDay: math.NaN()})
	require.ErrorContains(t, err, "start is")
	require.ErrorContains(t, err, "days is 0")
	require.ErrorContains(t, err, "customers is 0")
	require.ErrorContains(t, err, "terminals is 0")
	require.ErrorContains(t, err, "payments a day is NaN")
}

func BenchmarkWorld120Days(b *testing.B) {
	for b.Loop() {
		w, err := simulate.New(simulate.DefaultConfig(7, monday))
		require.NoError(b, err)
		require.NotEmpty(b, w.Events())
	}
}
