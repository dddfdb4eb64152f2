package cli

import (
	"context"
	"errors"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type featuresVerifyCommand struct {
	Dir       string  `arg:"" default:"." help:"Project folder."`
	EventType string  `placeholder:"TYPE" help:"Only of this event type."`
	From      instant `placeholder:"TIME" help:"Only of events from then on."`
	To        instant `placeholder:"TIME" help:"Only of events before then."`
	OneIn     uint32  `default:"1" placeholder:"N" help:"One decision in so many, chosen by its id."`
	Addr      string  `placeholder:"HOST:PORT" help:"Talk to the server at this gRPC address; the project folder is not read then."`
}

// Run computes vectors again; one that differs is a check that said no.
func (c *featuresVerifyCommand) Run(ctx context.Context, e *env) error {
	in := &haechiv1.VerifyFeaturesRequest{EventType: c.EventType, OneIn: c.OneIn, From: c.From.proto(), To: c.To.proto()}
	return e.use(ctx, target{Project: c.Dir, Addr: c.Addr}, "features verify", func(cl *client) error {
		stream, err := haechiv1.NewFeaturesClient(cl).VerifyFeatures(ctx, in)
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
				bars.show("verify", m.Records, m.RecordsTotal, false)
				continue
			}
			bars.close()
			if e.json {
				err = e.printJSON(m)
			} else {
				e.printf("%d values of %d decisions computed again from the log: %d decisions differ\n", m.Values, m.Decisions, m.Mismatches)
				e.mismatch(m)
			}
			if m.Mismatches > 0 {
				err = errors.Join(err, differs(m.FirstMismatchId, m.FirstMismatch))
			}
			return err
		}
	})
}

// mismatch shows the first decision that differs: each value as logged, and how it comes about now.
func (e *env) mismatch(m *haechiv1.VerifyFeaturesResponse) {
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
