package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/policy"
)

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	_, err := policy.Compile(policy.Spec{
		Fallback: policy.Approve, HashEntity: "card",
		Thresholds: policy.ThresholdsSpec{
			Review:  &policy.ThresholdSpec{AlertsPerDay: 10, PrecisionAtLeast: 1.5, Per: "shop"},
			Decline: &policy.ThresholdSpec{LeastCost: true},
		},
		Rules: []policy.RuleSpec{
			{Name: "a", When: "amount + 1", Then: policy.Review},
			{Name: "a", When: "amout > 1", Then: policy.Approve},
			{When: "payments_1d ==\n  3", Then: policy.Review},
			{Name: "d", When: "amount >"},
			{Name: "e", When: "", Then: policy.Decline},
			{Name: "f", When: `["x"].exists(c, c == country)`, Then: policy.Decline},
		},
	}, schema(), definitions())
	got := specErrors(err)
	for path, problem := range map[string]string{
		"fallback":                             "approve would let everything through",
		"hash_entity":                          `"card" is not an entity of this event type; write one of customer, device`,
		"thresholds.review":                    "exactly one of",
		"thresholds.review.precision_at_least": "between 0 and 1",
		"thresholds.review.per":                `"shop" is not an entity`,
		"thresholds.decline.least_cost":        "needs policy.costs",
		"rules[0].when":                        "gives int and must give true or false",
		"rules[1].name":                        "names an earlier rule",
		"rules[1].then":                        "cannot approve",
		"rules[1].when":                        "undeclared reference to 'amout'",
		"rules[2].name":                        "give the rule a name",
		"rules[2].when":                        "write 1.0 for 1",
		"rules[3].then":                        "then: review, challenge or decline",
		"rules[3].when":                        "Syntax error",
		"rules[4].when":                        "say when the rule applies",
		"rules[5].when":                        "undeclared reference to 'c'",
	} {
		require.Contains(t, got, path, problem)
		require.Contains(t, got[path].Problem, problem, path)
	}
	require.Equal(t, [2]int{1, 13}, [2]int{got["rules[2].when"].Line, got["rules[2].when"].Column}, "the operator")
	require.Equal(t, [2]int{1, 1}, [2]int{got["rules[1].when"].Line, got["rules[1].when"].Column})
}

func TestCompileBoundsExpressions(t *testing.T) {
	for name, when := range map[string]string{
		"long": "amount > " + strings.Repeat("1 + ", 2000) + "1",
		"deep": strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
	} {
		_, err := policy.Compile(spec(policy.RuleSpec{Name: "r", When: when, Then: policy.Review}), schema(), definitions())
		require.Error(t, err, name)
	}
	many := make([]policy.RuleSpec, 257)
	_, err := policy.Compile(spec(many...), schema(), definitions())
	require.ErrorContains(t, err, "at most 256")
}

func TestHashEntityMustBeThere(t *testing.T) {
	for entity, problem := range map[string]string{"": "name the entity that is attacked (customer, device)", "device": "is optional"} {
		s := spec()
		s.HashEntity = entity
		_, err := policy.Compile(s, schema(), definitions())
		require.ErrorContains(t, err, problem)
	}
	require.Equal(t, 0, compile(t, spec()).HashEntity())
	require.Equal(t, policy.Review, compile(t, spec()).Fallback())
}

func TestEventTypeWithoutAmount(t *testing.T) {
	s := schema()
	s.Currency = ""
	_, err := policy.Compile(spec(policy.RuleSpec{Name: "r", When: "amount > 1", Then: policy.Review}), s, nil)
	require.ErrorContains(t, err, "undeclared reference to 'amount'")
	_, err = policy.Compile(spec(policy.RuleSpec{Name: "r", When: "distance_km > 1.0", Then: policy.Review}), s, nil)
	require.NoError(t, err)
}
