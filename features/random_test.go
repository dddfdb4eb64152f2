package features_test

import (
	"fmt"
	"math"

	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// randomSchema draws lateness and cap; the fields are those of shop.
func randomSchema(t *rapid.T) *features.Schema {
	schema := shop()
	schema.AllowedLateness = rapid.Int64Range(0, 30).Draw(t, "lateness") * features.Second
	schema.Cap = rapid.SampledFrom([]int{0, 0, 1, 2, 5, 40}).Draw(t, "cap")
	return schema
}

// randomKind writes what a feature is of a kind that is drawn; it says whether the kind has windows and include_current, may have a window, and reads
// labels.
func randomKind(t *rapid.T, spec *features.Spec) (windowed, previous, labels bool) {
	of := func(names ...string) string { return rapid.SampledFrom(names).Draw(t, "of") }
	any := func() string { return of("amount", "km", "lat", "items", "channel", "present", "note", "device") }
	if spec.By == "device" {
		any = func() string { return of("amount", "km", "lat", "items", "channel", "present", "note", "customer") }
	}
	here, there := []string{"lat", "lon"}, []string{"km", "lat"}
	switch kind := rapid.IntRange(0, 22).Draw(t, "kind"); kind {
	case 0:
		spec.TimeSinceLast = "events"
	case 1:
		spec.FirstSeenAge = "events"
	case 2:
		spec.DistanceFromLast = &features.Point{Lat: "lat", Lon: "lon"}
	case 3:
		spec.SpeedFromLast = &features.Point{Lat: "lat", Lon: "lon"}
	case 4:
		spec.Speed = &features.Route{From: here, To: there}
	case 5, 6:
		spec.Last = of("amount", "km", "lat", "items", "channel", "present")
	case 7, 8:
		spec.Changed = any()
	case 9:
		spec.SameAsLast = any()
	case 10:
		spec.FraudCount, labels = "events", true
	case 11:
		spec.FraudShare, labels = "events", true
	case 12:
		spec.LastFraudAge, labels = "events", true
	case 13:
		spec.FirstFraudAge, labels = "events", true
	case 14:
		spec.Count = of("events", "amount", "km", "lat")
	case 15:
		spec.Sum = of("amount", "km", "items")
	case 16:
		spec.Mean = of("amount", "km", "items")
	case 17:
		spec.Std = of("amount", "km", "items")
	case 18:
		spec.Min = of("amount", "km", "lat", "items")
	case 19:
		spec.Max = of("amount", "km", "lat", "items")
	case 20:
		spec.Distinct = any()
	case 21:
		spec.ShareOfValue = any()
	default:
		spec.Velocity = of("events", "amount", "km")
	}
	return !readsPrevious(spec), readsPrevious(spec), labels
}

func readsPrevious(s *features.Spec) bool {
	return s.TimeSinceLast+s.FirstSeenAge+s.Last+s.Changed+s.SameAsLast != "" || s.DistanceFromLast != nil || s.SpeedFromLast != nil || s.Speed != nil
}

// filters are filters as an event type writes them, and what they say of an event of shop.
var filters = []struct {
	text   string
	counts func(ev *features.Event) bool
}{
	{`channel == "online"`, func(ev *features.Event) bool { return ev.Attributes[0] == "online" }},
	{`channel != "online"`, func(ev *features.Event) bool { return ev.Attributes[0] != "online" }},
	{`channel in ["online", "chip"] && !present`, func(ev *features.Event) bool {
		return (ev.Attributes[0] == "online" || ev.Attributes[0] == "chip") && ev.Attributes[1] != "true"
	}},
	{`missing(channel) || note == channel`, func(ev *features.Event) bool { return ev.Attributes[0] == "" || ev.Attributes[2] == ev.Attributes[0] }},
	{`!missing(device)`, func(ev *features.Event) bool { return ev.Entities[1] != "" }},
	{`amount > 0.5 || missing(km)`, func(ev *features.Event) bool { return ev.Amount > 50 || math.IsNaN(ev.Numbers[2]) }},
	{`items in [1, -2, 3] || lat < 0`, func(ev *features.Event) bool {
		return ev.Numbers[3] == 1 || ev.Numbers[3] == -2 || ev.Numbers[3] == 3 || ev.Numbers[0] < 0
	}},
	{`amount > 1e12`, func(*features.Event) bool { return false }},
}

// randomSpecs draws features of history, as an event type writes them and as the oracle reads them.
func randomSpecs(t *rapid.T) ([]string, map[string]features.Spec, []defined) {
	names, specs, defs := []string{}, map[string]features.Spec{}, []defined{}
	for i := range rapid.IntRange(1, 8).Draw(t, "features") {
		d := defined{name: fmt.Sprintf("f%d", i), counts: func(*features.Event) bool { return true }}
		d.spec.By = rapid.SampledFrom([]string{"customer", "device"}).Draw(t, "by")
		windowed, previous, labels := randomKind(t, &d.spec)
		d.labels = labels
		if rapid.IntRange(0, 2).Draw(t, "filtered") == 0 {
			f := rapid.SampledFrom(filters).Draw(t, "where")
			d.spec.Where, d.counts = f.text, f.counts
		}
		if windowed || d.spec.Where != "" || rapid.Bool().Draw(t, "within") {
			window := rapid.Int64Range(1, 40).Draw(t, "window")
			d.spec.Windows, d.window = []string{fmt.Sprintf("%ds", window)}, window*features.Second
		}
		if d.spec.Velocity != "" {
			over := rapid.Int64Range(1, 40).Draw(t, "over")
			d.over = d.window + over*features.Second
			d.spec.Over = fmt.Sprintf("%dus", d.over)
		}
		if delay := rapid.Int64Range(0, 10).Draw(t, "delay"); !previous && (labels || delay > 5) {
			d.spec.Delay, d.delay = fmt.Sprintf("%ds", delay), delay*features.Second
		} else if !previous {
			d.spec.IncludeCurrent = ptr(rapid.Bool().Draw(t, "current"))
		}
		names, specs[d.name], defs = append(names, d.name), d.spec, append(defs, d)
	}
	return names, specs, defs
}

// randomEvent draws an event around a time that moves on in units, with few keys and few distinct times, so that ties, late events and full windows
// are common.
func randomEvent(t *rapid.T, now *int64, unit int64) features.Event {
	*now += rapid.SampledFrom([]int64{0, 0, 0, 1, 1, 1, 2, 5, 60}).Draw(t, "step") * unit
	at := *now
	if rapid.IntRange(0, 4).Draw(t, "late") == 0 {
		at = max(0, at-rapid.Int64Range(0, 50).Draw(t, "by")*unit)
	}
	at += rapid.SampledFrom([]int64{0, 0, 0, 0, 1, 999_999}).Draw(t, "micros")
	word := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	optional := func(name string, values ...float64) float64 {
		return rapid.SampledFrom(append(values, math.NaN())).Draw(t, name)
	}
	return features.Event{ID: "e", Time: at, Amount: rapid.SampledFrom([]int64{0, 1, -1, 57, 1999, 1e12, -1e12}).Draw(t, "amount"),
		Entities:   []string{word("customer", "a", "b"), word("device", "", "a", "x")},
		Attributes: []string{word("channel", "", "chip", "online", "phone"), word("present", "", "true", "false"), word("note", "", "chip", "online", "a longer note")},
		Numbers: []float64{optional("lat", 0, 37.5, -90, math.Copysign(0, -1)), optional("lon", 0, 127, -180, 180),
			optional("km", 0, 0.001, -12.345, 1e9), float64(rapid.IntRange(-3, 3).Draw(t, "items"))}}
}
