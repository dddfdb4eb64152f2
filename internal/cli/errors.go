package cli

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// usageError is a command line that cannot be run as written.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// checkError is a check that was made and said no.
type checkError struct{ error }

func (e *checkError) Unwrap() error { return e.error }

// sentence is what a person reads of an error. A server's message stands for itself.
func sentence(err error) string {
	var usage *usageError
	var remote interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &usage):
		return usage.Error() + "; haechi --help lists the commands, haechi COMMAND --help their flags"
	case errors.As(err, &remote):
		return statusText(remote.GRPCStatus())
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return err.Error()
}

// statusText brings a message of several lines onto one.
func statusText(s *status.Status) string {
	if s.Code() == codes.Canceled && strings.Contains(s.Message(), context.Canceled.Error()) {
		return "interrupted"
	}
	return strings.NewReplacer(":\n - ", ": ", "\n - ", "; ", "\n", "; ").Replace(strings.TrimSpace(s.Message()))
}
