package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/haechi-fraud/haechi/internal/app"
)

type serveCommand struct {
	Dir string `arg:"" help:"Project folder."`
}

// Run serves until ctx ends, then drains.
func (c *serveCommand) Run(ctx context.Context, e *env) error {
	bars := &steps{env: e}
	a, err := app.New(ctx, app.Options{
		Dir: c.Dir, Command: "serve", Serve: true, Self: e.self, Logger: e.logger(slog.LevelInfo),
		Recovering: func(done, total uint64) { bars.show("recover", done, total, false) },
	})
	if err != nil {
		return err
	}
	err = a.Start(ctx)
	bars.close()
	if err != nil {
		return errors.Join(err, stopApp(ctx, a))
	}
	err = c.announce(e, a)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-a.Failed():
		}
	}
	return errors.Join(err, stopApp(ctx, a))
}

func (c *serveCommand) announce(e *env, a *app.App) error {
	at := a.Addresses()
	if e.json {
		return e.encode(map[string]any{"pid": os.Getpid(), "grpc": at.GRPC, "http": at.HTTP, "admin": at.Admin})
	}
	e.printf("haechi serves %s\n  gRPC   %s\n  REST   http://%s/v1/, /openapi.json, /metrics, /readyz\n  admin  http://%s/debug/pprof/\n",
		c.Dir, at.GRPC, at.HTTP, at.Admin)
	return nil
}
