package model

import (
	"errors"
	"fmt"
)

// Kinds of refused models, for errors.Is.
var (
	ErrLinearTree      = errors.New("linear trees")
	ErrRandomForest    = errors.New("random forest")
	ErrSqrt            = errors.New("reg_sqrt")
	ErrMulticlass      = errors.New("several scores a row")
	ErrObjective       = errors.New("an objective whose score is not a log-odds")
	ErrCustomObjective = errors.New("a custom objective")
	ErrVersion         = errors.New("an unknown version of the format")
	ErrDamaged         = errors.New("a damaged file")
	ErrMixedColumn     = errors.New("a column that is both number and category")
)

// Refusal says why a model is not served. Parse returns no other error.
type Refusal struct {
	Kind   error // one of the kinds above
	Reason string
}

func (r *Refusal) Error() string { return "model refused: " + r.Reason }

// Unwrap gives the kind.
func (r *Refusal) Unwrap() error { return r.Kind }

func refuse(kind error, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Reason: fmt.Sprintf(format, args...)}
}
