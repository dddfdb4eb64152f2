package project

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
)

// EventType is one event type, checked. It does not change.
type EventType struct {
	Name        string
	Hash        string // hex SHA-256 of Document
	Document    []byte // canonical form; LoadEventType reads it back
	Schema      features.Schema
	Definitions []features.Definition // the declared features, windows expanded, in the order of the file
	Lists       map[string][]string   // named lists of features, e.g. published
	Labels      Labels
	Policy      policy.Spec
	Train       Train
	Reasons     map[string]string // feature name or pattern -> sentence; read by later versions
	Mapping     *Mapping          // nil when the event type declares no import
}

// Labels says when labels are known and which kinds there are.
type Labels struct {
	Delay int64 // microseconds; a label without known_at is taken to be known this long after the event
	Kinds map[string]Kind
}

// Kind is a kind of label.
type Kind struct {
	ArmNeutral bool `yaml:"arm_neutral"` // does not depend on what a model decided
}

// Train is what a retrain does unless its caller says otherwise. Zero values leave the choice to retrain.
type Train struct {
	Features      []string          // model inputs in order; every declared feature unless train.features names a list
	Span          time.Duration     // length of the training span
	Validation    time.Duration     // length of the span, at the end of the training span, that early stopping watches
	Rounds        int               // most boosting rounds
	EarlyStopping int               // rounds without improvement before training stops
	Seed          int               //
	Params        map[string]string // LightGBM parameters over the built-in ones
}

// FeatureList gives the features that "@name" or "a,b,c" stands for; "" is Train.Features.
func (t *EventType) FeatureList(text string) ([]string, error) {
	if text == "" {
		return t.Train.Features, nil
	}
	if name, ok := strings.CutPrefix(text, "@"); ok {
		list, ok := t.Lists[name]
		if !ok {
			return nil, fmt.Errorf("event type %s has no list %q of features; it has %s", t.Name, name, strings.Join(sortedKeys(t.Lists), ", "))
		}
		return list, nil
	}
	known := map[string]bool{}
	for i := range t.Definitions {
		known[t.Definitions[i].Name] = true
	}
	var names []string
	for _, name := range strings.Split(text, ",") {
		name = strings.TrimSpace(name)
		if !known[name] {
			return nil, fmt.Errorf("event type %s has no feature %q", t.Name, name)
		}
		names = append(names, name)
	}
	return names, nil
}

// rawEventType is an event type as written.
type rawEventType struct {
	EventType       string                  `yaml:"event_type"`
	Currency        string                  `yaml:"currency"`
	Entities        map[string]rawEntity    `yaml:"entities"`
	Attributes      map[string]rawAttribute `yaml:"attributes"`
	Numbers         map[string]rawNumber    `yaml:"numbers"`
	AllowedLateness *duration               `yaml:"allowed_lateness"`
	Cap             int                     `yaml:"cap"`
	Labels          rawLabels               `yaml:"labels"`
	Features        ordered[features.Spec]  `yaml:"features"`
	Lists           map[string][]string     `yaml:"lists"`
	Train           rawTrain                `yaml:"train"`
	Policy          policy.Spec             `yaml:"policy"`
	Reasons         map[string]string       `yaml:"reasons"`
	Import          *rawMapping             `yaml:"import"`
}

type rawEntity struct {
	Optional bool `yaml:"optional"`
	PII      bool `yaml:"pii"`
}

type rawAttribute struct {
	Type     string   `yaml:"type"`
	Values   []string `yaml:"values"`
	Required bool     `yaml:"required"`
	PII      bool     `yaml:"pii"`
	Segment  bool     `yaml:"segment"`
}

type rawNumber struct {
	Scale    *int `yaml:"scale"`
	Required bool `yaml:"required"`
	PII      bool `yaml:"pii"`
}

type rawLabels struct {
	Delay *duration       `yaml:"delay"`
	Kinds map[string]Kind `yaml:"kinds"`
}

type rawTrain struct {
	Features      words           `yaml:"features"`
	Span          duration        `yaml:"span"`
	Validation    duration        `yaml:"validation"`
	Rounds        int             `yaml:"rounds"`
	EarlyStopping int             `yaml:"early_stopping"`
	Seed          int             `yaml:"seed"`
	Params        map[string]word `yaml:"params"`
}

// LoadEventType reads a canonical document, as the registry keeps it, back into the event type it names.
func LoadEventType(document []byte) (*EventType, error) {
	d := parseDocument("event type document", document)
	t := readEventType(d)
	if len(d.violations) > 0 {
		return nil, d.violations.sorted()
	}
	return t, nil
}

// readEventType reads and checks a document; what is wrong is left in its violations, and the event type is then nil or
// incomplete.
func readEventType(d *document) *EventType {
	var raw rawEventType
	d.decode(&raw)
	if d.root == nil {
		if len(d.violations) == 0 {
			d.add(position{1, 1}, "", "the file is empty; declare an event_type, or remove it")
		}
		return nil
	}
	raw.fillDefaults()
	document := canonical(&raw)
	sum := sha256.Sum256(document)
	t := &EventType{
		Name: raw.EventType, Hash: hex.EncodeToString(sum[:]), Document: document,
		Schema: raw.schema(d), Labels: raw.labels(d), Policy: raw.Policy, Reasons: raw.Reasons,
	}
	d.fold("", t.Schema.Check())
	t.Definitions = raw.definitions(d, &t.Schema)
	t.Lists = raw.lists(d, t.Definitions)
	t.Train = raw.train(d, t)
	_, err := policy.Compile(raw.Policy, &t.Schema, raw.named(t.Definitions))
	d.fold("policy", err)
	if raw.Import != nil {
		t.Mapping = raw.Import.mapping(d, t)
	}
	raw.checkReasons(d)
	return t
}

func (raw *rawEventType) fillDefaults() {
	if raw.AllowedLateness == nil {
		lateness := duration(features.DefaultAllowedLateness)
		raw.AllowedLateness = &lateness
	}
	if raw.Cap == 0 {
		raw.Cap = features.DefaultCap
	}
	for name, a := range raw.Attributes {
		if a.Type == "" {
			a.Type = "category"
			raw.Attributes[name] = a
		}
	}
}

// definitions expands the features.
func (raw *rawEventType) definitions(d *document, s *features.Schema) []features.Definition {
	if len(raw.Features.names) == 0 {
		d.report("features", "declare at least one feature, e.g. amount: {field: amount}")
		return nil
	}
	defs, err := features.Expand(s, raw.Features.names, raw.Features.values)
	if err != nil {
		d.fold("features", err)
		return nil
	}
	return defs
}

// named gives definitions that have at least names when the features cannot be expanded, so that rules can be checked.
func (raw *rawEventType) named(defs []features.Definition) []features.Definition {
	if defs != nil {
		return defs
	}
	for _, name := range raw.Features.names {
		windows := raw.Features.values[name].Windows
		if len(windows) == 0 {
			defs = append(defs, features.Definition{Name: name})
		}
		for _, w := range windows {
			defs = append(defs, features.Definition{Name: name + "_" + w})
		}
	}
	return defs
}

// lists checks the named lists of features. Without definitions only the shape can be checked.
func (raw *rawEventType) lists(d *document, defs []features.Definition) map[string][]string {
	known, names := map[string]bool{}, make([]string, 0, len(defs))
	for i := range defs {
		known[defs[i].Name] = true
		names = append(names, defs[i].Name)
	}
	for list, members := range raw.Lists {
		at := join("lists", list)
		if !plainName(list) {
			d.report(at, "%q is not a name; use lower-case letters, digits and _, beginning with a letter", list)
		}
		if len(members) == 0 {
			d.report(at, "names no feature; add some or remove the list")
		}
		seen := map[string]bool{}
		for i, m := range members {
			switch {
			case seen[m]:
				d.report(item(at, i), "%s is in the list already", m)
			case defs != nil && !known[m]:
				d.report(item(at, i), "%s", raw.unknownFeature(m, names))
			}
			seen[m] = true
		}
	}
	return raw.Lists
}

func (raw *rawEventType) unknownFeature(name string, known []string) string {
	if spec, ok := raw.Features.values[name]; ok && len(spec.Windows) > 0 {
		return fmt.Sprintf("%s has windows and makes one feature each; name them: %s_%s", name, name, strings.Join(spec.Windows, ", "+name+"_"))
	}
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("no feature is called %s; did you mean %s?", name, near)
	}
	return fmt.Sprintf("no feature is called %s; declare it under features", name)
}

func (raw *rawEventType) checkReasons(d *document) {
	for pattern, sentence := range raw.Reasons {
		at := join("reasons", pattern)
		if _, err := path.Match(pattern, ""); err != nil {
			d.reportKey(at, "%q is not a feature's name or a pattern such as terminal_fraud_*", pattern)
		}
		if strings.TrimSpace(sentence) == "" {
			d.report(at, "needs a sentence for people")
		}
	}
}
