package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/haechi-fraud/haechi/features"
)

// Compile checks a Spec against the event type it belongs to and readies it. The definitions are the event type's, in the
// order in which vectors carry them. Everything that is wrong comes back at once, as joined *SpecError.
func Compile(spec Spec, schema *features.Schema, defs []features.Definition) (*Policy, error) {
	c := compiler{spec: &spec, schema: schema}
	p := &Policy{fallback: spec.Fallback, currency: schema.Currency}
	c.fallback()
	p.hashEntity = c.hashEntity()
	c.threshold("thresholds.review", spec.Thresholds.Review)
	c.threshold("thresholds.decline", spec.Thresholds.Decline)
	slots, options := variables(schema, defs)
	p.slots = slots
	options = append(options, cel.CrossTypeNumericComparisons(true), cel.ClearMacros(), cel.ParserRecursionLimit(maxExpressionDepth),
		cel.ParserExpressionSizeLimit(maxExpressionBytes))
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("policy: set up the rules' language: %w", err)
	}
	c.rules(env, p)
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// Bounds on a rule's expression, so that no rule can take long.
const (
	maxExpressionBytes = 4096
	maxExpressionDepth = 64
	maxRules           = 256
)

type compiler struct {
	spec   *Spec
	schema *features.Schema
	errs   []error
}

func (c *compiler) add(path, format string, args ...any) {
	c.errs = append(c.errs, &SpecError{Path: path, Problem: fmt.Sprintf(format, args...)})
}

func (c *compiler) fallback() {
	switch c.spec.Fallback {
	case None:
		c.add("fallback", "say what becomes of an event when no model can answer: review, challenge or decline")
	case Approve:
		c.add("fallback", "approve would let everything through when no model can answer; write review, challenge or decline")
	}
}

func (c *compiler) hashEntity() int {
	i := slices.IndexFunc(c.schema.Entities, func(e features.EntityKind) bool { return e.Name == c.spec.HashEntity })
	switch {
	case c.spec.HashEntity == "":
		c.add("hash_entity", "name the entity that is attacked (%s): a ramp keeps each of them with one model", c.entityNames())
	case i < 0:
		c.add("hash_entity", "%q is not an entity of this event type; write one of %s", c.spec.HashEntity, c.entityNames())
	case c.schema.Entities[i].Optional:
		c.add("hash_entity", "%q is optional, so that events without it would have no arm; write a required entity", c.spec.HashEntity)
	}
	return i
}

func (c *compiler) entityNames() string {
	names := make([]string, len(c.schema.Entities))
	for i := range c.schema.Entities {
		names[i] = c.schema.Entities[i].Name
	}
	return strings.Join(names, ", ")
}

func (c *compiler) threshold(path string, t *ThresholdSpec) {
	if t == nil {
		return
	}
	ways := 0
	for _, given := range []bool{t.AlertsPerDay != 0, t.PrecisionAtLeast != 0, t.LeastCost} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		c.add(path, "give exactly one of alerts_per_day, precision_at_least and least_cost")
	}
	if t.AlertsPerDay < 0 || math.IsNaN(t.AlertsPerDay) {
		c.add(path+".alerts_per_day", "must be above 0")
	}
	if t.PrecisionAtLeast < 0 || t.PrecisionAtLeast > 1 || math.IsNaN(t.PrecisionAtLeast) {
		c.add(path+".precision_at_least", "is a share and must lie between 0 and 1; write 0.9 for 90 %%")
	}
	if t.LeastCost && c.spec.Costs == nil {
		c.add(path+".least_cost", "needs policy.costs; declare missed_fraud, false_decline and review")
	}
	if t.Per == "" {
		return
	}
	if t.AlertsPerDay == 0 {
		c.add(path+".per", "belongs to alerts_per_day; remove it")
	}
	if !slices.ContainsFunc(c.schema.Entities, func(e features.EntityKind) bool { return e.Name == t.Per }) {
		c.add(path+".per", "%q is not an entity of this event type; write one of %s", t.Per, c.entityNames())
	}
}

func (c *compiler) rules(env *cel.Env, p *Policy) {
	if len(c.spec.Rules) > maxRules {
		c.add("rules", "%d rules, at most %d are allowed", len(c.spec.Rules), maxRules)
		return
	}
	seen := map[string]bool{}
	for i := range c.spec.Rules {
		r, path := &c.spec.Rules[i], fmt.Sprintf("rules[%d]", i)
		switch {
		case r.Name == "":
			c.add(path+".name", "give the rule a name; decisions and metrics carry it")
		case seen[r.Name]:
			c.add(path+".name", "%q names an earlier rule as well; give it its own", r.Name)
		}
		seen[r.Name] = true
		switch r.Then {
		case None:
			c.add(path+".then", "say what the rule makes of the event: then: review, challenge or decline")
		case Approve:
			c.add(path+".then", "a rule makes a decision stricter, it cannot approve; write review, challenge or decline")
		}
		if program := c.expression(env, path, r.When); program != nil {
			reason := r.Reason
			if reason == "" {
				reason = r.Name
			}
			p.rules = append(p.rules, rule{name: r.Name, then: r.Then, program: program, names: []string{r.Name}, reasons: []string{reason}})
		}
	}
}

func (c *compiler) expression(env *cel.Env, path, text string) cel.Program {
	if text == "" {
		c.add(path+".when", "say when the rule applies, e.g. when: amount > 500000")
		return nil
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.errs = append(c.errs, &SpecError{Path: path + ".when", Line: e.Location.Line(), Column: e.Location.Column() + 1, Problem: c.explain(e.Message)})
		}
		return nil
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		c.add(path+".when", "gives %s and must give true or false; compare it with something", ast.OutputType())
		return nil
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		c.add(path+".when", "%v", err)
		return nil
	}
	return program
}

// explain adds the way out to what cel-go says.
func (c *compiler) explain(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	switch {
	case strings.Contains(message, "undeclared reference"):
		return message + "; a rule reads amount, currency, raw, probability, has_model, and entities, attributes, numbers and features by name"
	case strings.Contains(message, "(double, int)"), strings.Contains(message, "(int, double)"):
		return message + "; features and numbers are decimal: write 1.0 for 1; amount is a whole number of minor units"
	}
	return message
}
