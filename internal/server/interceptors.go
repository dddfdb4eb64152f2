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
	"google.golang.org/protobuf/reflect/protoreflect"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// maxEventBytes is the limit of one event on the wire.
const maxEventBytes = 64 << 10

// guard is what every request passes, over gRPC and over REST, which dials the same server in memory.
type guard struct {
	validator protovalidate.Validator
	outside   protovalidate.ValidationOption // outsideItems
	log       *slog.Logger
	requests  *prometheus.HistogramVec
}

func newGuard(log *slog.Logger, r prometheus.Registerer) (*guard, error) {
	v, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("set up request validation: %w", err)
	}
	outside := protovalidate.WithFilter(protovalidate.FilterFunc(outsideItems))
	g := &guard{validator: v, outside: outside, log: log, requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
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
	switch in := m.(type) {
	case *haechiv1.ScoreRequest:
		if err := tooLarge(in.Event); err != nil {
			return err
		}
	case *haechiv1.Event:
		if err := tooLarge(in); err != nil {
			return err
		}
	}
	if err := g.validator.Validate(msg, g.outside); err != nil {
		return &requestError{err}
	}
	return nil
}

// outsideItems leaves the items of a batch to item, so that one of them does not refuse the others; how many there may be
// is checked with the request.
func outsideItems(m protoreflect.Message, d protoreflect.Descriptor) bool {
	f, is := d.(protoreflect.FieldDescriptor)
	if !is || !f.IsList() {
		return true
	}
	switch f.FullName() {
	case "haechi.v1.ScoreBatchRequest.events", "haechi.v1.PutLabelsRequest.labels":
		n := m.Get(f).List().Len()
		return n == 0 || n > maxItems
	}
	return true
}

// maxItems is what haechi.v1 says of the length of a batch; a longer one is refused by the rule there.
const maxItems = 10000

// item does one part of a batch: it is checked as a request of its own, and its failure is its own.
func (g *guard) item(method string, m proto.Message, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = g.panicked(method, p)
		}
	}()
	if err := g.check(m); err != nil {
		return toStatus(g.log, method, err)
	}
	return toStatus(g.log, method, do())
}

func (g *guard) panicked(method string, p any) error {
	g.log.Error("panic in a request", "method", method, "panic", p, "stack", string(debug.Stack()))
	return toStatus(g.log, method, errPanic)
}

func tooLarge(ev *haechiv1.Event) error {
	if n := ev.SizeVT(); n > maxEventBytes {
		return fmt.Errorf("event %w: it has %d bytes, at most %d are taken; send attributes, not documents", errTooLarge, n, maxEventBytes)
	}
	return nil
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, g.panicked(info.FullMethod, p)
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
			err = g.panicked(info.FullMethod, p)
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
