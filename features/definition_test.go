package features_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// everySpec has one feature of every kind on shop.
func everySpec() ([]string, map[string]features.Spec) {
	yes, no := ptr(true), ptr(false)
	list := []namedSpec{
		{"amount", features.Spec{Field: "amount"}},
		{"km", features.Spec{Field: "km"}},
		{"channel_code", features.Spec{Category: "channel"}},
		{"is_present", features.Spec{Flag: "present"}},
		{"hour", features.Spec{Calendar: "hour", Zone: "Asia/Seoul"}},
		{"weekend", features.Spec{Calendar: "weekday", Zone: "UTC", Between: []string{"sat", "sun"}}},
		{"n", features.Spec{Count: "events", By: "customer", Windows: []string{"1d", "90m"}, IncludeCurrent: yes}},
		{"n_amount", features.Spec{Count: "amount", By: "customer", Windows: []string{"1d"}, Delay: "7d"}},
		{"n_km", features.Spec{Count: "km", By: "device", Windows: []string{"1d"}, IncludeCurrent: no}},
		{"total", features.Spec{Sum: "amount", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}},
		{"way", features.Spec{Sum: "km", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes}},
		{"mean", features.Spec{Mean: "amount", By: "customer", Windows: []string{"7d"}, IncludeCurrent: no}},
		{"std", features.Spec{Std: "items", By: "device", Windows: []string{"7d"}, IncludeCurrent: no}},
		{"smallest", features.Spec{Min: "lat", By: "customer", Windows: []string{"2w"}, IncludeCurrent: yes}},
		{"largest", features.Spec{Max: "amount", By: "customer", Windows: []string{"2w"}, IncludeCurrent: no}},
		{"gap", features.Spec{TimeSinceLast: "events", By: "customer"}},
		{"seen", features.Spec{FirstSeenAge: "events", By: "device"}},
		{"frauds", features.Spec{FraudCount: "events", By: "customer", Windows: []string{"30d"}, Delay: "7d"}},
		{"share", features.Spec{FraudShare: "events", By: "customer", Windows: []string{"30d"}, Delay: "7d"}},
		{"last_fraud", features.Spec{LastFraudAge: "events", By: "customer", Windows: []string{"30d"}, Delay: "7d"}},
		{"first_fraud", features.Spec{FirstFraudAge: "events", By: "customer", Windows: []string{"30d"}, Delay: "0s"}},
		{"moved", features.Spec{DistanceFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer"}},
		{"home", features.Spec{Distance: &features.Route{From: []string{"lat", "lon"}, To: []string{"km", "items"}}}},
		{"ratio", features.Spec{Expr: "amount /  mean_7d"}},
		{"twice", features.Spec{Expr: "missing(ratio) ? km : ratio * 2"}},
	}
	return named(list)
}

// laterSpec has one feature of every kind that came later.
func laterSpec() ([]string, map[string]features.Spec) {
	yes, no := ptr(true), ptr(false)
	return named([]namedSpec{
		{"devices", features.Spec{Distinct: "device", By: "customer", Windows: []string{"1d", "30d"}, IncludeCurrent: yes}},
		{"notes", features.Spec{Distinct: "note", By: "device", Windows: []string{"1d"}, Delay: "1d"}},
		{"prices", features.Spec{Distinct: "amount", By: "customer", Windows: []string{"1d"}, IncludeCurrent: no}},
		{"places", features.Spec{Distinct: "lat", By: "customer", Windows: []string{"1d"}, IncludeCurrent: no, Where: `present && lat > -10`}},
		{"same_channel", features.Spec{ShareOfValue: "channel", By: "customer", Windows: []string{"90d"}, IncludeCurrent: no}},
		{"same_km", features.Spec{ShareOfValue: "km", By: "customer", Windows: []string{"90d"}, IncludeCurrent: yes}},
		{"pace", features.Spec{Velocity: "events", By: "customer", Windows: []string{"1h"}, Over: "30d", IncludeCurrent: yes}},
		{"pace_km", features.Spec{Velocity: "km", By: "device", Windows: []string{"1h"}, Over: "1d", Delay: "1h"}},
		{"pace_amount", features.Spec{Velocity: "amount", By: "customer", Windows: []string{"1h"}, Over: "1d", IncludeCurrent: no}},
		{"last_channel", features.Spec{Last: "channel", By: "customer"}},
		{"last_present", features.Spec{Last: "present", By: "customer"}},
		{"last_amount", features.Spec{Last: "amount", By: "customer", Windows: []string{"90d"}, Where: "amount > 100 && !missing(device)"}},
		{"last_lat", features.Spec{Last: "lat", By: "device"}},
		{"new_device", features.Spec{Changed: "device", By: "customer"}},
		{"same_note", features.Spec{SameAsLast: "note", By: "customer", Windows: []string{"7d"}}},
		{"same_items", features.Spec{SameAsLast: "items", By: "customer"}},
		{"speed", features.Spec{SpeedFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer"}},
		{"speed_home", features.Spec{Speed: &features.Route{From: []string{"km", "items"}, To: []string{"lat", "lon"}}, By: "customer"}},
		{"online", features.Spec{Count: "events", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes, Where: `channel  ==  "online"`}},
		{"large", features.Spec{Mean: "amount", By: "customer", Windows: []string{"1d"}, IncludeCurrent: yes, Where: "amount >= 100.5"}},
		{"online_gap", features.Spec{TimeSinceLast: "events", By: "customer", Windows: []string{"90d"}, Where: `channel in ["online", "chip"]`}},
		{"online_seen", features.Spec{FirstSeenAge: "events", By: "customer", Windows: []string{"90d"}, Where: `channel != "chip"`}},
		{"online_far", features.Spec{DistanceFromLast: &features.Point{Lat: "lat", Lon: "lon"}, By: "customer", Windows: []string{"90d"}, Where: "!missing(lat)"}},
		{"online_risk", features.Spec{FraudShare: "events", By: "customer", Windows: []string{"30d"}, Delay: "7d", Where: `channel == "online"`}},
		{"known_frauds", features.Spec{FraudCount: "events", By: "customer", Windows: []string{"30d"}, Delay: "0s"}},
	})
}

type namedSpec struct {
	name string
	spec features.Spec
}

func named(list []namedSpec) ([]string, map[string]features.Spec) {
	var names []string
	specs := map[string]features.Spec{}
	for _, l := range list {
		names, specs[l.name] = append(names, l.name), l.spec
	}
	return names, specs
}

// TestDefinitionHashes holds hashes and canonical texts to what they have always been: models name definitions by them. After adding a kind run the
// test with HAECHI_UPDATE=1; a line that changes is a mistake.
func TestDefinitionHashes(t *testing.T) {
	names, specs := everySpec()
	definitions, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	names, specs = laterSpec()
	later, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	definitions = append(definitions, later...)
	var got bytes.Buffer
	for _, d := range definitions {
		fmt.Fprintf(&got, "%s %s %s\n", d.Name, d.Hash(), d.Canonical())
	}
	golden := filepath.Join("testdata", "definitions.golden")
	if os.Getenv("HAECHI_UPDATE") == "1" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}

func TestCanonicalRoundTrip(t *testing.T) {
	for _, list := range []func() ([]string, map[string]features.Spec){everySpec, laterSpec} {
		canonicalRoundTrip(t, list)
	}
	rapid.Check(t, func(t *rapid.T) {
		names, specs, _ := randomSpecs(t)
		definitions, err := features.Expand(shop(), names, specs)
		require.NoError(t, err)
		for _, d := range definitions {
			read, err := features.ParseCanonical(d.Name, d.Canonical())
			require.NoError(t, err)
			require.Equal(t, d, read)
		}
	})
}

func canonicalRoundTrip(t *testing.T, list func() ([]string, map[string]features.Spec)) {
	names, specs := list()
	definitions, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	read := make([]features.Definition, len(definitions))
	for i, d := range definitions {
		read[i], err = features.ParseCanonical(d.Name, d.Canonical())
		require.NoError(t, err)
		require.Equal(t, d, read[i])
	}
	_, err = features.NewEngine(shop(), read, features.EngineOptions{})
	require.NoError(t, err)
}

func TestHashIsTheMeaning(t *testing.T) {
	hash := func(schema *features.Schema, specs map[string]features.Spec, names ...string) string {
		definitions, err := features.Expand(schema, names, specs)
		require.NoError(t, err)
		return definitions[len(definitions)-1].Hash()
	}
	sum := features.Spec{Sum: "amount", By: "customer", Windows: []string{"24h"}, IncludeCurrent: ptr(true)}
	day := sum
	day.Windows = []string{"1d"}
	require.Equal(t, hash(shop(), map[string]features.Spec{"a": sum}, "a"), hash(shop(), map[string]features.Spec{"b": day}, "b"))
	yen := shop()
	yen.Currency, yen.MinorDigits = "JPY", 0
	require.NotEqual(t, hash(shop(), map[string]features.Spec{"a": sum}, "a"), hash(yen, map[string]features.Spec{"a": sum}, "a"))
	without := map[string]features.Spec{"x": {Expr: "amount * 2"}}
	with := map[string]features.Spec{"amount": {Field: "amount"}, "x": {Expr: " amount\n*  2"}}
	require.Equal(t, hash(shop(), without, "x"), hash(shop(), with, "amount", "x"), "declaring the field as a feature changes no expression")
}

func TestParseCanonicalRefuses(t *testing.T) {
	for text, problem := range map[string]string{
		``:                           "not a canonical definition",
		`{}`:                         "not in canonical form",
		`{"kind":"warp"}`:            "unknown to this version",
		`{"kind":"field","extra":1}`: "not a canonical definition",
		`{"kind": "flag","of":"x"}`:  "not in canonical form",
		`{"of":"x","kind":"flag"}`:   "not in canonical form",
		`{"kind":"flag","of":"x"} `:  "not in canonical form",
		`{"kind":"flag","by":"x"}`:   "keys that mean nothing",
		`{"kind":"hour"}`:            "zone",
		`{"kind":"hour","zone":"UTC","between":[1]}`:                                                           "between",
		`{"kind":"hour","zone":"UTC","between":[1,24]}`:                                                        "between",
		`{"kind":"count","of":"events","by":"c"}`:                                                              "windows",
		`{"kind":"count","of":"events","by":"c","window":-1}`:                                                  "windows",
		`{"kind":"count","of":"events","by":"c","window":1,"delay":1,"current":true}`:                          "include_current",
		`{"kind":"sum","of":"events","by":"c","window":1}`:                                                     "events have no value",
		`{"kind":"sum","of":"amount","by":"c","window":1,"currency":"EUR","digits":99}`:                        "digits",
		`{"kind":"count","of":"events","window":1}`:                                                            "by",
		`{"kind":"distance","from":["a"],"to":["b","c"]}`:                                                      "place",
		`{"kind":"category","of":"x"}`:                                                                         "codes",
		`{"kind":"speed","by":"c","from":["a","b"]}`:                                                           "place",
		`{"kind":"speed_from_last","by":"c","from":["a","b"],"to":["a","b"]}`:                                  "keys that mean nothing",
		`{"kind":"last","of":"x","by":"c"}`:                                                                    "not a sort of field",
		`{"kind":"last","of":"x","by":"c","as":"entity"}`:                                                      "no number",
		`{"kind":"last","of":"x","by":"c","as":"category"}`:                                                    "no codes",
		`{"kind":"last","of":"x","by":"c","values":["a"],"as":"number"}`:                                       "keys that mean nothing",
		`{"kind":"last","of":"x","by":"c","window":-1,"as":"number"}`:                                          "windows",
		`{"kind":"changed","of":"amount","by":"c","as":"number"}`:                                              "names no field",
		`{"kind":"changed","of":"c","by":"c","as":"entity"}`:                                                   "never differs",
		`{"kind":"distinct","by":"c","window":1,"as":"number"}`:                                                "names nothing",
		`{"kind":"velocity","of":"x","by":"c","window":5,"over":5}`:                                            "longer than the windows",
		`{"kind":"velocity","of":"x","by":"c","window":5,"as":"number","over":6}`:                              "keys that mean nothing",
		`{"kind":"count","of":"events","by":"c","window":1,"where":{}}`:                                        "not in canonical form",
		`{"kind":"time_since_last","by":"c","where":{"text":"a","fields":{"a":"flag"}}}`:                       "among the events of a window",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a","fields":{"b":"flag"}}}`:            "declares",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a","fields":{"a":"number"}}}`:          "gives a value",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a","fields":{"a":"nothing"}}}`:         "is said to be",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a  ","fields":{"a":"flag"}}}`:          "normal form",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a","fields":{"a":"flag"},"digits":2}}`: "currency",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a > 1","fields":{"a":"amount"}}}`:      "is said to be",
		`{"kind":"time_since_last","by":"c","window":1,"where":{"text":"a.b","fields":{"a":"category"}}}`:      "where",
		`{"kind":"flag","of":"x","where":{"text":"a","fields":{"a":"flag"}}}`:                                  "keys that mean nothing",
		`{"kind":"expr","expr":"a +","fields":["a"]}`:                                                          "expr",
		`{"kind":"expr","expr":"a + b","fields":["a"]}`:                                                        "declares",
		`{"kind":"expr","expr":"a  + a","fields":["a"]}`:                                                       "normal form",
		`{"kind":"expr","currency":"EUR","expr":"a + a","fields":["a"]}`:                                       "currency",
		`{"kind":"expr","expr":"a + a","fields":["a"],"inputs":{"a":"00"}}`:                                    "declares",
	} {
		_, err := features.ParseCanonical("x", text)
		require.ErrorContains(t, err, problem, text)
	}
	_, err := features.ParseCanonical("1x", `{"kind":"flag","of":"x"}`)
	require.ErrorContains(t, err, "not a name")
}

func TestNeeded(t *testing.T) {
	names, specs := everySpec()
	all, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	got, err := features.Needed(all, []string{"twice", "gap"})
	require.NoError(t, err)
	var order []string
	for _, d := range got {
		order = append(order, d.Name)
	}
	require.Equal(t, []string{"twice", "gap", "mean_7d", "ratio"}, order)
	_, err = features.NewEngine(shop(), got, features.EngineOptions{})
	require.NoError(t, err, "an expression may stand before what it reads")
	_, err = features.NewEngine(shop(), got[:3], features.EngineOptions{})
	require.ErrorContains(t, err, "definition twice reads ratio")
	_, err = features.Needed(all, []string{"nothing"})
	require.ErrorContains(t, err, "nothing is not defined")
	_, err = features.Needed(all, []string{"gap", "gap"})
	require.ErrorContains(t, err, "named twice")
	_, err = features.Needed(got[:1], []string{"twice"})
	require.ErrorContains(t, err, "which is not defined")
}

func TestProjection(t *testing.T) {
	names, specs := everySpec()
	all, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(shop(), all, features.EngineOptions{})
	require.NoError(t, err)
	at, err := engine.Projection([]string{all[3].Hash(), all[0].Hash()})
	require.NoError(t, err)
	require.Equal(t, []int{3, 0}, at)
	_, err = engine.Projection([]string{"aa", all[0].Hash(), "bb"})
	require.ErrorContains(t, err, "aa, bb")
}

// TestEngineRefusesWhatTheSchemaLacks: a definition made for another schema is computed exactly or not at all.
func TestEngineRefusesWhatTheSchemaLacks(t *testing.T) {
	names, specs := everySpec()
	all, err := features.Expand(shop(), names, specs)
	require.NoError(t, err)
	for problem, change := range map[string]func(*features.Schema){
		"not an entity":               func(s *features.Schema) { s.Entities = s.Entities[:1] },
		"not an attribute":            func(s *features.Schema) { s.Attributes = s.Attributes[:1] },
		"is not a category":           func(s *features.Schema) { s.Attributes[0] = features.Attribute{Name: "channel", Kind: features.Flag} },
		"defined on EUR":              func(s *features.Schema) { s.Currency = "USD" },
		"no currency":                 func(s *features.Schema) { s.Currency, s.MinorDigits = "", 0 },
		"neither amount nor a number": func(s *features.Schema) { s.Numbers[2].Name = "miles" },
		"is defined on 3 decimals":    func(s *features.Schema) { s.Numbers[2].Scale = 4 },
		"cannot be summed exactly":    func(s *features.Schema) { s.Numbers[2].Scale = -1 },
		"is not a number of":          func(s *features.Schema) { s.Numbers[1].Name = "east" },
		"is outside 1 to":             func(s *features.Schema) { s.Cap = features.MaxCap + 1 },
	} {
		schema := shop()
		change(schema)
		_, err := features.NewEngine(schema, all, features.EngineOptions{})
		require.ErrorContains(t, err, problem)
	}
	more := shop()
	more.Attributes[0].Values = append(more.Attributes[0].Values, "contactless")
	_, err = features.NewEngine(more, all, features.EngineOptions{})
	require.NoError(t, err, "a further value leaves the definitions of before as they are")
	_, err = features.NewEngine(shop(), make([]features.Definition, 1), features.EngineOptions{})
	require.ErrorContains(t, err, "not made by Expand")
}
