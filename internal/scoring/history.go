package scoring

import (
	"context"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// AppendEvent appends one event of imported history, which never gets a decision. Events must come in the order
// (event_time, row). It reports false when the id is known with the same content, a *ConflictError when with other
// content, and ErrOlderThanHistory when the event could not be put into its place in time any more. It returns before the
// record is on disk; Flush waits.
func (s *Scorer) AppendEvent(ctx context.Context, eventType string, ev *features.Event) (bool, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return false, err
	}
	received := s.opts.Now().UnixMicro()
	if ev, err = s.admit(l, ev, received); err != nil {
		return false, err
	}
	k := s.ids.key(l.typ.Name, ev.ID)
	known, mine, err := s.ids.reserve(ctx, k)
	if err != nil {
		return false, err
	}
	if !mine {
		return false, s.sameEvent(l, known, ev)
	}
	if err := s.roomFor(l, ev); err != nil {
		s.ids.drop(k)
		return false, err
	}
	for {
		o := s.observe(l, k, ev, observation{received: received, origin: logv1.Origin_ORIGIN_IMPORTED})
		if o.sequence != 0 {
			s.ids.land(k, place{event: o.sequence})
			s.metrics.imported.WithLabelValues(l.typ.Name).Inc()
			return true, o.err
		}
		if again, err := s.afterOverload(ctx, o.err); !again {
			s.ids.drop(k)
			return false, err
		}
	}
}

func (s *Scorer) roomFor(l *lane, ev *features.Event) error {
	if mark := l.watermark.Load(); mark != 0 && ev.Time < mark-l.typ.Schema.AllowedLateness {
		return fmt.Errorf("event %s/%s: %w", l.typ.Name, ev.ID, ErrOlderThanHistory)
	}
	return s.log.Writable()
}

func (s *Scorer) sameEvent(l *lane, p place, ev *features.Event) error {
	rec, lay, err := s.loggedEvent(p.event)
	if err != nil {
		return err
	}
	var had features.Event
	lay.event(rec, &had)
	if field := difference(&l.typ.Schema, &had, ev); field != "" {
		return &ConflictError{EventType: l.typ.Name, ID: ev.ID, Field: field}
	}
	return nil
}

// AppendLabel appends one label of imported history; see PutLabel.
func (s *Scorer) AppendLabel(ctx context.Context, eventType, eventID string, st LabelStatement) (bool, error) {
	for {
		r, err := s.PutLabel(ctx, eventType, eventID, st)
		if again, err := s.afterOverload(ctx, err); !again {
			return r.Added, err
		}
	}
}

// Flush waits until everything appended so far is on disk.
func (s *Scorer) Flush(ctx context.Context) error { return s.wait(ctx, s.log.Last()) }

// afterOverload says whether to try again: the log's buffer was full and has drained by now.
func (s *Scorer) afterOverload(ctx context.Context, err error) (bool, error) {
	if !errors.Is(err, eventlog.ErrOverloaded) {
		return false, err
	}
	if err := s.Flush(ctx); err != nil {
		return false, err
	}
	return true, nil
}
