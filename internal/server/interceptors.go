package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"buf.build/go/protovalidate"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// maxEventBytes is the limit of one event on the wire.
const maxEventBytes = 64 << 10

// guard is what every request passes, over gRPC and over REST, which dials the same server in memory.
type guard struct {
	validator protovalidate.Validator
	log       *slog.Logger
	requests  *prometheus.HistogramVec
}

func newGuard(log *slog.Logger, r prometheus.Registerer) (*guard, error) {
	v, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("set up request validation: %w", err)
	}
	g := &guard{validator: v, log: log, requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "haechi", Subsystem: "server", Name: "request_seconds", Help: "Requests by method and code.",
		Buckets: prometheus.ExponentialBuckets(100e-6, 2, 18),
	}, []string{"method", "code"})}
	if r != nil {
		r.MustRegister(g.requests)
	}
	return g, nil
}

// check refuses a message that is too large or breaks the rules of its proto.
func (g *guard) check(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	if err := eventSize(msg); err != nil {
		return err
	}
	if err := g.validator.Validate(msg); err != nil {
		return &requestError{err}
	}
	return nil
}

func eventSize(m proto.Message) error {
	switch in := m.(type) {
	case *haechiv1.ScoreRequest:
		return tooLarge(in.Event, "event")
	case *haechiv1.ScoreBatchRequest:
		for i, ev := range in.Events {
			if err := tooLarge(ev, fmt.Sprintf("events[%d]", i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func tooLarge(ev *haechiv1.Event, field string) error {
	if n := ev.SizeVT(); n > maxEventBytes {
		return fmt.Errorf("%s: %w: it has %d bytes, at most %d are taken; send attributes, not documents", field, errTooLarge, n, maxEventBytes)
	}
	return nil
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in a request", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
			out, err = nil, toStatus(g.log, info.FullMethod, errPanic)
		}
		g.requests.WithLabelValues(info.FullMethod, status.Code(err).String()).Observe(time.Since(start).Seconds())
	}()
	if err := g.check(req); err != nil {
		return nil, toStatus(g.log, info.FullMethod, err)
	}
	out, err = next(ctx, req)
	return out, toStatus(g.log, info.FullMethod, err)
}

func (g *guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic in a request", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
			err = toStatus(g.log, info.FullMethod, errPanic)
		}
		g.requests.WithLabelValues(info.FullMethod, status.Code(err).String()).Observe(time.Since(start).Seconds())
	}()
	return toStatus(g.log, info.FullMethod, next(srv, &checkedStream{ServerStream: ss, guard: g}))
}

type checkedStream struct {
	grpc.ServerStream
	guard *guard
}

// RecvMsg checks every message of a stream as a single request is checked.
func (s *checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.guard.check(m)
}
