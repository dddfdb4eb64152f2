package features

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// celProgram is cel-go's own evaluator over the tree that lower is given, with our functions bound to the standard library.
func celProgram(t require.TestingT, x *expression) cel.Program {
	checked, env, err := x.check()
	require.NoError(t, err)
	double, bind := cel.DoubleType, map[string][]cel.OverloadOpt{}
	for name, f := range map[string]func(float64) float64{"log1p": log1p, "abs": math.Abs, "sqrt": math.Sqrt} {
		bind[name] = []cel.OverloadOpt{cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Double(f(float64(v.(types.Double)))) })}
	}
	for name, f := range map[string]func(a, b float64) float64{"min": math.Min, "max": math.Max} {
		bind[name] = []cel.OverloadOpt{cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			return types.Double(f(float64(a.(types.Double)), float64(b.(types.Double))))
		})}
	}
	bound := []cel.EnvOption{cel.Function("missing", cel.Overload("missing_double", []*cel.Type{double}, cel.BoolType,
		cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(math.IsNaN(float64(v.(types.Double)))) })))}
	for name, binding := range bind {
		arguments := []*cel.Type{double}
		if name == "min" || name == "max" {
			arguments = append(arguments, double)
		}
		bound = append(bound, cel.Function(name, cel.Overload(name+"_double", arguments, double, binding...)))
	}
	env, err = env.Extend(bound...)
	require.NoError(t, err)
	program, err := env.Program(checked)
	require.NoError(t, err)
	return program
}

// randomNumber writes an expression of numbers; divisors are never zero, where CEL's infinity and our missing differ by intent.
func randomNumber(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom([]string{"a", "b", "c", "0", "1", "-1", "2.5", "-0.125", "1e3", "7"}).Draw(t, "leaf")
	}
	sub := func() string { return randomNumber(t, depth-1) }
	switch rapid.IntRange(0, 9).Draw(t, "number") {
	case 0:
		return "(" + sub() + " / (abs(" + sub() + ") + 1))"
	case 1:
		return "(" + randomTruth(t, depth-1) + " ? " + sub() + " : " + sub() + ")"
	case 2:
		return "-(" + sub() + ")"
	case 3:
		return rapid.SampledFrom([]string{"abs", "sqrt", "log1p"}).Draw(t, "function") + "(" + sub() + ")"
	case 4:
		return rapid.SampledFrom([]string{"min", "max"}).Draw(t, "function") + "(" + sub() + ", " + sub() + ")"
	}
	return "(" + sub() + rapid.SampledFrom([]string{" + ", " - ", " * "}).Draw(t, "operator") + sub() + ")"
}

func randomTruth(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "constant")
	}
	sub := func() string { return randomTruth(t, depth-1) }
	switch rapid.IntRange(0, 6).Draw(t, "truth") {
	case 0:
		return "!(" + sub() + ")"
	case 1:
		return "(" + sub() + rapid.SampledFrom([]string{" && ", " || ", " == ", " != "}).Draw(t, "operator") + sub() + ")"
	case 2:
		return "missing(" + randomNumber(t, depth-1) + ")"
	case 3:
		return "(" + sub() + " ? " + sub() + " : " + sub() + ")"
	}
	operator := rapid.SampledFrom([]string{" < ", " <= ", " > ", " >= ", " == ", " != "}).Draw(t, "operator")
	return "(" + randomNumber(t, depth-1) + operator + randomNumber(t, depth-1) + ")"
}

func TestClosuresEqualCEL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := randomNumber(t, rapid.IntRange(0, 5).Draw(t, "depth"))
		if rapid.Bool().Draw(t, "truth") {
			text = randomTruth(t, rapid.IntRange(1, 5).Draw(t, "depth"))
		}
		x, err := parseExpr(normalExpr(text))
		require.NoError(t, err)
		at := map[string]int{"a": 0, "b": 1, "c": 2}
		closure, err := x.lower(func(name string) number { return func(in *frame) float64 { return in.vector[at[name]] } })
		require.NoError(t, err, text)
		program := celProgram(t, x)
		for range 5 {
			finite := rapid.OneOf(rapid.SampledFrom([]float64{0, 1, -1, 0.5, 1e300}), rapid.Float64Range(-1e6, 1e6))
			vector := []float64{finite.Draw(t, "a"), finite.Draw(t, "b"), finite.Draw(t, "c")}
			out, _, err := program.Eval(map[string]any{"a": vector[0], "b": vector[1], "c": vector[2]})
			require.NoError(t, err, text)
			var want float64
			switch v := out.(type) {
			case types.Double:
				want = float64(v)
			case types.Bool:
				if v {
					want = 1
				}
			}
			if math.IsInf(want, 0) {
				want = math.NaN()
			}
			got := closure(&frame{vector: vector})
			require.True(t, math.Float64bits(got) == math.Float64bits(want) || math.IsNaN(got) && math.IsNaN(want), "%s at %v is %v, CEL says %v", text, vector, got, want)
		}
	})
}

func TestDivisionAndMissing(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		text string
		a    float64
		want float64
	}{
		{"1 / a", 0, nan}, {"-1 / a", 0, nan}, {"a / a", 0, nan}, {"0 / a", 5, 0}, {"1 / a", nan, nan}, {"a / 0", nan, nan},
		{"a + 1", nan, nan}, {"a * 0", nan, nan}, {"-a", nan, nan}, {"abs(a)", nan, nan}, {"min(a, 1)", nan, nan}, {"max(1, a)", nan, nan},
		{"a < 1", nan, 0}, {"a <= 1", nan, 0}, {"a > 1", nan, 0}, {"a >= 1", nan, 0}, {"a == a", nan, 0}, {"a != a", nan, 1}, {"!(a < 1)", nan, 1},
		{"missing(a)", nan, 1}, {"missing(a)", 1, 0}, {"missing(1 / a)", 0, 1}, {"a > 1 ? 2 : 3", nan, 3},
		{"sqrt(a)", -1, nan}, {"log1p(a)", -1, nan}, {"log1p(a)", -2, nan}, {"log1p(a)", 0, 0},
		{"a * 1e308", 1e10, nan}, {"a * 1e308 > 1", 1e10, 1}, {"true", 0, 1}, {"7 / 2", 0, 3.5},
	} {
		x, err := parseExpr(c.text)
		require.NoError(t, err, c.text)
		closure, err := x.lower(func(string) number { return func(in *frame) float64 { return in.vector[0] } })
		require.NoError(t, err, c.text)
		got := closure(&frame{vector: []float64{c.a}})
		require.True(t, got == c.want || math.IsNaN(got) && math.IsNaN(c.want), "%s at %v is %v, want %v", c.text, c.a, got, c.want)
	}
}

func TestRefusedExpressions(t *testing.T) {
	for text, problem := range map[string]string{
		"":                        "1 to 4096 bytes",
		strings.Repeat("a", 5000): "1 to 4096 bytes",
		"a +":                     "Syntax error",
		"a // b":                  "comment",
		"a % 2":                   "no matching overload",
		"'text'":                  "literal",
		"a == 'text'":             "no matching overload",
		"[a]":                     "outside the numeric subset",
		"[a][0]":                  "at column 4: found no matching overload",
		"{'x': a}.x":              "outside the numeric subset",
		"a.b":                     "type",
		"a in [1.0, 2.0]":         "outside the numeric subset",
		"size('abc')":             "outside the numeric subset",
		"double('1')":             "outside the numeric subset",
		"timestamp(a)":            "no matching overload",
		"1u":                      "literal",
		"null":                    "literal",
		"a + 9007199254740993":    "too large to be exact",
		"log1p(a, a)":             "no matching overload",
		"unknown(a)":              "undeclared",
		"a && true":               "expected type 'bool'",
		"true ? a : false":        "no matching overload",
		"[1, 2].exists(x, x > 1)": "",
		"has(a.b)":                "",
	} {
		err := func() error {
			x, err := parseExpr(normalExpr(text))
			if err != nil {
				return err
			}
			_, err = x.lower(func(string) number { return func(*frame) float64 { return 0 } })
			return err
		}()
		require.ErrorContains(t, err, problem, fmt.Sprintf("%.40s", text))
	}
}

func TestClosuresDoNotAllocate(t *testing.T) {
	x, err := parseExpr("missing(a) || a / b > 3 && !(a == 2) ? log1p(abs(a)) * 2 - 1 : min(a, sqrt(max(b, 1)))")
	require.NoError(t, err)
	closure, err := x.lower(func(name string) number { return func(in *frame) float64 { return in.vector[name[0]-'a'] } })
	require.NoError(t, err)
	in := &frame{vector: []float64{4, 1}}
	require.Zero(t, testing.AllocsPerRun(100, func() { closure(in) }))
}
