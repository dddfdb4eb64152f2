//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

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
	w.write.Lock()
	defer w.write.Unlock()
	if w.loader == nil {
		return errClosed
	}
	position, err := w.Position(ctx, b.LogID)
	if err != nil {
		return err
	}
	if b.Through <= position {
		return nil
	}
	if err := w.loader.exec("BEGIN TRANSACTION"); err != nil {
		return fmt.Errorf("load: begin: %w", err)
	}
	err = w.loader.load(ctx, b, position)
	if err == nil {
		if err = w.loader.exec("COMMIT"); err == nil {
			return nil
		}
	}
	// A failed commit has rolled back already; then this has nothing to do.
	if rollback := w.loader.exec("ROLLBACK"); rollback != nil {
		w.options.Logger.Debug("roll back a failed load", "error", rollback)
	}
	return fmt.Errorf("load up to %d of log %s: %w", b.Through, b.LogID, err)
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

// load stores the rows above position and the new position.
func (s *session) load(ctx context.Context, b warehouse.Batch, position uint64) error {
	e := encoder{log: b.LogID}
	err := s.table(ctx, "events", len(b.Events), func(to *bulk, i int) {
		if b.Events[i].Sequence > position {
			e.event(to, &b.Events[i])
		}
	})
	if err != nil {
		return err
	}
	err = s.table(ctx, "decisions", len(b.Decisions), func(to *bulk, i int) {
		if b.Decisions[i].Sequence > position {
			e.decision(to, &b.Decisions[i])
		}
	})
	if err != nil {
		return err
	}
	err = s.table(ctx, "labels", len(b.Labels), func(to *bulk, i int) {
		if b.Labels[i].Sequence > position {
			e.label(to, &b.Labels[i])
		}
	})
	if err != nil {
		return err
	}
	return s.store(b.LogID, b.Through, position)
}

// table appends n rows; put puts row i, or nothing.
func (s *session) table(ctx context.Context, table string, n int, put func(to *bulk, i int)) error {
	if n == 0 {
		return nil
	}
	b, err := s.newBulk(table)
	if err != nil {
		return err
	}
	for i := range n {
		if put(b, i); b.at == 0 {
			continue
		}
		if !b.endRow() {
			break
		}
		if b.row == 0 && ctx.Err() != nil {
			break
		}
	}
	if err := b.finish(ctx.Err()); err != nil {
		return fmt.Errorf("append to %s: %w", table, err)
	}
	return nil
}

// store changes the position; log ids come from the log, not from people, and are quoted all the same.
func (s *session) store(logID string, through, position uint64) error {
	statement := fmt.Sprintf("UPDATE raw_data.positions SET through = %d, loaded_at = make_timestamp(%d) WHERE log_id = %s",
		through, time.Now().UnixMicro(), literal(logID))
	if position == 0 {
		statement = fmt.Sprintf("INSERT INTO raw_data.positions (log_id, through, loaded_at) VALUES (%s, %d, make_timestamp(%d))",
			literal(logID), through, time.Now().UnixMicro())
	}
	if err := s.exec(statement); err != nil {
		return fmt.Errorf("store the position: %w", err)
	}
	return nil
}
