package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type modelsPromoteCommand struct {
	Version string `arg:"" help:"SHA-256 of the version, or its first 6 or more characters."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why; kept with the change."`
	target
	actorFlag
}

// Run makes a version champion; with a running server it returns when the version answers.
func (c *modelsPromoteCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "models promote", func(cl *client) error {
		out, err := haechiv1.NewModelsClient(cl).PromoteModel(ctx, &haechiv1.PromoteModelRequest{Version: c.Version, Actor: c.Actor, Reason: c.Reason})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printf("%s is champion of %s from revision %d on\n", short(out.Assignment.Version), out.Assignment.EventType, out.Assignment.Revision)
		return nil
	})
}
