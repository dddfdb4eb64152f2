package features_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		field, problem string
		change         func(*features.Event)
	}{
		{"id", "empty", func(e *features.Event) { e.ID = "" }},
		{"id", "longer than 128", func(e *features.Event) { e.ID = long }},
		{"id", "UTF-8", func(e *features.Event) { e.ID = "\xff" }},
		{"time", "1970 to 2200", func(e *features.Event) { e.Time = -1 }},
		{"time", "1970 to 2200", func(e *features.Event) { e.Time = 7_258_118_400e6 }},
		{"amount", "10^12", func(e *features.Event) { e.Amount = 1e12 + 1 }},
		{"amount", "10^12", func(e *features.Event) { e.Amount = math.MinInt64 }},
		{"entities.customer", "required", func(e *features.Event) { e.Entities[0] = "" }},
		{"entities.device", "longer than 128", func(e *features.Event) { e.Entities[1] = long }},
		{"attributes.note", "longer than 128", func(e *features.Event) { e.Attributes[2] = long }},
		{"attributes.present", "true or false", func(e *features.Event) { e.Attributes[1] = "yes" }},
		{"numbers.items", "required", func(e *features.Event) { e.Numbers[3] = math.NaN() }},
		{"numbers.items", "more than 0 decimals", func(e *features.Event) { e.Numbers[3] = 1.5 }},
		{"numbers.km", "more than 3 decimals", func(e *features.Event) { e.Numbers[2] = 0.0001 }},
		{"numbers.km", "not finite", func(e *features.Event) { e.Numbers[2] = math.Inf(-1) }},
		{"numbers.km", "10^12 units", func(e *features.Event) { e.Numbers[2] = 1e9 + 1 }},
		{"numbers.lat", "10^12", func(e *features.Event) { e.Numbers[0] = 1.1e12 }},
		{"event", "declares 2, 3 and 4", func(e *features.Event) { e.Numbers = nil }},
	} {
		ev := event(1, 1)
		require.NoError(t, shop().Validate(ev))
		c.change(ev)
		err := shop().Validate(ev)
		var at *features.FieldError
		require.ErrorAs(t, err, &at, c.field)
		require.Equal(t, c.field, at.Field)
		require.Contains(t, at.Problem, c.problem)
	}
	edge := event(0, -1e12, number(2, -1e9), number(0, 1e12), attribute(0, "anything"), attribute(1, "false"))
	edge.ID = strings.Repeat("x", 128)
	require.NoError(t, shop().Validate(edge))
	free := shop()
	free.Currency, free.MinorDigits = "", 0
	require.ErrorContains(t, free.Validate(event(1, 1)), "declares no currency")
	required := shop()
	required.Attributes[0].Required = true
	require.ErrorContains(t, required.Validate(event(1, 1)), "attributes.channel: is required")
}

func TestSchemaCheck(t *testing.T) {
	require.NoError(t, shop().Check())
	bad := &features.Schema{EventType: "card payment", MinorDigits: 5, AllowedLateness: -1, LabelDelay: -1, Cap: -1,
		Entities:   []features.EntityKind{{Name: "a"}, {Name: "a"}, {Name: ""}},
		Attributes: []features.Attribute{{Name: "amount"}, {Name: "f", Kind: features.Flag, Values: []string{"x"}}, {Name: "g", Values: []string{"x", "x", ""}}},
		Numbers:    []features.Number{{Name: "n", Scale: 10}, {Name: "_m"}}}
	err := bad.Check()
	for _, problem := range []string{"event_type", "currency: minor digits need", "currency: 5 minor", "allowed_lateness", "labels.delay", "cap: -1",
		"entities.a: is declared", `entities.: ""`, "attributes.amount", "attributes.f: a flag", `attributes.g: value "x" is listed twice`,
		`attributes.g: value ""`, "numbers.n: scale 10", "numbers._m"} {
		require.ErrorContains(t, err, problem)
	}
}

func TestClock(t *testing.T) {
	var c features.Clock
	require.Equal(t, features.InOrder, c.Admit(100, 10))
	require.Equal(t, features.InOrder, c.Admit(100, 10))
	require.Equal(t, features.LateInserted, c.Admit(90, 10))
	require.Equal(t, features.LateDropped, c.Admit(89, 10))
	require.EqualValues(t, 100, c.Watermark())
	require.Equal(t, features.InOrder, c.Admit(101, 10))
	c.Advance(50)
	require.EqualValues(t, 101, c.Watermark())
	require.EqualValues(t, 100, c.Since())
}
