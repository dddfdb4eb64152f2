// Package policy turns a model's score and an event into a decision: thresholds on the raw score, then declared rules,
// then the fallback when no model can answer.
//
// It compiles the policy block of an event type once and decides without building anything per call. It does not choose
// thresholds (training does), keeps no state and reads no files.
package policy
