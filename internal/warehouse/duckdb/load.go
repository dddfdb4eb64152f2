//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Position implements warehouse.Sink.
func (w *Warehouse) Position(ctx context.Context, logID string) (uint64, error) {
	var through int64
	err := w.db.QueryRowContext(ctx, "SELECT coalesce(max(through), 0) FROM raw_data.positions WHERE log_id = ?", logID).Scan(&through)
	if err != nil {
		return 0, fmt.Errorf("read the warehouse's position: %w", err)
	}
	return uint64(through), nil
}

// Load implements warehouse.Sink.
func (w *Warehouse) Load(ctx context.Context, b warehouse.Batch) error {
	if err := checkOrder(b); err != nil {
		return err
	}
	err := w.withWriter(ctx, func(ctx context.Context, conn *sql.Conn) error {
		var stored sql.NullInt64
		row := conn.QueryRowContext(ctx, "SELECT max(through) FROM raw_data.positions WHERE log_id = ?", b.LogID)
		if err := row.Scan(&stored); err != nil {
			return fmt.Errorf("read the position: %w", err)
		}
		position := uint64(stored.Int64)
		if stored.Valid && b.Through <= position {
			return nil
		}
		if err := appendRows(ctx, conn, b, position); err != nil {
			return err
		}
		statement := "INSERT INTO raw_data.positions (through, loaded_at, log_id) VALUES (?, ?, ?)"
		if stored.Valid {
			statement = "UPDATE raw_data.positions SET through = ?, loaded_at = ? WHERE log_id = ?"
		}
		if _, err := conn.ExecContext(ctx, statement, int64(b.Through), time.Now().UTC(), b.LogID); err != nil {
			return fmt.Errorf("store the position: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load up to %d of log %s: %w", b.Through, b.LogID, err)
	}
	return nil
}

func checkOrder(b warehouse.Batch) error {
	if b.LogID == "" {
		return errors.New("load: the batch names no log")
	}
	if b.Through > math.MaxInt64 {
		return fmt.Errorf("load: position %d is beyond what the warehouse can hold", b.Through)
	}
	check := func(what string, n int, sequence func(int) uint64) error {
		last := uint64(0)
		for i := range n {
			s := sequence(i)
			if s <= last || s > b.Through {
				return fmt.Errorf("load up to %d: %s %d after %d: %w", b.Through, what, s, last, warehouse.ErrOrder)
			}
			last = s
		}
		return nil
	}
	return errors.Join(
		check("event", len(b.Events), func(i int) uint64 { return b.Events[i].Sequence }),
		check("decision", len(b.Decisions), func(i int) uint64 { return b.Decisions[i].Sequence }),
		check("label", len(b.Labels), func(i int) uint64 { return b.Labels[i].Sequence }),
	)
}

// appendRows stores the rows above position.
func appendRows(ctx context.Context, conn *sql.Conn, b warehouse.Batch, position uint64) error {
	return conn.Raw(func(c any) error {
		dc, ok := c.(driver.Conn)
		if !ok {
			return fmt.Errorf("unexpected driver connection %T", c)
		}
		e := encoder{log: b.LogID}
		return errors.Join(
			bulk(ctx, dc, "events", len(b.Events), func(i int) []driver.Value {
				if b.Events[i].Sequence <= position {
					return nil
				}
				return e.event(&b.Events[i])
			}),
			bulk(ctx, dc, "decisions", len(b.Decisions), func(i int) []driver.Value {
				if b.Decisions[i].Sequence <= position {
					return nil
				}
				return e.decision(&b.Decisions[i])
			}),
			bulk(ctx, dc, "labels", len(b.Labels), func(i int) []driver.Value {
				if b.Labels[i].Sequence <= position {
					return nil
				}
				return e.label(&b.Labels[i])
			}),
		)
	})
}

// bulk appends n rows to a table of raw_data; row gives nil for one to leave out.
func bulk(ctx context.Context, conn driver.Conn, table string, n int, row func(i int) []driver.Value) error {
	if n == 0 {
		return nil
	}
	appender, err := duckdbgo.NewAppenderFromConn(conn, "raw_data", table)
	if err != nil {
		return fmt.Errorf("append to %s: %w", table, err)
	}
	for i := range n {
		values := row(i)
		if values == nil {
			continue
		}
		if err = appender.AppendRow(values...); err != nil {
			err = fmt.Errorf("append row %d to %s: %w", i, table, err)
			break
		}
	}
	if closing := appender.CloseWithCancel(ctx); closing != nil {
		err = errors.Join(err, fmt.Errorf("flush %s: %w", table, closing))
	}
	return err
}
