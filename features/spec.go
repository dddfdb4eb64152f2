package features

import "fmt"

// Spec is one entry of an event type's `features`, as written. What is not written is empty; Expand says what may stand together.
type Spec struct {
	Field    string `yaml:"field,omitempty"`    // amount or a number of the event itself
	Category string `yaml:"category,omitempty"` // code of a category attribute with declared values
	Flag     string `yaml:"flag,omitempty"`     // 1 or 0

	Calendar string   `yaml:"calendar,omitempty"` // hour or weekday
	Zone     string   `yaml:"zone,omitempty"`     // IANA time zone of Calendar
	Between  []string `yaml:"between,omitempty"`  // first and last, inclusive; makes Calendar 1 or 0

	Count         string `yaml:"count,omitempty"` // aggregates: over events, amount or a number
	Sum           string `yaml:"sum,omitempty"`
	Mean          string `yaml:"mean,omitempty"`
	Std           string `yaml:"std,omitempty"`
	Min           string `yaml:"min,omitempty"`
	Max           string `yaml:"max,omitempty"`
	TimeSinceLast string `yaml:"time_since_last,omitempty"`
	FirstSeenAge  string `yaml:"first_seen_age,omitempty"`
	FraudCount    string `yaml:"fraud_count,omitempty"`
	FraudShare    string `yaml:"fraud_share,omitempty"`
	LastFraudAge  string `yaml:"last_fraud_age,omitempty"`
	FirstFraudAge string `yaml:"first_fraud_age,omitempty"`

	DistanceFromLast *Point `yaml:"distance_from_last,omitempty"` // km from the entity's previous event
	Distance         *Route `yaml:"distance,omitempty"`           // km between two points of the event itself
	SpeedFromLast    *Point `yaml:"speed_from_last,omitempty"`    // km/h from the entity's previous event
	Speed            *Route `yaml:"speed,omitempty"`              // km/h: the route of the event over the time since the entity's previous one

	Distinct     string `yaml:"distinct,omitempty"`       // how many different values: of an attribute, an entity, a number or amount
	ShareOfValue string `yaml:"share_of_value,omitempty"` // share of events with the value that the event itself has
	Velocity     string `yaml:"velocity,omitempty"`       // events, amount or a number: its rate in each window over its rate in Over
	Last         string `yaml:"last,omitempty"`           // what the entity's previous event had
	Changed      string `yaml:"changed,omitempty"`        // 1 when that differs from what the event itself has
	SameAsLast   string `yaml:"same_as_last,omitempty"`   // 1 when it does not

	By             string   `yaml:"by,omitempty"`      // entity kind of an aggregate
	Windows        []string `yaml:"windows,omitempty"` // one feature each, named NAME_1d, NAME_7d, ...
	Delay          string   `yaml:"delay,omitempty"`
	IncludeCurrent *bool    `yaml:"include_current,omitempty"`
	Over           string   `yaml:"over,omitempty"`  // the long window of Velocity
	Where          string   `yaml:"where,omitempty"` // CEL over an event's own fields: which events count

	Expr string `yaml:"expr,omitempty"` // CEL over other features, amount (major units) and numbers
}

// Point names the two numbers that hold a place, in degrees.
type Point struct {
	Lat string `yaml:"lat"`
	Lon string `yaml:"lon"`
}

// Route names the numbers of two places, each [latitude, longitude].
type Route struct {
	From []string `yaml:"from"`
	To   []string `yaml:"to"`
}

// SpecError is one thing that is wrong with a feature as written.
type SpecError struct {
	Feature string
	Key     string // the key of the entry it is about; "" for the entry as a whole
	Problem string
}

func (e *SpecError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("feature %s: %s", e.Feature, e.Problem)
	}
	return fmt.Sprintf("feature %s: %s: %s", e.Feature, e.Key, e.Problem)
}
