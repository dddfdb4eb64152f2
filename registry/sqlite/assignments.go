package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/haechi-fraud/haechi/registry"
)

// Assign implements registry.Assignments.
func (s *Store) Assign(ctx context.Context, expectedHead uint64, changes []registry.Assignment) (uint64, error) {
	if len(changes) == 0 {
		return 0, fmt.Errorf("assign: %w: no changes", registry.ErrInvalid)
	}
	eventType := changes[0].EventType
	revision := expectedHead + 1
	err := s.write(ctx, func(tx *sql.Tx) error {
		history, err := history(ctx, tx, eventType)
		if err != nil {
			return err
		}
		now := registry.Replay(history)
		if now.Revision != expectedHead {
			return fmt.Errorf("%w: expected revision %d, found %d", registry.ErrConflict, expectedHead, now.Revision)
		}
		at := s.now()
		next := slices.Clone(changes)
		for i := range next {
			next[i].Revision, next[i].RecordedAt = revision, at
			if next[i].ValidFrom.IsZero() {
				next[i].ValidFrom = at
			}
		}
		if err := registry.CheckChanges(now, next); err != nil {
			return err
		}
		for _, c := range next {
			if err := insertAssignment(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("assign roles of %s: %w", eventType, err)
	}
	return revision, nil
}

func insertAssignment(ctx context.Context, tx *sql.Tx, a registry.Assignment) error {
	var version any
	if a.Version != "" {
		version = a.Version
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM versions WHERE digest = ? AND event_type = ?`, a.Version, a.EventType).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("version %s of event type %s: %w", a.Version, a.EventType, registry.ErrNotFound)
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO assignments (event_type, revision, role, version, valid_from, recorded_at, actor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		a.EventType, int64(a.Revision), string(a.Role), version, micros(a.ValidFrom), micros(a.RecordedAt), a.Actor, a.Reason)
	return err
}

// querier is a transaction or the reader pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func history(ctx context.Context, q querier, eventType string) (out []registry.Assignment, err error) {
	rows, err := q.QueryContext(ctx, `SELECT event_type, revision, role, coalesce(version, ''), valid_from, recorded_at, actor, reason
		FROM assignments WHERE ? IN ('', event_type) ORDER BY recorded_at, id`, eventType)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a registry.Assignment
		var role string
		var validFrom, recordedAt int64
		if err := rows.Scan(&a.EventType, &a.Revision, &role, &a.Version, &validFrom, &recordedAt, &a.Actor, &a.Reason); err != nil {
			return nil, err
		}
		a.Role, a.ValidFrom, a.RecordedAt = registry.Role(role), fromMicros(validFrom), fromMicros(recordedAt)
		out = append(out, a)
	}
	return out, rows.Err()
}

// History implements registry.Assignments.
func (s *Store) History(ctx context.Context, eventType string) ([]registry.Assignment, error) {
	out, err := history(ctx, s.reader, eventType)
	if err != nil {
		return nil, fmt.Errorf("assignments of %s: %w", eventType, err)
	}
	return out, nil
}

// Head implements registry.Assignments.
func (s *Store) Head(ctx context.Context, eventType string) (registry.State, error) {
	all, err := s.History(ctx, eventType)
	return registry.Replay(all), err
}

// At implements registry.Assignments.
func (s *Store) At(ctx context.Context, eventType string, at time.Time) (registry.State, error) {
	all, err := s.History(ctx, eventType)
	return registry.Replay(slices.DeleteFunc(all, func(a registry.Assignment) bool { return a.ValidFrom.After(at) })), err
}
