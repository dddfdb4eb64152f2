package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/scoring"
	"github.com/haechi-fraud/haechi/model"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain"
)

func TestCodes(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for err, want := range map[error]codes.Code{
		context.DeadlineExceeded: codes.DeadlineExceeded, context.Canceled: codes.Canceled,
		invalid("time", "is required"): codes.InvalidArgument, scoring.ErrUnknownEventType: codes.InvalidArgument, retrain.ErrRequest: codes.InvalidArgument,
		registry.ErrInvalid: codes.InvalidArgument, error(&model.Refusal{Reason: "linear"}): codes.InvalidArgument,
		error(&scoring.ConflictError{}): codes.AlreadyExists, scoring.ErrImported: codes.AlreadyExists, registry.ErrImmutable: codes.AlreadyExists,
		scoring.ErrNotFound: codes.NotFound, registry.ErrNotFound: codes.NotFound, retrain.ErrNotFound: codes.NotFound,
		eventlog.ErrOverloaded: codes.ResourceExhausted, scoring.ErrTooManyWaiting: codes.ResourceExhausted,
		eventlog.ErrPoisoned: codes.Unavailable, eventlog.ErrDiskFull: codes.Unavailable, eventlog.ErrClosed: codes.Unavailable, ErrNotReady: codes.Unavailable,
		registry.ErrConflict: codes.Aborted, retrain.ErrBusy: codes.Aborted,
		ingest.ErrTooOld: codes.FailedPrecondition, scoring.ErrWithoutFeatures: codes.FailedPrecondition,
		registry.ErrDigest: codes.DataLoss, eventlog.ErrCorrupt: codes.DataLoss, errors.New("anything else"): codes.Internal,
		errors.Join(eventlog.ErrPoisoned, eventlog.ErrNotFound): codes.Unavailable,
	} {
		require.Equal(t, want.String(), status.Code(toStatus(log, "m", err)).String(), "%v", err)
		require.Equal(t, want.String(), status.Code(toStatus(log, "m", fmt.Errorf("somewhere: %w", err))).String(), "%v", err)
	}
	require.NoError(t, toStatus(log, "m", nil))
}

// TestPanicsStayInTheirRequest: a bug ends its request, or its item of a batch, not the process, and tells nobody outside what it was.
func TestPanicsStayInTheirRequest(t *testing.T) {
	var text strings.Builder
	r := prometheus.NewRegistry()
	g, err := newGuard(slog.New(slog.NewTextHandler(&text, nil)), r)
	require.NoError(t, err)
	info := &grpc.UnaryServerInfo{FullMethod: "/haechi.v1.Scoring/Score"}
	in := &haechiv1.GetDecisionRequest{EventType: "t", EventId: "e"}
	_, err = g.unary(t.Context(), in, info, func(context.Context, any) (any, error) { panic("a bug") })
	require.Equal(t, codes.Internal, status.Code(err))
	require.NotContains(t, err.Error(), "a bug")
	require.Contains(t, text.String(), "a bug")
	err = g.item("ScoreBatch", in, func() error { panic("another bug") })
	require.Equal(t, codes.Internal, status.Code(err))
	require.NotContains(t, err.Error(), "another")
	counted, err := r.Gather()
	require.NoError(t, err)
	require.Len(t, counted[0].Metric, 1, "the failed request is counted")
	reached := false
	_, err = g.unary(t.Context(), &haechiv1.GetDecisionRequest{}, info, func(context.Context, any) (any, error) { reached = true; return nil, nil })
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.False(t, reached)
}

// TestBatchesAreBounded: how many items a batch has is checked with the request, each item by itself.
func TestBatchesAreBounded(t *testing.T) {
	g, err := newGuard(slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	events := func(n int) *haechiv1.ScoreBatchRequest {
		in := &haechiv1.ScoreBatchRequest{}
		for range n {
			in.Events = append(in.Events, &haechiv1.Event{}) // none of them is valid
		}
		return in
	}
	require.NoError(t, g.check(events(1)))
	require.NoError(t, g.check(events(maxItems)))
	require.Error(t, g.check(events(0)))
	require.ErrorContains(t, g.check(events(maxItems+1)), "10000")
	require.Error(t, g.check(&haechiv1.PutLabelsRequest{}))
	require.NoError(t, g.check(&haechiv1.PutLabelsRequest{Labels: []*haechiv1.Label{{}}}))
	require.Error(t, g.check(&haechiv1.Event{}))
	require.Error(t, g.check(&haechiv1.PutLabelRequest{Label: &haechiv1.Label{}}))
}
