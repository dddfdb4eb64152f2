package ingest

import (
	"context"
	"errors"

	"github.com/haechi-fraud/haechi/features"
)

// Appender takes imported history, already in (event time, row) order with labels merged by time, labels first at equal
// time. It is called by one goroutine. It returns before what it took is on disk; Flush waits for that.
type Appender interface {
	// AppendEvent appends one event; false: this id with this content is there already. ErrConflict or a
	// *features.FieldError rejects the row, ErrTooOld and all other errors end the import. The event and its slices are
	// used again after the call; its strings are not.
	AppendEvent(ctx context.Context, eventType string, ev *features.Event) (added bool, err error)
	// AppendLabel appends one label; false: the statement is there already. Errors as for AppendEvent.
	AppendLabel(ctx context.Context, eventType, eventID string, l LabelStatement) (added bool, err error)
	// Flush waits until all that was appended is durable.
	Flush(ctx context.Context) error
}

// LabelStatement is what a row says of an event.
type LabelStatement struct {
	Verdict    features.Verdict
	Kind       string // one that the event type declares, or empty
	ReasonCode string
	Source     string
	KnownAt    int64 // microseconds since the Unix epoch; 0: the event's time plus the event type's label delay
}

var (
	// ErrConflict says that the log holds another event of this id: the row is rejected.
	ErrConflict = errors.New("this id is in the log with other content")
	// ErrTooOld says that the event lies behind the watermark by more than the allowed lateness: the import ends.
	ErrTooOld = errors.New("older than the watermark minus the allowed lateness")
)
