package eventlog

import (
	"errors"
	"fmt"
)

var (
	// ErrPoisoned: a write or sync failed; the outcome of everything not yet acknowledged is unknown. Reopen the log.
	ErrPoisoned = errors.New("the event log failed and takes no more records until it is reopened")
	// ErrDiskFull: the disk has less free space than the declared floor. Free some, nothing was lost.
	ErrDiskFull = errors.New("the disk of the event log is below its floor of free space: free some")
	// ErrOverloaded: the buffer is full because records come faster than the disk takes them. Try again later.
	ErrOverloaded = errors.New("the event log's buffer is full: retry later")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("the event log is closed")
	// ErrCorrupt: bytes that were synced are not what was written. The error is a *CorruptError.
	ErrCorrupt = errors.New("the event log is corrupt")
	// ErrVersion: the log was written by a newer program.
	ErrVersion = errors.New("the event log has an unknown format")
	// ErrNotFound: the log does not hold that sequence, no longer or not yet.
	ErrNotFound = errors.New("no such record in the event log")
	// ErrTooLarge: the record is longer than MaxRecordBytes.
	ErrTooLarge = errors.New("the record is too large for the event log")
	// ErrRecord: the record cannot be logged as it is: no body, or an event type that was not stated.
	ErrRecord = errors.New("not a record for the event log")
)

// CorruptError says where a log is corrupt. It is ErrCorrupt.
type CorruptError struct {
	File    string
	Offset  int64
	Problem string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s at offset %d: %s: restore this file from a copy", ErrCorrupt, e.File, e.Offset, e.Problem)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
