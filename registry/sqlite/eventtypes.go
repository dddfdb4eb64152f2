package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/registry"
)

// PutEventType implements registry.EventTypes.
func (s *Store) PutEventType(ctx context.Context, hash, name string, document []byte) error {
	err := s.putEventType(ctx, hash, name, document)
	if err != nil {
		return fmt.Errorf("event type %s with hash %s: %w", name, hash, err)
	}
	return nil
}

func (s *Store) putEventType(ctx context.Context, hash, name string, document []byte) error {
	if name == "" {
		return fmt.Errorf("%w: its name is missing", registry.ErrInvalid)
	}
	if got := registry.Digest(document); got != hash {
		return fmt.Errorf("%w: the document has %s", registry.ErrDigest, got)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var had string
		err := tx.QueryRowContext(ctx, `SELECT name FROM event_types WHERE hash = ?`, hash).Scan(&had)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO event_types (hash, name, document) VALUES (?, ?, ?)`, hash, name, document)
			return err
		}
		if err == nil && had != name {
			err = fmt.Errorf("%w: it is stored as %s", registry.ErrImmutable, had)
		}
		return err
	})
}

// EventType implements registry.EventTypes.
func (s *Store) EventType(ctx context.Context, hash string) ([]byte, error) {
	var document []byte
	if err := s.reader.QueryRowContext(ctx, `SELECT document FROM event_types WHERE hash = ?`, hash).Scan(&document); err != nil {
		return nil, fmt.Errorf("event type with hash %s: %w", hash, found(err))
	}
	return document, nil
}
