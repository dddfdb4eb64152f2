package model

import "fmt"

// Refusal says why a model is not served. Parse returns no other error.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return "model refused: " + r.Reason }

func refuse(format string, args ...any) *Refusal {
	return &Refusal{Reason: fmt.Sprintf(format, args...)}
}
