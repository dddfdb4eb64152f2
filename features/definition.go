package features

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Definition says how one feature is computed. It is made by Expand or ParseCanonical and never changes: its hash stands for its meaning, whatever
// it is called.
type Definition struct {
	Name string

	form      form
	canonical string
	hash      string
}

// form is a definition in canonical JSON: the order of the fields here and their names are for ever. Lengths of time are microseconds.
type form struct {
	Kind     string            `json:"kind"`
	Of       string            `json:"of,omitempty"`       // events, amount, a number or an attribute
	Currency string            `json:"currency,omitempty"` // where an amount is read
	Digits   int               `json:"digits,omitempty"`   // decimals of the amount's minor unit or of the number
	By       string            `json:"by,omitempty"`
	Window   int64             `json:"window,omitempty"`
	Delay    int64             `json:"delay,omitempty"`
	Current  bool              `json:"current,omitempty"` // the event itself counts
	From     []string          `json:"from,omitempty"`    // numbers of a place: latitude, longitude
	To       []string          `json:"to,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Between  []int             `json:"between,omitempty"`
	Values   []string          `json:"values,omitempty"` // of a category, in code order
	Expr     string            `json:"expr,omitempty"`
	Fields   []string          `json:"fields,omitempty"` // what an expression reads of the event itself
	Inputs   map[string]string `json:"inputs,omitempty"` // features an expression reads: name in its text -> hash
	As       string            `json:"as,omitempty"`     // what Of is, where it may be several things: amount, number, category, flag or entity
	Over     int64             `json:"over,omitempty"`   // the longer window of a velocity
	Where    *filter           `json:"where,omitempty"`  // which events count
}

// reach is how far back the form looks.
func (f *form) reach() int64 { return max(f.Window, f.Over) + f.Delay }

// newDefinition fixes a form under a name. The form must not be changed afterwards.
func newDefinition(name string, f form) (Definition, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(f); err != nil {
		return Definition{}, fmt.Errorf("definition %s: %w", name, err)
	}
	canonical := strings.TrimSuffix(text.String(), "\n")
	sum := sha256.Sum256([]byte(canonical))
	return Definition{Name: name, form: f, canonical: canonical, hash: hex.EncodeToString(sum[:])}, nil
}

// Canonical is the definition as JSON text in its one form; the name is not in it, and the features an expression reads are named with their hashes.
func (d *Definition) Canonical() string { return d.canonical }

// Hash is the hexadecimal SHA-256 of Canonical.
func (d *Definition) Hash() string { return d.hash }

// Kind is the aggregate or field: count, fraud_share, hour, expr, ...
func (d *Definition) Kind() string { return d.form.Kind }

// Entity is the entity kind whose history is read, "" for what the event itself gives.
func (d *Definition) Entity() string { return d.form.By }

// Reach is how far back the definition's window goes, delay and window together, in microseconds; 0 without a window.
func (d *Definition) Reach() int64 { return d.form.reach() }

// ReadsLabels says whether the value depends on labels.
func (d *Definition) ReadsLabels() bool {
	t, _ := traitOf(d.form.Kind)
	return t.labels
}

// ReadsFields says whether the value may depend on what other events of the history carry besides amount, numbers and labels:
// their attributes, or the keys of their other entities.
func (d *Definition) ReadsFields() bool {
	switch d.form.Kind {
	case "distinct", "share_of_value", "last", "changed", "same_as_last":
		return true
	}
	return d.form.Where != nil
}

// Categories returns the values of a category code, in code order, and false for what is a quantity.
func (d *Definition) Categories() ([]string, bool) {
	return d.form.Values, d.form.Kind == "category" || d.form.As == asCategory && d.form.Kind == "last"
}

// ParseCanonical reads a definition back from Canonical's text; anything that is not such a text, letter by letter, is refused.
func ParseCanonical(name, canonical string) (Definition, error) {
	if !isName(name) {
		return Definition{}, fmt.Errorf("definition %q: not a name: use letters, digits and _, beginning with a letter", name)
	}
	var f form
	decoder := json.NewDecoder(strings.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return Definition{}, fmt.Errorf("definition %s: not a canonical definition of this version: %w", name, err)
	}
	d, err := newDefinition(name, f)
	if err != nil {
		return Definition{}, err
	}
	if d.canonical != canonical {
		return Definition{}, fmt.Errorf("definition %s: the text is not in canonical form; it would be %s", name, d.canonical)
	}
	if key, problem := f.check(); problem != "" {
		return Definition{}, fmt.Errorf("definition %s: %s: %s", name, key, problem)
	}
	return d, nil
}

// Needed returns, from all definitions, those that the named ones need: first the named ones in the order of names, then what their expressions
// read, directly or through each other, in the order of all.
func Needed(all []Definition, names []string) ([]Definition, error) {
	byName, byHash := map[string]int{}, map[string]int{}
	for i := range all {
		byName[all[i].Name] = i
		if _, known := byHash[all[i].hash]; !known {
			byHash[all[i].hash] = i
		}
	}
	taken, wanted := map[int]bool{}, []int{}
	out := make([]Definition, 0, len(names))
	for _, name := range names {
		i, known := byName[name]
		if !known {
			return nil, fmt.Errorf("feature %s is not defined", name)
		}
		if taken[i] {
			return nil, fmt.Errorf("feature %s is named twice", name)
		}
		taken[i], wanted, out = true, append(wanted, i), append(out, all[i])
	}
	needs := map[int]bool{}
	for len(wanted) > 0 {
		d := &all[wanted[0]]
		wanted = wanted[1:]
		for input, hash := range d.form.Inputs {
			i, known := byHash[hash]
			if !known {
				return nil, fmt.Errorf("feature %s reads %s (%s), which is not defined", d.Name, input, hash)
			}
			if !taken[i] {
				taken[i], needs[i], wanted = true, true, append(wanted, i)
			}
		}
	}
	for i := range all {
		if needs[i] {
			out = append(out, all[i])
		}
	}
	return out, nil
}
