package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type featuresVerifyCommand struct {
	Dir       string  `arg:"" default:"." help:"Project folder."`
	EventType string  `placeholder:"TYPE" help:"Only of this event type."`
	From      instant `placeholder:"TIME" help:"Only of events from then on."`
	To        instant `placeholder:"TIME" help:"Only of events before then."`
	OneIn     uint32  `default:"1" placeholder:"N" help:"One decision in so many, chosen by its id."`
	Addr      string  `placeholder:"HOST:PORT" help:"Talk to the server at this gRPC address; the project folder is not read then."`
}

// Run computes vectors, and the decisions made on them, again; one that differs is a check that said no.
func (c *featuresVerifyCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, target{Project: c.Dir, Addr: c.Addr}, "features verify", func(cl *client) error {
		return e.replayAll(ctx, haechiv1.NewDecisionsClient(cl), &haechiv1.ReplayDecisionsRequest{
			EventType: c.EventType, OneIn: c.OneIn, From: c.From.proto(), To: c.To.proto(),
		})
	})
}
