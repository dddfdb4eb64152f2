package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type modelsCommand struct {
	List    modelsListCommand    `cmd:"" help:"List versions, newest first."`
	Show    modelsShowCommand    `cmd:"" help:"Show a version and the evidence for it."`
	Import  modelsImportCommand  `cmd:"" help:"Bring in a LightGBM model that was trained elsewhere."`
	Promote modelsPromoteCommand `cmd:"" help:"Let a version decide."`
	History modelsHistoryCommand `cmd:"" help:"List who decided when, and why."`
}

type modelsListCommand struct {
	target
	EventType string `placeholder:"TYPE" help:"Only of this event type."`
}

// Run lists versions.
func (c *modelsListCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "models list", func(cl *client) error {
		out, err := haechiv1.NewModelsClient(cl).ListModels(ctx, &haechiv1.ListModelsRequest{EventType: c.EventType})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		var rows []table.Row
		for _, m := range out.Models {
			rows = append(rows, table.Row{short(m.Version), m.EventType, m.Role, m.Name, m.Source, clock(m.TrainFrom), clock(m.TrainTo), clock(m.CreatedAt), m.CreatedBy})
		}
		e.printTable(table.Row{"version", "event type", "role", "name", "source", "trained from", "to", "created", "by"}, rows)
		return nil
	})
}
