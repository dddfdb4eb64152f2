package project_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/project"
)

// mapping loads testdata/small.yaml with an import block of these lines.
func mapping(t testing.TB, lines string) *project.Mapping {
	et, err := project.LoadEventType([]byte(small(t) + "import:\n  id: id\n  entities: {user: who}\n" + lines))
	require.NoError(t, err)
	return et.Mapping
}

func TestTimeFormats(t *testing.T) {
	at := func(text string) int64 {
		v, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return v.UnixMicro()
	}
	for _, c := range []struct {
		format, cell string
		want         int64
	}{
		{"format: unix", "1522540831", 1522540831_000000},
		{"format: unix", "1522540831.25", 1522540831_250000},
		{"format: unix", "1522540831.123456000", 1522540831_123456},
		{"format: unix", "-1.5", -1_500000},
		{"format: unix_ms", "1522540831123.4", 1522540831_123400},
		{"format: unix_us", "1522540831123456", 1522540831_123456},
		{"format: rfc3339", "2018-04-01T00:00:31Z", at("2018-04-01T00:00:31Z")},
		{"format: rfc3339", "2018-04-01T09:00:31.5+09:00", at("2018-04-01T00:00:31.5Z")},
		{"format: date", "1977-12-30", at("1977-12-30T00:00:00Z")},
		{`format: "%Y-%m-%d %H:%M:%S"`, "2018-04-01 00:00:31", at("2018-04-01T00:00:31Z")},
		{`format: "%Y-%m-%d %H:%M:%S", zone: Asia/Seoul`, "2018-04-01 09:00:31", at("2018-04-01T00:00:31Z")},
		{`format: "%d.%m.%y %I:%M %p"`, "01.04.18 02:05 PM", at("2018-04-01T14:05:00Z")},
		{`format: "%Y-%m-%dT%H:%M:%S.%f%z"`, "2018-04-01T00:00:31.123456+0100", at("2018-03-31T23:00:31.123456Z")},
	} {
		m := mapping(t, "  time: {column: at, "+c.format+"}\n")
		got, err := m.Time.Format.Parse(c.cell)
		require.NoError(t, err, c.format+" "+c.cell)
		require.Equal(t, c.want, got, c.format+" "+c.cell)
	}
	for _, c := range [][2]string{
		{"unix", ""}, {"unix", "now"}, {"unix", "1e9"}, {"unix", "1.2345678"}, {"unix", "9223372036854775807"}, {"unix", "1.-5"}, {"unix_us", "1.5"},
		{"rfc3339", "2018-04-01"}, {"rfc3339", "2018-04-01T00:00:31.1234567Z"}, {"date", "2018-02-30"}, {"date", "30.12.1977"},
	} {
		_, err := mapping(t, "  time: {column: at, format: "+c[0]+"}\n").Time.Format.Parse(c[1])
		require.Error(t, err, c[0]+" "+c[1])
	}
}

func TestBands(t *testing.T) {
	text := strings.Replace(small(t), "entities:", "attributes: {age: {}}\nentities:", 1) +
		"import:\n  id: id\n  entities: {user: who}\n  time: {column: at}\n  attributes: {age: {from: born, bands: [25, 40, 60]}}\n"
	et, err := project.LoadEventType([]byte(text))
	require.NoError(t, err)
	b := et.Mapping.Attributes[0].Bands
	require.Equal(t, []string{"under_25", "25_to_39", "40_to_59", "60_and_over"}, b.Names())
	event := time.Date(2020, 2, 28, 12, 0, 0, 0, time.UTC).UnixMicro()
	for born, want := range map[string]string{
		"2020-02-28": "under_25", "1995-02-28": "25_to_39", "1995-02-29": "", "1995-03-01": "under_25", "1980-02-29": "25_to_39", "1980-02-28": "40_to_59",
		"1960-03-01": "40_to_59", "1960-02-28": "60_and_over", "1900-01-01": "60_and_over", "2020-02-29": "", "": "", "12/30/1977": "",
	} {
		got, err := b.Of(born, event)
		require.Equal(t, want, got, born)
		require.Equal(t, want == "", err != nil, born)
	}
}

func TestSourcesOfLookups(t *testing.T) {
	text := strings.Replace(small(t), "entities:", "numbers: {a: {}, b: {}, c: {}}\nentities:", 1) +
		"import:\n  id: id\n  entities: {user: who}\n  time: {column: at}\n  numbers: {a: people.x, b: other.x, c: people.x.y}\n  lookup: {people: {file: p.csv, key: k, on: who}}\n"
	et, err := project.LoadEventType([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []project.Binding{
		{Name: "a", Source: project.Source{Lookup: "people", Column: "x"}},
		{Name: "b", Source: project.Source{Column: "other.x"}}, // no lookup of that name: the dot belongs to the column
		{Name: "c", Source: project.Source{Lookup: "people", Column: "x.y"}},
	}, et.Mapping.Numbers)
	require.Equal(t, "people.x", et.Mapping.Numbers[0].Source.String())
	require.Equal(t, []project.Lookup{{Name: "people", File: "p.csv", Key: "k", On: "who"}}, et.Mapping.Lookups)
}

func TestLabelFileDefaults(t *testing.T) {
	m := mapping(t, "  time: {column: at}\n  labels: {id: id, verdict: v, kind: report}\n")
	require.Equal(t, &project.LabelFile{
		ID: project.Source{Column: "id"}, Verdict: project.Source{Column: "v"}, Kind: "report",
		Fraud: []string{"fraud"}, Legitimate: []string{"legitimate"}, Withdrawn: []string{"withdrawn"},
	}, m.Labels)
	require.True(t, m.Labels.ReasonCode.Empty())
}
