package server

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"github.com/haechi-fraud/haechi/proto/haechi/v1/openapi"
)

// Dial connects to this server in memory, past no check: REST and commands of the same process pass the interceptors that
// remote callers pass.
func (s *Server) Dial() (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.memory.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, fmt.Errorf("connect in memory: %w", err)
	}
	return conn, nil
}

// Handler is REST under /v1, /openapi.json, /metrics, /healthz and /readyz, over a connection made by Dial.
func (s *Server) Handler(ctx context.Context, conn *grpc.ClientConn) (http.Handler, error) {
	gateway := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
		UnmarshalOptions: protojson.UnmarshalOptions{},
	}))
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		haechiv1.RegisterScoringHandler, haechiv1.RegisterLabelsHandler, haechiv1.RegisterDecisionsHandler,
		haechiv1.RegisterFeaturesHandler, haechiv1.RegisterModelsHandler, haechiv1.RegisterRetrainsHandler,
	} {
		if err := register(ctx, gateway, conn); err != nil {
			return nil, fmt.Errorf("set up REST: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.MaxBytesHandler(gateway, maxMessageBytes))
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(openapi.Document()))
	})
	if s.options.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.options.Gatherer, promhttp.HandlerOpts{}))
	}
	s.healthPages(mux)
	return mux, nil
}
