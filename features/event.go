package features

import (
	"fmt"
	"math"
	"unicode/utf8"
)

const maxTime = 7_258_118_400 * Second // 2200-01-01, as exclusive upper bound of event times

// Event is one thing to be judged, its fields by the position that its Schema gives them.
type Event struct {
	ID         string
	Time       int64     // event time, microseconds since the Unix epoch, UTC
	Amount     int64     // minor units of the schema's currency
	Entities   []string  // "" = absent (only optional ones)
	Attributes []string  // "" = absent
	Numbers    []float64 // NaN = absent
}

// FieldError names the field of an event or a schema that cannot be accepted, and what is wrong with it.
type FieldError struct {
	Field   string // as the wire calls it: id, time, amount, entities.customer, attributes.country, numbers.distance_km
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate returns a *FieldError for the first field of e that its schema does not allow.
func (s *Schema) Validate(e *Event) error {
	if len(e.Entities) != len(s.Entities) || len(e.Attributes) != len(s.Attributes) || len(e.Numbers) != len(s.Numbers) {
		return &FieldError{"event", fmt.Sprintf("has %d entities, %d attributes and %d numbers where %s declares %d, %d and %d",
			len(e.Entities), len(e.Attributes), len(e.Numbers), s.EventType, len(s.Entities), len(s.Attributes), len(s.Numbers))}
	}
	if e.ID == "" {
		return &FieldError{"id", "is empty; every event needs an id of its own"}
	}
	if problem := textProblem(e.ID); problem != "" {
		return &FieldError{"id", problem}
	}
	if e.Time < 0 || e.Time >= maxTime {
		return &FieldError{"time", "lies outside 1970 to 2200"}
	}
	if s.Currency == "" && e.Amount != 0 {
		return &FieldError{"amount", s.EventType + " declares no currency, so its events have no amount"}
	}
	if e.Amount > maxUnits || e.Amount < -maxUnits {
		return &FieldError{"amount", "is beyond 10^12 minor units"}
	}
	if err := s.validateEntities(e); err != nil {
		return err
	}
	if err := s.validateAttributes(e); err != nil {
		return err
	}
	return s.validateNumbers(e)
}

func (s *Schema) validateEntities(e *Event) error {
	for i, key := range e.Entities {
		if key == "" && !s.Entities[i].Optional {
			return &FieldError{"entities." + s.Entities[i].Name, "is required"}
		}
		if problem := textProblem(key); problem != "" {
			return &FieldError{"entities." + s.Entities[i].Name, problem}
		}
	}
	return nil
}

func (s *Schema) validateAttributes(e *Event) error {
	for i, value := range e.Attributes {
		a := &s.Attributes[i]
		if value == "" {
			if a.Required {
				return &FieldError{"attributes." + a.Name, "is required"}
			}
			continue
		}
		if problem := textProblem(value); problem != "" {
			return &FieldError{"attributes." + a.Name, problem}
		}
		if a.Kind == Flag && value != "true" && value != "false" {
			return &FieldError{"attributes." + a.Name, "is a flag: true or false"}
		}
	}
	return nil
}

func (s *Schema) validateNumbers(e *Event) error {
	for i, x := range e.Numbers {
		n := &s.Numbers[i]
		if problem := numberProblem(x, n); problem != "" {
			return &FieldError{"numbers." + n.Name, problem}
		}
	}
	return nil
}

func numberProblem(x float64, n *Number) string {
	switch {
	case math.IsNaN(x):
		if n.Required {
			return "is required"
		}
	case math.IsInf(x, 0):
		return "is not finite"
	case n.Scale < 0:
		if math.Abs(x) > maxUnits {
			return "is beyond 10^12"
		}
	case math.Abs(x)*powers[n.Scale] > maxUnits:
		return fmt.Sprintf("is beyond 10^12 units of its %d decimals", n.Scale)
	case float64(scaled(x, n.Scale))/powers[n.Scale] != x:
		return fmt.Sprintf("has more than %d decimals", n.Scale)
	}
	return ""
}

func textProblem(text string) string {
	switch {
	case len(text) > maxKey:
		return fmt.Sprintf("is longer than %d bytes", maxKey)
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	}
	return ""
}

// powers of ten, exact in float64.
var powers = [MaxScale + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// scaled returns the integer k with x = k / 10^scale. For |k| <= 10^12 the product is off by less than 2^-12, so rounding it finds k whenever
// the shortest decimal text of x has at most scale decimals; and then k / 10^scale, rounded once, is x again.
func scaled(x float64, scale int) int64 { return int64(math.Round(x * powers[scale])) }
