package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/haechi-fraud/haechi/internal/app"
	"github.com/haechi-fraud/haechi/internal/project"
)

const (
	stopPatience  = 20 * time.Second // for draining
	dialPatience  = 5 * time.Second
	maxAnswerSize = 64 << 20
)

// target is where a command without DIR finds the services.
type target struct {
	Project string `default:"." placeholder:"DIR" help:"Project folder; . when not given."`
	Addr    string `placeholder:"HOST:PORT" help:"Talk to the server at this gRPC address; the project folder is not read then."`
}

// client reaches the services.
type client struct {
	*grpc.ClientConn
	project *project.Project // nil when only an address is known
	remote  bool             // a server answers, not this process
	stop    func() error
}

// connect finds the services: at the address, at the server that owns the project, or else in this process.
func (e *env) connect(ctx context.Context, t target, o app.Options) (*client, error) {
	if t.Addr != "" {
		return dial(ctx, t.Addr, nil)
	}
	p, err := project.Load(t.Project)
	if err != nil {
		return nil, err
	}
	owner, owned, err := project.FindOwner(p.Config.Data)
	if err != nil {
		return nil, err
	}
	if owned {
		if owner.GRPC == "" {
			return nil, &project.LockedError{Path: filepath.Join(p.Config.Data, project.LockFile), Owner: owner}
		}
		return dial(ctx, owner.GRPC, p)
	}
	o.Dir, o.Self, o.Logger = t.Project, e.self, e.logger(slog.LevelWarn)
	a, err := app.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return &client{ClientConn: a.Conn(), project: a.Project(), stop: func() error { return stopApp(ctx, a) }}, nil
}

// use runs do with the services of a target.
func (e *env) use(ctx context.Context, t target, command string, do func(*client) error) error {
	c, err := e.connect(ctx, t, app.Options{Command: command})
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.stop())
}

func stopApp(ctx context.Context, a *app.App) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	return a.Stop(ctx)
}

// dial connects to a server and sees that it answers.
func dial(ctx context.Context, address string, p *project.Project) (*client, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerSize)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	waiting, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if _, err := healthv1.NewHealthClient(conn).Check(waiting, &healthv1.HealthCheckRequest{}); err != nil {
		return nil, errors.Join(fmt.Errorf("no server answers at %s (%s); start one with haechi serve DIR, or leave --addr out", address, sentence(err)), conn.Close())
	}
	return &client{ClientConn: conn, project: p, remote: true, stop: conn.Close}, nil
}
