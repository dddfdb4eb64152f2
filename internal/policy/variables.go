package policy

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/haechi-fraud/haechi/features"
)

// slot says where a variable of a rule is read from.
type slot struct {
	kind  slotKind
	index int
}

type slotKind uint8

const (
	slotAmount slotKind = iota
	slotCurrency
	slotRaw
	slotProbability
	slotHasModel
	slotEntity
	slotAttribute
	slotFlag
	slotNumber
	slotFeature
)

// featurePrefix reaches a feature whose name an event's field, or a word of the rules, has as well.
const featurePrefix = "feature."

// variables declares what rules may read. A field of the event goes before a feature of the same name, which is then
// reached as feature.NAME. An absent entity or category is "", an absent flag false, an absent number or feature NaN,
// for which every comparison but != is false.
func variables(s *features.Schema, defs []features.Definition) (map[string]slot, []cel.EnvOption) {
	slots := map[string]slot{}
	var options []cel.EnvOption
	add := func(name string, t *cel.Type, at slot) {
		if _, taken := slots[name]; !taken {
			slots[name] = at
			options = append(options, cel.Variable(name, t))
		}
	}
	if s.Currency != "" {
		add("amount", cel.IntType, slot{kind: slotAmount})
		add("currency", cel.StringType, slot{kind: slotCurrency})
	}
	add("raw", cel.DoubleType, slot{kind: slotRaw})
	add("probability", cel.DoubleType, slot{kind: slotProbability})
	add("has_model", cel.BoolType, slot{kind: slotHasModel})
	for i := range s.Entities {
		add(s.Entities[i].Name, cel.StringType, slot{slotEntity, i})
	}
	for i := range s.Attributes {
		if s.Attributes[i].Kind == features.Flag {
			add(s.Attributes[i].Name, cel.BoolType, slot{slotFlag, i})
		} else {
			add(s.Attributes[i].Name, cel.StringType, slot{slotAttribute, i})
		}
	}
	for i := range s.Numbers {
		add(s.Numbers[i].Name, cel.DoubleType, slot{slotNumber, i})
	}
	for i := range defs {
		add(defs[i].Name, cel.DoubleType, slot{slotFeature, i})
		add(featurePrefix+defs[i].Name, cel.DoubleType, slot{slotFeature, i})
	}
	return slots, options
}

// ReservedNames are words of the rules that no entity, attribute or number may be called.
func ReservedNames() []string {
	return []string{"amount", "currency", "raw", "probability", "has_model", "feature",
		"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
		"loop", "package", "namespace", "return", "var", "void", "while",
		"int", "uint", "double", "bool", "string", "bytes", "list", "map", "type", "dyn", "timestamp", "duration", "null_type"}
}

// activation reads variables straight from an Input.
type activation struct {
	slots    map[string]slot
	in       *Input
	modelled bool
	currency string
}

// ResolveName gives a variable's value to cel-go.
func (a *activation) ResolveName(name string) (any, bool) {
	at, ok := a.slots[name]
	if !ok {
		return nil, false
	}
	e := a.in.Event
	switch at.kind {
	case slotAmount:
		return types.Int(e.Amount), true
	case slotCurrency:
		return types.String(a.currency), true
	case slotRaw:
		return types.Double(a.in.score(a.in.Raw, a.modelled)), true
	case slotProbability:
		return types.Double(a.in.score(a.in.Probability, a.modelled)), true
	case slotHasModel:
		return types.Bool(a.modelled), true
	case slotEntity:
		return types.String(e.Entities[at.index]), true
	case slotAttribute:
		return types.String(e.Attributes[at.index]), true
	case slotFlag:
		return types.Bool(e.Attributes[at.index] == "true"), true
	case slotNumber:
		return types.Double(e.Numbers[at.index]), true
	case slotFeature:
		return types.Double(a.in.Vector[at.index]), true
	}
	return nil, false
}

// Parent says that there is no other place to look.
func (a *activation) Parent() cel.Activation { return nil }

// score is NaN without a model, so that no rule mistakes a zero for a score.
func (in *Input) score(x float64, modelled bool) float64 {
	if !modelled {
		return math.NaN()
	}
	return x
}
