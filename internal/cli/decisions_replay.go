package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type decisionsReplayCommand struct {
	Event     string `arg:"" optional:"" name:"type/id" help:"The event; ID alone when the project has one event type."`
	All       bool   `help:"Every decision of the log."`
	EventType string `placeholder:"TYPE" help:"With --all: only of this event type."`
	target
}

// Run computes decisions again; one that differs is a check that said no.
func (c *decisionsReplayCommand) Run(ctx context.Context, e *env) error {
	if c.All == (c.Event != "") {
		return &usageError{errors.New("name one event, or --all")}
	}
	return e.use(ctx, c.target, "decisions replay", func(cl *client) error {
		decisions := haechiv1.NewDecisionsClient(cl)
		if c.All {
			return e.replayAll(ctx, decisions, &haechiv1.ReplayDecisionsRequest{EventType: c.EventType})
		}
		eventType, id, err := eventName(c.Event, cl.project)
		if err != nil {
			return err
		}
		out, err := decisions.ReplayDecision(ctx, &haechiv1.ReplayDecisionRequest{EventType: eventType, EventId: id})
		if err != nil {
			return err
		}
		if e.json {
			err = e.printJSON(out)
		} else if out.Equal {
			e.printf("%s/%s: %s again, equal to the bit\n", eventType, id, word("VERDICT_", out.Logged.Decision))
		}
		if !out.Equal {
			err = errors.Join(err, differs(eventType+"/"+id, out))
		}
		return err
	})
}

func differs(name string, out *haechiv1.ReplayDecisionResponse) error {
	return &checkError{fmt.Errorf("%s differs when replayed: %s", name, strings.Join(out.GetDifferences(), "; "))}
}

// replayAll computes the chosen decisions again.
func (e *env) replayAll(ctx context.Context, decisions haechiv1.DecisionsClient, in *haechiv1.ReplayDecisionsRequest) error {
	stream, err := decisions.ReplayDecisions(ctx, in)
	if err != nil {
		return err
	}
	bars := &steps{env: e}
	defer bars.close()
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if !m.Done {
			bars.show("replay", m.Records, m.RecordsTotal, false)
			continue
		}
		bars.close()
		if e.json {
			err = e.printJSON(m)
		} else {
			e.printf("%d decisions and %d values computed again: %d differ\n", m.Decisions, m.Values, m.Mismatches)
			e.mismatch(m)
		}
		if m.Mismatches > 0 {
			err = errors.Join(err, differs(m.FirstMismatchId, m.FirstMismatch))
		}
		return err
	}
}

// mismatch shows the first decision that differs: each value as logged, and how it comes about now.
func (e *env) mismatch(m *haechiv1.ReplayDecisionsResponse) {
	if m.FirstMismatch == nil {
		return
	}
	e.printf("\nthe first is %s:\n", m.FirstMismatchId)
	for _, line := range m.FirstMismatch.Differences {
		e.printf("  %s\n", line)
	}
	for _, trace := range m.FirstMismatchTraces {
		e.printf("\n")
		e.explain(trace, "  ")
	}
}
