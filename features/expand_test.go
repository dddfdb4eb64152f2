package features_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

func TestExpandNames(t *testing.T) {
	names, specs := everySpec()
	definitions, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	var got []string
	for _, d := range definitions {
		got = append(got, d.Name)
	}
	require.Equal(t, []string{"amount", "km", "channel_code", "is_present", "hour", "weekend", "n_1d", "n_90m", "n_amount_1d", "n_km_1d", "total_1d", "way_1d",
		"mean_7d", "std_7d", "smallest_2w", "largest_2w", "gap", "seen", "frauds_30d", "share_30d", "last_fraud_30d", "first_fraud_30d", "moved", "home",
		"ratio", "twice"}, got)
	require.Equal(t, 37*features.Day, definitions[18].Reach())
	require.True(t, definitions[18].ReadsLabels())
	require.False(t, definitions[6].ReadsLabels())
	require.Equal(t, "customer", definitions[6].Entity())
	values, isCategory := definitions[2].Categories()
	require.True(t, isCategory)
	require.Equal(t, []string{"chip", "online"}, values)
}

func TestExpandRefuses(t *testing.T) {
	yes := ptr(true)
	count := features.Spec{Count: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}
	with := func(spec features.Spec, change func(*features.Spec)) features.Spec {
		change(&spec)
		return spec
	}
	for name, c := range map[string]struct {
		spec         features.Spec
		key, problem string
	}{
		"nothing":       {features.Spec{}, "", "none of what it is"},
		"two":           {features.Spec{Field: "amount", Flag: "present"}, "", "says field and flag"},
		"no_by":         {with(count, func(s *features.Spec) { s.By = "" }), "by", "missing"},
		"other_by":      {with(count, func(s *features.Spec) { s.By = "shop" }), "by", `"shop" is not an entity`},
		"no_windows":    {with(count, func(s *features.Spec) { s.Windows = nil }), "windows", "missing"},
		"odd_window":    {with(count, func(s *features.Spec) { s.Windows = []string{"1 day"} }), "windows", "not a length of time"},
		"fine_window":   {with(count, func(s *features.Spec) { s.Windows = []string{"1ns"} }), "windows", "not a length of time"},
		"no_length":     {with(count, func(s *features.Spec) { s.Windows = []string{"0d"} }), "windows", "longer than 0"},
		"long_window":   {with(count, func(s *features.Spec) { s.Windows = []string{"3661d"} }), "windows", "ten years"},
		"twice":         {with(count, func(s *features.Spec) { s.Windows = []string{"1d", "1d"} }), "", "twice_1d is taken"},
		"no_current":    {with(count, func(s *features.Spec) { s.IncludeCurrent = nil }), "include_current", "missing"},
		"both":          {with(count, func(s *features.Spec) { s.Delay = "7d" }), "include_current", "no meaning"},
		"zero_delay":    {with(count, func(s *features.Spec) { s.Delay, s.IncludeCurrent = "0s", nil }), "delay", "is 0"},
		"odd_delay":     {with(count, func(s *features.Spec) { s.Delay, s.IncludeCurrent = "soon", nil }), "delay", "not a length of time"},
		"no_delay":      {features.Spec{FraudShare: "events", By: "customer", Windows: []string{"1d"}}, "delay", "missing"},
		"fraud_current": {features.Spec{FraudCount: "events", By: "customer", Windows: []string{"1d"}, Delay: "1d", IncludeCurrent: yes}, "include_current", "no meaning"},
		"fraud_amount":  {features.Spec{FraudCount: "amount", By: "customer", Windows: []string{"1d"}, Delay: "1d"}, "fraud_count", "write fraud_count: events"},
		"sum_events":    {features.Spec{Sum: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "sum", "events have no value"},
		"sum_lat":       {features.Spec{Sum: "lat", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "sum", "cannot be summed exactly"},
		"sum_channel":   {features.Spec{Sum: "channel", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "sum", "neither amount nor a number"},
		"field_events":  {features.Spec{Field: "events"}, "field", "events have no value"},
		"field_by":      {features.Spec{Field: "amount", By: "customer"}, "by", "no meaning"},
		"field_windows": {features.Spec{Field: "amount", Windows: []string{"1d"}}, "windows", "no meaning"},
		"gap_window":    {features.Spec{TimeSinceLast: "events", By: "customer", Windows: []string{"0d"}}, "windows", "longer than 0"},
		"gap_where":     {features.Spec{TimeSinceLast: "events", By: "customer", Where: "amount > 1"}, "windows", "looked for among the events of a window"},
		"field_where":   {features.Spec{Field: "amount", Where: "amount > 1"}, "where", "no meaning"},
		"where_typo":    {with(count, func(s *features.Spec) { s.Where = `channel == "onlin"` }), "where", "not a declared value"},
		"where_value":   {with(count, func(s *features.Spec) { s.Where = "amount + 1" }), "where", "gives a value"},
		"count_over":    {with(count, func(s *features.Spec) { s.Over = "30d" }), "over", "no meaning"},
		"no_over":       {features.Spec{Velocity: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "over", "missing"},
		"odd_over":      {features.Spec{Velocity: "events", By: "customer", Windows: []string{"1d"}, Over: "long", IncludeCurrent: yes}, "over", "not a length of time"},
		"short_over":    {features.Spec{Velocity: "events", By: "customer", Windows: []string{"1d"}, Over: "1d", IncludeCurrent: yes}, "over", "longer than the windows"},
		"velocity_lat":  {features.Spec{Velocity: "lat", By: "customer", Windows: []string{"1d"}, Over: "7d", IncludeCurrent: yes}, "velocity", "cannot be summed exactly"},
		"distinct_none": {features.Spec{Distinct: "shop", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "distinct", "not an attribute, entity or number"},
		"distinct_self": {features.Spec{Distinct: "customer", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "distinct", "never differs"},
		"share_events":  {features.Spec{ShareOfValue: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}, "share_of_value", "not an attribute, entity or number"},
		"last_note":     {features.Spec{Last: "note", By: "customer"}, "last", "no codes"},
		"last_device":   {features.Spec{Last: "device", By: "customer"}, "last", "no number; use same_as_last"},
		"last_current":  {features.Spec{Last: "amount", By: "customer", IncludeCurrent: yes}, "include_current", "no meaning"},
		"speed_place":   {features.Spec{Speed: &features.Route{From: []string{"lat", "lon"}}, By: "customer"}, "speed", "a place is two numbers"},
		"speed_by":      {features.Spec{SpeedFromLast: &features.Point{Lat: "lat", Lon: "lon"}}, "by", "missing"},
		"gap_current":   {features.Spec{TimeSinceLast: "events", By: "customer", IncludeCurrent: yes}, "include_current", "no meaning"},
		"gap_delay":     {features.Spec{TimeSinceLast: "events", By: "customer", Delay: "1d"}, "delay", "no meaning"},
		"count_zone":    {with(count, func(s *features.Spec) { s.Zone = "UTC" }), "zone", "no meaning"},
		"category_note": {features.Spec{Category: "note"}, "category", "no values"},
		"category_flag": {features.Spec{Category: "present"}, "category", "not a category"},
		"flag_channel":  {features.Spec{Flag: "channel"}, "flag", "not a flag"},
		"flag_none":     {features.Spec{Flag: "none"}, "flag", "not an attribute"},
		"minute":        {features.Spec{Calendar: "minute", Zone: "UTC"}, "calendar", "neither hour nor weekday"},
		"no_zone":       {features.Spec{Calendar: "hour"}, "zone", "name a time zone"},
		"odd_zone":      {features.Spec{Calendar: "hour", Zone: "Mars/Base"}, "zone", "not a time zone"},
		"hour24":        {features.Spec{Calendar: "hour", Zone: "UTC", Between: []string{"0", "24"}}, "between", "0 and 23"},
		"hour_sat":      {features.Spec{Calendar: "hour", Zone: "UTC", Between: []string{"1", "sun"}}, "between", "not an hour"},
		"one_hour":      {features.Spec{Calendar: "hour", Zone: "UTC", Between: []string{"1"}}, "between", "two values"},
		"place":         {features.Spec{Distance: &features.Route{From: []string{"lat"}, To: []string{"lat", "lon"}}}, "distance", "a place is two numbers"},
		"place_none":    {features.Spec{DistanceFromLast: &features.Point{Lat: "lat", Lon: "east"}, By: "customer"}, "distance_from_last", `"east" is not a number`},
		"syntax":        {features.Spec{Expr: "amount +"}, "expr", "at column"},
		"unknown":       {features.Spec{Expr: "amount / other"}, "expr", `"other" is neither`},
		"itself":        {features.Spec{Expr: "itself + 1"}, "expr", "itself reads itself"},
		"km":            {features.Spec{Expr: "lat + 1"}, "", "only {field: km}"},
		"amount":        {count, "", "only {field: amount}"},
		"9lives":        {count, "", "not a name"},
	} {
		_, err := features.Expand(shop(), []string{name}, map[string]features.Spec{name: c.spec})
		var at *features.SpecError
		require.ErrorAs(t, err, &at, name)
		require.Equal(t, name, at.Feature)
		require.Equal(t, c.key, at.Key, "%s: %v", name, err)
		require.Contains(t, err.Error(), c.problem, name)
		require.NotContains(t, err.Error(), "\n", "one problem, one line")
	}
}

// TestExpandReportsAllAtOnce: every violation once, in file order, and none that only follows from another.
func TestExpandReportsAllAtOnce(t *testing.T) {
	names := []string{"bad", "uses_bad", "a", "b", "worse"}
	_, err := features.Expand(shop(), names, map[string]features.Spec{
		"bad":      {Mean: "lat", By: "shop", Windows: []string{"1x", "1d"}},
		"uses_bad": {Expr: "bad_1d * 2"},
		"a":        {Expr: "b + 1"},
		"b":        {Expr: "a + 1"},
		"worse":    {Flag: "none", Zone: "UTC"},
	})
	var joined interface{ Unwrap() []error }
	require.ErrorAs(t, err, &joined)
	require.Equal(t, strings.Join([]string{
		"feature bad: include_current: is missing; say true or false: does the event itself count?",
		`feature bad: by: "shop" is not an entity of payment`,
		"feature bad: mean: number lat has no scale, so it cannot be summed exactly; declare one, or use min or max",
		`feature bad: windows: "1x" is not a length of time; write an integer and one of us, ms, s, m, h, d, w, such as 7d`,
		"feature a: expr: reads itself: a reads b reads a",
		"feature worse: zone: has no meaning for flag; leave it out",
		`feature worse: flag: "none" is not an attribute of payment`,
	}, "\n"), err.Error())
	for _, one := range joined.Unwrap() {
		var at *features.SpecError
		require.True(t, errors.As(one, &at))
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]int64{"1us": 1, "2ms": 2_000, "3s": 3e6, "4m": 240e6, "5h": 18_000e6, "7d": 7 * features.Day, "2w": 14 * features.Day, "0d": 0} {
		got, err := features.ParseSpan(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "d", "7", "-1d", "+1d", "1.5d", "1ns", "1 d", "1dd", "99999999999999999999d", "4000d"} {
		_, err := features.ParseSpan(text)
		require.Error(t, err, text)
	}
}
