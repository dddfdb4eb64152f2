package server

import (
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// eventFrom brings a wire event into the order of its schema; names that the schema does not have are refused.
func eventFrom(s *features.Schema, in *haechiv1.Event) (*features.Event, error) {
	ev := &features.Event{
		ID: in.Id, Entities: make([]string, len(s.Entities)), Attributes: make([]string, len(s.Attributes)), Numbers: make([]float64, len(s.Numbers)),
	}
	var err error
	if ev.Time, err = micros("time", in.Time); err != nil {
		return nil, err
	}
	if err := amountFrom(s, in.Amount, ev); err != nil {
		return nil, err
	}
	for i := range s.Entities {
		ev.Entities[i] = in.Entities[s.Entities[i].Name]
	}
	for i := range s.Attributes {
		ev.Attributes[i] = in.Attributes[s.Attributes[i].Name]
	}
	for i := range s.Numbers {
		if v, ok := in.Numbers[s.Numbers[i].Name]; ok {
			if math.IsNaN(v) {
				return nil, invalid("numbers."+s.Numbers[i].Name, "is not a number; leave it out when it is missing")
			}
			ev.Numbers[i] = v
		} else {
			ev.Numbers[i] = math.NaN()
		}
	}
	return ev, unknownNames(s, in)
}

func amountFrom(s *features.Schema, in *haechiv1.Money, ev *features.Event) error {
	switch {
	case in == nil && s.Currency == "":
		return nil
	case in == nil:
		return invalid("amount", fmt.Sprintf("is required: events of type %s carry an amount in %s", s.EventType, s.Currency))
	case s.Currency == "":
		return invalid("amount", fmt.Sprintf("events of type %s carry none; leave it out", s.EventType))
	case in.Currency != s.Currency:
		return invalid("amount.currency", fmt.Sprintf("is %q, events of type %s are in %s; convert it or use another event type", in.Currency, s.EventType, s.Currency))
	}
	ev.Amount = in.MinorUnits
	return nil
}

func unknownNames(s *features.Schema, in *haechiv1.Event) error {
	entities, attributes, numbers := names(s)
	if err := firstUnknown("entities", in.Entities, entities); err != nil {
		return err
	}
	if err := firstUnknown("attributes", in.Attributes, attributes); err != nil {
		return err
	}
	return firstUnknown("numbers", in.Numbers, numbers)
}

func names(s *features.Schema) (entities, attributes, numbers []string) {
	for i := range s.Entities {
		entities = append(entities, s.Entities[i].Name)
	}
	for i := range s.Attributes {
		attributes = append(attributes, s.Attributes[i].Name)
	}
	for i := range s.Numbers {
		numbers = append(numbers, s.Numbers[i].Name)
	}
	return entities, attributes, numbers
}

func firstUnknown[V any](section string, got map[string]V, declared []string) error {
	var unknown []string
	for name := range got {
		if !slices.Contains(declared, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return invalid(section+"."+unknown[0], fmt.Sprintf("is not declared by the event type, which has %v", declared))
}

// micros reads a timestamp no finer than a microsecond.
func micros(field string, t *timestamppb.Timestamp) (int64, error) {
	if t == nil {
		return 0, invalid(field, "is required")
	}
	if err := t.CheckValid(); err != nil {
		return 0, invalid(field, "is not a valid time")
	}
	if t.Nanos%1000 != 0 {
		return 0, invalid(field, "is finer than a microsecond; round it where it is made, so that every system sees the same time")
	}
	return t.AsTime().UnixMicro(), nil
}

func timestamp(us int64) *timestamppb.Timestamp { return timestamppb.New(time.UnixMicro(us)) }

// eventTo is the wire form of a logged event; keys flagged pii are hashes.
func eventTo(s *features.Schema, ev *features.Event) *haechiv1.Event {
	out := &haechiv1.Event{Type: s.EventType, Id: ev.ID, Time: timestamp(ev.Time)}
	if s.Currency != "" {
		out.Amount = &haechiv1.Money{Currency: s.Currency, MinorUnits: ev.Amount}
	}
	for i, key := range ev.Entities {
		if key != "" {
			put(&out.Entities, s.Entities[i].Name, key)
		}
	}
	for i, value := range ev.Attributes {
		if value != "" {
			put(&out.Attributes, s.Attributes[i].Name, value)
		}
	}
	for i, value := range ev.Numbers {
		if !math.IsNaN(value) {
			put(&out.Numbers, s.Numbers[i].Name, value)
		}
	}
	return out
}

func put[V any](m *map[string]V, name string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[name] = value
}

func verdictTo(d policy.Decision) haechiv1.Verdict {
	switch d {
	case policy.Approve:
		return haechiv1.Verdict_VERDICT_APPROVE
	case policy.Review:
		return haechiv1.Verdict_VERDICT_REVIEW
	case policy.Challenge:
		return haechiv1.Verdict_VERDICT_CHALLENGE
	case policy.Decline:
		return haechiv1.Verdict_VERDICT_DECLINE
	}
	return haechiv1.Verdict_VERDICT_UNSPECIFIED
}

// decisionTo is the wire form of a decision, with the model's row when asked.
func decisionTo(d *scoring.Decision, withFeatures bool) *haechiv1.Decision {
	out := &haechiv1.Decision{
		EventId: d.EventID, Decision: verdictTo(d.Verdict), ModelVersion: d.ModelVersion, EventTypeHash: d.EventTypeHash,
		AssignmentRevision: d.Revision, Flags: d.Flags, Sequence: &haechiv1.Sequence{LogId: d.LogID, Number: d.Sequence},
		DecidedAt: timestamp(d.Decided), FallbackCause: d.Cause,
	}
	if d.ModelVersion != "" {
		out.Raw, out.Probability = &d.Raw, &d.Probability
	}
	for _, r := range d.Reasons {
		out.Reasons = append(out.Reasons, &haechiv1.Reason{Code: r.Code, Text: r.Text})
	}
	if withFeatures {
		for i, v := range d.Vector {
			f := &haechiv1.FeatureValue{}
			if i < len(d.FeatureNames) {
				f.Name = d.FeatureNames[i]
			}
			if !math.IsNaN(v) {
				value := v
				f.Value = &value
			}
			out.Features = append(out.Features, f)
		}
	}
	return out
}
