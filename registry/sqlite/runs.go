package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/registry"
)

// PutEventType implements registry.EventTypes.
func (s *Store) PutEventType(ctx context.Context, hash, name string, document []byte) error {
	if got := digestOf(document); got != hash {
		return fmt.Errorf("event type %s: %w: document has %s, not %s", name, registry.ErrDigest, got, hash)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO event_types (hash, name, document) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING`, hash, name, document)
		return err
	})
}

// EventType implements registry.EventTypes.
func (s *Store) EventType(ctx context.Context, hash string) ([]byte, error) {
	var document []byte
	err := s.reader.QueryRowContext(ctx, `SELECT document FROM event_types WHERE hash = ?`, hash).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("event type %s: %w", hash, registry.ErrNotFound)
	}
	return document, err
}

// PutRun implements registry.Runs.
func (s *Store) PutRun(ctx context.Context, r registry.Run) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO runs (id, event_type, state, created_at, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
			r.ID, r.EventType, string(r.State), micros(r.CreatedAt), string(body))
		return err
	})
}

// Run implements registry.Runs.
func (s *Store) Run(ctx context.Context, id string) (registry.Run, error) {
	var r registry.Run
	var body string
	err := s.reader.QueryRowContext(ctx, `SELECT body FROM runs WHERE id = ?`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("run %s: %w", id, registry.ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("run %s: %w", id, err)
	}
	return r, json.Unmarshal([]byte(body), &r)
}

// ListRuns implements registry.Runs.
func (s *Store) ListRuns(ctx context.Context, eventType string) ([]registry.Run, error) {
	bodies, err := s.strings(ctx, `SELECT body FROM runs WHERE ? IN ('', event_type) ORDER BY created_at DESC, id DESC`, eventType)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	out := make([]registry.Run, len(bodies))
	for i, body := range bodies {
		if err := json.Unmarshal([]byte(body), &out[i]); err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
	}
	return out, nil
}
