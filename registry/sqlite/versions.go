package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/registry"
)

// PutVersion implements registry.Versions: the file is on disk before the row says so.
func (s *Store) PutVersion(ctx context.Context, v registry.Version, model []byte) error {
	if err := s.putVersion(ctx, v.Normal(), model); err != nil {
		return fmt.Errorf("put version %s: %w", v.Digest, err)
	}
	return nil
}

func (s *Store) putVersion(ctx context.Context, v registry.Version, model []byte) error {
	if err := v.Check(); err != nil {
		return err
	}
	if got := registry.Digest(model); got != v.Digest {
		return fmt.Errorf("%w: the model has %s", registry.ErrDigest, got)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.putArtifact(v.Digest, model); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var text string
		err := tx.QueryRowContext(ctx, `SELECT body FROM versions WHERE digest = ?`, v.Digest).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO versions (digest, event_type, created_at, body) VALUES (?, ?, ?, ?)`,
				v.Digest, v.EventType, micros(v.CreatedAt), string(body))
			return err
		}
		if err != nil {
			return err
		}
		had, err := decodeVersion(text)
		if err == nil && !had.Same(v) {
			err = registry.ErrImmutable
		}
		return err
	})
}

func decodeVersion(body string) (registry.Version, error) {
	var v registry.Version
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return v, fmt.Errorf("stored version: %w", err)
	}
	return v, nil
}

// Version implements registry.Versions.
func (s *Store) Version(ctx context.Context, digest string) (registry.Version, error) {
	var body string
	if err := s.reader.QueryRowContext(ctx, `SELECT body FROM versions WHERE digest = ?`, digest).Scan(&body); err != nil {
		return registry.Version{}, fmt.Errorf("version %s: %w", digest, found(err))
	}
	return decodeVersion(body)
}

// ListVersions implements registry.Versions.
func (s *Store) ListVersions(ctx context.Context, eventType string) ([]registry.Version, error) {
	bodies, err := collect(ctx, s.reader, scanText, `SELECT body FROM versions WHERE ? IN ('', event_type) ORDER BY created_at DESC, rowid DESC`, eventType)
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	var out []registry.Version
	for _, body := range bodies {
		v, err := decodeVersion(body)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Model implements registry.Versions.
func (s *Store) Model(ctx context.Context, digest string) ([]byte, error) {
	if _, err := s.Version(ctx, digest); err != nil {
		return nil, err
	}
	b, err := s.readArtifact(digest)
	if err != nil {
		return nil, fmt.Errorf("model of version %s: %w", digest, err)
	}
	return b, nil
}

// PutEvidence implements registry.EvidenceStore.
func (s *Store) PutEvidence(ctx context.Context, e registry.Evidence) error {
	if err := s.putEvidence(ctx, e); err != nil {
		return fmt.Errorf("evidence %s of version %s: %w", e.Kind, e.Version, err)
	}
	return nil
}

func (s *Store) putEvidence(ctx context.Context, e registry.Evidence) error {
	if err := e.Check(); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var known, had bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM versions WHERE digest = ?1),
			EXISTS (SELECT 1 FROM evidence WHERE version = ?1 AND kind = ?2 AND body = ?3)`, e.Version, e.Kind, string(e.Body)).Scan(&known, &had)
		if err != nil || had {
			return err
		}
		if !known {
			return registry.ErrNotFound
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO evidence (version, kind, body, created_at, created_by) VALUES (?, ?, ?, ?, ?)`,
			e.Version, e.Kind, string(e.Body), micros(e.CreatedAt), e.CreatedBy)
		return err
	})
}

// Evidence implements registry.EvidenceStore.
func (s *Store) Evidence(ctx context.Context, digest string) ([]registry.Evidence, error) {
	scan := func(rows *sql.Rows, e *registry.Evidence) error {
		var at int64
		err := rows.Scan(&e.Version, &e.Kind, (*[]byte)(&e.Body), &at, &e.CreatedBy)
		e.CreatedAt = fromMicros(at)
		return err
	}
	out, err := collect(ctx, s.reader, scan, `SELECT version, kind, body, created_at, created_by FROM evidence WHERE version = ? ORDER BY id`, digest)
	if err != nil {
		return nil, fmt.Errorf("evidence of version %s: %w", digest, err)
	}
	return out, nil
}
