package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Spec is the policy block of an event type as written.
type Spec struct {
	Fallback   Decision       `yaml:"fallback"`    // required; when no model can answer; approve is refused
	HashEntity string         `yaml:"hash_entity"` // entity kind that decides the arm of a ramp; required
	Thresholds ThresholdsSpec `yaml:"thresholds"`  // how training chooses the scores from which a model reviews and declines
	Rules      []RuleSpec     `yaml:"rules"`       // in order: the first match that is stricter than the model wins
	Costs      *Costs         `yaml:"costs"`       // what mistakes cost; needed by thresholds of least cost and by cost reports
}

// ThresholdsSpec says how the thresholds of a new model version are chosen. An absent one never fires.
type ThresholdsSpec struct {
	Review  *ThresholdSpec `yaml:"review"`
	Decline *ThresholdSpec `yaml:"decline"`
}

// ThresholdSpec is one way of choosing a threshold. Exactly one of AlertsPerDay, PrecisionAtLeast and LeastCost is given.
type ThresholdSpec struct {
	AlertsPerDay     float64 `yaml:"alerts_per_day"`     // as many alerts a day as people can look at
	Per              string  `yaml:"per"`                // with AlertsPerDay: an entity kind, one alert per entity and day; "" = per event
	PrecisionAtLeast float64 `yaml:"precision_at_least"` // the lowest score from which at least this share is fraud, 0 to 1
	LeastCost        bool    `yaml:"least_cost"`         // the score of least cost by Spec.Costs
}

// RuleSpec is one rule as written.
type RuleSpec struct {
	Name   string   `yaml:"name"`   // unique; named in decisions and metrics
	When   string   `yaml:"when"`   // CEL over the event, its features and the model's answer; must give true or false
	Then   Decision `yaml:"then"`   // review, challenge or decline: a rule makes a decision stricter, never milder
	Reason string   `yaml:"reason"` // a sentence for people; the rule's name when empty
}

// Costs of mistakes, in major units of the event type's currency.
type Costs struct {
	MissedFraud  Cost `yaml:"missed_fraud"`  // a fraud that was approved
	FalseDecline Cost `yaml:"false_decline"` // a legitimate event that was declined or challenged
	Review       Cost `yaml:"review"`        // looking at one event
}

// Cost is a fixed sum, or the amount of the event itself.
type Cost struct {
	Amount bool    // the event's own amount
	Fixed  float64 // major units, when Amount is false
}

// Of gives the cost of an event of this amount (major units).
func (c Cost) Of(amount float64) float64 {
	if c.Amount {
		return amount
	}
	return c.Fixed
}

// UnmarshalText reads "amount" or a decimal number.
func (c *Cost) UnmarshalText(text []byte) error {
	if string(text) == "amount" {
		*c = Cost{Amount: true}
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return fmt.Errorf("%q is not a cost; write a number of 0 or more in major units, or the word amount", text)
	}
	*c = Cost{Fixed: v}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (c Cost) MarshalText() ([]byte, error) {
	if c.Amount {
		return []byte("amount"), nil
	}
	return strconv.AppendFloat(nil, c.Fixed, 'g', -1, 64), nil
}

// Decision is what becomes of an event. A larger one is stricter: approve < review < challenge < decline.
type Decision uint8

// The zero Decision is none: not declared.
const (
	None Decision = iota
	Approve
	Review
	Challenge
	Decline
)

// String gives the word that YAML, the wire and metrics use.
func (d Decision) String() string {
	switch d {
	case Approve:
		return "approve"
	case Review:
		return "review"
	case Challenge:
		return "challenge"
	case Decline:
		return "decline"
	}
	return ""
}

// ParseDecision reads the word.
func ParseDecision(word string) (Decision, error) {
	for d := Approve; d <= Decline; d++ {
		if word == d.String() {
			return d, nil
		}
	}
	return None, fmt.Errorf("%q is not a decision; write approve, review, challenge or decline", word)
}

// UnmarshalText reads the word.
func (d *Decision) UnmarshalText(text []byte) error {
	v, err := ParseDecision(string(text))
	*d = v
	return err
}

// MarshalText writes the word.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// SpecError is one violation in a Spec.
type SpecError struct {
	Path    string // where, e.g. rules[0].when
	Line    int    // within a CEL expression, 1-based; 0 = the whole value
	Column  int    // within that line, 1-based, in characters
	Problem string // what is wrong and what to do
}

func (e *SpecError) Error() string {
	return strings.TrimPrefix(e.Path+": ", ": ") + e.Problem
}
