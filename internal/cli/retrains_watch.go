package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type retrainsWatchCommand struct {
	RunID string `arg:"" name:"run" help:"Id of the run."`
	target
}

// Run follows a run; leaving it does not end it.
func (c *retrainsWatchCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "retrains watch", func(cl *client) error {
		var each func(*haechiv1.WatchRetrainResponse) error
		if e.json {
			each = func(m *haechiv1.WatchRetrainResponse) error { return printLine(e.stdout, m) }
		}
		run, err := watchRun(ctx, e, haechiv1.NewRetrainsClient(cl), c.RunID, each)
		if err != nil {
			return err
		}
		if err := runError(run); err != nil {
			return err
		}
		if !e.json {
			e.printf("run %s is done and published version %s\n", run.RunId, run.Version)
		}
		return nil
	})
}
