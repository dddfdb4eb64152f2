package app

import (
	"fmt"
	"path/filepath"

	"github.com/haechi-fraud/haechi/examples"
	"github.com/haechi-fraud/haechi/internal/project"
)

// Init makes a project in dir from an example, with a key of its own for fields flagged pii, and reads it once.
func Init(dir, example string) (*project.Project, error) {
	if err := examples.Copy(example, dir); err != nil {
		return nil, err
	}
	if err := project.WritePIIKey(filepath.Join(dir, filepath.FromSlash(project.DefaultKeyFile))); err != nil {
		return nil, err
	}
	p, err := project.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("the example %s: %w", example, err)
	}
	return p, nil
}

// Examples lists the names that Init takes.
func Examples() []string { return examples.Names() }
