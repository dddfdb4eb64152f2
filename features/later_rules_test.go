package features_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

func TestFiltersChooseWhatCounts(t *testing.T) {
	online := `channel == "online"`
	b := newBench(t, shop(), map[string]features.Spec{
		"n":      {Count: "events", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: online},
		"n_km":   {Count: "km", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: online},
		"least":  {Min: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: online},
		"most":   {Max: "items", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: online},
		"std":    {Std: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: online},
		"far":    {DistanceFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer", Windows: []string{"10s"}, Where: online},
		"first":  {FirstSeenAge: "events", By: "customer", Windows: []string{"10s"}, Where: online},
		"frauds": {LastFraudAge: "events", By: "customer", Windows: []string{"10s"}, Delay: "0s", Where: online},
	})
	chip := attribute(0, "chip")
	web := attribute(0, "online")
	b.observe(event(1, 500, web, number(0, 0), number(1, 0), number(3, -7)))
	for feature, want := range map[string]float64{"n_10s": 1, "n_km_10s": 0, "least_10s": 5, "most_10s": -7, "std_10s": math.NaN(), "far_10s": math.NaN(),
		"first_10s": math.NaN(), "frauds_10s": math.NaN()} {
		b.want(feature, want)
	}
	second := event(2, 100, chip, number(2, 1), number(3, 9))
	n := b.observe(second)
	b.label(second, n, features.Fraud, 2)
	b.observe(event(3, 200, chip, number(0, 0), number(1, 1), number(3, 9)))
	for feature, want := range map[string]float64{"n_10s": 1, "n_km_10s": 0, "least_10s": 5, "most_10s": -7, "first_10s": 2, "frauds_10s": math.NaN()} {
		b.want(feature, want) // the chip payments, this one too, do not count
	}
	require.InDelta(t, 111.195080, b.vector[position(t, b.engine, "far_10s")], 1e-6) // from the first one: the second one does not count
	b.observe(event(11, 700, web))                                                   // (1, 11]: the only one that counted has left
	for feature, want := range map[string]float64{"n_10s": 1, "least_10s": 7, "most_10s": 1, "far_10s": math.NaN(), "first_10s": math.NaN()} {
		b.want(feature, want)
	}
}

// TestDistinctSwitchesAt256: 256 different values are counted, the 257th makes it an estimate, and back.
func TestDistinctSwitchesAt256(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"notes": {Distinct: "note", By: "customer", Windows: []string{"256s"}, IncludeCurrent: ptr(true)},
		"past":  {Distinct: "note", By: "customer", Windows: []string{"256s"}, IncludeCurrent: ptr(false)},
	})
	at := 0.0
	for i := range 256 {
		at++
		b.observe(event(at, 1, attribute(2, fmt.Sprint("note ", i))))
		b.want("notes_256s", float64(i+1))
		b.want("past_256s", float64(i))
	}
	b.observe(event(at, 1, attribute(2, "another")))
	b.want("past_256s", 256)
	estimate := b.vector[position(t, b.engine, "notes_256s")]
	require.NotEqual(t, 257.0, estimate)
	require.InEpsilon(t, 257, estimate, 0.03)
	b.observe(event(at, 1, attribute(2, "note 3")))
	b.want("past_256s", estimate) // the same values, whether the last of them is past or present
	b.want("notes_256s", estimate)
	b.observe(event(at+1, 1)) // note 0 has left; this one has none
	b.want("notes_256s", 256)
}

func TestZerosAndMissingAmongValues(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"lats":   {Distinct: "lat", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true)},
		"same":   {ShareOfValue: "lat", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(false)},
		"again":  {SameAsLast: "lat", By: "customer"},
		"prices": {Distinct: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true)},
		"usual":  {ShareOfValue: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true)},
		"was":    {Last: "present", By: "customer"},
		"way":    {Last: "km", By: "customer"},
	})
	b.observe(event(1, 0, number(0, 0), number(2, 1.5), attribute(1, "false")))
	b.observe(event(2, 100, number(0, math.Copysign(0, -1))))
	for feature, want := range map[string]float64{"lats_10s": 1, "same_10s": 1, "again": 1, "prices_10s": 2, "usual_10s": 0.5, "was": 0, "way": 1.5} {
		b.want(feature, want) // -0 is 0, and an amount of 0 is a value
	}
	b.observe(event(3, 100))
	for feature, want := range map[string]float64{"lats_10s": 1, "same_10s": math.NaN(), "again": math.NaN(), "prices_10s": 2, "usual_10s": 2.0 / 3,
		"was": math.NaN(), "way": math.NaN()} {
		b.want(feature, want)
	}
	b.observe(event(4, 100, number(0, 5)))
	b.want("again", math.NaN()) // the event before has none
	b.want("same_10s", 0)
}

// TestShareLooksAtTheEventsOwnValue, whether the event passes the filter or not.
func TestShareLooksAtTheEventsOwnValue(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"share": {ShareOfValue: "channel", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: "amount > 1"},
	})
	b.observe(event(1, 500, attribute(0, "chip")))
	b.want("share_10s", 1)
	b.observe(event(2, 50, attribute(0, "chip"))) // does not count itself
	b.want("share_10s", 1)
	b.observe(event(3, 50, attribute(0, "online")))
	b.want("share_10s", 0)
	b.observe(event(4, 500, attribute(0, "online")))
	b.want("share_10s", 0.5)
	b.observe(event(20, 50, attribute(0, "online")))
	b.want("share_10s", 0) // nothing in the window counts
}

// TestLateEventsAmongManyValues: what is remembered of a window takes in what comes late and lets go of what the cap drops.
func TestLateEventsAmongManyValues(t *testing.T) {
	schema := shop()
	schema.Cap = 60
	b := newBench(t, schema, map[string]features.Spec{
		"notes": {Distinct: "note", By: "customer", Windows: []string{"90s"}, IncludeCurrent: ptr(false)},
		"same":  {ShareOfValue: "note", By: "customer", Windows: []string{"90s"}, IncludeCurrent: ptr(false)},
	})
	for i := range 50 {
		b.observe(event(float64(100+i), 1, attribute(2, fmt.Sprint("note ", i%40))))
	}
	b.observe(event(120.5, 1, attribute(2, "late")))
	b.observe(event(150, 1, attribute(2, "late")))
	b.want("notes_90s", 41)
	b.want("same_90s", 1.0/51)
	b.observe(event(110, 1, attribute(2, "note 3"))) // sees what lies before 110
	b.want("notes_90s", 11)
	for i := range 9 { // the cap drops the first ones: 100, 101
		b.observe(event(float64(151+i), 1, attribute(2, "new")))
	}
	require.True(t, b.result.Degraded)
	b.observe(event(160, 1, attribute(2, "new")))
	b.want("same_90s", 9.0/60)
}
