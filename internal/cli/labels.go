package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type labelsCommand struct {
	Import labelsImportCommand `cmd:"" help:"Bring in files of labels."`
	Put    labelsPutCommand    `cmd:"" help:"State what an event turned out to be."`
	Get    labelsGetCommand    `cmd:"" help:"List what was stated about an event."`
}

type labelsGetCommand struct {
	Event string `arg:"" name:"type/id" help:"The event; ID alone when the project has one event type."`
	target
}

// Run lists an event's labels.
func (c *labelsGetCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "labels get", func(cl *client) error {
		eventType, id, err := eventName(c.Event, cl.project)
		if err != nil {
			return err
		}
		out, err := haechiv1.NewLabelsClient(cl).ListLabels(ctx, &haechiv1.ListLabelsRequest{EventType: eventType, EventId: id})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printLabels(out.Labels)
		return nil
	})
}

func (e *env) printLabels(labels []*haechiv1.ListLabelsResponse_Item) {
	var rows []table.Row
	for _, l := range labels {
		rows = append(rows, table.Row{word("LABEL_VERDICT_", l.Label.Verdict), l.Label.Kind, clock(l.Label.KnownAt), l.Label.Source, l.Label.ReasonCode, clock(l.RecordedAt)})
	}
	e.printTable(table.Row{"verdict", "kind", "known at", "source", "reason code", "recorded"}, rows)
}
