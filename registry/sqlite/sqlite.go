// Package sqlite keeps the registry in one SQLite file and the models' bytes in a folder beside it. It is for one server
// and the commands of the same machine; what it promises is the contract of package registry.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/haechi-fraud/haechi/registry"
)

//go:embed migrations/*.sql
var migrations embed.FS

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
}

var _ registry.Store = (*Store)(nil)

// Open opens the registry in a folder and brings its tables up to date.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Dir == "" {
		return nil, errors.New("sqlite registry: name its folder")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{artifacts: filepath.Join(o.Dir, "artifacts"), now: o.Now}
	if err := os.MkdirAll(s.artifacts, 0o750); err != nil {
		return nil, fmt.Errorf("sqlite registry: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("sqlite registry: %w", err), s.Close())
		}
	}()
	dsn := "file:" + filepath.Join(o.Dir, "registry.db") +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)"
	if s.writer, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return s, err
	}
	s.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writer); err != nil {
		return s, err
	}
	if s.reader, err = sql.Open("sqlite", dsn+"&_pragma=query_only(ON)"); err != nil {
		return s, err
	}
	s.reader.SetMaxOpenConns(4)
	return s, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	return nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
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

// write runs f in a transaction that has the write lock from its beginning.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
