package sqlite

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/registry"
)

func schema(t *testing.T, db *sql.DB) []string {
	t.Helper()
	out, err := collect(t.Context(), db, scanText, `SELECT type || ' ' || name FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY 1`)
	require.NoError(t, err)
	return out
}

// Every migration can be undone, also with rows in the tables, and done again.
func TestMigrationsDownAndUp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	fill(t, s)
	p, err := provider(s.writer)
	require.NoError(t, err)
	want := schema(t, s.writer)
	require.NotEmpty(t, want)
	_, err = p.Down(t.Context())
	require.NoError(t, err)
	require.Less(t, len(schema(t, s.writer)), len(want))
	require.NoError(t, s.Close())

	s = open(t, Options{Dir: dir}) // from one version below, rows kept
	require.Equal(t, want, schema(t, s.writer))
	history, err := s.History(t.Context(), "card_payment")
	require.NoError(t, err)
	require.Len(t, history, 1)
	p, err = provider(s.writer)
	require.NoError(t, err)
	_, err = p.DownTo(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, schema(t, s.writer))
	require.NoError(t, s.Close())

	s = open(t, Options{Dir: dir})
	require.Equal(t, want, schema(t, s.writer))
	require.NoError(t, s.Close())
}

func TestNewerTablesRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	_, err := s.writer.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "newer haechi")
}

func fill(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	v, model := testVersion(1)
	require.NoError(t, s.PutVersion(ctx, v, model))
	require.NoError(t, s.PutEvidence(ctx, registry.Evidence{Version: v.Digest, Kind: "report", Body: json.RawMessage(`{}`)}))
	_, err := s.Assign(ctx, 0, []registry.Assignment{{EventType: "card_payment", Role: registry.Champion, Version: v.Digest, Actor: "ana", Reason: "test"}})
	require.NoError(t, err)
	require.NoError(t, s.PutEventType(ctx, registry.Digest([]byte("d")), "card_payment", []byte("d")))
	require.NoError(t, s.PutRun(ctx, registry.Run{ID: "r", EventType: "card_payment", State: registry.RunRunning}))
	require.NoError(t, s.PutStep(ctx, registry.Step{Run: "r", Name: "pull", Output: json.RawMessage(`{}`)}))
}

// What is stored stays as it is, whoever opens the file with whatever tool.
func TestImmutableInSQL(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	fill(t, s)
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", filepath.Join(dir, "registry.db")) // none of our pragmas
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	const digest = `'0123456789012345678901234567890123456789012345678901234567890123'`
	for _, statement := range []string{
		`UPDATE versions SET body = '{}'`, `DELETE FROM versions`, `INSERT OR REPLACE INTO versions SELECT digest, event_type, 0, '{}' FROM versions`,
		`UPDATE evidence SET body = '{}'`, `DELETE FROM evidence`, `REPLACE INTO evidence SELECT id, version, 'other', body, 0, '' FROM evidence`,
		`UPDATE assignments SET reason = 'none'`, `DELETE FROM assignments`,
		`REPLACE INTO assignments SELECT id, event_type, revision, role, NULL, 0, 0, 'x', 'y' FROM assignments`,
		`INSERT INTO assignments (event_type, revision, role, valid_from, recorded_at, actor, reason) VALUES ('card_payment', 3, 'champion', 0, 0, 'x', 'y')`,
		`INSERT INTO assignments (event_type, revision, role, valid_from, recorded_at, actor, reason) VALUES ('card_payment', 0, 'champion', 0, 0, 'x', 'y')`,
		`INSERT INTO assignments (event_type, revision, role, valid_from, recorded_at, actor, reason) VALUES ('card_payment', 2, 'king', 0, 0, 'x', 'y')`,
		`UPDATE event_types SET name = 'x'`, `DELETE FROM event_types`, `REPLACE INTO event_types SELECT hash, 'x', document FROM event_types`,
		`UPDATE run_steps SET output = '1'`, `DELETE FROM run_steps`, `REPLACE INTO run_steps (run, name, output, started, ended) VALUES ('r', 'pull', '1', 0, 0)`,
		`INSERT INTO versions VALUES (substr(` + digest + `, 2), 'x', 0, '{}')`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.Error(t, err, statement)
		require.NotContains(t, err.Error(), "syntax", statement)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO versions VALUES (`+digest+`, 'x', 0, '{}')`)
	require.NoError(t, err, "an honest row is taken")
}
