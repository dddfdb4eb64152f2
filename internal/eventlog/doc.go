// Package eventlog is the append-only log of everything that happened: events, decisions, labels, stated event types
// and applied revisions, in one order, in segment files of its own format (see format.go).
//
// Append copies a record into a buffer in memory and gives it the next sequence; it never does I/O. One writer
// goroutine takes the whole buffer, writes it, syncs once for all of it and wakes everybody who waits (Wait). A failed
// write or sync poisons the log: nothing is acknowledged after it, and only reopening, which finds out what is on disk,
// brings it back. Records are read in order (Read), one by one (Get), or from a log that nobody writes (OpenReader).
//
// What it does not do: it does not lock the folder against a second process (the project's lock does), does not look
// into records beyond the event types that they refer to, does not know ids, and does not drop old segments.
package eventlog
