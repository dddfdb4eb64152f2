// Package server puts the product on the wire: gRPC handlers, one file a service, the REST gateway over the same server,
// validation, codes of errors, health and metrics. It holds no state and no logic of its own.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain"
)

// Options name what is served.
type Options struct {
	// Scorer gives the decision path, or the error why there is none now.
	Scorer func() (*scoring.Scorer, error)
	// Ready says why a request could not be decided now; nil when it could.
	Ready func() error
	// Applier brings assignments into service; it may give nil where nothing serves.
	Applier    func() (Applier, error)
	Registry   Registry
	Runs       registry.Runs
	Retrain    *retrain.Runner
	Models     ModelImporter
	Importer   Importer
	Spool      string // folder for files being received
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // what /metrics shows
}

// Server is the gRPC server and its in-memory listener.
type Server struct {
	grpc    *grpc.Server
	health  *health.Server
	memory  *bufconn.Listener
	options Options
}

// maxMessageBytes bounds one message; larger things travel as streams of chunks.
const maxMessageBytes = 4 << 20

// New readies a server; Serve and ServeMemory make it listen.
func New(o Options) (*Server, error) {
	g, err := newGuard(o.Logger, o.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{
		grpc: grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream),
			grpc.NumStreamWorkers(0), grpc.ReadBufferSize(64<<10), grpc.WriteBufferSize(64<<10)),
		health: health.NewServer(), memory: bufconn.Listen(1 << 20), options: o,
	}
	haechiv1.RegisterScoringServer(s.grpc, &scoringService{scorer: o.Scorer, guard: g})
	haechiv1.RegisterLabelsServer(s.grpc, &labelsService{scorer: o.Scorer, guard: g})
	haechiv1.RegisterDecisionsServer(s.grpc, &decisionsService{scorer: o.Scorer})
	haechiv1.RegisterFeaturesServer(s.grpc, &featuresService{scorer: o.Scorer})
	haechiv1.RegisterModelsServer(s.grpc, &modelsService{registry: o.Registry, applier: o.Applier, importer: o.Models})
	haechiv1.RegisterRetrainsServer(s.grpc, &retrainsService{runner: o.Retrain, runs: o.Runs})
	haechiv1.RegisterImportServer(s.grpc, &importService{importer: o.Importer, spool: o.Spool})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.SetReady(false)
	return s, nil
}

// SetReady tells health checks whether the server can score.
func (s *Server) SetReady(ready bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthv1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	s.health.SetServingStatus(haechiv1.Scoring_ServiceDesc.ServiceName, state)
}

// Serve answers on a listener until Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	}
	return nil
}

// ServeMemory answers Dial until Stop.
func (s *Server) ServeMemory() error { return s.Serve(s.memory) }

// Stop drains: requests under way end, new ones are refused; when ctx ends, what is left is cut off.
func (s *Server) Stop(ctx context.Context) {
	s.health.Shutdown()
	done := make(chan struct{})
	go func() { s.grpc.GracefulStop(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}

// Health answers /healthz (the process lives) and /readyz (it can score).
func (s *Server) healthPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.options.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
}
