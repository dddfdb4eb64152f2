package policy

import (
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/haechi-fraud/haechi/features"
)

// Flags of an Outcome.
const (
	FlagFallback  = "fallback"   // no model could answer: the declared fallback decided, or a stricter rule
	FlagRuleError = "rule_error" // a rule could not be evaluated: the decision is at least the fallback
)

// Policy is a compiled Spec. It is immutable; any goroutine may use it.
type Policy struct {
	fallback   Decision
	hashEntity int
	rules      []rule
	slots      map[string]slot
	currency   string
}

type rule struct {
	name    string
	then    Decision
	program cel.Program
	names   []string // what an Outcome carries when this rule wins; shared, never written to
	reasons []string
}

// Thresholds are the raw scores of a model version from which an event is reviewed or declined; nil never fires.
type Thresholds struct {
	Review  *float64
	Decline *float64
}

// Input is one event to decide on.
type Input struct {
	Event       *features.Event
	Vector      []float64 // values of the definitions given to Compile, in their order; a longer vector is fine
	HasModel    bool      // false: no model could answer
	Raw         float64   // the model's raw score
	Probability float64
	Thresholds  Thresholds // of the model that gave Raw
}

// Outcome is a decision and where it comes from. Its slices are shared and must not be written to.
type Outcome struct {
	Decision Decision
	Model    Decision // what the model's thresholds, or without a model the fallback, said before the rules
	Rules    []string // the rule that decided; empty when the model did
	Reasons  []string // sentences of that rule
	Flags    []string // FlagFallback, FlagRuleError
	Err      error    // rules that could not be evaluated, joined; to be logged and counted
}

// HashEntity is the position, in the schema, of the entity whose key decides the arm of a ramp.
func (p *Policy) HashEntity() int { return p.hashEntity }

// Fallback is the decision when no model can answer.
func (p *Policy) Fallback() Decision { return p.fallback }

// Decide gives the decision: the model's by its thresholds (without a usable score the fallback's), unless a rule that
// matches is stricter, of which the first wins. A rule that fails makes the decision at least the fallback.
func (p *Policy) Decide(in Input) Outcome {
	out := Outcome{Decision: p.fallback}
	modelled := in.HasModel && !math.IsNaN(in.Raw)
	if modelled {
		out.Decision = in.Thresholds.verdict(in.Raw)
	} else {
		out.Flags = append(out.Flags, FlagFallback)
	}
	out.Model = out.Decision
	if len(p.rules) == 0 {
		return out
	}
	failed := p.applyRules(&in, modelled, &out)
	if failed {
		out.Flags = append(out.Flags, FlagRuleError)
		if out.Decision < p.fallback {
			out.Decision = p.fallback
		}
	}
	return out
}

func (t Thresholds) verdict(raw float64) Decision {
	switch {
	case t.Decline != nil && raw >= *t.Decline:
		return Decline
	case t.Review != nil && raw >= *t.Review:
		return Review
	}
	return Approve
}

// applyRules lets the first rule that matches and is stricter than the model win; it says whether a rule failed before that.
func (p *Policy) applyRules(in *Input, modelled bool, out *Outcome) (failed bool) {
	a := &activation{slots: p.slots, in: in, modelled: modelled, currency: p.currency}
	for i := range p.rules {
		r := &p.rules[i]
		if r.then <= out.Model {
			continue // could not change anything
		}
		matched, err := r.matches(a)
		if err != nil {
			failed = true
			out.Err = errors.Join(out.Err, fmt.Errorf("rule %s: %w", r.name, err))
			continue
		}
		if matched {
			out.Decision, out.Rules, out.Reasons = r.then, r.names, r.reasons
			break
		}
	}
	return failed
}

func (r *rule) matches(a *activation) (matched bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
		}
	}()
	value, _, err := r.program.Eval(a)
	if err != nil {
		return false, err
	}
	b, ok := value.(types.Bool)
	if !ok {
		return false, fmt.Errorf("gave %v instead of true or false", value.Type())
	}
	return bool(b), nil
}
