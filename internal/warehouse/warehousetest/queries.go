package warehousetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

func testQuery(t *testing.T, open Open) {
	w := opened(t, open, world())
	table, err := w.Query(context.Background(), "SELECT event_id, amount_minor FROM raw_data.events ORDER BY sequence DESC; ", 3)
	require.NoError(t, err)
	require.Equal(t, []string{"event_id", "amount_minor"}, table.Columns)
	require.Equal(t, [][]any{{"p6", int64(606)}, {"p4", int64(404)}, {"p2", int64(202)}}, table.Rows)
	require.True(t, table.Truncated)
	table, err = w.Query(context.Background(), "WITH x AS (SELECT 1 AS one) SELECT one FROM x -- a comment", 10)
	require.NoError(t, err)
	require.Len(t, table.Rows, 1)
	require.False(t, table.Truncated)
	_, err = w.Query(context.Background(), "SELECT nothing FROM nowhere", 1)
	require.Error(t, err)
}

func testQueryRefuses(t *testing.T, open Open) {
	w := opened(t, open, world())
	for _, sql := range []string{
		"DELETE FROM raw_data.events",
		"DROP TABLE raw_data.events",
		"INSERT INTO raw_data.positions SELECT 'x', 1, now()",
		"CREATE TABLE t AS SELECT 1",
		"SELECT 1; DELETE FROM raw_data.events",
		"DELETE FROM raw_data.events; SELECT 1",
		"COPY raw_data.events TO 'out.csv'",
	} {
		_, err := w.Query(context.Background(), sql, 1)
		require.ErrorIs(t, err, warehouse.ErrReadOnly, sql)
	}
	for _, sql := range []string{"", "SELEC 1", "SELECT 1) x; DELETE FROM raw_data.events; SELECT * FROM (SELECT 1"} {
		_, err := w.Query(context.Background(), sql, 1)
		require.Error(t, err, sql)
	}
	require.Equal(t, int64(4), count(t, w, "raw_data.events"))
}

func testDaily(t *testing.T, open Open) {
	w := opened(t, open, world())
	table, err := w.Query(context.Background(), `SELECT CAST(day AS VARCHAR) AS day, CAST(events AS BIGINT) AS events, CAST(amount_minor AS BIGINT) AS amount
FROM analytics.daily_events ORDER BY day`, 10)
	require.NoError(t, err)
	require.Equal(t, [][]any{{"2024-01-01", int64(2), int64(303)}, {"2024-01-02", int64(2), int64(1010)}}, table.Rows)
	table, err = w.Query(context.Background(), `SELECT CAST(day AS VARCHAR) AS day, decision, decisions, fallbacks FROM analytics.daily_decisions`, 10)
	require.NoError(t, err)
	require.Equal(t, [][]any{{"2024-01-02", "decline", int64(1), int64(1)}}, table.Rows)
	table, err = w.Query(context.Background(), `SELECT event_id, verdict FROM analytics.current_labels`, 10)
	require.NoError(t, err)
	require.Equal(t, [][]any{{"p1", "legitimate"}}, table.Rows, "of two with the same known_at the later sequence wins")
}

func testDescribe(t *testing.T, open Open) {
	w := opened(t, open, world())
	shape := warehouse.Shape{
		EventType: "payment", Currency: "EUR", MinorDigits: 2, Entities: []string{"customer", "label"},
		Attributes: []string{"country"}, Flags: []string{"online"}, Numbers: []string{"distance_km"},
	}
	require.NoError(t, w.Describe(context.Background(), shape))
	require.NoError(t, w.Describe(context.Background(), shape), "again")
	table, err := w.Query(context.Background(), `SELECT id, amount, customer, entity_label, country, online, distance_km, decision, label FROM adhoc.payment ORDER BY sequence`, 10)
	require.NoError(t, err)
	require.Len(t, table.Rows, 4)
	require.Equal(t, []any{"p1", 1.01, "1", nil, "日本", true, 0.1, nil, "legitimate"}, table.Rows[0])
	require.Equal(t, []any{"p4", 4.04, "1", nil, "日本", true, 0.4, "decline", nil}, table.Rows[2])
	hostile := warehouse.Shape{EventType: `x"; DROP SCHEMA adhoc CASCADE; --`, Entities: []string{`it's "odd"`}}
	require.NoError(t, w.Describe(context.Background(), hostile))
	require.Equal(t, int64(4), count(t, w, "adhoc.payment"))
}
