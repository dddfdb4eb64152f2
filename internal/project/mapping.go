package project

import "strings"

// Mapping says which columns of a CSV or Parquet file make an event, and its label, of one event type.
// It is part of the event type's document; internal/ingest follows it row by row.
type Mapping struct {
	ID         Source             // column that holds the event's id
	Time       TimeSource         // event time
	Amount     *AmountSource      // nil when events of this type have no amount
	Entities   []Binding          // in schema order; optional entities may be missing here
	Attributes []AttributeBinding // in schema order
	Numbers    []Binding          // in schema order
	Label      *LabelSource       // nil when the file has no label
	Labels     *LabelFile         // columns of a separate file of labels (import --labels); nil when never used
	Lookups    []Lookup           // second files, sorted by name
}

// Source is a column of the imported file, or of a looked-up file when Lookup is not empty.
type Source struct {
	Lookup string // name in Mapping.Lookups; "" = the imported file itself
	Column string // as the header row spells it
}

// String gives the source as it is written in YAML.
func (s Source) String() string {
	if s.Lookup == "" {
		return s.Column
	}
	return s.Lookup + "." + s.Column
}

// Empty says that no column is named.
func (s Source) Empty() bool { return s.Column == "" }

// Binding fills one entity or number from a column. An empty cell means absent.
type Binding struct {
	Name   string // entity or number of the event type
	Source Source
}

// AttributeBinding fills one attribute from a column, as it is, translated, or as a band of years.
type AttributeBinding struct {
	Name   string
	Source Source
	Values map[string]string // cell text -> value; nil = the text itself; a cell that is not in a map given here is rejected
	Bands  *Bands            // the column is a date; the attribute is the band of whole years from it to the event
}

// AmountSource is the column of the amount and its unit.
type AmountSource struct {
	Source Source
	Minor  bool // the column counts minor units (5716); otherwise decimal major units (57.16)
}

// LabelSource is a column of the event file that says what became of the event.
type LabelSource struct {
	Source     Source
	Fraud      []string    // cell texts that mean fraud
	Legitimate []string    // cell texts that mean legitimate; any other text rejects the row, an empty cell means no label
	Kind       string      // a kind declared in the event type's labels
	KnownAt    *TimeSource // when the label was known; nil, or an empty cell, = event time + Labels.Delay
}

// LabelFile names the columns of a file that holds labels only, one statement a row.
type LabelFile struct {
	ID         Source // the event's id
	Verdict    Source
	Fraud      []string // cell texts of Verdict; the words fraud, legitimate and withdrawn when not given
	Legitimate []string
	Withdrawn  []string
	Kind       string      // kind of all rows when KindColumn is empty
	KindColumn Source      // column with the kind of each row
	ReasonCode Source      // may be empty
	KnownAt    *TimeSource // nil, or an empty cell, = event time + Labels.Delay
}

// Lookup is a second file that is joined to the imported rows by an exact key, as text.
type Lookup struct {
	Name string
	File string // default file name, beside the imported file; import --lookup NAME=FILE overrides it
	Key  string // column of the second file; its values must be unique
	On   string // column of the imported file; the same name as Key unless given
}

// Lookup finds a declared lookup.
func (m *Mapping) Lookup(name string) (Lookup, bool) {
	for _, l := range m.Lookups {
		if l.Name == name {
			return l, true
		}
	}
	return Lookup{}, false
}

// source reads "column" or "lookup.column"; a dot belongs to the column's name unless a lookup of that name is declared.
func source(text string, lookups map[string]rawLookup) Source {
	if name, column, ok := strings.Cut(text, "."); ok && column != "" {
		if _, declared := lookups[name]; declared {
			return Source{Lookup: name, Column: column}
		}
	}
	return Source{Column: text}
}

// rawLookup is a lookup as written.
type rawLookup struct {
	File string `yaml:"file"`
	Key  string `yaml:"key"`
	On   string `yaml:"on"`
}
