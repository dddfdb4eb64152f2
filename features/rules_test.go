package features_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

func ptr[T any](v T) *T { return &v }

// shop is a schema with something of everything.
func shop() *features.Schema {
	return &features.Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2,
		Entities: []features.EntityKind{{Name: "customer"}, {Name: "device", Optional: true}},
		Attributes: []features.Attribute{{Name: "channel", Values: []string{"chip", "online"}}, {Name: "present", Kind: features.Flag},
			{Name: "note"}},
		Numbers:         []features.Number{{Name: "lat", Scale: -1}, {Name: "lon", Scale: -1}, {Name: "km", Scale: 3}, {Name: "items", Scale: 0, Required: true}},
		AllowedLateness: 100 * features.Second}
}

// bench drives an engine as a server does, with times in seconds.
type bench struct {
	t        *testing.T
	schema   *features.Schema
	engine   *features.Engine
	clock    features.Clock
	sequence uint64
	vector   []float64
	result   features.Result
	ordinals []uint64
}

func newBench(t *testing.T, schema *features.Schema, specs map[string]features.Spec) *bench {
	t.Helper()
	var names []string
	for name, spec := range specs {
		if spec.Expr == "" {
			names = append(names, name)
		}
	}
	for name, spec := range specs {
		if spec.Expr != "" {
			names = append(names, name)
		}
	}
	engine := newEngine(t, schema, names, specs)
	return &bench{t: t, schema: schema, engine: engine, vector: make([]float64, len(engine.Definitions()))}
}

// event is a payment of customer c at a time in seconds, changed by options.
func event(at float64, cents int64, options ...func(*features.Event)) *features.Event {
	nan := math.NaN()
	ev := &features.Event{ID: "e", Time: int64(math.Round(at * 1e6)), Amount: cents, Entities: []string{"c", ""}, Attributes: []string{"", "", ""},
		Numbers: []float64{nan, nan, nan, 1}}
	for _, option := range options {
		option(ev)
	}
	return ev
}

func number(i int, x float64) func(*features.Event) {
	return func(ev *features.Event) { ev.Numbers[i] = x }
}

func attribute(i int, v string) func(*features.Event) {
	return func(ev *features.Event) { ev.Attributes[i] = v }
}

func (b *bench) observe(ev *features.Event, labels ...features.Label) uint64 {
	b.t.Helper()
	require.NoError(b.t, b.schema.Validate(ev))
	var err error
	b.result, err = b.engine.Observe(ev, b.vector, func(ordinals []uint64) (features.Placement, error) {
		b.sequence++
		b.ordinals = append(b.ordinals[:0], ordinals...)
		return features.Placement{Sequence: b.sequence, Outcome: b.clock.Admit(ev.Time, b.schema.AllowedLateness), Labels: labels,
			Since: b.clock.Since()}, nil
	})
	require.NoError(b.t, err)
	return b.sequence
}

func (b *bench) label(ev *features.Event, sequence uint64, verdict features.Verdict, knownAt float64) {
	b.t.Helper()
	require.NoError(b.t, b.engine.Label(ev, sequence, func() (features.Label, error) {
		b.sequence++
		return features.Label{Sequence: b.sequence, Verdict: verdict, KnownAt: int64(knownAt * 1e6)}, nil
	}))
}

func (b *bench) want(feature string, want float64) {
	b.t.Helper()
	got := b.vector[position(b.t, b.engine, feature)]
	if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
		b.t.Errorf("%s is %v, want %v", feature, got, want)
	}
}

func TestWindowEdges(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"n":     {Count: "events", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true)},
		"prior": {Count: "events", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(false)},
		"late":  {Count: "events", By: "customer", Windows: []string{"10s"}, Delay: "5s"},
	})
	b.observe(event(100, 1))
	b.want("n_10s", 1)
	b.want("prior_10s", 0)
	b.want("late_10s", 0)
	b.observe(event(109.999999, 1)) // the first lies in (99.999999, 109.999999]
	b.want("n_10s", 2)
	b.observe(event(110, 1)) // and outside (100, 110]
	b.want("prior_10s", 1)
	b.want("late_10s", 1) // (95, 105]
	b.observe(event(110, 1))
	b.want("prior_10s", 2) // a tie goes by sequence
	b.want("n_10s", 3)
	b.observe(event(115, 1)) // delayed: (100, 110] holds 109.999999 and both at 110, not 100
	b.want("late_10s", 3)
}

func TestTiesGoBySequence(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"sum":  {Sum: "amount", By: "customer", Windows: []string{"1s"}, IncludeCurrent: ptr(false)},
		"gap":  {TimeSinceLast: "events", By: "customer"},
		"seen": {FirstSeenAge: "events", By: "customer"},
		"far":  {DistanceFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer"},
	})
	b.observe(event(1, 100, number(0, 0), number(1, 0)))
	b.want("gap", math.NaN())
	b.want("seen", math.NaN())
	b.want("far", math.NaN())
	b.observe(event(1, 200, number(0, 0), number(1, 1)))
	b.want("sum_1s", 1)
	b.want("gap", 0)
	b.want("seen", 0)
	require.InDelta(t, 111.195080, b.vector[position(t, b.engine, "far")], 1e-6) // one degree of 6371.0088 km
	b.observe(event(1, 400, number(0, 0), number(1, 1)))
	b.want("sum_1s", 3)
	b.want("far", 0) // the last of the tie is the one of the larger sequence
}

func TestLate(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"sum":  {Sum: "amount", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(false)},
		"gap":  {TimeSinceLast: "events", By: "customer"},
		"seen": {FirstSeenAge: "events", By: "customer"},
	})
	b.observe(event(1000, 100))
	b.observe(event(995, 200)) // within lateness: sees nothing, as 1000 lies after it
	require.Equal(t, features.LateInserted, b.result.Outcome)
	b.want("sum_10s", 0)
	b.want("gap", math.NaN())
	b.observe(event(1001, 400))
	b.want("sum_10s", 3) // inserted in place
	b.want("gap", 1)
	b.want("seen", 6)
	b.observe(event(900.5, 800))
	require.Equal(t, features.LateDropped, b.result.Outcome)
	require.False(t, b.result.Complete)
	require.Equal(t, []uint64{4, 0}, b.ordinals)
	b.observe(event(1001, 1))
	b.want("sum_10s", 7) // the dropped event was added nowhere
	b.want("seen", 6)
	require.Equal(t, []uint64{5, 0}, b.ordinals, "but it has its ordinal")
}

func TestLabels(t *testing.T) {
	specs := map[string]features.Spec{
		"frauds": {FraudCount: "events", By: "customer", Windows: []string{"100s"}, Delay: "10s"},
		"share":  {FraudShare: "events", By: "customer", Windows: []string{"100s"}, Delay: "10s"},
		"last":   {LastFraudAge: "events", By: "customer", Windows: []string{"100s"}, Delay: "10s"},
		"first":  {FirstFraudAge: "events", By: "customer", Windows: []string{"100s"}, Delay: "10s"},
	}
	count := func(b *bench, at float64, want float64) {
		b.t.Helper()
		b.observe(event(at, 1))
		b.want("frauds_100s", want)
	}
	t.Run("known at its time and not before", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		first := event(0, 1)
		n := b.observe(first)
		b.label(first, n, features.Fraud, 30)
		count(b, 29.999999, 0)
		count(b, 30, 1)
		b.want("share_100s", 1) // of one: the delay hides what came after second 20
		b.want("last_100s", 30)
		count(b, 50, 1)
		b.want("share_100s", 1.0/3)
		count(b, 110.000001, 0) // the fraud has left (0.000001, 100.000001]
		b.want("last_100s", math.NaN())
	})
	t.Run("ages of the last and the first", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		for _, at := range []float64{1, 5, 9} {
			ev := event(at, 1)
			b.label(ev, b.observe(ev), features.Fraud, at)
		}
		count(b, 20, 3)
		b.want("last_100s", 11)
		b.want("first_100s", 19)
	})
	t.Run("before its event", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		b.sequence = 5
		b.observe(event(0, 1), features.Label{Sequence: 3, Verdict: features.Fraud, KnownAt: 0}, features.Label{Sequence: 4, Verdict: features.Legitimate, KnownAt: 40e6})
		count(b, 39, 1)
		count(b, 40, 0)
	})
	t.Run("withdrawn by the same two conditions", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		first := event(0, 1)
		n := b.observe(first)
		b.label(first, n, features.Fraud, 1)
		count(b, 15, 1)
		b.label(first, n, features.Withdrawn, 20)
		count(b, 19, 1)
		count(b, 20, 0)
		b.label(first, n, features.Fraud, 25)
		count(b, 24, 0)
		count(b, 25, 1)
	})
	t.Run("of the same known_at the later sequence", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		first := event(0, 1)
		n := b.observe(first)
		b.label(first, n, features.Legitimate, 1)
		b.label(first, n, features.Fraud, 1)
		count(b, 15, 1)
		b.label(first, n, features.Legitimate, 1)
		count(b, 16, 0)
	})
	t.Run("an earlier known_at that arrives later does not replace", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		first := event(0, 1)
		n := b.observe(first)
		b.label(first, n, features.Legitimate, 12)
		b.label(first, n, features.Fraud, 11)
		count(b, 15, 0)
		b.observe(event(11.5, 1)) // late: at that time fraud was current
		b.want("frauds_100s", 1)
	})
	t.Run("repeated is no change", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		first := event(0, 1)
		n := b.observe(first)
		b.label(first, n, features.Fraud, 1)
		before := b.engine.Checksum()
		b.label(first, n, features.Fraud, 1)
		require.Equal(t, before, b.engine.Checksum())
		count(b, 15, 1)
	})
	t.Run("of a dropped or unknown event", func(t *testing.T) {
		b := newBench(t, shop(), specs)
		b.observe(event(1000, 1))
		dropped := event(1, 1)
		n := b.observe(dropped)
		require.Equal(t, features.LateDropped, b.result.Outcome)
		b.label(dropped, n, features.Fraud, 1)
		b.label(event(1000, 1), 77, features.Fraud, 1)
		count(b, 1050, 0)
	})
}

func TestEmptyWindows(t *testing.T) {
	specs := map[string]features.Spec{}
	for name, spec := range map[string]features.Spec{
		"count": {Count: "amount"}, "sum": {Sum: "amount"}, "mean": {Mean: "amount"}, "std": {Std: "amount"}, "min": {Min: "amount"},
		"max": {Max: "amount"}, "kmcount": {Count: "km"}, "kmsum": {Sum: "km"}, "kmmean": {Mean: "km"}, "kmstd": {Std: "km"}, "kmmin": {Min: "km"},
		"kmmax": {Max: "km"},
	} {
		spec.By, spec.Windows, spec.IncludeCurrent = "device", []string{"10s"}, ptr(false)
		specs[name] = spec
	}
	specs["share"] = features.Spec{FraudShare: "events", By: "device", Windows: []string{"10s"}, Delay: "0s"}
	b := newBench(t, shop(), specs)
	device := func(ev *features.Event) { ev.Entities[1] = "d" }
	b.observe(event(1, 5, device))
	for _, zero := range []string{"count_10s", "sum_10s", "kmcount_10s", "kmsum_10s", "share_10s"} {
		b.want(zero, 0)
	}
	for _, missing := range []string{"mean_10s", "std_10s", "min_10s", "max_10s", "kmmean_10s", "kmstd_10s", "kmmin_10s", "kmmax_10s"} {
		b.want(missing, math.NaN())
	}
	b.observe(event(2, 5, device)) // the first has an amount and no km
	b.want("count_10s", 1)
	b.want("mean_10s", 0.05)
	b.want("std_10s", math.NaN()) // below two
	b.want("kmcount_10s", 0)
	b.want("kmmean_10s", math.NaN())
	b.observe(event(3, 5)) // without a device: everything of it is missing
	for i := range b.vector {
		require.True(t, math.IsNaN(b.vector[i]))
	}
}

func TestMoneyIsExact(t *testing.T) {
	yes := ptr(true)
	window := []string{"1000d"}
	b := newBench(t, shop(), map[string]features.Spec{
		"amount": {Field: "amount"},
		"sum":    {Sum: "amount", By: "customer", Windows: window, IncludeCurrent: yes},
		"mean":   {Mean: "amount", By: "customer", Windows: window, IncludeCurrent: yes},
		"std":    {Std: "amount", By: "customer", Windows: window, IncludeCurrent: yes},
		"way":    {Sum: "km", By: "customer", Windows: window, IncludeCurrent: yes},
		"waymin": {Min: "km", By: "customer", Windows: window, IncludeCurrent: yes},
	})
	for range 10 {
		b.observe(event(1, 10, number(2, 0.1)))
	}
	b.want("amount", 0.1)
	b.want("sum_1000d", 1) // ten times 0.1 in float64 is 0.9999999999999999
	b.want("mean_1000d", 0.1)
	b.want("std_1000d", 0)
	b.want("way_1000d", 1)
	b.want("waymin_1000d", 0.1)

	b.observe(event(2, 1e12, number(2, -1e9)))
	b.want("sum_1000d", 10_000_000_001)
	b.want("way_1000d", -999_999_999)
	b.observe(event(2, -1e12, number(2, 1e9)))
	b.want("sum_1000d", 1) // nothing is lost beside the large ones
	b.want("way_1000d", 1)
	b.want("waymin_1000d", -1e9)
}

func TestDeviationHasDegreesOfFreedomOne(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{"std": {Std: "amount", By: "customer", Windows: []string{"1d"}, IncludeCurrent: ptr(true)}})
	b.observe(event(1, 100))
	b.want("std_1d", math.NaN())
	b.observe(event(2, 300))
	b.want("std_1d", math.Sqrt(2))
	b.observe(event(3, 500))
	b.want("std_1d", 2)
}

func TestEventFields(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"channel": {Category: "channel"}, "present": {Flag: "present"}, "km": {Field: "km"},
		"hour": {Calendar: "hour", Zone: "Asia/Seoul"}, "night": {Calendar: "hour", Zone: "UTC", Between: []string{"22", "5"}},
		"day": {Calendar: "weekday", Zone: "UTC"}, "weekend": {Calendar: "weekday", Zone: "Asia/Seoul", Between: []string{"sat", "sun"}},
		"home": {Distance: &features.Route{From: []string{"lat", "lon"}, To: []string{"km", "items"}}},
	})
	const friday = 86_400 // 1970-01-02
	b.observe(event(friday+15*3600, 1, attribute(0, "online"), attribute(1, "true"), number(0, 0), number(1, 1), number(2, 0)))
	b.want("channel", 1)
	b.want("present", 1)
	b.want("km", 0)
	b.want("hour", 0) // Saturday in Seoul
	b.want("weekend", 1)
	b.want("day", 4)
	b.want("night", 0)
	b.want("home", 0)
	b.observe(event(friday+22*3600, 1, attribute(0, "fax"), attribute(1, "false")))
	b.want("channel", -1)
	b.want("present", 0)
	b.want("night", 1)
	b.want("home", math.NaN())
	b.observe(event(friday+29*3600+3599, 1))
	b.want("channel", math.NaN())
	b.want("present", math.NaN())
	b.want("km", math.NaN())
	b.want("night", 1)
	b.observe(event(friday+30*3600, 1, number(0, 91), number(1, 0), number(2, 0)))
	b.want("night", 0)
	b.want("home", math.NaN()) // no such latitude
}

func TestExpressions(t *testing.T) {
	no := ptr(false)
	b := newBench(t, shop(), map[string]features.Spec{
		"mean":     {Mean: "amount", By: "customer", Windows: []string{"1d"}, IncludeCurrent: no},
		"n":        {Count: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: no},
		"ratio":    {Expr: "amount / mean_1d"},
		"half":     {Expr: "amount / 2"},
		"perEvent": {Expr: "amount / n_1d"},
		"filled":   {Expr: "missing(ratio) ? -1 : ratio * 2"},
		"less":     {Expr: "mean_1d < 1 || mean_1d >= 1"},
		"differs":  {Expr: "mean_1d != mean_1d"},
		"big":      {Expr: "amount * 1e308 * 10.0"},
		"logged":   {Expr: "log1p(0.0 - 1)"},
		"smaller":  {Expr: "min(mean_1d, 1.0)"},
		"sum":      {Expr: "km + items"},
	})
	b.observe(event(1, 300))
	b.want("ratio", math.NaN()) // missing makes missing
	b.want("half", 1.5)         // all numbers are doubles
	b.want("perEvent", math.NaN())
	b.want("filled", -1)
	b.want("less", 0)    // no comparison with a missing value holds
	b.want("differs", 1) // but != is the opposite of ==
	b.want("big", math.NaN())
	b.want("logged", math.NaN())
	b.want("smaller", math.NaN())
	b.want("sum", math.NaN())
	b.observe(event(2, 600, number(2, 0.5)))
	b.want("ratio", 2)
	b.want("perEvent", 6)
	b.want("filled", 4)
	b.want("less", 1)
	b.want("smaller", 1)
	b.want("sum", 1.5)
}

func TestComplete(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{"n": {Count: "events", By: "customer", Windows: []string{"10s"}, Delay: "5s"}})
	b.observe(event(100, 1))
	require.False(t, b.result.Complete)
	b.observe(event(114.999999, 1))
	require.False(t, b.result.Complete)
	b.observe(event(115, 1, func(ev *features.Event) { ev.Entities[0] = "new" }))
	require.True(t, b.result.Complete, "an entity never seen has a complete, empty window")
}

func TestCap(t *testing.T) {
	schema := shop()
	schema.Cap = 3
	b := newBench(t, schema, map[string]features.Spec{
		"n":      {Count: "events", By: "customer", Windows: []string{"50s"}, IncludeCurrent: ptr(false)},
		"short":  {Sum: "amount", By: "customer", Windows: []string{"2s"}, IncludeCurrent: ptr(false)},
		"frauds": {FraudCount: "events", By: "customer", Windows: []string{"50s"}, Delay: "0s"},
		"seen":   {FirstSeenAge: "events", By: "customer"},
	})
	first := event(1, 1)
	n := b.observe(first)
	b.label(first, n, features.Fraud, 1)
	b.observe(event(2, 1))
	b.observe(event(3, 1))
	require.False(t, b.result.Degraded)
	b.observe(event(4, 1))
	b.want("frauds_50s", 1)
	b.observe(event(5, 1))
	require.True(t, b.result.Degraded)
	b.want("n_50s", 3)
	b.want("frauds_50s", 0)
	b.want("seen", 4) // the first time outlives the cap
	b.observe(event(100, 1))
	require.False(t, b.result.Degraded, "what was dropped is out of every window")
	b.want("seen", 99)
}

// TestTrimmingKeepsFirstAndLast: what has no window outlives everything.
func TestTrimmingKeepsFirstAndLast(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{
		"n":    {Count: "events", By: "customer", Windows: []string{"10s"}, IncludeCurrent: ptr(true)},
		"gap":  {TimeSinceLast: "events", By: "customer"},
		"seen": {FirstSeenAge: "events", By: "customer"},
	})
	b.observe(event(1, 1))
	b.observe(event(2, 1))
	b.observe(event(1e8, 1))
	b.want("gap", 1e8-2)
	b.want("seen", 1e8-1)
	b.observe(event(1e8-50, 1)) // late, with the last before it long ago
	b.want("gap", 1e8-52)
	b.want("n_10s", 1)
}

func TestObserveErrorsLeaveNoTrace(t *testing.T) {
	b := newBench(t, shop(), map[string]features.Spec{"n": {Count: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: ptr(false)}})
	before := b.engine.Checksum()
	full := errors.New("disk full")
	_, err := b.engine.Observe(event(1, 1), b.vector, func([]uint64) (features.Placement, error) { return features.Placement{}, full })
	require.ErrorIs(t, err, full)
	err = b.engine.Label(event(1, 1), 1, func() (features.Label, error) { return features.Label{}, full })
	require.ErrorIs(t, err, full)
	_, err = b.engine.Observe(event(1, 1), make([]float64, 2), func([]uint64) (features.Placement, error) { panic("not reached") })
	require.ErrorContains(t, err, "vector has 2 places for 1")
	_, err = b.engine.Observe(&features.Event{}, b.vector, func([]uint64) (features.Placement, error) { panic("not reached") })
	require.ErrorContains(t, err, "fields of payment")
	require.Equal(t, before, b.engine.Checksum())
	require.Panics(t, func() {
		_, _ = b.engine.Observe(event(1, 1), b.vector, func([]uint64) (features.Placement, error) { panic("log") })
	})
	b.observe(event(2, 1)) // the locks are free again
	b.want("n_1d", 0)
	require.Equal(t, []uint64{1, 0}, b.ordinals)
}

func TestEngineWithoutDefinitions(t *testing.T) {
	b := newBench(t, shop(), nil)
	b.observe(event(1, 1))
	b.observe(event(2, 1, func(ev *features.Event) { ev.Entities[1] = "d" }))
	require.Equal(t, []uint64{2, 1}, b.ordinals)
	require.True(t, b.result.Complete)
}
