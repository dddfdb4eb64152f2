package features

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// compile turns the engine's definitions into layouts and derived values.
func (e *Engine) compile() error {
	at := map[string]int{}
	for i := range e.defs {
		d := &e.defs[i]
		if d.hash == "" {
			return fmt.Errorf("definition %q was not made by Expand or ParseCanonical", d.Name)
		}
		if key, problem := d.form.bind(e.schema); problem != "" {
			return fmt.Errorf("definition %s cannot be computed on %s: %s: %s", d.Name, e.schema.EventType, key, problem)
		}
		if _, known := at[d.hash]; !known {
			at[d.hash] = i
		}
	}
	var expressions []int
	for i := range e.defs {
		f := &e.defs[i].form
		switch {
		case f.By != "":
			if err := e.layouts[e.schema.entity(f.By)].add(e.schema, f, i); err != nil {
				return fmt.Errorf("definition %s: where: %w", e.defs[i].Name, err)
			}
		case f.Kind == "expr":
			expressions = append(expressions, i)
		default:
			value, err := e.schema.own(f)
			if err != nil {
				return fmt.Errorf("definition %s: %w", e.defs[i].Name, err)
			}
			e.derived = append(e.derived, derived{i, value})
		}
	}
	return e.compileExpressions(expressions, at)
}

// compileExpressions lowers expressions, those that others read first.
func (e *Engine) compileExpressions(expressions []int, at map[string]int) error {
	done := make([]bool, len(e.defs))
	var visit func(i int) error
	visit = func(i int) error {
		if done[i] || e.defs[i].form.Kind != "expr" {
			return nil
		}
		done[i] = true // hashes name what is read, so there is no cycle
		d := &e.defs[i]
		for _, name := range sortedKeys(d.form.Inputs) {
			input, known := at[d.form.Inputs[name]]
			if !known {
				return fmt.Errorf("definition %s reads %s (%s), which is not among the definitions", d.Name, name, d.form.Inputs[name])
			}
			if err := visit(input); err != nil {
				return err
			}
		}
		value, err := e.lower(&d.form, at)
		if err != nil {
			return fmt.Errorf("definition %s: %w", d.Name, err)
		}
		e.derived = append(e.derived, derived{i, value})
		return nil
	}
	for _, i := range expressions {
		if err := visit(i); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) lower(f *form, at map[string]int) (number, error) {
	x, err := parseExpr(f.Expr)
	if err != nil {
		return nil, err
	}
	return x.lower(func(name string) number {
		if hash, isFeature := f.Inputs[name]; isFeature {
			input := at[hash]
			return func(in *frame) float64 { return in.vector[input] }
		}
		return e.schema.value(name)
	})
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// value reads the amount in major units or a number of the event.
func (s *Schema) value(name string) number {
	if name == overAmount {
		power := powers[s.MinorDigits]
		return func(in *frame) float64 { return float64(in.event.Amount) / power }
	}
	i := s.number(name)
	return func(in *frame) float64 { return in.event.Numbers[i] + 0 } // -0 becomes 0
}

// own compiles what is read from the event itself.
func (s *Schema) own(f *form) (number, error) {
	switch f.Kind {
	case "field":
		return s.value(f.Of), nil
	case "category":
		return ofEvent(categoryCode(s.attribute(f.Of), f.Values)), nil
	case "flag":
		return ofEvent(flagValue(s.attribute(f.Of))), nil
	case "distance":
		lat1, lon1, lat2, lon2 := s.value(f.From[0]), s.value(f.From[1]), s.value(f.To[0]), s.value(f.To[1])
		return func(in *frame) float64 { return haversine(lat1(in), lon1(in), lat2(in), lon2(in)) }, nil
	}
	zone, err := loadZone(f.Zone)
	if err != nil {
		return nil, err
	}
	return calendar(f.Kind, zone, f.Between), nil
}

// ofEvent reads the event alone.
func ofEvent(value func(*Event) float64) number {
	return func(in *frame) float64 { return value(in.event) }
}

// categoryCode is the place of the attribute in the declared values, -1 for any other value, NaN when absent.
func categoryCode(attribute int, values []string) func(*Event) float64 {
	codes := make(map[string]float64, len(values))
	for i, v := range values {
		codes[v] = float64(i)
	}
	return func(ev *Event) float64 {
		v := ev.Attributes[attribute]
		if v == "" {
			return math.NaN()
		}
		if code, known := codes[v]; known {
			return code
		}
		return -1
	}
}

func flagValue(attribute int) func(*Event) float64 {
	return func(ev *Event) float64 {
		switch ev.Attributes[attribute] {
		case "":
			return math.NaN()
		case "true":
			return 1
		}
		return 0
	}
}

// calendar is the hour (0-23) or weekday (Monday 0) of the event in a zone, or with between whether it lies in that span, over midnight or Sunday
// when the first is larger than the last.
func calendar(kind string, zone *time.Location, between []int) number {
	read := func(t time.Time) int { return t.Hour() }
	if kind == "weekday" {
		read = func(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
	}
	if between == nil {
		return func(in *frame) float64 { return float64(read(time.UnixMicro(in.event.Time).In(zone))) }
	}
	first, last := between[0], between[1]
	return func(in *frame) float64 {
		x := read(time.UnixMicro(in.event.Time).In(zone))
		inside := first <= x && x <= last
		if first > last {
			inside = first <= x || x <= last
		}
		if inside {
			return 1
		}
		return 0
	}
}
