package scoring

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Recover makes all state: from the newest good snapshot and the log after it, or from the whole log. Scored events that a
// crash left without a decision are decided now, on the vector that they had, with flag recovered. progress may be nil; it is
// told records done and records there are.
func (s *Scorer) Recover(ctx context.Context, progress func(done, total uint64)) (err error) {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	snapshot, err := s.newestSnapshot()
	if err != nil {
		return err
	}
	if snapshot != nil {
		defer func() { err = errors.Join(err, snapshot.close()) }()
		s.snapshotAt.Store(snapshot.Sequence)
	}
	undecided, err := s.index(ctx, snapshot)
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
	feeds, err := s.restore(ctx, snapshot)
	if err != nil {
		return err
	}
	if err := s.histories(ctx, feeds, undecided, progress); err != nil {
		return fmt.Errorf("recover feature state from the log: %w", err)
	}
	return s.log.Wait(ctx, s.log.Last())
}

// newestSnapshot finds the newest snapshot of this log that is whole; nil when there is none. What a killed process left
// unfinished is removed.
func (s *Scorer) newestSnapshot() (*snapshotFile, error) {
	if s.opts.SnapshotDir == "" || s.opts.WithoutFeatures {
		return nil, nil
	}
	if err := s.sweepSnapshots(); err != nil {
		return nil, err
	}
	paths, err := snapshotPaths(s.opts.SnapshotDir)
	if err != nil {
		return nil, err
	}
	var newest *snapshotFile
	for _, path := range paths {
		f, err := s.trySnapshot(path, newest == nil)
		var unread *os.PathError
		switch {
		case errors.As(err, &unread):
			s.opts.Logger.Error("a snapshot cannot be read, the one before it or the log is read instead", "error", err)
		case err != nil:
			s.opts.Logger.Error("a snapshot cannot be used and is removed, the one before it or the log is read instead", "error", err)
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		case f != nil:
			newest = f
		}
	}
	return newest, nil
}

// trySnapshot says why a snapshot cannot be used; with whole it checks all of it and gives it, open.
func (s *Scorer) trySnapshot(path string, whole bool) (_ *snapshotFile, err error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || !whole {
			err = errors.Join(err, f.close())
		}
	}()
	// One of records that are not there must go: once the log has grown beyond it, it would look as if it were of them.
	if f.LogID != s.log.ID() || f.Reached > s.log.Durable() || f.Sequence > s.log.Durable() {
		return nil, fmt.Errorf("snapshot %s is of another log than %s, or of records that this one does not have", path, s.log.ID())
	}
	if !whole {
		return nil, nil
	}
	return f, f.check()
}

// restore fills the engines from the snapshot. An engine that computes other definitions than the snapshot has is made from
// the whole log.
func (s *Scorer) restore(ctx context.Context, snapshot *snapshotFile) (map[*lane]*feed, error) {
	feeds := map[*lane]*feed{}
	for _, l := range s.lanes {
		feeds[l] = newFeed(l, l.engine)
	}
	if snapshot == nil {
		return feeds, nil
	}
	for i := range snapshot.Lanes {
		h := &snapshot.Lanes[i]
		l := s.lanes[h.EventType]
		var refused error
		for range h.Shards {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			content, err := snapshot.frame(maxFrame)
			if err != nil {
				return nil, fmt.Errorf("read snapshot %s: %w", snapshot.path, err)
			}
			if l != nil && refused == nil {
				_, refused = l.engine.ReadShard(bytes.NewReader(content))
			}
		}
		if l == nil {
			continue
		}
		if refused == nil {
			_, refused = l.engine.Restored()
		}
		if refused != nil {
			s.opts.Logger.Warn("the snapshot does not serve the event type, its state is made from the whole log", "event_type", h.EventType, "cause", refused)
			if err := s.anew(l); err != nil {
				return nil, err
			}
			feeds[l] = newFeed(l, l.engine)
			continue
		}
		feeds[l].resume(snapshot.Sequence, h)
		l.engine.Warm(h.Watermark)
	}
	return feeds, nil
}

// anew gives a lane an empty engine of what it serves.
func (s *Scorer) anew(l *lane) error {
	sv := *l.serving.Load()
	engine, err := s.engineFor(l, sv.champion)
	if err != nil {
		return fmt.Errorf("features of %s: %w", l.typ.Name, err)
	}
	if sv.champion != nil {
		if sv.row, err = engine.Projection(sv.champion.hashes); err != nil {
			return err
		}
	}
	l.use(engine)
	l.serving.Store(&sv)
	return nil
}

// resume sets a feed to where a snapshot was taken.
func (f *feed) resume(sequence uint64, h *snapshotLane) {
	f.after = sequence
	if h.Started {
		f.clock.Advance(h.Since)
		f.clock.Advance(h.Watermark)
	}
	for _, w := range h.Waiting {
		f.waiting[w.EventID] = append(f.waiting[w.EventID], w.label())
	}
}

// index reads the log for ids, decisions and labels, from where the log's own index or the snapshot ends, and returns the
// scored events that have no decision.
func (s *Scorer) index(ctx context.Context, snapshot *snapshotFile) (map[uint64]bool, error) {
	undecided := map[uint64]bool{}
	indexed := s.log.Indexed() // up to there the log finds ids itself
	from, decided := s.log.First(), uint64(0)
	if snapshot != nil {
		from, decided = max(from, min(indexed, snapshot.Sequence)+1), snapshot.Reached
		for i := range snapshot.Lanes {
			s.indexSnapshot(&snapshot.Lanes[i])
		}
	}
	var dec eventlog.Decoder
	err := s.walkRaw(ctx, from, func(sequence uint64, payload []byte) error {
		about, speaks, err := eventlog.SubjectOf(payload)
		if err != nil {
			return err
		}
		if !speaks {
			rec, err := dec.Decode(payload)
			if err != nil {
				return err
			}
			return s.indexRevision(rec.GetRevision())
		}
		switch about.Kind {
		case eventlog.EventRecord:
			if !about.Imported && sequence > decided {
				undecided[sequence] = true
			}
		case eventlog.DecisionRecord:
			delete(undecided, about.EventSequence)
		case eventlog.LabelRecord:
			waits := about.EventSequence == 0 && (snapshot == nil || sequence > snapshot.Sequence) // those before stand in the snapshot
			if !waits {
				break
			}
			rec, err := dec.Decode(payload)
			if err != nil {
				return err
			}
			return s.indexWaiting(sequence, rec.GetLabel())
		}
		return s.indexID(sequence, &about, sequence > indexed)
	})
	return undecided, err
}

// indexID takes the id of a record that the log's own index does not hold, or of an event that labels may wait for.
func (s *Scorer) indexID(sequence uint64, about *eventlog.Subject, fresh bool) error {
	if !fresh && (about.Kind != eventlog.EventRecord || s.ids.waits.Load() == 0) {
		return nil
	}
	lay, err := s.layoutOf(about.EventType)
	if err != nil {
		return err
	}
	k := s.ids.key(lay.lane.typ.Name, string(about.ID))
	switch {
	case !fresh:
		s.ids.arrived(k)
	case about.Kind == eventlog.EventRecord:
		s.ids.land(k, place{event: sequence})
	case about.Kind == eventlog.DecisionRecord:
		s.ids.decided(k, sequence)
	default:
		s.ids.addLabel(k, sequence)
	}
	return nil
}

func (s *Scorer) indexWaiting(sequence uint64, rec *logv1.Label) error {
	lay, err := s.layoutOf(rec.EventType)
	if err != nil {
		return err
	}
	s.ids.restore(s.ids.key(lay.lane.typ.Name, rec.EventId), lay.lane.typ.Name, rec.EventId, labelOf(sequence, rec))
	return nil
}

func (s *Scorer) indexRevision(rec *logv1.Revision) error {
	if rec == nil {
		return nil
	}
	lay, err := s.layoutOf(rec.EventType)
	if err != nil {
		return err
	}
	lay.lane.applied.Store(&applied{rec.Revision, hex.EncodeToString(rec.Champion)})
	return nil
}

// indexSnapshot takes from a snapshot what stands in the log before it.
func (s *Scorer) indexSnapshot(h *snapshotLane) {
	l := s.lanes[h.EventType]
	if l == nil {
		return
	}
	l.applied.Store(&applied{h.Revision, h.Champion})
	for _, w := range h.Waiting {
		s.ids.restore(s.ids.key(h.EventType, w.EventID), h.EventType, w.EventID, w.label())
	}
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
func (s *Scorer) histories(ctx context.Context, feeds map[*lane]*feed, undecided map[uint64]bool, progress func(done, total uint64)) error {
	from := s.log.Durable() + 1
	for _, f := range feeds {
		if f.after+1 < s.log.First() {
			if err := s.older(ctx, f.lane, s.log.First()-1, f.visit(s)); err != nil {
				return err
			}
			f.after, f.fromOlder = s.log.First()-1, true
		}
		from = min(from, f.after+1)
	}
	total := s.log.Durable()
	var late []*Decision
	_, err := s.walk(ctx, from, func(sequence uint64, rec *logv1.Record) error {
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
			if sequence <= f.after {
				return nil
			}
			ev, result, err := f.event(sequence, body.Event, lay, open)
			if err != nil {
				return err
			}
			if open && result.Ahead {
				return fmt.Errorf("event %s has no decision although the snapshot knows what came after it: delete the snapshots and start again", ev.ID)
			}
			if open {
				late = append(late, s.decideLate(lay.lane, f, &ev, result))
			}
		case *logv1.Record_Label:
			lay, err := s.layoutOf(body.Label.EventType)
			if err != nil {
				return err
			}
			if f := feeds[lay.lane]; sequence > f.after {
				return f.label(sequence, body.Label, lay)
			}
		}
		return nil
	})
	for l, f := range feeds {
		s.stillWaiting(l, f)
		l.clock = f.clock
		l.watermark.Store(f.clock.Watermark())
	}
	if err != nil {
		return err
	}
	progress(total, total)
	return s.appendLate(late)
}

// stillWaiting takes over labels that wait for an event and whose records were dropped from the log.
func (s *Scorer) stillWaiting(l *lane, f *feed) {
	for id, labels := range f.waiting {
		for _, label := range labels {
			if label.Sequence < s.log.First() && f.fromOlder {
				s.ids.restore(s.ids.key(l.typ.Name, id), l.typ.Name, id, label)
			}
		}
	}
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
