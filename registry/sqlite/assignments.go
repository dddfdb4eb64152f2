package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/haechi-fraud/haechi/registry"
)

// Assign implements registry.Assignments.
func (s *Store) Assign(ctx context.Context, expectedHead uint64, changes []registry.Assignment) (uint64, error) {
	if err := registry.CheckChanges(registry.State{}, changes); err != nil { // what no state makes right
		return 0, fmt.Errorf("assign roles: %w", err)
	}
	eventType := changes[0].EventType
	err := s.write(ctx, func(tx *sql.Tx) error { return s.assign(ctx, tx, eventType, expectedHead, changes) })
	if err != nil {
		return 0, fmt.Errorf("assign roles of %s: %w", eventType, err)
	}
	s.assigned.Ring()
	return expectedHead + 1, nil
}

func (s *Store) assign(ctx context.Context, tx *sql.Tx, eventType string, expectedHead uint64, changes []registry.Assignment) error {
	history, err := history(ctx, tx, eventType)
	if err != nil {
		return err
	}
	now := registry.Replay(history)
	if now.Revision != expectedHead {
		return fmt.Errorf("%w: expected revision %d, found %d", registry.ErrConflict, expectedHead, now.Revision)
	}
	if err := registry.CheckChanges(now, changes); err != nil {
		return err
	}
	at := s.now()
	if n := len(history); n > 0 && at.Before(history[n-1].RecordedAt) {
		at = history[n-1].RecordedAt // the clock went back; the order of what was decided did not
	}
	for _, c := range changes {
		c.Revision, c.RecordedAt = expectedHead+1, at
		if c.ValidFrom.IsZero() {
			c.ValidFrom = at
		}
		if err := insertAssignment(ctx, tx, c); err != nil {
			return err
		}
	}
	return nil
}

func insertAssignment(ctx context.Context, tx *sql.Tx, a registry.Assignment) error {
	version := sql.NullString{String: a.Version, Valid: a.Version != ""}
	if version.Valid {
		var known bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM versions WHERE digest = ? AND event_type = ?)`, a.Version, a.EventType).Scan(&known)
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("version %s of this event type: %w", a.Version, registry.ErrNotFound)
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO assignments (event_type, revision, role, version, valid_from, recorded_at, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		a.EventType, int64(a.Revision), string(a.Role), version, micros(a.ValidFrom), micros(a.RecordedAt), a.Actor, a.Reason)
	return err
}

func history(ctx context.Context, q querier, eventType string) ([]registry.Assignment, error) {
	scan := func(rows *sql.Rows, a *registry.Assignment) error {
		var validFrom, recordedAt int64
		err := rows.Scan(&a.EventType, &a.Revision, &a.Role, &a.Version, &validFrom, &recordedAt, &a.Actor, &a.Reason)
		a.ValidFrom, a.RecordedAt = fromMicros(validFrom), fromMicros(recordedAt)
		return err
	}
	return collect(ctx, q, scan, `SELECT event_type, revision, role, coalesce(version, ''), valid_from, recorded_at, actor, reason
		FROM assignments WHERE ? IN ('', event_type) ORDER BY id`, eventType)
}

// History implements registry.Assignments.
func (s *Store) History(ctx context.Context, eventType string) ([]registry.Assignment, error) {
	out, err := history(ctx, s.reader, eventType)
	if err != nil {
		return nil, fmt.Errorf("assignments of %s: %w", eventType, err)
	}
	return out, nil
}

// state replays the changes of one event type but those to drop.
func (s *Store) state(ctx context.Context, eventType string, drop func(registry.Assignment) bool) (registry.State, error) {
	if eventType == "" {
		return registry.State{}, fmt.Errorf("who plays which role: %w: name the event type", registry.ErrInvalid)
	}
	all, err := s.History(ctx, eventType)
	if err != nil {
		return registry.State{}, err
	}
	return registry.Replay(slices.DeleteFunc(all, drop)), nil
}

// Head implements registry.Assignments.
func (s *Store) Head(ctx context.Context, eventType string) (registry.State, error) {
	return s.state(ctx, eventType, func(registry.Assignment) bool { return false })
}

// At implements registry.Assignments.
func (s *Store) At(ctx context.Context, eventType string, at time.Time) (registry.State, error) {
	return s.state(ctx, eventType, func(a registry.Assignment) bool { return a.ValidFrom.After(at) })
}

// Await implements registry.Assignments.
func (s *Store) Await(ctx context.Context, eventType string, after uint64, poll time.Duration) (uint64, error) {
	revision, err := registry.Await(ctx, &s.assigned, poll, after, func(ctx context.Context) (now uint64, err error) {
		err = s.reader.QueryRowContext(ctx, `SELECT coalesce(max(revision), 0) FROM assignments WHERE event_type = ?`, eventType).Scan(&now)
		return now, err
	})
	if err != nil {
		return revision, fmt.Errorf("wait for roles of %s to change: %w", eventType, err)
	}
	return revision, nil
}
