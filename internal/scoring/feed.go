package scoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// walk reads records in log order, from the sequence on, up to what was durable when it got there.
func (s *Scorer) walk(ctx context.Context, from uint64, visit func(sequence uint64, rec *logv1.Record) error) (next uint64, err error) {
	next = from
	var dec eventlog.Decoder
	err = s.walkRaw(ctx, from, func(sequence uint64, payload []byte) error {
		next = sequence
		rec, err := dec.Decode(payload)
		if err == nil {
			err = visit(sequence, rec)
		}
		if err == nil {
			next++
		}
		return err
	})
	return next, err
}

// walkRaw is walk over encoded records, which are valid until the next one.
func (s *Scorer) walkRaw(ctx context.Context, from uint64, visit func(sequence uint64, payload []byte) error) (err error) {
	r, err := s.log.Read(from)
	if err != nil {
		return fmt.Errorf("read the log from record %d: %w", from, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		sequence, payload, err := r.NextRaw()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if sequence%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := visit(sequence, payload); err != nil {
			return fmt.Errorf("record %d: %w", sequence, err)
		}
	}
}

// feed brings the records of one event type into an engine in log order: the one way by which state is made from the log,
// at recovery, for a new definition and in replay.
type feed struct {
	lane    *lane
	engine  *features.Engine
	clock   features.Clock
	waiting map[string][]features.Label // labels whose event has not come yet
	vector  []float64
	// tracked are the entity keys, by kind, whose histories are kept; nil: all. Events that name none of them are passed over.
	tracked []map[string]bool
	// after is the record up to which the engine was restored from a snapshot; those up to there are passed over.
	after uint64
	// fromOlder says that what was dropped from the log went through it.
	fromOlder bool
	// before is told each event and its place before it passes through the engine; may be nil.
	before func(ev *features.Event, p features.Placement) error
}

func newFeed(l *lane, e *features.Engine) *feed {
	return &feed{lane: l, engine: e, waiting: map[string][]features.Label{}, vector: make([]float64, len(e.Definitions()))}
}

// event observes a logged event; with read, the vector it had then is in f.vector afterwards.
func (f *feed) event(sequence uint64, rec *logv1.Event, lay *layout, read bool) (features.Event, features.Result, error) {
	var ev features.Event
	lay.event(rec, &ev)
	labels := f.waiting[rec.Id]
	if len(labels) > 0 {
		delete(f.waiting, rec.Id)
	}
	f.clock.Advance(rec.Time)
	want := lay.ordinals(rec)
	if f.tracked != nil {
		if ev.Entities, want = f.keep(ev.Entities, want); ev.Entities == nil {
			return ev, features.Result{}, nil
		}
	}
	var vector []float64
	if read {
		vector = f.vector
	}
	placement := features.Placement{Sequence: sequence, Outcome: outcomeOf(rec.Outcome), Labels: labels, Since: f.clock.Since(), Watermark: f.clock.Watermark()}
	if f.before != nil {
		if err := f.before(&ev, placement); err != nil {
			return ev, features.Result{}, err
		}
	}
	result, err := f.engine.Replay(&ev, vector, sequence, func(got []uint64) (features.Placement, error) {
		if !sameOrdinals(got, want) {
			return features.Placement{}, fmt.Errorf("event %s has ordinals %v in its entities' histories, logged are %v: the log is not whole, run haechi log verify", rec.Id, got, want)
		}
		return placement, nil
	})
	return ev, result, err
}

// sameOrdinals holds the ordinals that the engine gives against those logged; it gives 0 for an entity whose snapshot has the
// event already. Records that the log no longer holds have none.
func sameOrdinals(got, want []uint64) bool {
	return want == nil || slices.EqualFunc(got, want, func(g, w uint64) bool { return g == w || g == 0 })
}

// keep leaves of an event the entities that are tracked; nil when there is none.
func (f *feed) keep(keys []string, ordinals []uint64) ([]string, []uint64) {
	var kept []string
	var at []uint64
	for kind, key := range keys {
		if key == "" || !f.tracked[kind][key] {
			continue
		}
		if kept == nil {
			kept, at = make([]string, len(keys)), make([]uint64, len(keys))
		}
		kept[kind] = key
		if ordinals != nil {
			at[kind] = ordinals[kind]
		}
	}
	if kept == nil && !slices.ContainsFunc(keys, func(key string) bool { return key != "" }) {
		return keys, ordinals // it has no history to be left out of
	}
	if ordinals == nil {
		at = nil
	}
	return kept, at
}

// label attaches a logged label, or keeps it for its event.
func (f *feed) label(sequence uint64, rec *logv1.Label, lay *layout) error {
	label := labelOf(sequence, rec)
	if rec.EventSequence == 0 {
		f.waiting[rec.EventId] = append(f.waiting[rec.EventId], label)
		return nil
	}
	ev := features.Event{ID: rec.EventId, Time: rec.EventTime, Entities: rec.Entities}
	if !lay.same {
		ev.Entities = pick(lay.entities, rec.Entities, "")
	}
	if f.tracked != nil {
		if ev.Entities, _ = f.keep(ev.Entities, nil); ev.Entities == nil {
			return nil
		}
	}
	return f.engine.Label(&ev, rec.EventSequence, func() (features.Label, error) { return label, nil })
}

// rebuild gives the lane an engine that also computes what the version needs, made from the log while requests go on; only
// the last few records are fed with the gate closed.
func (s *Scorer) rebuild(ctx context.Context, l *lane, next *loaded) error {
	now := l.serving.Load()
	engine, err := features.NewEngine(&l.typ.Schema, union(&l.typ, next, now.champion), features.EngineOptions{})
	if err != nil {
		return fmt.Errorf("definitions of version %s: %w", next.version.Digest, err)
	}
	s.opts.Logger.Info("building state for new definitions from the log", "event_type", l.typ.Name, "version", next.version.Digest)
	f := newFeed(l, engine)
	at, err := s.history(ctx, l, f.visit(s))
	if err != nil {
		return err
	}
	for {
		from := at
		if at, err = s.walk(ctx, from, f.visit(s)); err != nil {
			return err
		}
		if at-from < 1000 {
			break
		}
	}
	l.gate.Lock()
	defer l.gate.Unlock()
	if err := s.log.Wait(ctx, s.log.Last()); err != nil {
		return err
	}
	if _, err = s.walk(ctx, at, f.visit(s)); err != nil {
		return err
	}
	if now.champion != nil {
		again := *now
		if again.row, err = engine.Projection(now.champion.hashes); err != nil {
			return err
		}
		l.serving.Store(&again)
	}
	l.use(engine)
	return nil
}

// visit feeds the lane's events and labels, and nothing else.
func (f *feed) visit(s *Scorer) func(uint64, *logv1.Record) error {
	return func(sequence uint64, rec *logv1.Record) error {
		switch body := rec.Body.(type) {
		case *logv1.Record_Event:
			lay, err := s.layoutOf(body.Event.EventType)
			if err != nil || lay.lane != f.lane {
				return err
			}
			_, _, err = f.event(sequence, body.Event, lay, false)
			return err
		case *logv1.Record_Label:
			lay, err := s.layoutOf(body.Label.EventType)
			if err != nil || lay.lane != f.lane {
				return err
			}
			return f.label(sequence, body.Label, lay)
		}
		return nil
	}
}
