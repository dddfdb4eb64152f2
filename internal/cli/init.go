package cli

import (
	"fmt"
	"strings"

	"github.com/haechi-fraud/haechi/internal/app"
)

type initCommand struct {
	Dir     string `arg:"" help:"Folder to make."`
	Example string `required:"" help:"Example to start from: card-payments, us-card-payments or demo-payments."`
}

// Run makes the project.
func (c *initCommand) Run(e *env) error {
	known := app.Examples()
	found := false
	for _, name := range known {
		found = found || name == c.Example
	}
	if !found {
		return &usageError{fmt.Errorf("--example: no example is called %q; there are %s", c.Example, strings.Join(known, ", "))}
	}
	p, err := app.Init(c.Dir, c.Example)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range p.EventTypes {
		names = append(names, t.Name)
	}
	if e.json {
		return e.encode(map[string]any{"dir": p.Dir, "event_types": names})
	}
	e.printf("%s is a project with event type %s.\nNext: haechi import %s --event-type %s --events FILE.csv\n",
		c.Dir, strings.Join(names, ", "), c.Dir, names[0])
	return nil
}
