// Package sqlite keeps the registry in one SQLite file and the models' bytes in a folder beside it. It is for one server
// and the commands of the same machine; what it promises is the contract of package registry. It decides nothing about
// models, and it is not for folders that several machines share.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/haechi-fraud/haechi/registry"
)

// Options of a Store.
type Options struct {
	// Dir holds registry.db and artifacts/; made when absent. Required.
	Dir string
	// Now is the clock of RecordedAt; time.Now by default.
	Now func() time.Time
}

// Store is the registry. All methods may be called from any goroutine, by several processes on one folder.
type Store struct {
	writer    *sql.DB // one connection: SQLite has one writer
	reader    *sql.DB
	artifacts string
	now       func() time.Time
	assigned  registry.Bell // rung at every new revision
}

var _ registry.Store = (*Store)(nil)

const readers = 4

// Open opens the registry in a folder and brings its tables up to date.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("sqlite registry: name its folder")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("sqlite registry: %w", err)
	}
	s := &Store{artifacts: filepath.Join(dir, "artifacts"), now: o.Now}
	if err := s.open(ctx, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite registry in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(s.artifacts, 0o750); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "registry.lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if s.writer, err = sql.Open("sqlite", source(dir, "_txlock=immediate")); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writer); err != nil {
		return err
	}
	if s.reader, err = sql.Open("sqlite", source(dir, "_pragma=query_only(ON)")); err != nil {
		return err
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

// source names the database as a URI, so that any character may be in a folder's name.
func source(dir, extra string) string {
	u := url.URL{Scheme: "file", Path: filepath.Join(dir, "registry.db")}
	return u.String() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&" + extra
}

// Close implements registry.Store.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs f in a transaction that has the write lock from its beginning; it is durable on return.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}
		return err
	}
	return tx.Commit()
}

// querier is a transaction or the reader pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows, *T) error, query string, args ...any) (out []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var row T
		if err := scan(rows, &row); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// found turns the absence of a row into the registry's own error.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return registry.ErrNotFound
	}
	return err
}

func scanText(rows *sql.Rows, text *string) error { return rows.Scan(text) }

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
