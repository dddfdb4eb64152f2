package cli

import (
	"context"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type labelsImportCommand struct {
	Files     []string `arg:"" placeholder:"FILE" help:"Files: .csv, .csv.gz or .parquet."`
	EventType string   `required:"" placeholder:"TYPE" help:"Event type that the labels are about."`
	target
}

// Run brings the labels in.
func (c *labelsImportCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "labels import", func(cl *client) error {
		up := &upload{env: e, client: cl, eventType: c.EventType, fallback: c.Project}
		up.add(haechiv1.ImportFilesRequest_File_ROLE_LABELS, "", c.Files...)
		return up.run(ctx)
	})
}
