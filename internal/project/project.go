package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Names of the files of a project.
const (
	ConfigFile      = "haechi.yaml"
	EventTypeFolder = "event_types"
	DefaultKeyFile  = "keys/pii.key"
)

// Project is a project folder, read and found sound.
type Project struct {
	Dir        string // absolute
	Config     Config
	EventTypes []*EventType // sorted by name
}

// EventType finds an event type by name; "" finds the only one of a project that has one.
func (p *Project) EventType(name string) (*EventType, bool) {
	if name == "" && len(p.EventTypes) == 1 {
		return p.EventTypes[0], true
	}
	for _, t := range p.EventTypes {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// Load reads the project in dir. Everything that is wrong with its files comes back at once, as Violations whose paths
// begin with dir as given; any other error means that the folder cannot be read.
func Load(dir string) (*Project, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("project folder: %w", err)
	}
	if info, err := os.Stat(absolute); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder; make a project there: haechi init %s --example card-payments", dir, dir)
	}
	p := &Project{Dir: absolute}
	config, err := openConfig(dir)
	if err != nil {
		return nil, err
	}
	p.Config = readConfig(absolute, config)
	violations, needs, err := p.readEventTypes(dir)
	if err != nil {
		return nil, err
	}
	checkKey(p, config, needs)
	violations = append(violations, config.violations...)
	if len(violations) > 0 {
		return nil, violations.sorted()
	}
	return p, nil
}

func openConfig(dir string) (*document, error) {
	file := filepath.Join(dir, ConfigFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s, so it is not a project; make one: haechi init %s --example card-payments", dir, ConfigFile, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the project: %w", err)
	}
	return parseDocument(file, text), nil
}

// readEventTypes reads event_types/*.yaml; needs lists the fields that need a pii key.
func (p *Project) readEventTypes(dir string) (violations Violations, needs []string, err error) {
	folder := filepath.Join(dir, EventTypeFolder)
	listing, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the event types: %w", err)
	}
	files := map[string]string{}
	for _, e := range listing {
		file := filepath.Join(folder, e.Name())
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
			continue
		case filepath.Ext(e.Name()) == ".yml":
			violations = append(violations, Violation{File: file, Problem: "is not read; call it " + strings.TrimSuffix(e.Name(), ".yml") + ".yaml"})
			continue
		case filepath.Ext(e.Name()) != ".yaml":
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read the event types: %w", err)
		}
		d := parseDocument(file, text)
		t := readEventType(d)
		if t != nil {
			if other, twice := files[t.Name]; twice && t.Name != "" {
				d.report("event_type", "%s is declared in %s already; give each its own name", t.Name, other)
			}
			files[t.Name] = file
			needs = append(needs, t.PIIFields()...)
			p.EventTypes = append(p.EventTypes, t)
		}
		violations = append(violations, d.violations...)
	}
	if len(p.EventTypes) == 0 && len(violations) == 0 {
		violations = append(violations, Violation{File: folder, Problem: "holds no event type; add a file such as card_payment.yaml"})
	}
	sort.Slice(p.EventTypes, func(i, j int) bool { return p.EventTypes[i].Name < p.EventTypes[j].Name })
	return violations, needs, nil
}
