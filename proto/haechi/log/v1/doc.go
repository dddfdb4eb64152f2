// Package logv1 holds the records of the event log, generated from log.proto, and nothing that works on them. Their
// formats are for ever.
package logv1
