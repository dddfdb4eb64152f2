package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type retrainsCommand struct {
	List   retrainsListCommand   `cmd:"" help:"List runs, newest first."`
	Show   retrainsShowCommand   `cmd:"" help:"Show a run and its report."`
	Watch  retrainsWatchCommand  `cmd:"" help:"Follow a run until it ends."`
	Cancel retrainsCancelCommand `cmd:"" help:"Cancel a run that is under way."`
}

type retrainsListCommand struct {
	target
	EventType string `placeholder:"TYPE" help:"Only of this event type."`
}

// Run lists runs.
func (c *retrainsListCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "retrains list", func(cl *client) error {
		out, err := haechiv1.NewRetrainsClient(cl).ListRetrains(ctx, &haechiv1.ListRetrainsRequest{EventType: c.EventType})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		var rows []table.Row
		for _, r := range out.Runs {
			rows = append(rows, table.Row{r.RunId, r.EventType, r.State, r.Step, short(r.Version), clock(r.CreatedAt), r.Actor, cut(r.Error)})
		}
		e.printTable(table.Row{"run", "event type", "state", "step", "version", "created", "by", "error"}, rows)
		return nil
	})
}
