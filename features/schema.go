package features

import (
	"errors"
	"fmt"
)

// Defaults and limits of a Schema.
const (
	Microsecond = int64(1)
	Second      = 1_000_000 * Microsecond
	Day         = 86_400 * Second

	DefaultAllowedLateness = 7 * Day // DefaultAllowedLateness is used by projects that declare none.
	DefaultCap             = 65_536  // DefaultCap is what a Schema with Cap 0 keeps per entity.
	MaxCap                 = 1 << 20 // MaxCap is the largest Cap: beyond it sums could leave 64 bits and squares 128.
	MaxScale               = 9       // MaxScale is the largest number of decimals that may be summed exactly.

	maxKey     = 128               // bytes of an id, key or value
	maxUnits   = 1_000_000_000_000 // largest magnitude of an amount in minor units and of a number in scaled units
	maxEntries = 64                // entities, attributes, numbers of one event
)

// AttributeKind says what an attribute holds.
type AttributeKind uint8

// The kinds of attributes.
const (
	Category AttributeKind = iota // one of many words
	Flag                          // "true" or "false"
)

// EntityKind is a kind of entity that history is kept for.
type EntityKind struct {
	Name     string
	Optional bool // may be absent; its features are then NaN
	PII      bool // arrives here as a keyed hash
}

// Attribute is a word an event carries.
type Attribute struct {
	Name     string
	Kind     AttributeKind
	Values   []string // declared values of a category in code order; empty: free text, no {category: ...} feature
	Required bool
	PII      bool
	Segment  bool // fairness is reported by it
}

// Number is a float64 an event carries.
type Number struct {
	Name     string
	Scale    int // decimals kept exactly, 0 to MaxScale; -1: any float64, not summable
	Required bool
	PII      bool
}

// Schema says what an event of one type may carry, in a fixed order. It must not change once an Engine uses it.
type Schema struct {
	EventType       string
	Currency        string // ISO 4217; "" = events of this type have no amount. With a currency the amount is required
	MinorDigits     int    // decimals of the currency's minor unit (2 for EUR)
	Entities        []EntityKind
	Attributes      []Attribute
	Numbers         []Number
	LabelDelay      int64 // microseconds; for labels without known_at
	AllowedLateness int64 // microseconds
	Cap             int   // events kept per entity; 0 = DefaultCap
}

func (s *Schema) entity(name string) int {
	for i := range s.Entities {
		if s.Entities[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *Schema) attribute(name string) int {
	for i := range s.Attributes {
		if s.Attributes[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *Schema) number(name string) int {
	for i := range s.Numbers {
		if s.Numbers[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *Schema) limit() int {
	if s.Cap == 0 {
		return DefaultCap
	}
	return s.Cap
}

// Check reports everything that is wrong with the schema itself, as joined *FieldError.
func (s *Schema) Check() error {
	var errs []error
	add := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if !isName(s.EventType) {
		add("event_type", "%q is not a name: use letters, digits and _, beginning with a letter", s.EventType)
	}
	if s.Currency == "" && s.MinorDigits != 0 {
		add("currency", "minor digits need a currency")
	}
	if s.MinorDigits < 0 || s.MinorDigits > 4 {
		add("currency", "%d minor digits are outside 0 to 4", s.MinorDigits)
	}
	if s.AllowedLateness < 0 || s.AllowedLateness > maxSpan {
		add("allowed_lateness", "must be between 0 and 10 years")
	}
	if s.LabelDelay < 0 || s.LabelDelay > maxSpan {
		add("labels.delay", "must be between 0 and 10 years")
	}
	if s.Cap < 0 || s.Cap > MaxCap {
		add("cap", "%d is outside 1 to %d", s.Cap, MaxCap)
	}
	s.checkFields(add)
	return errors.Join(errs...)
}

func (s *Schema) checkFields(add func(field, format string, args ...any)) {
	seen := map[string]string{}
	name := func(section, name string) {
		field := section + "." + name
		switch {
		case !isName(name):
			add(field, "%q is not a name: use letters, digits and _, beginning with a letter", name)
		case name == "amount" || name == "events":
			add(field, "%q has a meaning of its own; use another name", name)
		case seen[name] != "":
			add(field, "is declared under %s already", seen[name])
		}
		seen[name] = section
	}
	for _, e := range s.Entities {
		name("entities", e.Name)
	}
	for _, a := range s.Attributes {
		name("attributes", a.Name)
		s.checkValues(a, add)
	}
	for _, n := range s.Numbers {
		name("numbers", n.Name)
		if n.Scale < -1 || n.Scale > MaxScale {
			add("numbers."+n.Name, "scale %d is outside 0 to %d", n.Scale, MaxScale)
		}
	}
	for _, section := range []struct {
		name  string
		count int
	}{{"entities", len(s.Entities)}, {"attributes", len(s.Attributes)}, {"numbers", len(s.Numbers)}} {
		if section.count > maxEntries {
			add(section.name, "%d entries, at most %d are allowed", section.count, maxEntries)
		}
	}
}

func (s *Schema) checkValues(a Attribute, add func(field, format string, args ...any)) {
	if a.Kind == Flag && len(a.Values) > 0 {
		add("attributes."+a.Name, "a flag has no values")
	}
	values := map[string]bool{}
	for _, v := range a.Values {
		switch {
		case v == "" || len(v) > maxKey:
			add("attributes."+a.Name, "value %q must have 1 to %d bytes", v, maxKey)
		case values[v]:
			add("attributes."+a.Name, "value %q is listed twice", v)
		}
		values[v] = true
	}
}

// isName says whether text is a name as features, entities and fields have them: a letter, then letters, digits and _, at most 128 bytes.
func isName(text string) bool {
	if text == "" || len(text) > maxKey {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
