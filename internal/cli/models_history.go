package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type modelsHistoryCommand struct {
	target
	EventType string  `placeholder:"TYPE" help:"Of this event type; not needed when the project has one."`
	At        instant `placeholder:"TIME" help:"Only what was in force then."`
}

// Run lists who decided when, by whose order and why.
func (c *modelsHistoryCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "models history", func(cl *client) error {
		out := &haechiv1.ListAssignmentsResponse{}
		for _, name := range historyTypes(c.EventType, cl) {
			one, err := haechiv1.NewModelsClient(cl).ListAssignments(ctx, &haechiv1.ListAssignmentsRequest{EventType: name, At: c.At.proto()})
			if err != nil {
				return err
			}
			out.Assignments = append(out.Assignments, one.Assignments...)
		}
		if e.json {
			return e.printJSON(out)
		}
		var rows []table.Row
		for _, a := range out.Assignments {
			rows = append(rows, table.Row{a.Revision, a.EventType, a.Role, short(a.Version), clock(a.ValidFrom), a.Actor, a.Reason})
		}
		e.printTable(table.Row{"revision", "event type", "role", "version", "from", "by", "reason"}, rows)
		return nil
	})
}

// historyTypes are the event types to ask for: revisions count for each of its own.
func historyTypes(name string, cl *client) []string {
	if name != "" || cl.project == nil {
		return []string{name}
	}
	return typeNames(cl.project)
}
