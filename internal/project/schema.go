package project

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
)

// schema gives the fields of events, sorted by name: the order in which they are declared has no meaning.
func (raw *rawEventType) schema(d *document) features.Schema {
	s := features.Schema{
		EventType: raw.EventType, Currency: raw.Currency, AllowedLateness: int64(*raw.AllowedLateness), Cap: raw.Cap,
	}
	if !d.has("event_type") {
		d.report("event_type", "name the event type, e.g. event_type: card_payment")
	} else if !plainName(raw.EventType) {
		d.report("event_type", "%q is not a name; use lower-case letters, digits and _, beginning with a letter", raw.EventType)
	}
	if raw.Currency != "" {
		digits, known := minorDigits(raw.Currency)
		if !known {
			d.report("currency", "%q is not an ISO 4217 code; write e.g. EUR, USD or KRW, or leave it out when events have no amount", raw.Currency)
		}
		s.MinorDigits = digits
	}
	if len(raw.Entities) == 0 {
		d.report("entities", "declare whose history counts, e.g. customer: {}")
	}
	for _, name := range sortedKeys(raw.Entities) {
		e := raw.Entities[name]
		raw.checkName(d, "entities", name)
		s.Entities = append(s.Entities, features.EntityKind{Name: name, Optional: e.Optional, PII: e.PII})
	}
	for _, name := range sortedKeys(raw.Attributes) {
		raw.checkName(d, "attributes", name)
		s.Attributes = append(s.Attributes, raw.Attributes[name].attribute(d, name))
	}
	for _, name := range sortedKeys(raw.Numbers) {
		n := raw.Numbers[name]
		raw.checkName(d, "numbers", name)
		scale := -1
		if n.Scale != nil {
			scale = *n.Scale
			if scale < 0 {
				d.report("numbers."+name+".scale", "is the count of decimals kept, 0 to %d; leave it out for a number that is never summed", features.MaxScale)
			}
		}
		if n.PII {
			d.report("numbers."+name+".pii", "a number cannot be kept as a hash and still count; declare it as an attribute, or remove pii")
		}
		s.Numbers = append(s.Numbers, features.Number{Name: name, Scale: scale, Required: n.Required})
	}
	if raw.Labels.Delay != nil {
		s.LabelDelay = int64(*raw.Labels.Delay)
	}
	if raw.Cap < 1 && d.has("cap") {
		d.report("cap", "must lie between 1 and %d", features.MaxCap)
	}
	return s
}

func (a rawAttribute) attribute(d *document, name string) features.Attribute {
	at := "attributes." + name
	out := features.Attribute{Name: name, Values: a.Values, Required: a.Required, PII: a.PII, Segment: a.Segment}
	switch a.Type {
	case "category":
		if a.PII && len(a.Values) > 0 {
			d.report(at+".values", "are compared in clear, but a field flagged pii is kept as a hash; remove one of the two")
		}
	case "flag":
		out.Kind = features.Flag
		if a.PII {
			d.report(at+".pii", "a flag has two values, a hash would not hide it; remove pii")
		}
	default:
		d.report(at+".type", "%q is not a type of attribute; write category or flag", a.Type)
	}
	return out
}

func (raw *rawEventType) checkName(d *document, section, name string) {
	if !plainName(name) {
		d.report(section+"."+name, "%q is not a name; use lower-case letters, digits and _, beginning with a letter", name)
	} else if slices.Contains(policy.ReservedNames(), name) {
		d.report(section+"."+name, "%q means something else in rules; use another name", name)
	}
}

func (raw *rawEventType) labels(d *document) Labels {
	l := Labels{Kinds: raw.Labels.Kinds}
	if raw.Labels.Delay == nil {
		d.report("labels.delay", "say how long after an event its label is usually known, e.g. delay: 7d")
	} else {
		l.Delay = int64(*raw.Labels.Delay)
	}
	if len(l.Kinds) == 0 {
		d.report("labels.kinds", "declare the kinds of labels, e.g. chargeback: {arm_neutral: true}")
	}
	for kind := range l.Kinds {
		if !plainName(kind) {
			d.report("labels.kinds."+kind, "%q is not a name; use lower-case letters, digits and _, beginning with a letter", kind)
		}
	}
	return l
}

// PIIFields lists the fields that are kept as keyed hashes, as the file calls them.
func (t *EventType) PIIFields() []string {
	var names []string
	for _, e := range t.Schema.Entities {
		if e.PII {
			names = append(names, "entities."+e.Name)
		}
	}
	for _, a := range t.Schema.Attributes {
		if a.PII {
			names = append(names, "attributes."+a.Name)
		}
	}
	return names
}

// fold turns what an owner of a part says about it, joined errors that name a field, into violations at their places
// below prefix. What names no place is reported at the prefix.
func (d *document) fold(prefix string, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			d.fold(prefix, e)
		}
		return
	}
	var field *features.FieldError
	var spec *features.SpecError
	var rule *policy.SpecError
	switch {
	case errors.As(err, &field):
		if at := join(prefix, field.Field); !d.reported(at) {
			d.report(at, "%s", field.Problem)
		}
	case errors.As(err, &spec):
		at := join(prefix, spec.Feature)
		if spec.Key != "" {
			at = join(at, spec.Key)
		}
		d.report(at, "%s", spec.Problem)
	case errors.As(err, &rule):
		d.reportInside(join(prefix, rule.Path), rule.Line, rule.Column, rule.Problem)
	default:
		d.report(prefix, "%v", err)
	}
}

// reported says whether something was said about this value already, more specific than its owner could.
func (d *document) reported(path string) bool {
	at := d.find(path)
	return slices.ContainsFunc(d.violations, func(v Violation) bool {
		return v.Path == path && v.Line == at.line && v.Column == at.column
	})
}

// plainName says whether text is a name of ours: lower-case letters, digits and _, beginning with a letter.
func plainName(text string) bool {
	if text == "" || len(text) > 64 || text[0] < 'a' || text[0] > 'z' {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// item is the path of a list's element.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
