// Package duckdb keeps the warehouse in one DuckDB file. The file belongs to one process: the server opens it, other
// commands ask the server. It stores rows as they are handed to it and answers Pull and Query; it knows neither the log
// nor features, and nothing in it is on the path of a score.
//
// DuckDB needs cgo. Without cgo the package builds and Open says what is missing.
//
// Schemas: raw_data (events, decisions, labels, positions: as logged), analytics (daily sums that reconcile with
// raw_data), adhoc (one view an event type, made by Describe). Timestamps are UTC with microseconds. Maps are JSON text
// in VARCHAR columns and sequences are BIGINT, so that the same tables can be had in PostgreSQL.
package duckdb

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
)

// Options of a warehouse.
type Options struct {
	// Path of the file, made when absent. Its folder must exist.
	Path string
	// MemoryLimitMiB bounds DuckDB's own memory; 1024 when 0. What does not fit is spilled beside the file.
	MemoryLimitMiB int
	// Threads DuckDB may use; 2 when 0.
	Threads int
	// Logger is told of what went wrong without an error being returned; required.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	var problems []error
	if o.Path == "" {
		problems = append(problems, errors.New("Path: name the DuckDB file"))
	}
	if strings.ContainsAny(o.Path, "?#%") {
		problems = append(problems, fmt.Errorf("Path: %q holds one of ? # %%, which DuckDB's driver cannot open: choose another folder", o.Path))
	}
	if o.MemoryLimitMiB < 0 || o.Threads < 0 {
		problems = append(problems, errors.New("MemoryLimitMiB and Threads: must not be negative"))
	}
	if o.Logger == nil {
		problems = append(problems, errors.New("Logger: required"))
	}
	if len(problems) > 0 {
		return o, fmt.Errorf("warehouse options: %w", errors.Join(problems...))
	}
	if o.MemoryLimitMiB == 0 {
		o.MemoryLimitMiB = 1024
	}
	if o.Threads == 0 {
		o.Threads = 2
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return o, fmt.Errorf("warehouse path: %w", err)
	}
	o.Path = path
	return o, nil
}
