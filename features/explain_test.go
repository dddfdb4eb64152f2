package features_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// explained holds what Explain says of an event to what Observe will give, and the entries it lists to the value.
func explained(t *rapid.T, engine *features.Engine, ev *features.Event, p features.Placement, defs []defined, want []float64) {
	var names []string
	for _, d := range engine.Definitions() {
		names = append(names, d.Name)
	}
	list, err := engine.Explain(ev, p, 10_000, names...)
	require.NoError(t, err)
	for i, x := range list {
		require.True(t, same(defs[i], x.Value, want[i]), "%+v is explained as %v, want %v", defs[i].spec, x.Value, want[i])
		require.Len(t, x.Entries, x.Events)
		var counted []features.ExplainedEntry
		for _, entry := range x.Entries {
			require.True(t, entry.Current == (entry.Sequence == p.Sequence), "only the event itself has its sequence")
			require.True(t, x.To == 0 || entry.Current || entry.Time > x.From && entry.Time <= x.To)
			if entry.Counts {
				counted = append(counted, entry)
			}
		}
		if s := defs[i].spec; !math.IsNaN(want[i]) {
			fromEntries(t, s, counted, want[i])
		}
	}
}

// fromEntries computes some kinds again from the entries that count.
func fromEntries(t *rapid.T, s features.Spec, counted []features.ExplainedEntry, want float64) {
	var values []float64
	sum, texts := 0.0, map[string]bool{}
	for _, entry := range counted {
		values, sum = append(values, entry.Value), sum+entry.Value
		texts[entry.Text] = true
	}
	slices.Sort(values)
	switch {
	case s.Count != "":
		require.Len(t, counted, int(want))
	case s.Sum != "", s.FraudCount != "":
		require.InDelta(t, want, sum, 1e-3)
	case s.Min != "":
		require.Equal(t, want, values[0])
	case s.Max != "":
		require.Equal(t, want, values[len(values)-1])
	case s.Distinct == "note" || s.Distinct == "channel" || s.Distinct == "device" || s.Distinct == "customer" || s.Distinct == "present":
		require.Len(t, texts, int(want))
	case s.Last != "":
		require.Equal(t, want, counted[len(counted)-1].Value)
	}
}

func TestExplain(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"online": {Mean: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true), Where: `channel == "online"`},
		"risk":   {FraudShare: "events", By: "customer", Windows: []string{"10s"}, Delay: "0s"},
		"notes":  {Distinct: "note", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(false)},
		"gap":    {TimeSinceLast: "events", By: "customer"},
		"seen":   {FirstSeenAge: "events", By: "customer"},
		"ratio":  {Expr: "amount / online_10s + km"},
	})
	b.observe(event(1, 100, attribute(0, "online")))
	second := event(5, 300, attribute(0, "chip"), attribute(2, "x"))
	n := b.observe(second)
	b.label(second, n, features.Fraud, 6)
	b.observe(event(9, 500, attribute(0, "online"), attribute(2, "y")))
	ev := event(12, 700, attribute(0, "online"), number(2, 1.5))
	list, err := b.engine.Explain(ev, features.Placement{Sequence: 99}, 100, "online_10s", "risk_10s", "notes_10s", "gap", "seen", "ratio")
	require.NoError(t, err)
	at := func(s float64) int64 { return int64(s * 1e6) }
	nan := math.NaN()
	equalEntries := func(want, got []features.ExplainedEntry) {
		t.Helper()
		require.Len(t, got, len(want))
		for i := range want {
			if math.IsNaN(want[i].Value) && math.IsNaN(got[i].Value) {
				want[i].Value, got[i].Value = 0, 0
			}
		}
		require.Equal(t, want, got)
	}
	require.Equal(t, []int64{at(2), at(12)}, []int64{list[0].From, list[0].To})
	equalEntries([]features.ExplainedEntry{{Sequence: 2, Time: at(5), Counts: false, Value: 0}, {Sequence: 4, Time: at(9), Counts: true, Value: 5},
		{Sequence: 99, Time: at(12), Counts: true, Value: 7, Current: true}}, list[0].Entries)
	require.Equal(t, 6.0, list[0].Value)
	equalEntries([]features.ExplainedEntry{{Sequence: 2, Time: at(5), Counts: true, Value: 1}, {Sequence: 4, Time: at(9), Counts: true, Value: 0}}, list[1].Entries)
	equalEntries([]features.ExplainedEntry{{Sequence: 2, Time: at(5), Counts: true, Value: nan, Text: "x"},
		{Sequence: 4, Time: at(9), Counts: true, Value: nan, Text: "y"}}, list[2].Entries)
	equalEntries([]features.ExplainedEntry{{Sequence: 4, Time: at(9), Counts: true, Value: 1}}, list[3].Entries)
	equalEntries([]features.ExplainedEntry{{Time: at(1), Counts: true, Value: nan}}, list[4].Entries)
	require.Equal(t, []features.ExplainedField{{Name: "amount", Value: 7}, {Name: "km", Value: 1.5}}, list[5].Fields)
	require.Equal(t, []string{"online_10s"}, []string{list[5].Inputs[0].Name})
	require.InDelta(t, 7.0/6+1.5, list[5].Value, 1e-12)
	short, err := b.engine.Explain(ev, features.Placement{Sequence: 99}, 1, "notes_10s")
	require.NoError(t, err)
	require.Equal(t, 2, short[0].Events)
	require.Equal(t, "y", short[0].Entries[0].Text, "the latest are listed")
	_, err = b.engine.Explain(ev, features.Placement{}, 1, "nothing")
	require.ErrorContains(t, err, "no feature is called nothing")
}
