package cli

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type decisionsCommand struct {
	Get    decisionsGetCommand    `cmd:"" help:"Show an event, what was decided and what became of it."`
	Replay decisionsReplayCommand `cmd:"" help:"Compute decisions again from the log and compare every bit."`
}

type decisionsGetCommand struct {
	Event string `arg:"" name:"type/id" help:"The event; ID alone when the project has one event type."`
	target
}

// Run shows an event and its decision.
func (c *decisionsGetCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "decisions get", func(cl *client) error {
		eventType, id, err := eventName(c.Event, cl.project)
		if err != nil {
			return err
		}
		out, err := haechiv1.NewDecisionsClient(cl).GetDecision(ctx, &haechiv1.GetDecisionRequest{EventType: eventType, EventId: id})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printEvent(out)
		return nil
	})
}

func (e *env) printEvent(out *haechiv1.GetDecisionResponse) {
	ev := out.Event
	e.printf("event     %s/%s at %s, %s, %s\n", ev.Type, ev.Id, clock(ev.Time), out.Origin, strings.ReplaceAll(out.Outcome, "_", " "))
	if ev.Amount != nil {
		e.printf("amount    %d minor units %s\n", ev.Amount.MinorUnits, ev.Amount.Currency)
	}
	if d := out.Decision; d != nil {
		e.printDecision(d)
	} else {
		e.printf("decision  none: imported events are not decided\n")
	}
	if len(out.Labels) > 0 {
		e.printf("\n")
		e.printLabels(out.Labels)
	}
}

func (e *env) printDecision(d *haechiv1.Decision) {
	e.printf("decision  %s at %s\n", word("VERDICT_", d.Decision), clock(d.DecidedAt))
	for _, r := range d.Reasons {
		e.printf("  because %s (%s)\n", r.Text, r.Code)
	}
	if d.Raw != nil {
		e.printf("score     %.6g raw, by model %s\n", d.GetRaw(), short(d.ModelVersion))
	}
	if d.FallbackCause != "" {
		e.printf("fallback  %s\n", d.FallbackCause)
	}
	if len(d.Flags) > 0 {
		e.printf("flags     %s\n", strings.Join(d.Flags, ", "))
	}
	e.printf("record    %d of log %s, revision %d\n", d.Sequence.GetNumber(), d.Sequence.GetLogId(), d.AssignmentRevision)
	if len(d.Features) == 0 {
		return
	}
	var rows []table.Row
	for _, f := range d.Features {
		value := math.NaN()
		if f.Value != nil {
			value = *f.Value
		}
		rows = append(rows, table.Row{f.Name, number(value)})
	}
	e.printf("\n")
	e.printTable(table.Row{"feature", "value"}, rows)
}

func number(v float64) string {
	if math.IsNaN(v) {
		return "missing"
	}
	return fmt.Sprintf("%.6g", v)
}

// word is an enum's value in small letters.
func word(prefix string, value fmt.Stringer) string {
	return strings.ToLower(strings.TrimPrefix(value.String(), prefix))
}
