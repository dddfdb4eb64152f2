package scoring

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/haechi-fraud/haechi/features"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Recover makes all state from the log: ids, histories, labels, watermarks. Scored events that a crash left without a
// decision are decided now, on the vector that they had, with flag recovered. progress may be nil; it is told records done
// and records there are.
func (s *Scorer) Recover(ctx context.Context, progress func(done, total uint64)) error {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	undecided, err := s.index(ctx)
	if err != nil {
		return fmt.Errorf("recover ids from the log: %w", err)
	}
	s.log.OnIndexed(s.ids.forget)
	if err := s.state(); err != nil {
		return err
	}
	if err := s.champions(ctx); err != nil {
		return err
	}
	if err := s.histories(ctx, undecided, progress); err != nil {
		return fmt.Errorf("recover feature state from the log: %w", err)
	}
	return s.log.Wait(ctx, s.log.Last())
}

// index reads the log once for ids, decisions and labels, and returns the scored events that have no decision.
func (s *Scorer) index(ctx context.Context) (map[uint64]bool, error) {
	undecided := map[uint64]bool{}
	indexed := s.log.Indexed() // up to there the log finds ids itself
	_, err := s.walk(ctx, 1, func(sequence uint64, rec *logv1.Record) error {
		switch body := rec.Body.(type) {
		case *logv1.Record_Event:
			lay, err := s.layoutOf(body.Event.EventType)
			if err != nil {
				return err
			}
			if k := s.ids.key(lay.lane.typ.Name, body.Event.Id); sequence > indexed {
				s.ids.land(k, place{event: sequence})
			} else {
				s.ids.arrived(k)
			}
			if body.Event.Origin == logv1.Origin_ORIGIN_SCORED {
				undecided[sequence] = true
			}
		case *logv1.Record_Decision:
			lay, err := s.layoutOf(body.Decision.EventType)
			if err != nil {
				return err
			}
			delete(undecided, body.Decision.EventSequence)
			if sequence > indexed {
				s.ids.decided(s.ids.key(lay.lane.typ.Name, body.Decision.EventId), sequence)
			}
		case *logv1.Record_Label:
			lay, err := s.layoutOf(body.Label.EventType)
			if err != nil {
				return err
			}
			k := s.ids.key(lay.lane.typ.Name, body.Label.EventId)
			switch {
			case body.Label.EventSequence == 0:
				s.ids.restore(k, labelOf(sequence, body.Label))
			case sequence > indexed:
				s.ids.addLabel(k, sequence)
			}
		case *logv1.Record_Revision:
			lay, err := s.layoutOf(body.Revision.EventType)
			if err != nil {
				return err
			}
			lay.lane.applied = applied{body.Revision.Revision, hex.EncodeToString(body.Revision.Champion)}
		}
		return nil
	})
	return undecided, err
}

// champions loads what each event type is to be served with. One that cannot be loaded leaves the declared fallback in
// charge, which says so in every decision.
func (s *Scorer) champions(ctx context.Context) error {
	for _, name := range s.EventTypes() {
		l := s.lanes[name]
		next := &serving{cause: "no champion has been promoted"}
		revision, digest, err := s.champion(ctx, name)
		if err != nil {
			return fmt.Errorf("assignments of %s: %w", name, err)
		}
		next.revision = revision
		var engine *features.Engine
		if digest != "" {
			if next.champion, err = s.load(ctx, digest); err == nil {
				engine, err = s.engineFor(l, next.champion)
			}
			if err != nil {
				s.opts.Logger.Error("the champion cannot be served, the declared fallback answers", "event_type", name, "error", err)
				next.champion, next.cause = nil, err.Error()
				_ = s.refuse(l, revision, err)
			}
		}
		if engine == nil {
			if engine, err = s.engineFor(l, nil); err != nil {
				return fmt.Errorf("features of %s: %w", name, err)
			}
		}
		l.use(engine)
		if next.champion != nil && !s.opts.WithoutFeatures {
			if next.row, err = engine.Projection(next.champion.hashes); err != nil {
				return err
			}
			if err := s.stateRevision(l, next); err != nil {
				return err
			}
		}
		l.serving.Store(next)
	}
	return nil
}

// engineFor makes an empty engine that computes what the lane and the version need.
func (s *Scorer) engineFor(l *lane, v *loaded) (*features.Engine, error) {
	if s.opts.WithoutFeatures {
		return features.NewEngine(&l.typ.Schema, nil, features.EngineOptions{})
	}
	return features.NewEngine(&l.typ.Schema, union(&l.typ, v), features.EngineOptions{})
}

// histories feeds the engines and decides what was left undecided.
func (s *Scorer) histories(ctx context.Context, undecided map[uint64]bool, progress func(done, total uint64)) error {
	feeds := map[*lane]*feed{}
	for _, l := range s.lanes {
		feeds[l] = newFeed(l, l.engine)
	}
	total := s.log.Durable()
	var late []*Decision
	_, err := s.walk(ctx, 1, func(sequence uint64, rec *logv1.Record) error {
		if sequence%65536 == 0 {
			progress(sequence, total)
		}
		switch body := rec.Body.(type) {
		case *logv1.Record_Event:
			lay, err := s.layoutOf(body.Event.EventType)
			if err != nil {
				return err
			}
			open := undecided[sequence] && !s.opts.WithoutFeatures
			f := feeds[lay.lane]
			ev, result, err := f.event(sequence, body.Event, lay, open)
			if err != nil {
				return err
			}
			if open {
				late = append(late, s.decideLate(lay.lane, f, &ev, result))
			}
		case *logv1.Record_Label:
			lay, err := s.layoutOf(body.Label.EventType)
			if err != nil {
				return err
			}
			return feeds[lay.lane].label(sequence, body.Label, lay)
		}
		return nil
	})
	for l, f := range feeds {
		l.clock = f.clock
		l.watermark.Store(f.clock.Watermark())
	}
	if err != nil {
		return err
	}
	progress(total, total)
	return s.appendLate(late)
}

// decideLate answers an event on the vector that its replay gave.
func (s *Scorer) decideLate(l *lane, f *feed, ev *features.Event, result features.Result) *Decision {
	sv := l.serving.Load()
	o := observation{sequence: result.Sequence, result: result, serving: sv, all: append([]float64(nil), f.vector...)}
	o.row = make([]float64, len(sv.row))
	for i, at := range sv.row {
		o.row[i] = f.vector[at]
	}
	d := s.answer(l, ev, o)
	d.Flags = append(d.Flags, FlagRecovered)
	d.Decided = s.opts.Now().UnixMicro()
	return d
}

func (s *Scorer) appendLate(late []*Decision) error {
	for _, d := range late {
		l := s.lanes[d.EventType]
		sequence, err := s.appendDecision(l.index, d)
		if err != nil {
			return fmt.Errorf("decide event %s/%s, left undecided by a crash: %w", d.EventType, d.EventID, err)
		}
		s.ids.decided(s.ids.key(d.EventType, d.EventID), sequence)
	}
	if len(late) > 0 {
		s.opts.Logger.Warn("decided events that a crash had left undecided", "events", len(late))
	}
	return nil
}
