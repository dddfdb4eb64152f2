package cli

import (
	"context"
	"errors"

	"github.com/haechi-fraud/haechi/internal/offline"
)

type featuresPipeCommand struct {
	Project   string            `default:"." placeholder:"DIR" help:"Project folder; . when not given."`
	EventType string            `placeholder:"TYPE" help:"Event type of the rows; may be left out when the project has one."`
	Features  []string          `placeholder:"NAME,..|@LIST" help:"Features to compute, by name, or a list of the event type; all that can be when not given."`
	Format    string            `default:"tsv" enum:"tsv,arrow" help:"tsv (tab-separated text) or arrow (an IPC stream), in and out."`
	Columns   []string          `placeholder:"NAME,.." help:"Columns of the rows, as the event type's import names them; by default the first line names them. tsv only."`
	By        string            `placeholder:"ENTITY" help:"The rows stand together by this entity, each entity's in the order of time; only its features are computed. By default all rows are in the order of time."`
	End       bool              `help:"The input ends with a line of \\., a tab and its number of rows; without it, it was cut. tsv only."`
	Lookup    map[string]string `placeholder:"NAME=FILE" help:"File of a lookup; by default the one that the event type names, in the project folder."`
}

// Run answers rows until the input ends.
func (c *featuresPipeCommand) Run(ctx context.Context, e *env) error {
	t, err := eventTypeOf(c.Project, c.EventType)
	if err != nil {
		return err
	}
	var names []string
	if len(c.Features) > 0 {
		if names, err = featureNames(t, c.Features); err != nil {
			return err
		}
	}
	if c.Format == "arrow" && (len(c.Columns) > 0 || c.End) {
		return &usageError{errors.New("--columns and --end are for --format tsv; an Arrow stream names its columns and marks its end")}
	}
	_, err = offline.Pipe(ctx, offline.PipeJob{EventType: t, Features: names, By: c.By, Format: c.Format, Columns: c.Columns, End: c.End,
		Lookups: c.Lookup, Folder: c.Project, In: e.stdin, Out: e.stdout})
	return err
}
