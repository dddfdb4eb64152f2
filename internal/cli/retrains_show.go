package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type retrainsShowCommand struct {
	RunID string `arg:"" name:"run" help:"Id of the run."`
	target
}

// Run shows a run, and the report that it left.
func (c *retrainsShowCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "retrains show", func(cl *client) error {
		retrains := haechiv1.NewRetrainsClient(cl)
		out, err := retrains.GetRetrain(ctx, &haechiv1.GetRetrainRequest{RunId: c.RunID})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out.Run)
		}
		r := out.Run
		e.printf("run %s for %s by %s: %s at step %s, begun %s\n", r.RunId, r.EventType, r.Actor, r.State, r.Step, clock(r.CreatedAt))
		if r.Error != "" {
			e.printf("%s\n", r.Error)
		}
		if r.State != "done" {
			return nil
		}
		e.printf("\n")
		return copyArtifact(ctx, retrains, r.RunId, "report.txt", e.stdout)
	})
}
