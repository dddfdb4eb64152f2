package scoring

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// entitiesOf gives the keys that a logged event names, by kind, as a feed tracks them.
func (s *Scorer) entitiesOf(l *lane, sequence uint64) ([]map[string]bool, error) {
	rec, lay, err := s.loggedEvent(sequence)
	if err != nil {
		return nil, err
	}
	var ev features.Event
	lay.event(rec, &ev)
	tracked := make([]map[string]bool, len(l.typ.Schema.Entities))
	for kind, key := range ev.Entities {
		tracked[kind] = map[string]bool{key: key != ""}
	}
	return tracked, nil
}

// byEntity says whether the histories of an event's entities can be kept without those of all others: not where a value
// depends on what else other events carry, as events are then known by the kept entities alone.
func byEntity(e *features.Engine) bool {
	definitions := e.Definitions()
	return !slices.ContainsFunc(definitions, func(d features.Definition) bool { return d.ReadsFields() })
}

// ExplainFeature tells how a feature of the event type came to its value at an event of the log, scored or imported: the
// very events that its window held, the latest first limit of them. It reads the log up to the event.
func (s *Scorer) ExplainFeature(ctx context.Context, eventType, eventID, name string, limit int) (*features.Explanation, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	p, err := s.locate(ctx, l, eventID)
	if err != nil {
		return nil, err
	}
	needed, err := features.Needed(l.typ.Definitions, []string{name})
	if err != nil {
		return nil, &features.FieldError{Field: "name", Problem: fmt.Sprintf("event type %s has no feature %s; list them with haechi features list", l.typ.Name, name)}
	}
	engine, err := features.NewEngine(&l.typ.Schema, needed, features.EngineOptions{})
	if err != nil {
		return nil, fmt.Errorf("feature %s: %w", name, err)
	}
	f := newFeed(l, engine)
	if byEntity(engine) {
		if f.tracked, err = s.entitiesOf(l, p.event); err != nil {
			return nil, err
		}
	}
	var out *features.Explanation
	f.before = func(ev *features.Event, place features.Placement) error {
		if place.Sequence != p.event {
			return nil
		}
		all, err := engine.Explain(ev, place, limit, name)
		if err != nil {
			return err
		}
		out = &all[0]
		return errReplayed
	}
	if _, err := s.history(ctx, l, f.visit(s)); err != nil && !errors.Is(err, errReplayed) {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("event %s/%s was not met in the log: run haechi log verify", l.typ.Name, eventID)
	}
	return out, nil
}

// EventID is the id of the event whose record has the sequence, "" when the log does not hold it any more.
func (s *Scorer) EventID(sequence uint64) (string, error) {
	rec, err := s.get(sequence)
	if errors.Is(err, eventlog.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	body, ok := rec.Body.(*logv1.Record_Event)
	if !ok {
		return "", fmt.Errorf("record %d of the log is not an event: run haechi log verify", sequence)
	}
	return body.Event.Id, nil
}
