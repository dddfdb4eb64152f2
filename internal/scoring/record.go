package scoring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// layout says where the values of an event-type document stated in the log stand in a lane's schema, so that records
// written under an older document are still read.
type layout struct {
	lane       *lane
	stated     *logv1.EventType
	entities   []int // schema position -> record position, -1 when the old document had no such name
	attributes []int
	numbers    []int
	same       bool // the positions are equal: records can be used as they are
}

func newLayout(l *lane, stated *logv1.EventType) *layout {
	out := layoutIn(&l.typ.Schema, stated)
	out.lane = l
	return out
}

// layoutIn is how records under a stated document are read into a schema.
func layoutIn(s *features.Schema, stated *logv1.EventType) *layout {
	out := &layout{
		stated:     stated,
		entities:   positions(entityNames(s), stated.Entities),
		attributes: positions(attributeNames(s), stated.Attributes),
		numbers:    positions(numberNames(s), stated.Numbers),
	}
	out.same = slices.Equal(entityNames(s), stated.Entities) && slices.Equal(attributeNames(s), stated.Attributes) &&
		slices.Equal(numberNames(s), stated.Numbers)
	return out
}

func entityNames(s *features.Schema) []string {
	out := make([]string, len(s.Entities))
	for i := range s.Entities {
		out[i] = s.Entities[i].Name
	}
	return out
}

func attributeNames(s *features.Schema) []string {
	out := make([]string, len(s.Attributes))
	for i := range s.Attributes {
		out[i] = s.Attributes[i].Name
	}
	return out
}

func numberNames(s *features.Schema) []string {
	out := make([]string, len(s.Numbers))
	for i := range s.Numbers {
		out[i] = s.Numbers[i].Name
	}
	return out
}

func positions(want, have []string) []int {
	out := make([]int, len(want))
	for i, name := range want {
		out[i] = slices.Index(have, name)
	}
	return out
}

// event reads a record into ev, in the order of the lane's schema.
func (l *layout) event(rec *logv1.Event, ev *features.Event) {
	ev.ID, ev.Time, ev.Amount = rec.Id, rec.Time, rec.Amount
	if l.same {
		ev.Entities, ev.Attributes, ev.Numbers = rec.Entities, rec.Attributes, rec.Numbers
		return
	}
	ev.Entities = pick(l.entities, rec.Entities, "")
	ev.Attributes = pick(l.attributes, rec.Attributes, "")
	ev.Numbers = pick(l.numbers, rec.Numbers, math.NaN())
}

func pick[T any](positions []int, from []T, absent T) []T {
	out := make([]T, len(positions))
	for i, p := range positions {
		out[i] = absent
		if p >= 0 && p < len(from) {
			out[i] = from[p]
		}
	}
	return out
}

// ordinals brings a record's ordinals into the order of the lane's schema.
func (l *layout) ordinals(rec *logv1.Event) []uint64 {
	if l.same {
		return rec.Ordinals
	}
	return pick(l.entities, rec.Ordinals, 0)
}

func outcomeOf(o logv1.Outcome) features.Outcome {
	switch o {
	case logv1.Outcome_OUTCOME_LATE_INSERTED:
		return features.LateInserted
	case logv1.Outcome_OUTCOME_LATE_DROPPED:
		return features.LateDropped
	default:
		return features.InOrder
	}
}

func recordOutcome(o features.Outcome) logv1.Outcome {
	switch o {
	case features.LateInserted:
		return logv1.Outcome_OUTCOME_LATE_INSERTED
	case features.LateDropped:
		return logv1.Outcome_OUTCOME_LATE_DROPPED
	default:
		return logv1.Outcome_OUTCOME_IN_ORDER
	}
}

func labelOf(sequence uint64, rec *logv1.Label) features.Label {
	l := features.Label{Sequence: sequence, KnownAt: rec.KnownAt}
	switch rec.Verdict {
	case logv1.LabelVerdict_LABEL_VERDICT_FRAUD:
		l.Verdict = features.Fraud
	case logv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN:
		l.Verdict = features.Withdrawn
	default:
		l.Verdict = features.Legitimate
	}
	return l
}

// difference names the first field in which two events with one id differ; empty when they are the same.
func difference(s *features.Schema, had, got *features.Event) string {
	if had.Time != got.Time {
		return "time"
	}
	if had.Amount != got.Amount {
		return "amount"
	}
	for i, name := range entityNames(s) {
		if had.Entities[i] != got.Entities[i] {
			return "entities." + name
		}
	}
	for i, name := range attributeNames(s) {
		if had.Attributes[i] != got.Attributes[i] {
			return "attributes." + name
		}
	}
	for i, name := range numberNames(s) {
		if math.Float64bits(had.Numbers[i]) != math.Float64bits(got.Numbers[i]) && !(math.IsNaN(had.Numbers[i]) && math.IsNaN(got.Numbers[i])) {
			return "numbers." + name
		}
	}
	return ""
}

// get reads a record that was appended. When it is not there, the log failed before it was on disk.
func (s *Scorer) get(sequence uint64) (*logv1.Record, error) {
	rec, err := s.log.Get(sequence)
	if errors.Is(err, eventlog.ErrNotFound) {
		err = errors.Join(s.log.Wait(context.Background(), sequence), err) // the batch of this record has failed: no waiting
	}
	return rec, err
}

// loggedEvent reads the event record at a sequence, with its layout.
func (s *Scorer) loggedEvent(sequence uint64) (*logv1.Event, *layout, error) {
	rec, err := s.get(sequence)
	if err != nil {
		return nil, nil, fmt.Errorf("read event record %d: %w", sequence, err)
	}
	ev := rec.GetEvent()
	if ev == nil {
		return nil, nil, fmt.Errorf("record %d of the log is not an event: run haechi log verify", sequence)
	}
	l, err := s.layoutOf(ev.EventType)
	return ev, l, err
}
