package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/registry/registrytest"
)

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Place {
		dir := t.TempDir()
		return registrytest.Place{
			Open: func(t *testing.T) registry.Store { return open(t, Options{Dir: dir}) },
			Damage: func(t *testing.T, digest string, model []byte) string {
				path := filepath.Join(dir, "artifacts", digest+".txt")
				if model == nil {
					require.NoError(t, os.Remove(path))
				} else {
					require.NoError(t, os.WriteFile(path, model, 0o600))
				}
				return path
			},
		}
	})
}

func TestOpenRefused(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	require.ErrorContains(t, err, "name its folder")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(t.Context(), Options{Dir: file})
	require.ErrorContains(t, err, file)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "registry.db"), []byte("this is no database, whatever its name says"), 0o600))
	_, err = Open(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "not a database")
}

// A folder may be called anything; nothing of its name is taken for a parameter of the database.
func TestFolderNames(t *testing.T) {
	for _, name := range []string{"with space", "a?_pragma=x", "100%41", "hash#tag", "ünï"} {
		dir := filepath.Join(t.TempDir(), name)
		s := open(t, Options{Dir: dir})
		require.NoError(t, s.Close())
		require.FileExists(t, filepath.Join(dir, "registry.db"))
	}
}

// Sixteen that open an empty folder at once all get the same registry.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	stores, errs := make([]*Store, 16), make([]error, 16)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() { stores[i], errs[i] = Open(t.Context(), Options{Dir: dir}) })
	}
	wg.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		require.NoError(t, s.Close())
	}
}

func TestOpenWaitsForItsTurn(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(t.Context(), filepath.Join(dir, "registry.lock"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, Options{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, unlock())
	require.NoError(t, open(t, Options{Dir: dir}).Close())
}

// Every connection of both pools has the pragmas that the promises rest on.
func TestPragmas(t *testing.T) {
	ctx, s := t.Context(), open(t, Options{Dir: t.TempDir()})
	var all []*sql.Conn
	for n, db := range map[int]*sql.DB{1: s.writer, readers: s.reader} {
		for range n { // held together, so that they are different ones
			conn, err := db.Conn(ctx)
			require.NoError(t, err)
			all = append(all, conn)
		}
	}
	require.Len(t, all, 1+readers)
	for _, conn := range all {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
			var got string
			require.NoError(t, conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
		require.NoError(t, conn.Close())
	}
	_, err := s.reader.ExecContext(ctx, `INSERT INTO event_types (hash, name, document) VALUES ('x', 'y', 'z')`)
	require.ErrorContains(t, err, "readonly")
	require.NoError(t, s.Close())
}

// A clock that goes back does not reorder what was decided.
func TestClockBackwards(t *testing.T) {
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	s := open(t, Options{Dir: t.TempDir(), Now: func() time.Time { at = at.Add(-time.Hour); return at }})
	defer func() { require.NoError(t, s.Close()) }()
	for n := range uint64(3) {
		v, model := testVersion(int(n))
		require.NoError(t, s.PutVersion(t.Context(), v, model))
		_, err := s.Assign(t.Context(), n, []registry.Assignment{{EventType: "card_payment", Role: registry.Champion, Version: v.Digest, Actor: "ana", Reason: "test"}})
		require.NoError(t, err)
		head, err := s.Head(t.Context(), "card_payment")
		require.NoError(t, err)
		require.Equal(t, v.Digest, head.Roles[registry.Champion][0].Version)
		require.Equal(t, time.Date(2026, 1, 1, 23, 0, 0, 0, time.UTC), head.Roles[registry.Champion][0].RecordedAt)
	}
}
