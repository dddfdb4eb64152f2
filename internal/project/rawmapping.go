package project

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/haechi-fraud/haechi/features"
)

// rawMapping is the import block as written.
type rawMapping struct {
	ID         string               `yaml:"id"`
	Time       rawTime              `yaml:"time"`
	Entities   map[string]string    `yaml:"entities"`
	Amount     *rawAmount           `yaml:"amount"`
	Attributes map[string]rawBound  `yaml:"attributes"`
	Numbers    map[string]string    `yaml:"numbers"`
	Label      *rawLabel            `yaml:"label"`
	Labels     *rawLabelFile        `yaml:"labels"`
	Lookup     map[string]rawLookup `yaml:"lookup"`
}

type rawTime struct {
	Column string `yaml:"column"`
	Format string `yaml:"format"`
	Zone   string `yaml:"zone"`
}

type rawAmount struct {
	Column string `yaml:"column"`
	Unit   string `yaml:"unit"`
}

// rawBound is an attribute's column: its name alone, or with what is made of the cells.
type rawBound struct {
	From   string          `yaml:"from"`
	Values map[string]word `yaml:"values"`
	Bands  []int           `yaml:"bands"`
	Format string          `yaml:"format"`
}

func (b *rawBound) short(column string) { b.From = column }

type rawLabel struct {
	Column     string   `yaml:"column"`
	Fraud      words    `yaml:"fraud"`
	Legitimate words    `yaml:"legitimate"`
	Kind       string   `yaml:"kind"`
	KnownAt    *rawTime `yaml:"known_at"`
}

type rawLabelFile struct {
	ID         string   `yaml:"id"`
	Verdict    string   `yaml:"verdict"`
	Fraud      words    `yaml:"fraud"`
	Legitimate words    `yaml:"legitimate"`
	Withdrawn  words    `yaml:"withdrawn"`
	Kind       string   `yaml:"kind"`
	KindColumn string   `yaml:"kind_column"`
	ReasonCode string   `yaml:"reason_code"`
	KnownAt    *rawTime `yaml:"known_at"`
}

// mapper checks an import block against its event type.
type mapper struct {
	raw *rawMapping
	d   *document
	t   *EventType
	out *Mapping
}

func (raw *rawMapping) mapping(d *document, t *EventType) *Mapping {
	m := &mapper{raw: raw, d: d, t: t, out: &Mapping{}}
	m.lookups()
	m.out.ID = m.source("import.id", raw.ID, true)
	m.out.Time = m.time("import.time", &raw.Time)
	m.out.Entities = m.bindings("entities", raw.Entities, entityNeeds(&t.Schema))
	m.out.Numbers = m.bindings("numbers", raw.Numbers, numberNeeds(&t.Schema))
	m.attributes()
	m.amount()
	m.label()
	m.labelFile()
	return m.out
}

// need is a field that a mapping may fill, and must when it is required.
type need struct {
	name     string
	required bool
}

func entityNeeds(s *features.Schema) []need {
	var out []need
	for _, e := range s.Entities {
		out = append(out, need{e.Name, !e.Optional})
	}
	return out
}

func numberNeeds(s *features.Schema) []need {
	var out []need
	for _, n := range s.Numbers {
		out = append(out, need{n.Name, n.Required})
	}
	return out
}

func (m *mapper) lookups() {
	for name, l := range m.raw.Lookup {
		at := "import.lookup." + name
		if !plainName(name) {
			m.d.report(at, "%q is not a name; use lower-case letters, digits and _, beginning with a letter", name)
		}
		if l.Key == "" {
			m.d.report(at, "name the column that both files share, e.g. key: customer_id")
		}
		m.out.Lookups = append(m.out.Lookups, Lookup{Name: name, File: l.File, Key: l.Key, On: or(l.On, l.Key)})
	}
	sort.Slice(m.out.Lookups, func(i, j int) bool { return m.out.Lookups[i].Name < m.out.Lookups[j].Name })
}

func (m *mapper) source(path, text string, required bool) Source {
	if text == "" && required {
		m.d.report(path, "name the column")
	}
	return source(text, m.raw.Lookup)
}

func (m *mapper) time(path string, raw *rawTime) TimeSource {
	zone, err := time.LoadLocation(raw.Zone)
	if err != nil || raw.Zone == "Local" {
		m.d.report(path+".zone", "%q is not a time zone; write e.g. UTC or Asia/Seoul", raw.Zone)
		zone = time.UTC
	}
	format, err := parseTimeFormat(raw.Format, zone)
	if err != nil {
		m.d.report(path+".format", "%v", err)
	}
	return TimeSource{Source: m.source(path+".column", raw.Column, true), Format: format}
}

func (m *mapper) bindings(section string, given map[string]string, needs []need) []Binding {
	at := "import." + section
	var out []Binding
	for _, n := range needs {
		column, ok := given[n.name]
		if !ok && n.required {
			m.d.report(at, "%s is required and has no column; write %s: COLUMN", n.name, n.name)
		}
		if ok {
			out = append(out, Binding{Name: n.name, Source: m.source(join(at, n.name), column, true)})
		}
	}
	m.strangers(section, sortedKeys(given), needs)
	return out
}

// strangers reports what a mapping fills that the event type does not declare.
func (m *mapper) strangers(section string, given []string, needs []need) {
	for _, name := range given {
		if !slices.ContainsFunc(needs, func(n need) bool { return n.name == name }) {
			m.d.reportKey("import."+section+"."+name, "%s is not declared under %s; declare it, or remove this line", name, section)
		}
	}
}

func (m *mapper) attributes() {
	var needs []need
	for i := range m.t.Schema.Attributes {
		a := &m.t.Schema.Attributes[i]
		needs = append(needs, need{a.Name, a.Required})
		bound, ok := m.raw.Attributes[a.Name]
		if !ok && a.Required {
			m.d.report("import.attributes", "%s is required and has no column; write %s: COLUMN", a.Name, a.Name)
		}
		if ok {
			m.out.Attributes = append(m.out.Attributes, m.attribute(a, bound))
		}
	}
	m.strangers("attributes", sortedKeys(m.raw.Attributes), needs)
}

func (m *mapper) attribute(a *features.Attribute, raw rawBound) AttributeBinding {
	at := "import.attributes." + a.Name
	out := AttributeBinding{Name: a.Name, Source: m.source(at, raw.From, true)}
	for cell, value := range raw.Values {
		if out.Values == nil {
			out.Values = map[string]string{}
		}
		out.Values[cell] = string(value)
		m.checkValue(at+".values."+cell, a, string(value))
	}
	if raw.Bands != nil {
		out.Bands = m.bands(at, a, raw)
	} else if raw.Format != "" {
		m.d.report(at+".format", "belongs to bands; remove it")
	}
	return out
}

func (m *mapper) checkValue(at string, a *features.Attribute, value string) {
	switch {
	case a.Kind == features.Flag && value != "true" && value != "false":
		m.d.report(at, "%s is a flag; translate to true or false", a.Name)
	case a.Kind == features.Category && len(a.Values) > 0 && !slices.Contains(a.Values, value):
		m.d.report(at, "%q is not among the values of %s; declare it there", value, a.Name)
	}
}

func (m *mapper) bands(at string, a *features.Attribute, raw rawBound) *Bands {
	if len(raw.Values) > 0 {
		m.d.report(at+".bands", "cannot stand beside values; remove one of the two")
	}
	if a.Kind == features.Flag {
		m.d.report(at+".bands", "%s is a flag; declare it as a category", a.Name)
	}
	if len(raw.Bands) == 0 || raw.Bands[0] < 1 || !slices.IsSorted(raw.Bands) || len(slices.Compact(slices.Clone(raw.Bands))) < len(raw.Bands) {
		m.d.report(at+".bands", "must be years in ascending order, e.g. [25, 40, 60]")
		return nil
	}
	format, err := parseTimeFormat(or(raw.Format, "date"), time.UTC)
	if err != nil {
		m.d.report(at+".format", "%v", err)
	}
	b := &Bands{Limits: raw.Bands, Format: format}
	for _, name := range b.Names() {
		if len(a.Values) > 0 && !slices.Contains(a.Values, name) {
			m.d.report(at+".bands", "makes the value %s, which %s does not declare; its values are %v", name, a.Name, b.Names())
		}
	}
	return b
}

func (m *mapper) amount() {
	switch raw := m.raw.Amount; {
	case raw == nil && m.t.Schema.Currency != "":
		m.d.report("import", "the event type has a currency, so its events need an amount; write amount: {column: COLUMN, unit: major}")
	case raw != nil && m.t.Schema.Currency == "":
		m.d.report("import.amount", "the event type has no currency; declare currency: EUR, or remove this")
	case raw != nil:
		if raw.Unit != "major" && raw.Unit != "minor" {
			m.d.report("import.amount.unit", "write major for amounts such as 57.16, minor for 5716; %q could be misread by a factor of 100", raw.Unit)
		}
		m.out.Amount = &AmountSource{Source: m.source("import.amount.column", raw.Column, true), Minor: raw.Unit == "minor"}
	}
}

func (m *mapper) label() {
	raw, at := m.raw.Label, "import.label"
	if raw == nil {
		return
	}
	out := &LabelSource{Source: m.source(at+".column", raw.Column, true), Fraud: raw.Fraud, Legitimate: raw.Legitimate, Kind: raw.Kind}
	if len(raw.Fraud) == 0 {
		m.d.report(at+".fraud", `say which text of the column means fraud, e.g. fraud: "1"`)
	}
	m.overlap(at, map[string][]string{"fraud": raw.Fraud, "legitimate": raw.Legitimate})
	m.kind(at, raw.Kind)
	if raw.KnownAt != nil {
		known := m.time(at+".known_at", raw.KnownAt)
		out.KnownAt = &known
	}
	m.out.Label = out
}

func (m *mapper) labelFile() {
	raw, at := m.raw.Labels, "import.labels"
	if raw == nil {
		return
	}
	out := &LabelFile{
		ID: m.source(at+".id", raw.ID, true), Verdict: m.source(at+".verdict", raw.Verdict, true),
		Fraud: raw.Fraud, Legitimate: raw.Legitimate, Withdrawn: raw.Withdrawn, Kind: raw.Kind,
		KindColumn: m.source(at+".kind_column", raw.KindColumn, false), ReasonCode: m.source(at+".reason_code", raw.ReasonCode, false),
	}
	if len(raw.Fraud)+len(raw.Legitimate)+len(raw.Withdrawn) == 0 {
		out.Fraud, out.Legitimate, out.Withdrawn = []string{"fraud"}, []string{"legitimate"}, []string{"withdrawn"}
	}
	m.overlap(at, map[string][]string{"fraud": out.Fraud, "legitimate": out.Legitimate, "withdrawn": out.Withdrawn})
	switch {
	case raw.KindColumn == "":
		m.kind(at, raw.Kind)
	case raw.Kind != "":
		m.d.report(at+".kind", "cannot stand beside kind_column; remove one of the two")
	}
	if raw.KnownAt != nil {
		known := m.time(at+".known_at", raw.KnownAt)
		out.KnownAt = &known
	}
	m.out.Labels = out
}

func (m *mapper) overlap(at string, verdicts map[string][]string) {
	means := map[string]string{}
	for _, verdict := range sortedKeys(verdicts) {
		for _, cell := range verdicts[verdict] {
			if other, twice := means[cell]; twice {
				m.d.report(join(at, verdict), "%q means %s already; one text has one meaning", cell, other)
			}
			means[cell] = verdict
		}
	}
}

func (m *mapper) kind(at, kind string) {
	if _, known := m.t.Labels.Kinds[kind]; !known {
		m.d.report(at+".kind", "%s", fmt.Sprintf("%q is not a kind declared under labels.kinds (%v)", kind, sortedKeys(m.t.Labels.Kinds)))
	}
}
