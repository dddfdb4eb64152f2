package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type featuresListCommand struct {
	EventType string `placeholder:"TYPE" help:"Event type; not needed when the project has one."`
	target
}

// Run lists features.
func (c *featuresListCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "features list", func(cl *client) error {
		out, err := haechiv1.NewFeaturesClient(cl).ListFeatures(ctx, &haechiv1.ListFeaturesRequest{EventType: c.EventType})
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		var rows []table.Row
		for _, f := range out.Features {
			rows = append(rows, table.Row{f.Name, f.Words})
		}
		e.printTable(table.Row{"feature", "is"}, rows)
		return nil
	})
}

type featuresDescribeCommand struct {
	Name      string `arg:"" help:"The feature."`
	EventType string `placeholder:"TYPE" help:"Event type; not needed when the project has one."`
	target
}

// Run describes one feature.
func (c *featuresDescribeCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "features describe", func(cl *client) error {
		out, err := haechiv1.NewFeaturesClient(cl).ListFeatures(ctx, &haechiv1.ListFeaturesRequest{EventType: c.EventType})
		if err != nil {
			return err
		}
		var near []string
		for _, f := range out.Features {
			if f.Name == c.Name {
				return e.describe(f)
			}
			if strings.Contains(f.Name, c.Name) {
				near = append(near, f.Name)
			}
		}
		if near == nil {
			return fmt.Errorf("event type %s has no feature %s: haechi features list names them", out.EventType, c.Name)
		}
		return fmt.Errorf("event type %s has no feature %s; did you mean %s?", out.EventType, c.Name, strings.Join(near, ", "))
	})
}

func (e *env) describe(f *haechiv1.Feature) error {
	if e.json {
		return e.printJSON(f)
	}
	e.printf("%s: %s\n\n", f.Name, f.Words)
	for _, line := range [][2]string{{"formula", f.Formula}, {"unit", f.Unit}, {"nothing there", f.Empty}, {"entity", f.Entity}, {"hash", f.Hash}, {"canonical", f.Canonical}} {
		if line[1] != "" {
			e.printf("  %-14s %s\n", line[0], line[1])
		}
	}
	return nil
}
