// Package warehouse says what is kept for analysis and training, and what a store must promise to keep it. It holds the
// rows and two small interfaces: Sink is filled by the loader that tails the log, Source is read by retrain and by people.
// It does not store anything itself (see the drivers below it), does not know the log or features, and nothing in it is
// on the path of a score.
package warehouse

import (
	"context"
	"errors"
)

// Errors that every driver returns, wrapped with what happened.
var (
	// ErrReadOnly is returned by Query for a statement that is not a single SELECT.
	ErrReadOnly = errors.New("the warehouse answers SELECT statements only")
	// ErrUnavailable is returned when this binary was built without the driver.
	ErrUnavailable = errors.New("this binary was built without the DuckDB warehouse")
	// ErrBehind is returned by Pull when the log is not loaded up to Query.Through yet.
	ErrBehind = errors.New("the warehouse has not loaded the log that far yet")
	// ErrOrder is returned by Load for rows out of sequence order or beyond Through.
	ErrOrder = errors.New("batch is not in sequence order")
)

// Event is one event as logged. Times are microseconds since the Unix epoch.
type Event struct {
	LogID         string
	Sequence      uint64
	EventType     string
	EventTypeHash string // hex SHA-256 of the event-type document it was read under
	ID            string
	Time          int64
	Currency      string // empty when events of this type carry no amount
	AmountMinor   int64
	Entities      map[string]string // absent ones are not in it
	Attributes    map[string]string
	Numbers       map[string]float64
	Outcome       string // in_order, late_inserted, late_dropped
	Origin        string // scored, imported
	Received      int64
}

// Decision is one decision as logged. Times are microseconds since the Unix epoch.
type Decision struct {
	LogID              string
	Sequence           uint64
	EventSequence      uint64
	EventType          string
	EventTypeHash      string
	EventID            string
	Decision           string // approve, review, challenge, decline
	Reasons            []string
	Flags              []string
	ModelVersion       string // hex SHA-256 of the model; empty when none answered
	AssignmentRevision uint64
	Raw                float64 // NaN when no model answered
	Probability        float64
	Vector             []float64 // the model's row, in the model's order
	Decided            int64
}

// Label is one statement about an event as logged. Times are microseconds since the Unix epoch.
type Label struct {
	LogID         string
	Sequence      uint64
	EventType     string
	EventID       string
	Verdict       string // fraud, legitimate, withdrawn
	Kind          string
	ReasonCode    string
	Source        string
	KnownAt       int64
	Recorded      int64
	EventSequence uint64 // 0: the event had not been seen when the label came
	EventTime     int64  // of that event; 0 when it had not been seen
}

// Batch is what one Load stores: rows of one log in sequence order and the position it reaches.
type Batch struct {
	LogID     string
	Through   uint64 // last log sequence that the batch accounts for, rows or not
	Events    []Event
	Decisions []Decision
	Labels    []Label
}

// Sink takes batches from the loader. One loader writes at a time.
type Sink interface {
	// Load stores the batch's rows and its position in one transaction: after a crash either all is there or nothing.
	// Rows at or below the stored position are left out, so a batch may be repeated in whole or in part without a row
	// appearing twice. The slices stay the caller's and are not kept. ErrOrder when rows are not in ascending sequence
	// or beyond Through.
	Load(ctx context.Context, b Batch) error
	// Position is the highest Through that was loaded for that log, 0 when none was.
	Position(ctx context.Context, logID string) (uint64, error)
}

// Query says which rows Pull gives.
type Query struct {
	EventType string
	LogID     string
	// Through is the last log position to give; 0 gives nothing.
	Through uint64
	// From and To bound event times, half-open, in microseconds since the Unix epoch; To 0 means no bound. Labels go
	// with their events; labels of events that had not been seen are always given.
	From, To int64
}

// Row is an event or a label, the other one is nil.
type Row struct {
	Event *Event
	Label *Label
}

// Source is read by retrain.
type Source interface {
	// Pull gives the events and labels of one log and event type in ascending sequence order. It streams: memory does
	// not grow with the number of rows. A sequence stored twice is given once. The row, with all its maps, belongs to
	// the driver and is valid only until each returns; its strings may be kept, but those in maps share the memory of
	// their row's text, so what is to live long is better cloned. An error of each ends Pull and is returned as it is.
	// ErrBehind when Position is below Through.
	Pull(ctx context.Context, q Query, each func(Row) error) error
}

// Table is the answer to a query of a person.
type Table struct {
	Columns []string
	Rows    [][]any
	// Truncated says that there were more rows than asked for.
	Truncated bool
}

// Querier answers people.
type Querier interface {
	// Query runs one SELECT and gives at most limit rows. What writes, or reads or writes files, is refused.
	Query(ctx context.Context, sql string, limit int) (*Table, error)
}

// Shape is what events of a type carry, for the view that people use.
type Shape struct {
	EventType   string
	Currency    string // empty: no amount
	MinorDigits int    // decimals of the currency's minor unit
	Entities    []string
	Attributes  []string // category attributes
	Flags       []string // attributes that are true or false
	Numbers     []string
}

// Describer makes views.
type Describer interface {
	// Describe makes or replaces the view adhoc.<event type>: one row an event, one typed column a field, with the
	// last decision and the current label. A field that bears the name of a fixed column gets its group before it
	// (entity_, attribute_, number_).
	Describe(ctx context.Context, s Shape) error
}

// Warehouse is a whole driver. Close may be called once, after all other calls have returned.
type Warehouse interface {
	Sink
	Source
	Querier
	Describer
	Close() error
}
