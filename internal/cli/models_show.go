package cli

import (
	"context"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"google.golang.org/protobuf/encoding/protojson"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type modelsShowCommand struct {
	Version string `arg:"" help:"SHA-256 of the version, or its first 6 or more characters."`
	target
}

// Run shows a version and the evidence for it.
func (c *modelsShowCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "models show", func(cl *client) error {
		out, err := haechiv1.NewModelsClient(cl).GetModel(ctx, &haechiv1.GetModelRequest{Version: c.Version})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printModel(out.Model)
		var rows []table.Row
		for _, ev := range out.Evidence {
			text, err := protojson.Marshal(ev.Body)
			if err != nil {
				return err
			}
			rows = append(rows, table.Row{ev.Kind, clock(ev.CreatedAt), ev.CreatedBy, strconv.Itoa(len(text)) + " bytes"})
		}
		e.printf("\n")
		e.printTable(table.Row{"evidence", "created", "by", "size (all of it with --json)"}, rows)
		return nil
	})
}

func (e *env) printModel(m *haechiv1.ModelVersion) {
	role := m.Role
	if role == "" {
		role = "no role"
	}
	e.printf("version      %s\nname         %s\nevent type   %s (%s)\nrole         %s\nsource       %s by %s at %s, verified: %s\n",
		m.Version, m.Name, m.EventType, short(m.EventTypeHash), role, m.Source, m.CreatedBy, clock(m.CreatedAt), m.Verified)
	if m.TrainFrom != nil {
		e.printf("trained on   %s..%s\n", clock(m.TrainFrom), clock(m.TrainTo))
	}
	e.printf("review at    %s\ndecline at   %s\n\n", threshold(m.ReviewThreshold), threshold(m.DeclineThreshold))
	var rows []table.Row
	for i, f := range m.Features {
		rows = append(rows, table.Row{i + 1, f.Name, short(f.Hash)})
	}
	e.printTable(table.Row{"", "feature", "definition (with --json)"}, rows)
}

func threshold(raw *float64) string {
	if raw == nil {
		return "never"
	}
	return strconv.FormatFloat(*raw, 'g', -1, 64) + " (raw)"
}
