//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Describe implements warehouse.Describer.
func (w *Warehouse) Describe(ctx context.Context, s warehouse.Shape) error {
	if s.EventType == "" {
		return errors.New("describe: the shape names no event type")
	}
	err := w.withWriter(ctx, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, viewOf(s))
		return err
	})
	if err != nil {
		return fmt.Errorf("make the view adhoc.%s: %w", s.EventType, err)
	}
	return nil
}

// fixed columns come before and after the fields of an event type.
func fixed() []string {
	return []string{"id", "time", "amount", "currency", "outcome", "origin", "decision", "raw", "probability", "model_version", "label", "label_kind", "label_known_at", "log_id", "sequence"}
}

func viewOf(s warehouse.Shape) string {
	taken := fixed()
	pointer := strings.NewReplacer("~", "~0", "/", "~1") // JSON pointer: DuckDB's paths cannot hold a quote
	columns := []string{"e.event_id AS id", "e.event_time AS time"}
	if s.Currency != "" {
		columns = append(columns, fmt.Sprintf("CAST(e.amount_minor AS DOUBLE) / 1e%d AS amount", s.MinorDigits), "e.currency AS currency")
	}
	add := func(group, column, sqlType string, names []string) {
		for _, name := range names {
			as := name
			if slices.Contains(taken, as) {
				as = group + "_" + name
			}
			taken = append(taken, as)
			value := fmt.Sprintf("json_extract_string(e.%s, %s)", column, literal("/"+pointer.Replace(name)))
			if sqlType != "VARCHAR" {
				value = fmt.Sprintf("CAST(%s AS %s)", value, sqlType)
			}
			columns = append(columns, value+" AS "+identifier(as))
		}
	}
	add("entity", "entities", "VARCHAR", s.Entities)
	add("attribute", "attributes", "VARCHAR", s.Attributes)
	add("attribute", "attributes", "BOOLEAN", s.Flags)
	add("number", "numbers", "DOUBLE", s.Numbers)
	columns = append(columns, "e.outcome", "e.origin", "d.decision", "d.raw", "d.probability", "d.model_version",
		"l.verdict AS label", "l.kind AS label_kind", "l.known_at AS label_known_at", "e.log_id", "e.sequence")
	return fmt.Sprintf(`CREATE OR REPLACE VIEW adhoc.%s AS
SELECT %s
FROM (SELECT DISTINCT * FROM raw_data.events WHERE event_type = %s) e
LEFT JOIN (SELECT log_id, event_sequence, arg_max(decision, sequence) AS decision, arg_max_null(raw, sequence) AS raw,
                  arg_max_null(probability, sequence) AS probability, arg_max(model_version, sequence) AS model_version
           FROM raw_data.decisions GROUP BY ALL) d ON d.log_id = e.log_id AND d.event_sequence = e.sequence
LEFT JOIN analytics.current_labels l ON l.log_id = e.log_id AND l.event_type = e.event_type AND l.event_id = e.event_id`,
		identifier(s.EventType), strings.Join(columns, ",\n       "), literal(s.EventType))
}

func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
