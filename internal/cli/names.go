package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/haechi-fraud/haechi/internal/project"
)

// eventName reads TYPE/ID, or ID alone when the project has one event type. An id may hold slashes: what stands before the
// first one is a type only if the project says so, or if there is no project to ask.
func eventName(name string, p *project.Project) (eventType, id string, err error) {
	before, after, slash := strings.Cut(name, "/")
	if p == nil {
		if !slash {
			return "", "", &usageError{errors.New("name the event as TYPE/ID: with --addr the project, which may have one type only, is not read")}
		}
		return before, after, nil
	}
	if _, known := p.EventType(before); slash && known && before != "" {
		return before, after, nil
	}
	only, one := p.EventType("")
	switch {
	case one:
		return only.Name, name, nil
	case slash:
		return "", "", fmt.Errorf("there is no event type %q; the project has %s", before, strings.Join(typeNames(p), ", "))
	}
	return "", "", &usageError{fmt.Errorf("name the event as TYPE/%s; the project has %s", name, strings.Join(typeNames(p), ", "))}
}

func typeNames(p *project.Project) []string {
	names := make([]string, len(p.EventTypes))
	for i, t := range p.EventTypes {
		names[i] = t.Name
	}
	return names
}
