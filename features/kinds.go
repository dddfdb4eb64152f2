package features

import (
	"fmt"
	"reflect"
	"time"
	_ "time/tzdata" // time zones where the machine has none
)

// trait is what a kind of definition needs and allows.
type trait struct {
	entity   bool // reads an entity's history
	windowed bool
	labels   bool
	previous bool // reads one event before, wherever it lies or within a window
}

// What of an event an aggregate may be taken over, besides the names of its fields.
const (
	overEvents = "events"
	overAmount = "amount"
)

// What a field is, where a definition may read several sorts.
const (
	asAmount   = "amount"
	asNumber   = "number"
	asCategory = "category"
	asFlag     = "flag"
	asEntity   = "entity"
)

func traitOf(kind string) (trait, bool) {
	switch kind {
	case "count", "sum", "mean", "std", "min", "max", "distinct", "share_of_value", "velocity":
		return trait{entity: true, windowed: true}, true
	case "fraud_count", "fraud_share", "last_fraud_age", "first_fraud_age":
		return trait{entity: true, windowed: true, labels: true}, true
	case "time_since_last", "first_seen_age", "distance_from_last", "speed_from_last", "speed", "last", "changed", "same_as_last":
		return trait{entity: true, previous: true}, true
	case "field", "category", "flag", "hour", "weekday", "distance", "expr":
		return trait{}, true
	}
	return trait{}, false
}

// summed says whether the form adds up values of a number, which then has digits.
func (f *form) summed() bool { return f.Kind == "sum" || f.Kind == "mean" || f.Kind == "std" }

// check says what is wrong with a form by itself, without a schema: the key as written and the problem, both empty when nothing is.
func (f *form) check() (key, problem string) {
	t, known := traitOf(f.Kind)
	if !known {
		return "kind", fmt.Sprintf("%q is unknown to this version of Haechi", f.Kind)
	}
	if !reflect.DeepEqual(*f, f.own(t)) {
		return "kind", fmt.Sprintf("a %s has keys that mean nothing to it", f.Kind)
	}
	if t.entity && !isName(f.By) {
		return "by", "names no entity"
	}
	if key, problem := f.checkWindow(t); problem != "" {
		return key, problem
	}
	if f.Where != nil {
		if problem := f.Where.check(); problem != "" {
			return "where", problem
		}
	}
	if f.Digits < 0 || f.Digits > MaxScale {
		return "digits", fmt.Sprintf("%d is outside 0 to %d", f.Digits, MaxScale)
	}
	return f.checkSubject()
}

// checkSubject checks what the form is about.
func (f *form) checkSubject() (key, problem string) {
	switch f.Kind {
	case "hour", "weekday":
		return f.checkCalendar()
	case "distance", "speed":
		return f.Kind, checkPlaces(f.From, f.To)
	case "distance_from_last", "speed_from_last":
		return f.Kind, checkPlaces(f.From)
	case "expr":
		return f.checkExpr()
	case "distinct", "share_of_value", "last", "changed", "same_as_last":
		return f.Kind, f.checkField()
	case "category":
		if len(f.Values) == 0 {
			return "category", noCodes
		}
	}
	return "", ""
}

const noCodes = "the attribute declares no values, so it has no codes"

// checkField checks what kinds that read any sort of field read.
func (f *form) checkField() (problem string) {
	switch f.As {
	case asAmount, asNumber, asCategory, asFlag, asEntity:
	default:
		return fmt.Sprintf("%q is not a sort of field", f.As)
	}
	switch {
	case !isName(f.Of) || (f.Of == overAmount) != (f.As == asAmount):
		return "names no field of the event"
	case f.As == asEntity && f.Of == f.By:
		return "is the entity whose history is read: it never differs"
	case f.As == asEntity && f.Kind == "last":
		return "an entity's key is no number; use same_as_last or changed"
	case f.As == asCategory && f.Kind == "last" && len(f.Values) == 0:
		return noCodes
	}
	return ""
}

func (f *form) checkWindow(t trait) (key, problem string) {
	switch {
	case t.previous && f.Window == 0 && f.Where == nil:
		return "", ""
	case t.previous && f.Window == 0:
		return "windows", "is missing; what a filter looks for is looked for among the events of a window"
	case !t.windowed && !t.previous:
		return "", ""
	case f.Window <= 0 || f.Window > maxSpan:
		return "windows", "must be longer than 0 and at most ten years"
	case t.previous:
		return "", ""
	case f.Delay < 0 || f.Delay > maxSpan:
		return "delay", "must be between 0 and ten years"
	case f.Current && (t.labels || f.Delay > 0):
		return "include_current", "has no meaning with a delay or labels: the event itself is outside the window"
	case !t.labels && f.Of == "":
		return f.Kind, "names nothing to aggregate"
	case f.Of == overEvents && f.Kind != "count" && f.Kind != "velocity" && !t.labels:
		return f.Kind, "events have no value; name amount or a number"
	case f.Kind == "velocity" && (f.Over <= f.Window || f.Over > maxSpan):
		return "over", "must be longer than the windows and at most ten years"
	}
	return "", ""
}

func (f *form) checkCalendar() (key, problem string) {
	if _, err := loadZone(f.Zone); err != nil {
		return "zone", err.Error()
	}
	if f.Between == nil {
		return "", ""
	}
	last := 23
	if f.Kind == "weekday" {
		last = 6
	}
	if len(f.Between) != 2 || min(f.Between[0], f.Between[1]) < 0 || max(f.Between[0], f.Between[1]) > last {
		return "between", fmt.Sprintf("must be two values between 0 and %d", last)
	}
	return "", ""
}

func checkPlaces(places ...[]string) (problem string) {
	for _, place := range places {
		if len(place) != 2 || place[0] == "" || place[1] == "" {
			return "a place is two numbers: latitude and longitude in degrees"
		}
	}
	return ""
}

// loadZone finds a time zone by its IANA name.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("name a time zone, such as UTC or Europe/Berlin")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone; use a name such as UTC or Europe/Berlin", name)
	}
	return zone, nil
}

// own is the form with only the fields that its kind has.
func (f *form) own(t trait) form {
	g := form{Kind: f.Kind}
	if t.entity {
		g.By, g.Where = f.By, f.Where
	}
	if t.windowed {
		g.Window, g.Delay, g.Current = f.Window, f.Delay, f.Current
	}
	if t.previous {
		g.Window = f.Window
	}
	switch f.Kind {
	case "count", "sum", "mean", "std", "min", "max", "field":
		g.Of = f.Of
		if f.Of == overAmount && f.Kind != "count" {
			g.Currency, g.Digits = f.Currency, f.Digits
		} else if f.summed() {
			g.Digits = f.Digits
		}
	case "category":
		g.Of, g.Values = f.Of, f.Values
	case "flag":
		g.Of = f.Of
	case "hour", "weekday":
		g.Zone, g.Between = f.Zone, f.Between
	case "distance", "speed":
		g.From, g.To = f.From, f.To
	case "distance_from_last", "speed_from_last":
		g.From = f.From
	case "distinct", "share_of_value", "changed", "same_as_last":
		g.Of, g.As = f.Of, f.As
	case "last":
		g.Of, g.As = f.Of, f.As
		switch f.As {
		case asAmount:
			g.Currency, g.Digits = f.Currency, f.Digits
		case asCategory:
			g.Values = f.Values
		}
	case "velocity":
		g.Of, g.Over = f.Of, f.Over
	case "expr":
		g.Expr, g.Fields, g.Inputs, g.Currency, g.Digits = f.Expr, f.Fields, f.Inputs, f.Currency, f.Digits
	}
	return g
}

// bind says what of a form the schema does not give: the key as written and the problem, both empty when all is there.
func (f *form) bind(s *Schema) (key, problem string) {
	if f.By != "" && s.entity(f.By) < 0 {
		return "by", fmt.Sprintf("%q is not an entity of %s", f.By, s.EventType)
	}
	if f.Where != nil {
		if problem := f.Where.bind(s); problem != "" {
			return "where", problem
		}
	}
	switch f.Kind {
	case "category", "flag":
		return f.bindAttribute(s)
	case "distance", "distance_from_last", "speed", "speed_from_last":
		for _, name := range append(append([]string(nil), f.From...), f.To...) {
			if s.number(name) < 0 {
				return f.Kind, fmt.Sprintf("%q is not a number of %s", name, s.EventType)
			}
		}
	case "expr":
		for _, name := range f.Fields {
			if problem := f.bindValue(s, name, false); problem != "" {
				return "expr", problem
			}
		}
	case "distinct", "share_of_value", "changed", "same_as_last", "last":
		return f.Kind, f.bindField(s)
	case "count", "sum", "mean", "std", "min", "max", "velocity", "field":
		if f.Of != overEvents {
			return f.Kind, f.bindValue(s, f.Of, f.summed() || f.Kind == "velocity")
		}
		if f.Kind == "field" {
			return "field", "events have no value; name amount or a number"
		}
	}
	return "", ""
}

// bindField checks a field of any sort against the schema.
func (f *form) bindField(s *Schema) (problem string) {
	switch as := s.sort(f.Of); {
	case as == "":
		return fmt.Sprintf("%q is not an attribute, entity or number of %s, nor amount", f.Of, s.EventType)
	case as != f.As:
		return fmt.Sprintf("%s is a %s in %s, not a %s", f.Of, as, s.EventType, f.As)
	case as == asAmount:
		return f.bindValue(s, f.Of, false)
	}
	return ""
}

// sort says what the field of that name is, "" when there is none.
func (s *Schema) sort(name string) string {
	if name == overAmount {
		return asAmount
	}
	if s.entity(name) >= 0 {
		return asEntity
	}
	if i := s.attribute(name); i >= 0 {
		if s.Attributes[i].Kind == Flag {
			return asFlag
		}
		return asCategory
	}
	if s.number(name) >= 0 {
		return asNumber
	}
	return ""
}

// inCurrency says whether the form's value is an amount of money or made of one, so that its currency is part of its meaning.
func (f *form) inCurrency() bool {
	switch f.Kind {
	case "count", "velocity", "distinct", "share_of_value", "changed", "same_as_last":
		return false
	}
	return true
}

// bindValue checks the amount or a number of that name against the schema.
func (f *form) bindValue(s *Schema, name string, summed bool) (problem string) {
	if name == overAmount {
		switch {
		case s.Currency == "":
			return s.EventType + " declares no currency, so its events have no amount"
		case f.inCurrency() && (f.Currency != s.Currency || f.Digits != s.MinorDigits):
			return fmt.Sprintf("is defined on %s with %d decimals, %s has %s with %d", f.Currency, f.Digits, s.EventType, s.Currency, s.MinorDigits)
		}
		return ""
	}
	i := s.number(name)
	switch {
	case i < 0:
		return fmt.Sprintf("%q is neither amount nor a number of %s", name, s.EventType)
	case summed && s.Numbers[i].Scale < 0:
		return fmt.Sprintf("number %s has no scale, so it cannot be summed exactly; declare one, or use min or max", name)
	case f.summed() && s.Numbers[i].Scale != f.Digits:
		return fmt.Sprintf("is defined on %d decimals of %s, which has %d", f.Digits, name, s.Numbers[i].Scale)
	}
	return ""
}

// bindAttribute leaves the declared values alone: a category's codes are those of the definition, also after the schema has got more values.
func (f *form) bindAttribute(s *Schema) (key, problem string) {
	i := s.attribute(f.Of)
	switch {
	case i < 0:
		return f.Kind, fmt.Sprintf("%q is not an attribute of %s", f.Of, s.EventType)
	case (f.Kind == "flag") != (s.Attributes[i].Kind == Flag):
		return f.Kind, fmt.Sprintf("attribute %s is not a %s", f.Of, f.Kind)
	}
	return "", ""
}
