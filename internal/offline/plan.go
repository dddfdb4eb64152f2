package offline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
)

// plan says who computes what: each entity kind's features are computed apart, as they depend on that kind's histories
// alone; what needs no history is derived from them where they come together.
type plan struct {
	schema      *features.Schema
	names       []string // the columns that were asked for
	definitions []features.Definition
	passes      []pass
	derives     bool
	fields      fields // of the event, that deriving reads
}

// pass computes the features of one entity kind.
type pass struct {
	kind        int             // position in the event type's schema
	schema      features.Schema // the event type's with only what the definitions read
	fields      fields
	definitions []features.Definition
	places      []int // where they stand in plan.definitions
	labels      bool  // some of them depend on labels
}

// fields lists the fields of an event by their positions in the event type's schema.
type fields struct {
	amount                        bool
	entities, attributes, numbers []int
}

func newPlan(schema *features.Schema, declared []features.Definition, names []string) (*plan, error) {
	if len(names) == 0 {
		return nil, errors.New("name at least one feature")
	}
	needed, err := features.Needed(declared, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == idColumn || name == timeColumn {
			return nil, fmt.Errorf("a feature called %s would stand beside the column %s; give it another name", name, name)
		}
	}
	p := &plan{schema: schema, names: names, definitions: needed}
	for kind := range schema.Entities {
		if err := p.addPass(kind); err != nil {
			return nil, err
		}
	}
	for i := range needed {
		p.derives = p.derives || needed[i].Entity() == ""
	}
	if p.derives {
		narrow, err := narrowed(schema, needed, -1)
		if err != nil {
			return nil, err
		}
		p.fields = narrow.fields
		p.fields.entities = nil // what needs no history reads no key
	}
	return p, nil
}

// addPass makes the pass of a kind, if it has features.
func (p *plan) addPass(kind int) error {
	var own []features.Definition
	ps := pass{kind: kind}
	for i := range p.definitions {
		if d := &p.definitions[i]; d.Entity() == p.schema.Entities[kind].Name {
			own, ps.places = append(own, *d), append(ps.places, i)
			ps.labels = ps.labels || d.ReadsLabels()
		}
	}
	if own == nil {
		return nil
	}
	n, err := narrowed(p.schema, own, kind)
	if err != nil {
		return err
	}
	ps.schema, ps.fields, ps.definitions = n.schema, n.fields, own
	p.passes = append(p.passes, ps)
	return nil
}

// narrow is a schema with what some definitions read, and where that stands in the whole one.
type narrow struct {
	schema features.Schema
	fields fields
}

// narrowed leaves out every field without which the definitions can still be computed, but for the entities of a kind.
func narrowed(whole *features.Schema, definitions []features.Definition, kind int) (*narrow, error) {
	n := &narrow{schema: *whole, fields: fields{amount: whole.Currency != ""}}
	if err := computable(&n.schema, definitions); err != nil {
		return nil, err
	}
	try := func(change func(*features.Schema)) bool {
		s := n.schema
		s.Entities, s.Attributes, s.Numbers = slices.Clone(s.Entities), slices.Clone(s.Attributes), slices.Clone(s.Numbers)
		change(&s)
		if computable(&s, definitions) != nil {
			return false
		}
		n.schema = s
		return true
	}
	if n.fields.amount && try(func(s *features.Schema) { s.Currency, s.MinorDigits = "", 0 }) {
		n.fields.amount = false
	}
	for i := len(whole.Entities) - 1; i >= 0; i-- {
		if i == kind || !try(func(s *features.Schema) { s.Entities = slices.Delete(s.Entities, i, i+1) }) {
			n.fields.entities = append(n.fields.entities, i)
		}
	}
	for i := len(whole.Attributes) - 1; i >= 0; i-- {
		if !try(func(s *features.Schema) { s.Attributes = slices.Delete(s.Attributes, i, i+1) }) {
			n.fields.attributes = append(n.fields.attributes, i)
		}
	}
	for i := len(whole.Numbers) - 1; i >= 0; i-- {
		if !try(func(s *features.Schema) { s.Numbers = slices.Delete(s.Numbers, i, i+1) }) {
			n.fields.numbers = append(n.fields.numbers, i)
		}
	}
	slices.Reverse(n.fields.entities)
	slices.Reverse(n.fields.attributes)
	slices.Reverse(n.fields.numbers)
	return n, nil
}

// computable says whether an engine takes the definitions. Expressions are given what they read: definitions is closed
// under it.
func computable(s *features.Schema, definitions []features.Definition) error {
	_, err := features.NewEngine(s, definitions, features.EngineOptions{Shards: 1})
	return err
}
