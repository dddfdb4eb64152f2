package features

import (
	"fmt"
	"math"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// filterSchema has fields of every sort, and one that is kept as a hash.
func filterSchema() *Schema {
	return &Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2, Entities: []EntityKind{{Name: "customer"}, {Name: "device", Optional: true}},
		Attributes: []Attribute{{Name: "channel", Values: []string{"chip", "online"}}, {Name: "country"}, {Name: "home"}, {Name: "present", Kind: Flag},
			{Name: "mail", PII: true}},
		Numbers: []Number{{Name: "km", Scale: 3}, {Name: "items", Scale: 0}}}
}

// written is a filter in our words and in CEL's own, which knows no missing fields: there absence is a variable of its own.
type written struct{ ours, cels string }

func both(format string, parts ...written) written {
	ours, cels := make([]any, len(parts)), make([]any, len(parts))
	for i, p := range parts {
		ours[i], cels[i] = p.ours, p.cels
	}
	return written{fmt.Sprintf(format, ours...), fmt.Sprintf(format, cels...)}
}

func randomFilter(t *rapid.T, depth int) written {
	pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "pick") }
	quoted := func() string { return pick(`"chip"`, `'online'`) }
	plain := func(text string) written { return written{text, text} }
	number := func() written { return plain(randomAmount(t, depth)) }
	if depth > 0 {
		sub := func() written { return randomFilter(t, depth-1) }
		switch rapid.IntRange(0, 5).Draw(t, "logic") {
		case 0:
			return both("!(%s)", sub())
		case 1, 2:
			return both("(%s "+pick("&&", "||", "==", "!=")+" %s)", sub(), sub())
		case 3:
			return both("(%s ? %s : %s)", sub(), sub(), sub())
		}
	}
	switch rapid.IntRange(0, 8).Draw(t, "leaf") {
	case 0:
		return plain("(" + pick("channel", "country") + pick(" == ", " != ") + quoted() + ")")
	case 1:
		return plain("(" + quoted() + pick(" == ", " != ") + pick("channel", "country") + ")")
	case 2:
		return plain("(" + pick("country", "channel") + pick(" == ", " != ") + "home)")
	case 3:
		return plain("(channel in [" + quoted() + ", " + quoted() + "])")
	case 4:
		name := pick("channel", "home", "present", "device", "mail")
		return written{"missing(" + name + ")", "missing_" + name}
	case 5:
		return plain("present")
	case 6:
		return both("missing(%s)", number())
	case 7:
		return both("(%s in [1, -2.5, 3])", number())
	}
	return both("(%s"+pick(" < ", " <= ", " > ", " >= ", " == ", " != ")+"%s)", number(), number())
}

func randomAmount(t *rapid.T, depth int) string {
	leaf := rapid.SampledFrom([]string{"amount", "km", "items", "1", "2.5", "-3"}).Draw(t, "number")
	if depth == 0 {
		return leaf
	}
	return rapid.SampledFrom([]string{leaf, "abs(" + leaf + ")", "(" + leaf + " * 2 - km)", "max(items, " + leaf + ")"}).Draw(t, "arithmetic")
}

// filterProgram is cel-go's own evaluator over the checked text.
func filterProgram(t require.TestingT, text string) cel.Program {
	env, err := expressionEnv()
	require.NoError(t, err)
	options := []cel.EnvOption{cel.Variable("present", cel.BoolType)}
	for _, name := range []string{"channel", "country", "home", "mail", "device"} {
		options = append(options, cel.Variable(name, cel.StringType), cel.Variable("missing_"+name, cel.BoolType))
	}
	options = append(options, cel.Variable("missing_present", cel.BoolType))
	for _, name := range []string{"amount", "km", "items"} {
		options = append(options, cel.Variable(name, cel.DoubleType))
	}
	double := func(f func(float64) float64) cel.OverloadOpt {
		return cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Double(f(float64(v.(types.Double)))) })
	}
	options = append(options, cel.Function("abs", cel.Overload("abs_double", []*cel.Type{cel.DoubleType}, cel.DoubleType, double(math.Abs))),
		cel.Function("max", cel.Overload("max_double", []*cel.Type{cel.DoubleType, cel.DoubleType}, cel.DoubleType, cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			return types.Double(math.Max(float64(a.(types.Double)), float64(b.(types.Double))))
		}))),
		cel.Function("missing", cel.Overload("missing_double", []*cel.Type{cel.DoubleType}, cel.BoolType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(math.IsNaN(float64(v.(types.Double)))) }))))
	env, err = env.Extend(options...)
	require.NoError(t, err)
	x, err := parseTree(text)
	require.NoError(t, err, text)
	checked, issues := env.Check(x.parsed)
	require.NoError(t, issues.Err(), text)
	program, err := env.Program(checked)
	require.NoError(t, err)
	return program
}

// filterValues are the event's fields as CEL's variables. What is absent equals nothing: it gets a text of its own.
func filterValues(s *Schema, ev *Event) map[string]any {
	values := map[string]any{"amount": float64(ev.Amount) / 100, "km": ev.Numbers[0], "items": ev.Numbers[1]}
	put := func(name, v string) {
		values["missing_"+name] = v == ""
		if v == "" {
			v = "\x00" + name
		}
		values[name] = v
	}
	for i, a := range s.Attributes {
		put(a.Name, ev.Attributes[i])
	}
	put("device", ev.Entities[1])
	values["present"] = ev.Attributes[3] == "true"
	return values
}

func TestFiltersEqualCEL(t *testing.T) {
	schema := filterSchema()
	rapid.Check(t, func(t *rapid.T) {
		text := randomFilter(t, rapid.IntRange(0, 4).Draw(t, "depth"))
		w, err := newFilter(schema, text.ours)
		if err != nil {
			require.ErrorContains(t, err, "reads no field", text.ours)
			return
		}
		counts, err := w.compile(schema)
		require.NoError(t, err, text.ours)
		program := filterProgram(t, text.cels)
		for range 5 {
			word := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "word") }
			number := rapid.SampledFrom([]float64{0, 1, 3, -2.5, 2.5, math.NaN(), math.Copysign(0, -1)})
			ev := &Event{Amount: rapid.SampledFrom([]int64{0, 100, 250, -300, 1e12}).Draw(t, "amount"), Entities: []string{"c", word("", "d")},
				Attributes: []string{word("", "chip", "online"), word("", "chip", "online", "KR"), word("", "chip", "KR"), word("", "true", "false"), word("", "x")},
				Numbers:    []float64{number.Draw(t, "km"), number.Draw(t, "items")}}
			out, _, err := program.Eval(filterValues(schema, ev))
			require.NoError(t, err, text.cels)
			require.Equal(t, out == types.True, counts(ev), "%s of %+v", text.ours, ev)
		}
	})
}

func TestFiltersDoNotAllocate(t *testing.T) {
	w, err := newFilter(filterSchema(), `channel in ["chip", "online"] && (country == home || !missing(device)) && present && abs(km) < amount * 2 && items in [1, 2]`)
	require.NoError(t, err)
	counts, err := w.compile(filterSchema())
	require.NoError(t, err)
	ev := &Event{Amount: 100, Entities: []string{"c", "d"}, Attributes: []string{"online", "KR", "US", "true", ""}, Numbers: []float64{1, 2}}
	require.True(t, counts(ev))
	require.Zero(t, testing.AllocsPerRun(100, func() { counts(ev) }))
}

func TestRefusedFilters(t *testing.T) {
	for text, problem := range map[string]string{
		"":                            "1 to 4096 bytes",
		`channel ==`:                  "Syntax error",
		`channel == "onlin"`:          `"onlin" is not a declared value of channel, which has chip, online`,
		`channel in ["chip", "o"]`:    `"o" is not a declared value`,
		`mail == "a@b"`:               "keyed hash",
		`mail == country`:             "keyed hash",
		`device == "x"`:               "only missing(device)",
		`device == channel`:           "only missing(device)",
		`shop == "x"`:                 `"shop" is not an attribute, number or entity of payment`,
		`channel == ""`:               "write missing(channel)",
		`channel == 1`:                "no matching overload",
		`channel`:                     "gives a value",
		`km + 1`:                      "gives a value",
		`true`:                        "reads no field",
		`country.startsWith("K")`:     "more than a filter may hold",
		`country.contains(r"K")`:      "plain quotes",
		`country == """K"""`:          "plain quotes",
		`country + "x" == "Kx"`:       "more than a filter may hold",
		`country > "K"`:               "more than a filter may hold",
		`size(country) > 2`:           "no matching overload",
		`country in home`:             "no matching overload",
		`country in []`:               "list of constants",
		`country in [home]`:           "text in quotes",
		`km in [items]`:               "not a constant",
		`km in [1u]`:                  "no matching overload",
		`present in [true]`:           "more than a filter may hold",
		`present == "true"`:           "no matching overload",
		`km > 1 // far`:               "comment",
		`amount > 9007199254740993`:   "too large",
		`country.matches("(a+)+$")`:   "more than a filter may hold",
		`[country].exists(c, c=="K")`: "",
	} {
		_, err := newFilter(filterSchema(), text)
		require.ErrorContains(t, err, problem, text)
	}
	free := filterSchema()
	free.Currency, free.MinorDigits = "", 0
	_, err := newFilter(free, "amount > 1")
	require.ErrorContains(t, err, "declares no currency")
}

func TestFilterText(t *testing.T) {
	for text, want := range map[string]string{
		"  km >\n\t1 ":                "km > 1",
		`country  ==  "a  b"`:         `country == "a  b"`,
		`country == 'it\'s  // "so"'`: `country == 'it\'s  // "so"'`,
		`country == "http://x"`:       `country == "http://x"`,
	} {
		w, err := newFilter(filterSchema(), text)
		require.NoError(t, err, text)
		require.Equal(t, want, w.Text)
	}
}
