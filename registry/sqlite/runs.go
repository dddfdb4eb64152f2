package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/registry"
)

// PutRun implements registry.Runs.
func (s *Store) PutRun(ctx context.Context, r registry.Run) error {
	return s.saveRun(ctx, r, func(_ registry.Run, err error) error {
		if errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		return err
	})
}

// UpdateRun implements registry.Runs.
func (s *Store) UpdateRun(ctx context.Context, was registry.RunState, r registry.Run) error {
	return s.saveRun(ctx, r, func(had registry.Run, err error) error {
		if err == nil && had.State != was {
			return fmt.Errorf("%w: expected state %s, found %s", registry.ErrConflict, was, had.State)
		}
		return err
	})
}

// saveRun stores a run over the stored one, if any, when judge accepts what was found.
func (s *Store) saveRun(ctx context.Context, r registry.Run, judge func(had registry.Run, err error) error) error {
	err := r.Check()
	if err == nil {
		r = r.Normal()
		err = s.write(ctx, func(tx *sql.Tx) error { return putRun(ctx, tx, r, judge) })
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	return nil
}

func putRun(ctx context.Context, tx *sql.Tx, r registry.Run, judge func(had registry.Run, err error) error) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	next, err := decodeRun(string(body)) // as it will be read
	if err != nil {
		return err
	}
	var had registry.Run
	var text string
	err = found(tx.QueryRowContext(ctx, `SELECT body FROM runs WHERE id = ?`, r.ID).Scan(&text))
	if err == nil {
		if had, err = decodeRun(text); err != nil {
			return err
		}
		if had.EventType != next.EventType || !had.CreatedAt.Equal(next.CreatedAt) || !bytes.Equal(had.Config, next.Config) {
			return fmt.Errorf("%w: a run keeps its event type, config and time of creation", registry.ErrImmutable)
		}
	}
	if err := judge(had, err); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO runs (id, event_type, state, created_at, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
		r.ID, r.EventType, string(r.State), micros(r.CreatedAt), string(body))
	return err
}

func decodeRun(body string) (registry.Run, error) {
	var r registry.Run
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("stored run: %w", err)
	}
	return r.Normal(), nil
}

// Run implements registry.Runs.
func (s *Store) Run(ctx context.Context, id string) (registry.Run, error) {
	var body string
	if err := s.reader.QueryRowContext(ctx, `SELECT body FROM runs WHERE id = ?`, id).Scan(&body); err != nil {
		return registry.Run{}, fmt.Errorf("run %s: %w", id, found(err))
	}
	return decodeRun(body)
}

// ListRuns implements registry.Runs.
func (s *Store) ListRuns(ctx context.Context, eventType string) ([]registry.Run, error) {
	bodies, err := collect(ctx, s.reader, scanText, `SELECT body FROM runs WHERE ? IN ('', event_type) ORDER BY created_at DESC, rowid DESC`, eventType)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	out := make([]registry.Run, len(bodies))
	for i, body := range bodies {
		if out[i], err = decodeRun(body); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutStep implements registry.Runs.
func (s *Store) PutStep(ctx context.Context, step registry.Step) error {
	err := step.Check()
	if err == nil {
		err = s.write(ctx, func(tx *sql.Tx) error { return putStep(ctx, tx, step) })
	}
	if err != nil {
		return fmt.Errorf("step %s of run %s: %w", step.Name, step.Run, err)
	}
	return nil
}

func putStep(ctx context.Context, tx *sql.Tx, step registry.Step) error {
	var known bool
	var had sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1), (SELECT output FROM run_steps WHERE run = ?1 AND name = ?2)`,
		step.Run, step.Name).Scan(&known, &had)
	switch {
	case err != nil:
		return err
	case !known:
		return registry.ErrNotFound
	case had.Valid && had.String != string(step.Output):
		return registry.ErrImmutable
	case had.Valid:
		return nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_steps (run, name, output, started, ended) VALUES (?, ?, ?, ?, ?)`,
		step.Run, step.Name, string(step.Output), micros(step.Started), micros(step.Ended))
	return err
}

// Steps implements registry.Runs.
func (s *Store) Steps(ctx context.Context, run string) ([]registry.Step, error) {
	scan := func(rows *sql.Rows, step *registry.Step) error {
		var started, ended int64
		err := rows.Scan(&step.Run, &step.Name, (*[]byte)(&step.Output), &started, &ended)
		step.Started, step.Ended = fromMicros(started), fromMicros(ended)
		return err
	}
	out, err := collect(ctx, s.reader, scan, `SELECT run, name, output, started, ended FROM run_steps WHERE run = ? ORDER BY id`, run)
	if err != nil {
		return nil, fmt.Errorf("steps of run %s: %w", run, err)
	}
	return out, nil
}
