package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/haechi-fraud/haechi/internal/project"
)

// listeners are the open ports of a server.
type listeners struct{ addresses project.Listen }

// listen opens the three ports: gRPC, REST with metrics, and admin.
func (a *App) listen() (*listeners, error) {
	want := a.project.Config.Listen
	l := &listeners{}
	grpcPort, err := open("grpc", want.GRPC)
	if err != nil {
		return nil, err
	}
	l.addresses.GRPC = grpcPort.Addr().String()
	a.goServe(func() error { return a.server.Serve(grpcPort) })
	handler, err := a.server.Handler(a.ctx, a.conn)
	if err != nil {
		return nil, err
	}
	if l.addresses.HTTP, err = a.serveHTTP("http", want.HTTP, handler); err != nil {
		return nil, err
	}
	l.addresses.Admin, err = a.serveHTTP("admin", want.Admin, adminPages())
	return l, err
}

func open(name, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // it opens at once
	if err != nil {
		return nil, fmt.Errorf("listen.%s: %w; choose another address in haechi.yaml", name, err)
	}
	return l, nil
}

func (a *App) serveHTTP(name, address string, handler http.Handler) (string, error) {
	l, err := open(name, address)
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	a.goServe(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", name, err)
		}
		return nil
	})
	a.closers = append(a.closers, func(ctx context.Context) error {
		if err := s.Shutdown(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	})
	return l.Addr().String(), nil
}

// adminPages are for operators on the machine itself.
func adminPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
