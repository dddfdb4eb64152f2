package server

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/scoring"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain"
)

// invalid is a field of a request that cannot be accepted.
func invalid(field, problem string) error {
	return &features.FieldError{Field: field, Problem: problem}
}

// codeOf is the one place where errors get their codes.
func codeOf(err error) codes.Code {
	var field *features.FieldError
	var conflict *scoring.ConflictError
	var refusal *model.Refusal
	var request *requestError
	var input *ingest.InputError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.As(err, &field), errors.As(err, &request), errors.As(err, &refusal), errors.As(err, &input),
		errors.Is(err, scoring.ErrUnknownEventType), errors.Is(err, retrain.ErrRequest):
		return codes.InvalidArgument
	case errors.As(err, &conflict), errors.Is(err, scoring.ErrImported), errors.Is(err, registry.ErrImmutable):
		return codes.AlreadyExists
	case errors.Is(err, scoring.ErrNotFound), errors.Is(err, registry.ErrNotFound), errors.Is(err, retrain.ErrNotFound):
		return codes.NotFound
	case errors.Is(err, errTooLarge), errors.Is(err, eventlog.ErrOverloaded), errors.Is(err, scoring.ErrTooManyWaiting):
		return codes.ResourceExhausted
	case errors.Is(err, eventlog.ErrPoisoned), errors.Is(err, eventlog.ErrClosed), errors.Is(err, eventlog.ErrDiskFull), errors.Is(err, ErrNotReady):
		return codes.Unavailable
	case errors.Is(err, registry.ErrInvalid):
		return codes.InvalidArgument
	case errors.Is(err, registry.ErrConflict), errors.Is(err, retrain.ErrBusy):
		return codes.Aborted
	case errors.Is(err, ingest.ErrTooOld), errors.Is(err, scoring.ErrOlderThanHistory), errors.Is(err, scoring.ErrNoDecision), errors.Is(err, scoring.ErrWithoutFeatures), errors.Is(err, ErrUnavailable):
		return codes.FailedPrecondition
	case errors.Is(err, registry.ErrDigest), errors.Is(err, eventlog.ErrCorrupt):
		return codes.DataLoss
	}
	return codes.Internal
}

// Errors of this package.
var (
	// ErrNotReady: state is being recovered from the log.
	ErrNotReady = errors.New("not ready: state is being recovered from the log; retry with the same id")
	// errTooLarge: an event beyond maxEventBytes.
	errTooLarge = errors.New("is too large")
	// errPanic is what a caller hears of a bug.
	errPanic = errors.New("the request failed inside the server; its log says where")
	// ErrUnavailable: this build or this process lacks the part.
	ErrUnavailable = errors.New("not available in this process")
)

// requestError is a message that breaks the rules of its proto.
type requestError struct{ error }

// toStatus gives an error its code. What already is a status stays.
func toStatus(log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codeOf(err)
	if code == codes.Internal || code == codes.DataLoss {
		log.Error("request failed", "method", method, "code", code.String(), "error", err)
	}
	return status.Error(code, err.Error())
}
