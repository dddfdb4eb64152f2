package policy_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
)

func schema() *features.Schema {
	return &features.Schema{
		EventType: "card_payment", Currency: "EUR", MinorDigits: 2,
		Entities:   []features.EntityKind{{Name: "customer"}, {Name: "device", Optional: true}},
		Attributes: []features.Attribute{{Name: "country"}, {Name: "first_use", Kind: features.Flag}},
		Numbers:    []features.Number{{Name: "distance_km", Scale: -1}},
	}
}

func definitions() []features.Definition {
	return []features.Definition{{Name: "amount"}, {Name: "payments_1d"}, {Name: "fraud_share_7d"}}
}

func event() *features.Event {
	return &features.Event{
		ID: "e1", Time: 1, Amount: 600_00,
		Entities: []string{"c7", ""}, Attributes: []string{"KR", "true"}, Numbers: []float64{12.5},
	}
}

func vector() []float64 { return []float64{600, 3, math.NaN()} }

func spec(rules ...policy.RuleSpec) policy.Spec {
	return policy.Spec{Fallback: policy.Review, HashEntity: "customer", Rules: rules}
}

func compile(t require.TestingT, s policy.Spec) *policy.Policy {
	p, err := policy.Compile(s, schema(), definitions())
	require.NoError(t, err)
	return p
}

func at(x float64) *float64 { return &x }

func TestThresholds(t *testing.T) {
	p := compile(t, spec())
	both := policy.Thresholds{Review: at(-1), Decline: at(2)}
	for _, c := range []struct {
		name       string
		thresholds policy.Thresholds
		raw        float64
		want       policy.Decision
	}{
		{"below both", both, math.Nextafter(-1, -2), policy.Approve},
		{"at review", both, -1, policy.Review},
		{"just below decline", both, math.Nextafter(2, 0), policy.Review},
		{"at decline", both, 2, policy.Decline},
		{"above all", both, math.Inf(1), policy.Decline},
		{"minus infinity", both, math.Inf(-1), policy.Approve},
		{"decline only", policy.Thresholds{Decline: at(2)}, 1.9, policy.Approve},
		{"decline below review", policy.Thresholds{Review: at(3), Decline: at(2)}, 2.5, policy.Decline},
		{"none chosen", policy.Thresholds{}, 9, policy.Approve},
	} {
		out := p.Decide(policy.Input{Event: event(), Vector: vector(), HasModel: true, Raw: c.raw, Thresholds: c.thresholds})
		require.Equal(t, policy.Outcome{Decision: c.want, Model: c.want}, out, c.name)
	}
}

func TestWithoutModelTheFallbackDecides(t *testing.T) {
	for _, fallback := range []policy.Decision{policy.Review, policy.Challenge, policy.Decline} {
		s := spec(policy.RuleSpec{Name: "big", When: "amount >= 60000", Then: policy.Challenge, Reason: "Large"})
		s.Fallback = fallback
		p := compile(t, s)
		for name, in := range map[string]policy.Input{
			"no model":         {Event: event(), Vector: vector(), Raw: -9},
			"no number at all": {Event: event(), Vector: vector(), HasModel: true, Raw: math.NaN()},
		} {
			out := p.Decide(in)
			require.Equal(t, fallback, out.Model, name)
			require.Equal(t, max(fallback, policy.Challenge), out.Decision, "%s: a rule may be stricter than the fallback", name)
			require.Equal(t, []string{policy.FlagFallback}, out.Flags, name)
			require.NoError(t, out.Err, name)
		}
	}
}

func TestRulesRead(t *testing.T) {
	for when, want := range map[string]bool{
		"amount > 59999 && amount <= 60000":             true,
		"amount == 600":                                 false, // minor units
		"feature.amount == 600.0":                       true,  // the feature of that name, major units
		`currency == "EUR"`:                             true,
		`customer == "c7"`:                              true,
		`device == ""`:                                  true, // absent
		`country in ["KR", "JP"]`:                       true,
		`country.startsWith("K")`:                       true,
		"first_use":                                     true,
		"!first_use":                                    false,
		"distance_km > 12 && distance_km < 13.0":        true,
		"payments_1d >= 3":                              true,
		"payments_1d == 3.0":                            true,
		"fraud_share_7d > 0.0 || fraud_share_7d <= 0.0": false, // missing compares with nothing
		"fraud_share_7d != fraud_share_7d":              true,  // the test for missing
		"raw == -4.0 && probability == 0.25":            true,
		"has_model":                                     true,
		"payments_1d / 0.0 > 1e300":                     true,
	} {
		p := compile(t, spec(policy.RuleSpec{Name: "r", When: when, Then: policy.Decline}))
		out := p.Decide(policy.Input{Event: event(), Vector: vector(), HasModel: true, Raw: -4, Probability: .25})
		require.NoError(t, out.Err, when)
		require.Equal(t, want, out.Decision == policy.Decline, when)
	}
}

func TestWithoutModelRulesSeeNoScore(t *testing.T) {
	p := compile(t, spec(policy.RuleSpec{Name: "r", When: "!has_model && (raw < 0.0 || raw >= 0.0 || probability >= 0.0)", Then: policy.Decline}))
	require.Equal(t, policy.Review, p.Decide(policy.Input{Event: event(), Vector: vector()}).Decision)
}

func TestFirstStricterRuleWins(t *testing.T) {
	rules := []policy.RuleSpec{
		{Name: "never", When: "amount < 0", Then: policy.Decline},
		{Name: "look", When: "amount > 0", Then: policy.Review},
		{Name: "step_up", When: "amount > 0", Then: policy.Challenge, Reason: "Please confirm"},
		{Name: "stop", When: "amount > 0", Then: policy.Decline, Reason: "Stop"},
	}
	p := compile(t, spec(rules...))
	thresholds := policy.Thresholds{Review: at(0), Decline: at(1)}
	for _, c := range []struct {
		raw      float64
		decision policy.Decision
		rules    []string
		reasons  []string
	}{
		{-1, policy.Review, []string{"look"}, []string{"look"}}, // no sentence: the name
		{.5, policy.Challenge, []string{"step_up"}, []string{"Please confirm"}},
		{1, policy.Decline, nil, nil}, // the model is as strict: its decision
	} {
		out := p.Decide(policy.Input{Event: event(), Vector: vector(), HasModel: true, Raw: c.raw, Thresholds: thresholds})
		require.Equal(t, c.decision, out.Decision)
		require.Equal(t, c.rules, out.Rules)
		require.Equal(t, c.reasons, out.Reasons)
	}
}

// 9223372036854775807 + amount overflows: cel-go gives an error when the rule runs.
const overflows = "9223372036854775807 + amount > 0"

func TestFailingRuleNeverApproves(t *testing.T) {
	failing := policy.RuleSpec{Name: "broken", When: overflows, Then: policy.Decline}
	for _, c := range []struct {
		name  string
		rules []policy.RuleSpec
		want  policy.Decision
		won   []string
	}{
		{"alone: the fallback", []policy.RuleSpec{failing}, policy.Review, nil},
		{"a later match counts", []policy.RuleSpec{failing, {Name: "big", When: "amount > 0", Then: policy.Decline}}, policy.Decline, []string{"big"}},
		{"a later miss does not", []policy.RuleSpec{failing, {Name: "big", When: "amount < 0", Then: policy.Decline}}, policy.Review, nil},
	} {
		out := compile(t, spec(c.rules...)).Decide(policy.Input{Event: event(), Vector: vector(), HasModel: true})
		require.Equal(t, c.want, out.Decision, c.name)
		require.Equal(t, policy.Approve, out.Model, c.name)
		require.Equal(t, c.won, out.Rules, c.name)
		require.Equal(t, []string{policy.FlagRuleError}, out.Flags, c.name)
		require.ErrorContains(t, out.Err, "rule broken", c.name)
	}
}

func TestFailingRuleBelowTheModelIsNotTried(t *testing.T) {
	p := compile(t, spec(policy.RuleSpec{Name: "broken", When: overflows, Then: policy.Review}))
	out := p.Decide(policy.Input{Event: event(), Vector: vector(), HasModel: true, Raw: 1, Thresholds: policy.Thresholds{Decline: at(0)}})
	require.Equal(t, policy.Outcome{Decision: policy.Decline, Model: policy.Decline}, out)
}

func TestShortVectorIsARuleError(t *testing.T) {
	p := compile(t, spec(policy.RuleSpec{Name: "r", When: "fraud_share_7d > 0.5", Then: policy.Decline}))
	out := p.Decide(policy.Input{Event: event(), Vector: []float64{1}, HasModel: true})
	require.Equal(t, policy.Review, out.Decision)
	require.Equal(t, []string{policy.FlagRuleError}, out.Flags)
	require.ErrorContains(t, out.Err, "rule r: internal error: runtime error: index out of range")
}

// Whatever the rules and the score: never milder than the model, and exactly as strict as the first stricter match.
func TestDecisionProperty(t *testing.T) {
	conditions := map[string]bool{"amount > 0": true, "amount < 0": false}
	rapid.Check(t, func(t *rapid.T) {
		var rules []policy.RuleSpec
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			rules = append(rules, policy.RuleSpec{
				Name: string(rune('a' + i)),
				When: rapid.SampledFrom([]string{"amount > 0", "amount < 0"}).Draw(t, "when"),
				Then: policy.Decision(rapid.IntRange(int(policy.Review), int(policy.Decline)).Draw(t, "then")),
			})
		}
		p := compile(t, spec(rules...))
		in := policy.Input{Event: event(), Vector: vector(), HasModel: rapid.Bool().Draw(t, "model"), Raw: rapid.Float64Range(-1, 2).Draw(t, "raw"),
			Thresholds: policy.Thresholds{Review: at(0), Decline: at(1)}}
		want := policy.Review
		if in.HasModel {
			want = map[bool]policy.Decision{true: policy.Review, false: policy.Approve}[in.Raw >= 0]
			if in.Raw >= 1 {
				want = policy.Decline
			}
		}
		for _, r := range rules {
			if conditions[r.When] && r.Then > want {
				want = r.Then
				break
			}
		}
		require.Equal(t, want, p.Decide(in).Decision)
	})
}

func TestWords(t *testing.T) {
	for d := policy.Approve; d <= policy.Decline; d++ {
		back, err := policy.ParseDecision(d.String())
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
	for _, word := range []string{"", "allow", "Approve", "decline "} {
		_, err := policy.ParseDecision(word)
		require.ErrorContains(t, err, "review, challenge or decline", word)
	}
	require.True(t, policy.Approve < policy.Review && policy.Review < policy.Challenge && policy.Challenge < policy.Decline)
}

func TestCosts(t *testing.T) {
	for text, want := range map[string]policy.Cost{"amount": {Amount: true}, "15.00": {Fixed: 15}, "0": {}} {
		var c policy.Cost
		require.NoError(t, c.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, c, text)
		written, err := c.MarshalText()
		require.NoError(t, err)
		var back policy.Cost
		require.NoError(t, back.UnmarshalText(written))
		require.Equal(t, want, back, text)
	}
	require.Equal(t, 99.5, policy.Cost{Amount: true}.Of(99.5))
	require.Equal(t, 15.0, policy.Cost{Fixed: 15}.Of(99.5))
	for _, text := range []string{"", "-1", "NaN", "Inf", "amounts", "1e999"} {
		require.Error(t, new(policy.Cost).UnmarshalText([]byte(text)), text)
	}
}

func specErrors(err error) map[string]*policy.SpecError {
	out := map[string]*policy.SpecError{}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return out
	}
	for _, e := range many.Unwrap() {
		var one *policy.SpecError
		if errors.As(e, &one) {
			out[one.Path] = one
		}
	}
	return out
}

func BenchmarkDecide(b *testing.B) {
	p := compile(b, spec(
		policy.RuleSpec{Name: "cap", When: "amount > 500000", Then: policy.Challenge},
		policy.RuleSpec{Name: "terminal", When: "fraud_share_7d >= 0.5 && payments_1d >= 5.0", Then: policy.Review},
	))
	in := policy.Input{Event: event(), Vector: vector(), HasModel: true, Raw: -3, Thresholds: policy.Thresholds{Review: at(0), Decline: at(1)}}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(in)
	}
}
