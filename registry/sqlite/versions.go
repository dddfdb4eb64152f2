package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/haechi-fraud/haechi/registry"
)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// encode gives the stored form, with times in whole microseconds, in UTC.
func encode(v registry.Version) (string, error) {
	v.CreatedAt = v.CreatedAt.UTC().Truncate(time.Microsecond)
	v.Span.From, v.Span.To = v.Span.From.UTC(), v.Span.To.UTC()
	text, err := json.Marshal(v)
	return string(text), err
}

// PutVersion implements registry.Versions: the file is on disk before the row says so.
func (s *Store) PutVersion(ctx context.Context, v registry.Version, model []byte) error {
	if got := digestOf(model); got != v.Digest {
		return fmt.Errorf("put version %s: %w: the model has %s", v.Digest, registry.ErrDigest, got)
	}
	body, err := encode(v)
	if err != nil {
		return fmt.Errorf("put version %s: %w", v.Digest, err)
	}
	if err := s.putArtifact(v.Digest, model); err != nil {
		return fmt.Errorf("put version %s: %w", v.Digest, err)
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		var had string
		err := tx.QueryRowContext(ctx, `SELECT body FROM versions WHERE digest = ?`, v.Digest).Scan(&had)
		if err == nil {
			if had != body {
				return registry.ErrImmutable
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO versions (digest, event_type, created_at, body) VALUES (?, ?, ?, ?)`,
			v.Digest, v.EventType, micros(v.CreatedAt), body)
		return err
	})
	if err != nil {
		return fmt.Errorf("put version %s: %w", v.Digest, err)
	}
	return nil
}

func (s *Store) artifact(digest string) string { return filepath.Join(s.artifacts, digest+".txt") }

// putArtifact writes a model's bytes so that they are there whole or not at all, also after a power cut.
func (s *Store) putArtifact(digest string, model []byte) (err error) {
	path := s.artifact(digest)
	if had, err := os.ReadFile(path); err == nil && digestOf(had) == digest {
		return nil
	}
	f, err := os.CreateTemp(s.artifacts, "."+digest+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(model)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(s.artifacts)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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
	err := s.reader.QueryRowContext(ctx, `SELECT body FROM versions WHERE digest = ?`, digest).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Version{}, fmt.Errorf("version %s: %w", digest, registry.ErrNotFound)
	}
	if err != nil {
		return registry.Version{}, fmt.Errorf("version %s: %w", digest, err)
	}
	return decodeVersion(body)
}

// ListVersions implements registry.Versions.
func (s *Store) ListVersions(ctx context.Context, eventType string) ([]registry.Version, error) {
	bodies, err := s.strings(ctx, `SELECT body FROM versions WHERE ? IN ('', event_type) ORDER BY created_at DESC, digest`, eventType)
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

// strings reads a single text column.
func (s *Store) strings(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// Model implements registry.Versions.
func (s *Store) Model(ctx context.Context, digest string) ([]byte, error) {
	if _, err := s.Version(ctx, digest); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.artifact(digest))
	if err != nil {
		return nil, fmt.Errorf("model of version %s: %w; restore the file from a copy", digest, err)
	}
	if got := digestOf(b); got != digest {
		return nil, fmt.Errorf("model of version %s: %w: %s holds bytes of %s; restore it from a copy", digest, registry.ErrDigest, s.artifact(digest), got)
	}
	return b, nil
}

// PutEvidence implements registry.EvidenceStore.
func (s *Store) PutEvidence(ctx context.Context, e registry.Evidence) error {
	if !json.Valid(e.Body) {
		return fmt.Errorf("evidence %s of version %s: %w: its body is not JSON", e.Kind, e.Version, registry.ErrInvalid)
	}
	if _, err := s.Version(ctx, e.Version); err != nil {
		return fmt.Errorf("evidence %s: %w", e.Kind, err)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO evidence (version, kind, body, created_at, created_by) VALUES (?, ?, ?, ?, ?)`,
			e.Version, e.Kind, string(e.Body), micros(e.CreatedAt), e.CreatedBy)
		return err
	})
}

// Evidence implements registry.EvidenceStore.
func (s *Store) Evidence(ctx context.Context, digest string) (out []registry.Evidence, err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT version, kind, body, created_at, created_by FROM evidence WHERE version = ? ORDER BY id`, digest)
	if err != nil {
		return nil, fmt.Errorf("evidence of version %s: %w", digest, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e registry.Evidence
		var body string
		var at int64
		if err := rows.Scan(&e.Version, &e.Kind, &body, &at, &e.CreatedBy); err != nil {
			return nil, fmt.Errorf("evidence of version %s: %w", digest, err)
		}
		e.Body, e.CreatedAt = json.RawMessage(body), fromMicros(at)
		out = append(out, e)
	}
	return out, rows.Err()
}
