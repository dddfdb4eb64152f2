//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Query implements warehouse.Querier. DuckDB's own parser says whether the text is one SELECT; files, other databases
// and settings are closed by the options that Open sets.
func (w *Warehouse) Query(ctx context.Context, text string, limit int) (*warehouse.Table, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "; \t\r\n")
	if err := w.checkSelect(ctx, text); err != nil {
		return nil, err
	}
	// The newline ends a comment on the last line.
	rows, err := w.db.QueryContext(ctx, fmt.Sprintf("SELECT * FROM (\n%s\n) LIMIT %d", text, limit+1))
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	table, err := readTable(rows, limit)
	if err := errors.Join(err, rows.Close()); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return table, nil
}

func (w *Warehouse) checkSelect(ctx context.Context, text string) error {
	var answer string
	if err := w.db.QueryRowContext(ctx, "SELECT CAST(json_serialize_sql(?::VARCHAR) AS VARCHAR)", text).Scan(&answer); err != nil {
		return fmt.Errorf("parse the query: %w", err)
	}
	var parsed struct {
		Error      bool              `json:"error"`
		Type       string            `json:"error_type"`
		Message    string            `json:"error_message"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := json.Unmarshal([]byte(answer), &parsed); err != nil {
		return fmt.Errorf("parse the query: %w", err)
	}
	switch {
	case parsed.Error && parsed.Type == "parser":
		return fmt.Errorf("query: %s", parsed.Message)
	case parsed.Error:
		return fmt.Errorf("%w: %s", warehouse.ErrReadOnly, parsed.Message)
	case len(parsed.Statements) != 1:
		return fmt.Errorf("%w: found %d statements, write one", warehouse.ErrReadOnly, len(parsed.Statements))
	}
	return nil
}

func readTable(rows *sql.Rows, limit int) (*warehouse.Table, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	table := &warehouse.Table{Columns: columns}
	for rows.Next() {
		if len(table.Rows) == limit {
			table.Truncated = true
			break
		}
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		table.Rows = append(table.Rows, row)
	}
	return table, rows.Err()
}
