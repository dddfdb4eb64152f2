//go:build cgo

package duckdb_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/warehouse"
	"github.com/haechi-fraud/haechi/internal/warehouse/duckdb"
	"github.com/haechi-fraud/haechi/internal/warehouse/warehousetest"
)

func open(t testing.TB, path string) warehouse.Warehouse {
	t.Helper()
	w, err := duckdb.Open(context.Background(), duckdb.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return w
}

func TestConformance(t *testing.T) {
	warehousetest.Run(t, func(t *testing.T) warehousetest.Open {
		path := filepath.Join(t.TempDir(), "with space", "warehouse.duckdb")
		require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
		return func(t *testing.T) warehouse.Warehouse { return open(t, path) }
	})
}

func TestOptionsAreCheckedTogether(t *testing.T) {
	_, err := duckdb.Open(context.Background(), duckdb.Options{Path: "a?b", Threads: -1})
	require.ErrorContains(t, err, "Path")
	require.ErrorContains(t, err, "Threads")
	require.ErrorContains(t, err, "Logger")
}

func TestSettings(t *testing.T) {
	w, err := duckdb.Open(context.Background(), duckdb.Options{
		Path: filepath.Join(t.TempDir(), "w.duckdb"), MemoryLimitMiB: 512, Threads: 1, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	table, err := w.Query(context.Background(), `SELECT name, value FROM duckdb_settings() WHERE name IN
('memory_limit', 'threads', 'autoinstall_known_extensions', 'autoload_known_extensions', 'enable_external_access', 'lock_configuration') ORDER BY name`, 10)
	require.NoError(t, err)
	require.Equal(t, [][]any{
		{"autoinstall_known_extensions", "false"}, {"autoload_known_extensions", "false"}, {"enable_external_access", "false"},
		{"lock_configuration", "true"}, {"memory_limit", "512.0 MiB"}, {"threads", "1"},
	}, table.Rows)
}

func TestQueryReadsNoFiles(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret.csv")
	require.NoError(t, os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o600))
	w := open(t, filepath.Join(folder, "w.duckdb"))
	defer func() { require.NoError(t, w.Close()) }()
	for _, sql := range []string{"SELECT * FROM read_csv('" + secret + "')", "SELECT * FROM '" + secret + "'", "SELECT * FROM read_text('" + secret + "')", "SELECT * FROM glob('" + folder + "/*')"} {
		_, err := w.Query(context.Background(), sql, 10)
		require.ErrorContains(t, err, "disabled", sql)
	}
}
