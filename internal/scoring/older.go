package scoring

import (
	"context"
	"fmt"
	"math"
	"time"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Older gives what the log no longer holds: the events of one event type up to a sequence, in ascending order, as records of
// imported events of its document in force, and the labels that were appended up to there. A label comes before its event,
// as one that waits for it: nobody reads features in between.
type Older interface {
	Older(ctx context.Context, eventType string, through uint64, visit func(sequence uint64, rec *logv1.Record) error) error
}

// older passes on what was dropped from the log, up to a sequence.
func (s *Scorer) older(ctx context.Context, l *lane, through uint64, visit func(uint64, *logv1.Record) error) error {
	if through == 0 {
		return nil
	}
	if s.opts.Older == nil {
		return fmt.Errorf("the log begins with record %d, and what came before is not at hand: put the snapshots or the warehouse back", through+1)
	}
	err := s.opts.Older.Older(ctx, l.typ.Name, through, func(sequence uint64, rec *logv1.Record) error {
		if body := rec.GetEvent(); body != nil {
			body.EventType = l.index
		}
		if body := rec.GetLabel(); body != nil {
			body.EventType = l.index
		}
		return visit(sequence, rec)
	})
	if err != nil {
		return fmt.Errorf("read events of %s before record %d from the warehouse: %w", l.typ.Name, through+1, err)
	}
	return nil
}

// history passes on all events and labels of a lane, those dropped from the log first, then every record of the log.
func (s *Scorer) history(ctx context.Context, l *lane, visit func(uint64, *logv1.Record) error) (next uint64, err error) {
	first := s.log.First() // what is dropped from here on is an error of walk, never a gap
	if err := s.older(ctx, l, first-1, visit); err != nil {
		return 0, err
	}
	return s.walk(ctx, first, visit)
}

// Expired gives the first sequence of the log that is still needed when decisions are to be replayed for so long: events
// before it lie further back, by the event clock of their type, than that, the longest window with its delay, and allowed
// lateness together.
func (s *Scorer) Expired(retain time.Duration) uint64 {
	limit := int64(math.MaxInt64)
	for _, name := range s.EventTypes() {
		l := s.lanes[name]
		mark := l.watermark.Load()
		if mark == 0 {
			continue
		}
		l.gate.RLock()
		definitions := l.engine.Definitions()
		l.gate.RUnlock()
		reach := int64(0)
		for i := range definitions {
			reach = max(reach, definitions[i].Reach())
		}
		limit = min(limit, mark-retain.Microseconds()-reach-l.typ.Schema.AllowedLateness)
	}
	first := s.log.First()
	if limit == math.MaxInt64 {
		return first
	}
	for _, sealed := range s.log.Sealed() {
		if sealed.Latest >= limit {
			break
		}
		first = sealed.Last + 1
	}
	return first
}

// Drop deletes segments of the log whose records all come before the sequence, and that every snapshot kept is as of a later
// record than. It returns how many those were.
func (s *Scorer) Drop(before uint64) (int, error) {
	s.snapshots.Lock()
	defer s.snapshots.Unlock()
	paths, err := snapshotPaths(s.opts.SnapshotDir)
	if err != nil {
		return 0, err
	}
	if len(paths) < keepSnapshots {
		return 0, nil
	}
	for _, path := range paths {
		var at uint64
		if _, err := fmt.Sscanf(snapshotName(path), "%d", &at); err != nil {
			return 0, fmt.Errorf("snapshot %s is not named by a record", path)
		}
		before = min(before, at+1)
	}
	return s.log.Drop(before)
}
