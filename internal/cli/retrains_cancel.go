package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type retrainsCancelCommand struct {
	RunID string `arg:"" name:"run" help:"Id of the run."`
	target
}

// Run cancels a run and returns when it has ended.
func (c *retrainsCancelCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "retrains cancel", func(cl *client) error {
		out, err := haechiv1.NewRetrainsClient(cl).CancelRetrain(ctx, &haechiv1.CancelRetrainRequest{RunId: c.RunID})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printf("run %s was cancelled\n", c.RunID)
		return nil
	})
}
