package scoring

import (
	"context"
	"fmt"

	"github.com/haechi-fraud/haechi/features"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Found is what the log holds of one event.
type Found struct {
	EventType     string
	Event         features.Event // in the order of the schema in force
	EventSequence uint64
	LogID         string
	Imported      bool
	Outcome       features.Outcome
	Decision      *Decision // nil for imported history
	Labels        []LoggedLabel
}

// Lookup finds an event, its decision and its labels. What it returns is durable.
func (s *Scorer) Lookup(ctx context.Context, eventType, eventID string) (*Found, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	p, err := s.locate(ctx, l, eventID)
	if err != nil {
		return nil, err
	}
	rec, lay, err := s.loggedEvent(p.event)
	if err != nil {
		return nil, err
	}
	f := &Found{
		EventType: l.typ.Name, EventSequence: p.event, LogID: s.log.ID(), Outcome: outcomeOf(rec.Outcome),
		Imported: rec.Origin == logv1.Origin_ORIGIN_IMPORTED,
	}
	lay.event(rec, &f.Event)
	if p.decision != 0 {
		if f.Decision, err = s.decisionAt(ctx, p.decision); err != nil {
			return nil, err
		}
	}
	if f.Labels, err = s.Labels(ctx, l.typ.Name, eventID); err != nil {
		return nil, err
	}
	return f, nil
}

// locate finds an event's records, once they are on disk.
func (s *Scorer) locate(ctx context.Context, l *lane, eventID string) (place, error) {
	p, known, err := s.ids.find(ctx, s.ids.key(l.typ.Name, eventID))
	if err != nil {
		return place{}, err
	}
	if !known {
		return place{}, fmt.Errorf("event %s/%s: %w", l.typ.Name, eventID, ErrNotFound)
	}
	return p, s.wait(ctx, max(p.event, p.decision))
}
