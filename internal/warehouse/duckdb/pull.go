//go:build cgo

package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// stride is how many sequences one pair of queries covers. Rows lie in the file in sequence order, so that each query
// reads its own stretch only and what it sorts and holds is bounded.
const stride = 1 << 17

const (
	selectEvents = `SELECT sequence, event_type_hash, event_id, epoch_us(event_time), currency, amount_minor, entities, attributes, numbers, outcome, origin, epoch_us(received_at)
FROM raw_data.events
WHERE sequence > ? AND sequence <= ? AND log_id = ? AND event_type = ? AND event_time >= ? AND event_time < ?
ORDER BY sequence`
	selectLabels = `SELECT sequence, event_id, verdict, kind, reason_code, source, epoch_us(known_at), epoch_us(recorded_at), event_sequence, coalesce(epoch_us(event_time), 0)
FROM raw_data.labels
WHERE sequence > ? AND sequence <= ? AND log_id = ? AND event_type = ? AND (event_time IS NULL OR (event_time >= ? AND event_time < ?))
ORDER BY sequence`
	selectBounds = `SELECT coalesce(min(low), 0), coalesce(max(high), 0) FROM (
SELECT min(sequence) AS low, max(sequence) AS high FROM raw_data.events WHERE log_id = ? AND event_type = ?
UNION ALL SELECT min(sequence), max(sequence) FROM raw_data.labels WHERE log_id = ? AND event_type = ?)`
)

// Pull implements warehouse.Source.
func (w *Warehouse) Pull(ctx context.Context, q warehouse.Query, each func(warehouse.Row) error) error {
	position, err := w.Position(ctx, q.LogID)
	if err != nil {
		return err
	}
	if position < q.Through {
		return fmt.Errorf("pull up to %d of log %s, loaded is %d: %w", q.Through, q.LogID, position, warehouse.ErrBehind)
	}
	var low, high int64
	row := w.db.QueryRowContext(ctx, selectBounds, q.LogID, q.EventType, q.LogID, q.EventType)
	if err := row.Scan(&low, &high); err != nil {
		return fmt.Errorf("pull %s: bounds: %w", q.EventType, err)
	}
	high = min(high, int64(q.Through))
	var inner error
	err = w.withReader(ctx, func(conn driver.QueryerContext) error {
		for from := low - 1; from < high; from += stride {
			if inner = pullStretch(ctx, conn, q, from, min(from+stride, high), each); inner != nil {
				return nil
			}
		}
		return nil
	})
	return errors.Join(inner, err)
}

// pullStretch merges the events and the labels of the sequences (from, through].
func pullStretch(ctx context.Context, conn driver.QueryerContext, q warehouse.Query, from, through int64, each func(warehouse.Row) error) (err error) {
	to := q.To
	if to == 0 {
		to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	}
	arguments := numbered(from, through, q.LogID, q.EventType, instant(max(q.From, minTime)), instant(to))
	events := eventCursor{row: warehouse.Event{LogID: q.LogID, EventType: q.EventType}}
	labels := labelCursor{row: warehouse.Label{LogID: q.LogID, EventType: q.EventType}}
	defer func() { err = errors.Join(err, events.close(), labels.close()) }()
	if err := events.open(ctx, conn, selectEvents, arguments); err != nil {
		return fmt.Errorf("pull events of %s: %w", q.EventType, err)
	}
	if err := labels.open(ctx, conn, selectLabels, arguments); err != nil {
		return fmt.Errorf("pull labels of %s: %w", q.EventType, err)
	}
	errEvent, errLabel := events.next(), labels.next()
	for {
		switch {
		case errEvent != nil && errEvent != io.EOF:
			return fmt.Errorf("pull events of %s: %w", q.EventType, errEvent)
		case errLabel != nil && errLabel != io.EOF:
			return fmt.Errorf("pull labels of %s: %w", q.EventType, errLabel)
		case errEvent != nil && errLabel != nil:
			return nil
		case errLabel != nil || errEvent == nil && events.row.Sequence < labels.row.Sequence:
			if err := each(warehouse.Row{Event: &events.row}); err != nil {
				return err
			}
			errEvent = events.next()
		default:
			if err := each(warehouse.Row{Label: &labels.row}); err != nil {
				return err
			}
			errLabel = labels.next()
		}
	}
}

// minTime is the earliest bound that DuckDB's timestamps hold with room to spare.
const minTime = math.MinInt64 / 1000

func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

func numbered(values ...driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(values))
	for i, v := range values {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// cursor walks over one result and skips repeated sequences, which every result has in its first column.
type cursor struct {
	rows   driver.Rows
	values []driver.Value
	last   int64
}

func (c *cursor) open(ctx context.Context, conn driver.QueryerContext, query string, arguments []driver.NamedValue) error {
	rows, err := conn.QueryContext(ctx, query, arguments)
	if err != nil {
		return err
	}
	c.rows, c.values, c.last = rows, make([]driver.Value, len(rows.Columns())), -1
	return nil
}

func (c *cursor) close() error {
	if c.rows == nil {
		return nil
	}
	return c.rows.Close()
}

func (c *cursor) step() error {
	for {
		if err := c.rows.Next(c.values); err != nil {
			return err
		}
		if s := number(c.values[0]); s != c.last {
			c.last = s
			return nil
		}
	}
}

type eventCursor struct {
	cursor
	row warehouse.Event
}

func (c *eventCursor) next() error {
	if err := c.step(); err != nil {
		return err
	}
	v, r := c.values, &c.row
	r.Sequence, r.EventTypeHash, r.ID, r.Time = uint64(number(v[0])), text(v[1]), text(v[2]), number(v[3])
	r.Currency, r.AmountMinor, r.Outcome, r.Origin, r.Received = text(v[4]), number(v[5]), text(v[9]), text(v[10]), number(v[11])
	var err error
	if r.Entities, err = readStrings(text(v[6]), r.Entities); err != nil {
		return fmt.Errorf("event %d: entities: %w", r.Sequence, err)
	}
	if r.Attributes, err = readStrings(text(v[7]), r.Attributes); err != nil {
		return fmt.Errorf("event %d: attributes: %w", r.Sequence, err)
	}
	if r.Numbers, err = readNumbers(text(v[8]), r.Numbers); err != nil {
		return fmt.Errorf("event %d: numbers: %w", r.Sequence, err)
	}
	return nil
}

type labelCursor struct {
	cursor
	row warehouse.Label
}

func (c *labelCursor) next() error {
	if err := c.step(); err != nil {
		return err
	}
	v, r := c.values, &c.row
	r.Sequence, r.EventID, r.Verdict, r.Kind, r.ReasonCode, r.Source = uint64(number(v[0])), text(v[1]), text(v[2]), text(v[3]), text(v[4]), text(v[5])
	r.KnownAt, r.Recorded, r.EventSequence, r.EventTime = number(v[6]), number(v[7]), uint64(number(v[8])), number(v[9])
	return nil
}

func number(v driver.Value) int64 {
	n, _ := v.(int64) // the columns are declared BIGINT NOT NULL
	return n
}

func text(v driver.Value) string {
	s, _ := v.(string) // the columns are declared VARCHAR NOT NULL
	return s
}
