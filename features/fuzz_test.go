package features_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// FuzzExpand feeds Expand whatever text an event type may hold; what it accepts must make an engine and read back from its canonical text.
func FuzzExpand(f *testing.F) {
	f.Add("x", "amount / mean_7d", "1d", "7d", "customer", "events", "UTC", "6", "amount > 1")
	f.Add("y", "missing(km) ? 1 : log1p(km) * -2", "90m", "", "device", "km", "Asia/Seoul", "sat", `channel in ["chip"] && !present`)
	f.Add("z", "((((((amount", "0x1d", "9999999d", "\xff", "amount", "../../etc/passwd", "-1", `note == "\x00\""`)
	f.Add("v", "x + y", "1d", "2d", "customer", "channel", "UTC", "1", `!(device == 'x') || '''`)
	f.Fuzz(func(t *testing.T, name, expr, window, delay, by, of, zone, between, where string) {
		current := ptr(true)
		if delay != "" {
			current = nil
		}
		windows := []string{window}
		specs := map[string]features.Spec{
			name + "e": {Expr: expr},
			name + "a": {Mean: of, By: by, Windows: windows, Delay: delay, IncludeCurrent: current, Where: where},
			name + "f": {FraudCount: of, By: by, Windows: windows, Delay: delay, Where: where},
			name + "h": {Calendar: "hour", Zone: zone, Between: []string{between, between}},
			name + "g": {Field: of},
			name + "d": {Distinct: of, By: by, Windows: windows, Delay: delay, IncludeCurrent: current, Where: where},
			name + "v": {Velocity: of, By: by, Windows: windows, Over: delay, IncludeCurrent: ptr(true), Where: where},
			name + "l": {Last: of, By: by, Windows: windows, Where: where},
			name + "c": {Changed: of, By: by},
			name + "s": {ShareOfValue: of, By: by, Windows: windows, IncludeCurrent: ptr(false), Where: where},
			name + "k": {SpeedFromLast: &features.Point{Lat: of, Lon: by}, By: by, Windows: windows, Where: where},
			name + "r": {Speed: &features.Route{From: []string{of, by}, To: windows}, By: by},
		}
		for feature, spec := range specs {
			definitions, err := features.Expand(shop(), []string{feature}, map[string]features.Spec{feature: spec})
			if err != nil {
				var at *features.SpecError
				require.ErrorAs(t, err, &at)
				continue
			}
			computed(t, definitions)
		}
	})
}

// computed: definitions that were accepted read back from their texts, have words, and compute on any event.
func computed(t *testing.T, definitions []features.Definition) {
	for _, d := range definitions {
		read, err := features.ParseCanonical(d.Name, d.Canonical())
		require.NoError(t, err)
		require.Equal(t, d.Hash(), read.Hash())
		require.NotEmpty(t, d.Describe(shop()).Words)
	}
	engine, err := features.NewEngine(shop(), definitions, features.EngineOptions{Shards: 1})
	require.NoError(t, err)
	vector := make([]float64, len(definitions))
	for i := range 3 {
		ev := event(float64(i), 100, attribute(0, "chip"), attribute(2, "x"))
		_, err := engine.Observe(ev, vector, func([]uint64) (features.Placement, error) { return features.Placement{Sequence: uint64(i + 1)}, nil })
		require.NoError(t, err)
	}
}

// FuzzParseCanonical feeds texts that a registry may hold.
func FuzzParseCanonical(f *testing.F) {
	for _, list := range []func() ([]string, map[string]features.Spec){everySpec, laterSpec} {
		names, specs := list()
		definitions, err := features.Expand(shop(), names, specs)
		require.NoError(f, err)
		for _, d := range definitions {
			f.Add(d.Canonical())
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := features.ParseCanonical("x", text)
		if err != nil {
			return
		}
		require.Equal(t, text, d.Canonical())
		if _, err := features.NewEngine(shop(), []features.Definition{d}, features.EngineOptions{Shards: 1}); err == nil {
			computed(t, []features.Definition{d})
		}
	})
}

// FuzzEngineEqualsOracle is the property of TestEngineEqualsOracle, steered by coverage.
func FuzzEngineEqualsOracle(f *testing.F) { f.Fuzz(rapid.MakeFuzz(engineEqualsOracle)) }

// FuzzHostileEvents feeds events of any content, in any order: what Validate accepts is computed as the oracle does, whatever it holds.
func FuzzHostileEvents(f *testing.F) {
	f.Add(make([]byte, 200))
	f.Add([]byte("the quick brown fox jumps over the lazy dog, again and again, until there are some events of it, and some more, and then a few"))
	f.Fuzz(func(t *testing.T, data []byte) { hostileEvents(t, data) })
}

// TestHostileEvents is FuzzHostileEvents on random bytes.
func TestHostileEvents(t *testing.T) {
	seen := 0
	for seed := range int64(150) {
		data := make([]byte, 1_500)
		rand.New(rand.NewSource(seed)).Read(data)
		seen += hostileEvents(t, data)
	}
	require.Greater(t, seen, 1_000)
}

// hostileEvents holds an engine to the oracle and returns how many events were valid.
func hostileEvents(t *testing.T, data []byte) (seen int) {
	names, specs := laterSpec()
	schema := shop()
	schema.Cap = 8
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(schema, definitions, features.EngineOptions{Shards: 2})
	require.NoError(t, err)
	o, vector := &oracle{schema: schema, labels: map[uint64][]features.Label{}}, make([]float64, len(definitions))
	defs := definedAs(t, names, specs)
	var clock features.Clock
	for sequence := uint64(1); len(data) > 12 && sequence < 60; sequence++ {
		var ev features.Event
		ev, data = hostileEvent(data, clock.Watermark())
		var field *features.FieldError
		if err := schema.Validate(&ev); err != nil {
			require.ErrorAs(t, err, &field)
			continue
		}
		p := features.Placement{Sequence: sequence, Outcome: clock.Admit(ev.Time, schema.AllowedLateness)}
		want := o.observe(&ev, defs)
		_, err := engine.Observe(&ev, vector, func([]uint64) (features.Placement, error) { return p, nil })
		require.NoError(t, err)
		for i := range defs {
			require.True(t, same(defs[i], vector[i], want.vector[i]), "%s is %v, want %v of %+v", definitions[i].Name, vector[i], want.vector[i], ev)
		}
		if p.Outcome != features.LateDropped {
			o.added = append(o.added, placed{ev, sequence})
		}
		seen++
	}
	return seen
}

// hostileEvent takes an event off the data: times and numbers from their bits, texts as they are, most times near the watermark.
func hostileEvent(data []byte, watermark int64) (features.Event, []byte) {
	take := func(n int) []byte {
		n = min(n, len(data))
		out := data[:n]
		data = data[n:]
		return out
	}
	word := func() uint64 {
		var b [8]byte
		copy(b[:], take(int(append(take(1), 0)[0]%9)))
		return binary.LittleEndian.Uint64(b[:])
	}
	text := func() string { return string(take(int(append(take(1), 0)[0] % 6))) }
	flag := func() string { return []string{"", "true", "false", "x"}[append(take(1), 0)[0]%4] }
	number := func() float64 {
		if bits := word(); bits > math.MaxUint32 {
			return math.Float64frombits(bits)
		} else if bits != 0 {
			return float64(int32(bits)) / 1000
		}
		return math.NaN()
	}
	at := int64(word())
	if at > 1<<24 || at < 0 {
		at = max(0, watermark) + at%(100*features.Second)
	}
	return features.Event{ID: "e", Time: at, Amount: int64(word()), Entities: []string{"c", text()},
		Attributes: []string{text(), flag(), text()}, Numbers: []float64{number(), number(), number(), float64(int8(word()))}}, data
}

// definedAs gives features as the oracle reads them; filters are those of laterSpec.
func definedAs(t *testing.T, names []string, specs map[string]features.Spec) []defined {
	var defs []defined
	for _, name := range names {
		spec := specs[name]
		d := defined{name: name, spec: spec, labels: spec.FraudShare+spec.FraudCount != "", counts: laterFilters(spec.Where)}
		span := func(text string) int64 {
			length, err := features.ParseSpan(text)
			require.NoError(t, err)
			return length
		}
		if spec.Delay != "" {
			d.delay = span(spec.Delay)
		}
		if spec.Over != "" {
			d.over = span(spec.Over)
		}
		for _, window := range spec.Windows {
			d.window = span(window)
			defs = append(defs, d)
		}
		if spec.Windows == nil {
			defs = append(defs, d)
		}
	}
	return defs
}

func laterFilters(text string) func(ev *features.Event) bool {
	channel := func(ev *features.Event) string { return ev.Attributes[0] }
	counts, known := map[string]func(ev *features.Event) bool{
		"":                                 func(*features.Event) bool { return true },
		`present && lat > -10`:             func(ev *features.Event) bool { return ev.Attributes[1] == "true" && ev.Numbers[0] > -10 },
		`channel  ==  "online"`:            func(ev *features.Event) bool { return channel(ev) == "online" },
		`channel == "online"`:              func(ev *features.Event) bool { return channel(ev) == "online" },
		`channel != "chip"`:                func(ev *features.Event) bool { return channel(ev) != "chip" },
		"amount >= 100.5":                  func(ev *features.Event) bool { return ev.Amount >= 10050 },
		"!missing(lat)":                    func(ev *features.Event) bool { return !math.IsNaN(ev.Numbers[0]) },
		`channel in ["online", "chip"]`:    func(ev *features.Event) bool { return channel(ev) == "online" || channel(ev) == "chip" },
		"amount > 100 && !missing(device)": func(ev *features.Event) bool { return ev.Amount > 10000 && ev.Entities[1] != "" },
	}[text]
	if !known {
		panic(errors.New(fmt.Sprint("no oracle for ", text)))
	}
	return counts
}
