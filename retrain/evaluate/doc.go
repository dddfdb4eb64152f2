// Package evaluate measures fraud models: ranking, alert budgets, card precision, amounts, probabilities, costs,
// and the thresholds that follow from them.
//
// Everything here is a pure function of slices that run in parallel: element i of each belongs to event i, and the
// events are in the order in which they were judged. Nothing is read, stored, logged or sampled; the same input gives
// the same bits. What a metric cannot be computed from (no rows, one class, a NaN) is an error, never a number that
// looks like a result.
//
// The package does not train, predict or replay, knows no project and no event type, and decides no gates.
package evaluate

import "errors"

// What input cannot be measured. Errors of this package wrap one of these.
var (
	ErrEmpty       = errors.New("no events")
	ErrLength      = errors.New("slices of different lengths")
	ErrOneClass    = errors.New("events of one class only")
	ErrNotFinite   = errors.New("not a finite number")
	ErrRange       = errors.New("out of range")
	ErrNoThreshold = errors.New("no threshold does what is asked")
)
