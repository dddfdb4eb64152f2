package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type featuresExplainCommand struct {
	Event string `arg:"" name:"type/id" help:"The event; ID alone when the project has one event type."`
	Name  string `arg:"" help:"The feature."`
	Limit uint32 `default:"20" help:"Most events to list, the latest of the window."`
	target
}

// Run shows the events behind a value.
func (c *featuresExplainCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "features explain", func(cl *client) error {
		eventType, id, err := eventName(c.Event, cl.project)
		if err != nil {
			return err
		}
		out, err := haechiv1.NewFeaturesClient(cl).ExplainFeature(ctx, &haechiv1.ExplainFeatureRequest{
			EventType: eventType, EventId: id, Name: c.Name, Limit: c.Limit,
		})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.explain(out, "")
		return nil
	})
}

// explain prints a value and, further in, what it was made of.
func (e *env) explain(x *haechiv1.ExplainFeatureResponse, indent string) {
	e.printf("%s%s = %s\n", indent, x.Name, exact(x.Value))
	if x.To != nil {
		e.printf("%swindow (%s, %s], %d events\n", indent, clock(x.From), clock(x.To), x.Events)
	}
	if x.ShortFrom != nil {
		e.printf("%sshorter window from %s\n", indent, clock(x.ShortFrom))
	}
	for _, f := range x.Fields {
		e.printf("%s  %s of the event = %s\n", indent, f.Name, exact(f.Value))
	}
	var rows []table.Row
	for _, l := range x.Listed {
		value, note := l.Text, ""
		if value == "" {
			value = exact(l.Value)
		}
		switch {
		case l.Current:
			note = "the event itself"
		case !l.Counts:
			note = "does not count"
		}
		rows = append(rows, table.Row{indent + l.EventId, l.Sequence, clock(l.Time), value, note})
	}
	if rows != nil {
		e.printTable(table.Row{indent + "event", "sequence", "time", "value", ""}, rows)
	}
	for _, input := range x.Inputs {
		e.explain(input, indent+strings.Repeat(" ", 2))
	}
}

// exact is the shortest text that reads back to the same bits.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
