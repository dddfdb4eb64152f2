package cli

import (
	"context"
	"strings"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type labelsPutCommand struct {
	Event      string  `arg:"" name:"type/id" help:"The event; ID alone when the project has one event type."`
	Verdict    string  `required:"" enum:"fraud,legitimate,withdrawn" help:"fraud, legitimate, or withdrawn, which takes back what was said."`
	Kind       string  `required:"" help:"A kind that the event type declares: chargeback, review, ..."`
	KnownAt    instant `placeholder:"TIME" help:"When it was known; by default the event's time plus the event type's label delay."`
	ReasonCode string  `placeholder:"CODE" help:"Code of the scheme or the issuer."`
	Source     string  `placeholder:"NAME" env:"USER" help:"Who says so."`
	target
}

// Run states the label.
func (c *labelsPutCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "labels put", func(cl *client) error {
		eventType, id, err := eventName(c.Event, cl.project)
		if err != nil {
			return err
		}
		out, err := haechiv1.NewLabelsClient(cl).PutLabel(ctx, &haechiv1.PutLabelRequest{Label: &haechiv1.Label{
			EventType: eventType, EventId: id, Kind: c.Kind, ReasonCode: c.ReasonCode, KnownAt: c.KnownAt.proto(), Source: c.Source,
			Verdict: haechiv1.LabelVerdict(haechiv1.LabelVerdict_value["LABEL_VERDICT_"+strings.ToUpper(c.Verdict)]),
		}})
		if err != nil {
			return err
		}
		switch {
		case e.json:
			return e.printJSON(out)
		case !out.Added:
			e.printf("%s/%s: this was stated already\n", eventType, id)
		case out.Waiting:
			e.printf("%s/%s: recorded; it waits for its event, which has not been seen yet\n", eventType, id)
		default:
			e.printf("%s/%s: recorded as %s\n", eventType, id, c.Verdict)
		}
		return nil
	})
}
