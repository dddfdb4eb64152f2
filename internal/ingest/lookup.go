package ingest

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/haechi-fraud/haechi/internal/project"
)

// lookup is a second file in memory: the mapped columns of each row by its key.
type lookup struct {
	project.Lookup
	columns []string
	rows    map[string][]string
	dates   []bool
}

// wantedOf lists the columns of each lookup that the mapping uses.
func wantedOf(m *project.Mapping) map[string][]string {
	wanted := make(map[string][]string)
	for _, s := range sourcesOf(m) {
		if s.Lookup != "" && !slices.Contains(wanted[s.Lookup], s.Column) {
			wanted[s.Lookup] = append(wanted[s.Lookup], s.Column)
		}
	}
	return wanted
}

// sourcesOf lists every column that the mapping reads from an event file or what is joined to it.
func sourcesOf(m *project.Mapping) []project.Source {
	sources := []project.Source{m.ID, m.Time.Source}
	if m.Amount != nil {
		sources = append(sources, m.Amount.Source)
	}
	for _, b := range m.Entities {
		sources = append(sources, b.Source)
	}
	for _, b := range m.Attributes {
		sources = append(sources, b.Source)
	}
	for _, b := range m.Numbers {
		sources = append(sources, b.Source)
	}
	if m.Label != nil {
		sources = append(sources, m.Label.Source)
		if m.Label.KnownAt != nil {
			sources = append(sources, m.Label.KnownAt.Source)
		}
	}
	return sources
}

// openLookups reads the files of all lookups; paths overrides a lookup's own file, which lies beside the event file.
func openLookups(m *project.Mapping, paths map[string]string, beside string) (map[string]*lookup, error) {
	var problems []error
	for name := range paths {
		if _, ok := m.Lookup(name); !ok {
			problems = append(problems, fmt.Errorf("--lookup %s: the event type's import mapping declares no lookup of that name", name))
		}
	}
	wanted, lookups := wantedOf(m), make(map[string]*lookup)
	for _, declared := range m.Lookups {
		path := paths[declared.Name]
		if path == "" {
			path = filepath.Join(filepath.Dir(beside), declared.File)
		}
		l, err := readLookup(declared, path, wanted[declared.Name])
		if err != nil {
			problems = append(problems, fmt.Errorf("lookup %s (name its file with --lookup %s=FILE): %w", declared.Name, declared.Name, err))
			continue
		}
		lookups[declared.Name] = l
	}
	return lookups, errors.Join(problems...)
}

func readLookup(declared project.Lookup, path string, columns []string) (_ *lookup, err error) {
	t, err := openTable(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	l := &lookup{Lookup: declared, columns: columns, rows: make(map[string][]string)}
	key, err := find(t, path, declared.Key)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		if places[i], err = find(t, path, c); err != nil {
			return nil, err
		}
		l.dates = append(l.dates, t.dated(places[i]))
	}
	for {
		cells, err := t.next()
		if err == io.EOF {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, t.line(), err)
		}
		if _, ok := l.rows[cells[key]]; ok {
			return nil, fmt.Errorf("%s:%d: %s %q stands there twice; a key must be unique", path, t.line(), declared.Key, cells[key])
		}
		row := make([]string, len(places))
		for i, p := range places {
			row[i] = cells[p]
		}
		l.rows[cells[key]] = row
	}
}

// find gives the place of a column.
func find(t table, path, column string) (int, error) {
	at := slices.Index(t.columns(), column)
	if at < 0 {
		return 0, fmt.Errorf("%s has no column %q; it has %q", path, column, t.columns())
	}
	if slices.Contains(t.columns()[at+1:], column) {
		return 0, fmt.Errorf("%s has two columns %q; rename one", path, column)
	}
	return at, nil
}
