package ingest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// converter turns the rows of one event file into events and labels.
type converter struct {
	schema  *features.Schema
	mapping *project.Mapping
	delay   int64
	lookups []joined

	id, time, amount cell
	timeFormat       project.TimeFormat
	entities         []bound
	attributes       []bound
	numbers          []bound
	label, knownAt   cell
	knownFormat      project.TimeFormat

	event features.Event // used again for each row
}

// joined is a lookup with the row that it gives for the row in hand, nil for none.
type joined struct {
	*lookup
	on     int
	row    []string
	misses int64
}

// cell is where a value is read: a column of the file, or of a lookup when lookup >= 0.
type cell struct{ lookup, column int }

// bound fills the field at place of the schema; binding is its index in the mapping.
type bound struct {
	place, binding int
	cell
}

func newConverter(t *project.EventType, file table, path string, lookups map[string]*lookup) (*converter, error) {
	m := t.Mapping
	c := &converter{schema: &t.Schema, mapping: m, delay: t.Labels.Delay}
	c.event = features.Event{
		Entities: make([]string, len(t.Schema.Entities)), Attributes: make([]string, len(t.Schema.Attributes)), Numbers: make([]float64, len(t.Schema.Numbers)),
	}
	b := binder{file: file, path: path}
	for _, declared := range m.Lookups {
		c.lookups = append(c.lookups, joined{lookup: lookups[declared.Name], on: b.column(declared.On)})
		b.lookups = append(b.lookups, lookups[declared.Name])
	}
	c.id = b.cell(m.ID)
	c.time, c.timeFormat = b.time(m.Time)
	if m.Amount != nil {
		c.amount = b.cell(m.Amount.Source)
	}
	for i, e := range m.Entities {
		place := slices.IndexFunc(t.Schema.Entities, func(k features.EntityKind) bool { return k.Name == e.Name })
		c.entities = append(c.entities, b.bound("entity", e.Name, place, i, e.Source))
	}
	for i, a := range m.Attributes {
		place := slices.IndexFunc(t.Schema.Attributes, func(k features.Attribute) bool { return k.Name == a.Name })
		c.attributes = append(c.attributes, b.bound("attribute", a.Name, place, i, a.Source))
	}
	for i, n := range m.Numbers {
		place := slices.IndexFunc(t.Schema.Numbers, func(k features.Number) bool { return k.Name == n.Name })
		c.numbers = append(c.numbers, b.bound("number", n.Name, place, i, n.Source))
	}
	if m.Label != nil {
		c.label = b.cell(m.Label.Source)
		if m.Label.KnownAt != nil {
			c.knownAt, c.knownFormat = b.time(*m.Label.KnownAt)
		}
	}
	return c, errors.Join(b.problems...)
}

// binder finds columns and keeps what it does not find.
type binder struct {
	file     table
	path     string
	lookups  []*lookup
	problems []error
}

func (b *binder) column(name string) int {
	at, err := find(b.file, b.path, name)
	if err != nil {
		b.problems = append(b.problems, err)
	}
	return at
}

func (b *binder) cell(s project.Source) cell {
	if s.Lookup == "" {
		return cell{-1, b.column(s.Column)}
	}
	for i, l := range b.lookups {
		if l.Name == s.Lookup {
			return cell{i, slices.Index(l.columns, s.Column)}
		}
	}
	b.problems = append(b.problems, fmt.Errorf("the import mapping declares no lookup %q", s.Lookup))
	return cell{-1, 0}
}

// time gives the cell and its format; a column that the file itself types as a time is read as such.
func (b *binder) time(s project.TimeSource) (cell, project.TimeFormat) {
	c := b.cell(s.Source)
	dated := false
	if c.lookup >= 0 {
		dated = b.lookups[c.lookup].dates[c.column]
	} else {
		dated = b.file.dated(c.column)
	}
	if dated {
		return c, project.TimeFormat{Layout: time.RFC3339Nano}
	}
	return c, s.Format
}

func (b *binder) bound(what, name string, place, binding int, s project.Source) bound {
	if place < 0 {
		b.problems = append(b.problems, fmt.Errorf("the import mapping fills %s %q, which the event type does not declare", what, name))
	}
	return bound{place, binding, b.cell(s)}
}

func (c *converter) text(cells []string, at cell) string {
	if at.lookup < 0 {
		return cells[at.column]
	}
	if row := c.lookups[at.lookup].row; row != nil {
		return row[at.column]
	}
	return ""
}

// convert gives the row's event, valid until the next call, and its label if it has one. A *rowError or
// *features.FieldError says why the row cannot be used.
func (c *converter) convert(cells []string) (*features.Event, *labelRow, error) {
	for i := range c.lookups {
		j := &c.lookups[i]
		if j.row = j.rows[cells[j.on]]; j.row == nil {
			j.misses++
		}
	}
	ev := &c.event
	ev.ID = c.text(cells, c.id)
	var err error
	if ev.Time, err = c.timeFormat.Parse(c.text(cells, c.time)); err != nil {
		return nil, nil, &rowError{"time: " + err.Error()}
	}
	if c.mapping.Amount != nil {
		if ev.Amount, err = c.minor(c.text(cells, c.amount)); err != nil {
			return nil, nil, &rowError{"amount: " + err.Error()}
		}
	}
	for _, b := range c.entities {
		ev.Entities[b.place] = c.text(cells, b.cell)
	}
	for _, b := range c.attributes {
		if ev.Attributes[b.place], err = c.attribute(b, c.text(cells, b.cell)); err != nil {
			return nil, nil, &rowError{"attributes." + c.schema.Attributes[b.place].Name + ": " + err.Error()}
		}
	}
	for i := range ev.Numbers {
		ev.Numbers[i] = math.NaN()
	}
	for _, b := range c.numbers {
		text := c.text(cells, b.cell)
		if text == "" {
			continue
		}
		if ev.Numbers[b.place], err = parseNumber(text, c.schema.Numbers[b.place].Scale); err != nil {
			return nil, nil, &rowError{"numbers." + c.schema.Numbers[b.place].Name + ": " + err.Error()}
		}
	}
	if err := c.schema.Validate(ev); err != nil {
		return nil, nil, err
	}
	l, err := c.labelOf(cells, ev)
	return ev, l, err
}

func (c *converter) minor(text string) (int64, error) {
	if text == "" {
		return 0, errors.New("is absent, but events of this type carry an amount")
	}
	if c.mapping.Amount.Minor {
		return parseDecimal(text, 0)
	}
	return parseDecimal(text, c.schema.MinorDigits)
}

func (c *converter) attribute(b bound, text string) (string, error) {
	declared := &c.mapping.Attributes[b.binding]
	if text == "" {
		return "", nil
	}
	if declared.Bands != nil {
		return declared.Bands.Of(text, c.event.Time)
	}
	if declared.Values != nil {
		value, ok := declared.Values[text]
		if !ok {
			return "", fmt.Errorf("%q is none of the texts that the import mapping translates", text)
		}
		return value, nil
	}
	return text, nil
}

func (c *converter) labelOf(cells []string, ev *features.Event) (*labelRow, error) {
	m := c.mapping.Label
	if m == nil {
		return nil, nil
	}
	l := &labelRow{eventID: ev.ID, LabelStatement: LabelStatement{Kind: m.Kind, KnownAt: ev.Time + c.delay}}
	switch text := c.text(cells, c.label); {
	case text == "":
		return nil, nil
	case slices.Contains(m.Fraud, text):
		l.Verdict = features.Fraud
	case slices.Contains(m.Legitimate, text):
		l.Verdict = features.Legitimate
	default:
		return nil, &rowError{fmt.Sprintf("label: %q is neither fraud %q nor legitimate %q", text, m.Fraud, m.Legitimate)}
	}
	if m.KnownAt != nil {
		if text := c.text(cells, c.knownAt); text != "" {
			known, err := c.knownFormat.Parse(text)
			if err != nil {
				return nil, &rowError{"known_at: " + err.Error()}
			}
			l.KnownAt = known
		}
	}
	return l, nil
}
