package features

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Expand turns features as written into definitions, in file order, a list of windows into one definition each (NAME_1d, NAME_7d, ...). The error
// joins a *SpecError for everything that is wrong.
func Expand(schema *Schema, names []string, specs map[string]Spec) ([]Definition, error) {
	x := &expansion{schema: schema, byName: map[string]int{}, broken: map[string]bool{}}
	for _, name := range names {
		spec := specs[name]
		x.feature(name, &spec)
	}
	for i := range x.entries {
		x.resolve(i, nil)
	}
	if len(x.errs) > 0 {
		return nil, x.failure(names)
	}
	definitions := make([]Definition, len(x.entries))
	for i := range x.entries {
		definitions[i] = x.entries[i].definition
	}
	return definitions, nil
}

// expansion is the work of one Expand.
type expansion struct {
	schema  *Schema
	entries []entry
	byName  map[string]int
	broken  map[string]bool // features with errors reported, so that their readers need not repeat them
	errs    []*SpecError
}

// entry is one feature after its windows are spread out.
type entry struct {
	name, written string // NAME_7d and NAME
	form          form
	state         state
	definition    Definition
}

type state uint8

const (
	open state = iota
	visiting
	fixed
	failed
)

// failure joins what was found in file order.
func (x *expansion) failure(names []string) error {
	slices.SortStableFunc(x.errs, func(a, b *SpecError) int { return slices.Index(names, a.Feature) - slices.Index(names, b.Feature) })
	errs := make([]error, len(x.errs))
	for i, err := range x.errs {
		errs[i] = err
	}
	return errors.Join(errs...)
}

func (x *expansion) fail(feature, key, format string, args ...any) {
	x.errs = append(x.errs, &SpecError{Feature: feature, Key: key, Problem: fmt.Sprintf(format, args...)})
	x.broken[feature] = true
}

// feature reads one entry as written into entries, or reports all that is wrong with it.
func (x *expansion) feature(name string, spec *Spec) {
	before := len(x.errs)
	if !isName(name) {
		x.fail(name, "", "is not a name: use letters, digits and _, beginning with a letter")
	}
	f, ok := x.form(name, spec)
	if !ok {
		return
	}
	if (name == overAmount || x.schema.number(name) >= 0) && (f.Kind != "field" || f.Of != name) {
		x.fail(name, "", "is what the event itself carries under that name; only {field: %s} may be called so", name)
	}
	if f.Kind != "expr" {
		x.bind(name, f)
	}
	lengths := x.lengths(name, spec, &f)
	if len(x.errs) > before {
		return
	}
	if lengths == nil {
		x.put(name, name, f)
	}
	for i, length := range lengths {
		f.Window = length
		x.put(name, name+"_"+spec.Windows[i], f)
	}
}

// bind reports what of a form the schema does not give.
func (x *expansion) bind(name string, f form) {
	key, problem := f.bind(x.schema)
	if problem != "" {
		x.fail(name, key, "%s", problem)
	}
	if f.By = ""; key == "by" { // the rest is looked at without it
		x.bind(name, f)
	}
}

// lengths reads the windows of a feature that has them.
func (x *expansion) lengths(name string, spec *Spec, f *form) []int64 {
	t, _ := traitOf(f.Kind)
	switch {
	case !t.windowed && !t.previous:
		return nil
	case len(spec.Windows) > 0, t.previous && f.Where == nil:
	case t.previous:
		x.fail(name, "windows", "is missing; what a filter looks for is looked for among the events of a window, such as [90d]")
	default:
		x.fail(name, "windows", "is missing; list one or more, such as [1d, 7d]")
	}
	var lengths []int64
	for _, text := range spec.Windows {
		length, err := ParseSpan(text)
		switch {
		case err != nil:
			x.fail(name, "windows", "%v", err)
		case length == 0 && t.previous: // which would say that there is no window
			x.fail(name, "windows", "must be longer than 0 and at most ten years")
		}
		lengths = append(lengths, length)
	}
	return lengths
}

// put adds an entry; what an expression reads is looked at once all entries are there.
func (x *expansion) put(written, name string, f form) {
	if other, taken := x.byName[name]; taken {
		x.fail(written, "", "the name %s is taken by feature %s", name, x.entries[other].written)
		return
	}
	if len(name) > maxKey {
		x.fail(written, "", "%s is longer than %d bytes", name, maxKey)
		return
	}
	if f.Kind != "expr" {
		if key, problem := f.check(); problem != "" {
			x.fail(written, key, "%s", problem)
			return
		}
	}
	x.byName[name] = len(x.entries)
	x.entries = append(x.entries, entry{name: name, written: written, form: f})
}

// form reads what an entry says but for its windows and reports what is wrong; false when it does not say what it is.
func (x *expansion) form(name string, spec *Spec) (form, bool) {
	said := spec.said()
	if len(said) != 1 {
		problem := "says none of what it is"
		if len(said) > 1 {
			problem = "says " + strings.Join(said, " and ")
		}
		x.fail(name, "", "%s; write exactly one of %s", problem, strings.Join(allKinds(), ", "))
		return form{}, false
	}
	f := form{Kind: said[0]}
	x.keys(name, spec, f.Kind)
	x.subject(name, spec, &f)
	t, _ := traitOf(f.Kind)
	if t.entity {
		f.By = spec.By
		if f.By == "" {
			x.fail(name, "by", "is missing; name the entity whose history is read")
		}
	}
	if t.windowed {
		x.window(name, spec, t, &f)
	}
	if t.entity {
		x.where(name, spec, &f)
	}
	return f, true
}

// window reads delay and include_current.
func (x *expansion) window(name string, spec *Spec, t trait, f *form) {
	delayed := spec.Delay != ""
	if delayed {
		delay, err := ParseSpan(spec.Delay)
		switch {
		case err != nil:
			x.fail(name, "delay", "%v", err)
		case delay == 0 && !t.labels:
			x.fail(name, "delay", "is 0; leave it out and say include_current")
		}
		f.Delay = delay
	}
	switch {
	case t.labels && !delayed:
		x.fail(name, "delay", "is missing; say how long after an event its label is known, such as 7d")
	case (t.labels || delayed) && spec.IncludeCurrent != nil:
		x.fail(name, "include_current", "has no meaning with a delay or labels; leave it out")
	case !t.labels && !delayed && spec.IncludeCurrent == nil:
		x.fail(name, "include_current", "is missing; say true or false: does the event itself count?")
	case spec.IncludeCurrent != nil:
		f.Current = *spec.IncludeCurrent
	}
}

// resolve fixes the definition of an entry, after those that it reads.
func (x *expansion) resolve(i int, path []string) bool {
	e := &x.entries[i]
	switch e.state {
	case visiting:
		x.fail(e.written, "expr", "reads itself: %s", strings.Join(append(path, e.name), " reads "))
		return false
	case fixed, failed:
		return e.state == fixed
	}
	e.state = visiting
	ok := e.form.Kind != "expr" || x.inputs(i, append(path, e.name))
	e = &x.entries[i]
	e.state = failed
	if !ok {
		return false
	}
	d, err := newDefinition(e.name, e.form)
	if err != nil {
		x.fail(e.written, "", "%v", err)
		return false
	}
	e.definition, e.state = d, fixed
	return true
}

// inputs finds what an expression reads: fields of the event first, then features.
func (x *expansion) inputs(i int, path []string) bool {
	e := &x.entries[i]
	parsed, err := parseExpr(e.form.Expr)
	if err != nil {
		x.fail(e.written, "expr", "%v", err)
		return false
	}
	ok := true
	for _, name := range parsed.reads {
		input, isFeature := x.byName[name]
		switch {
		case name == overAmount || x.schema.number(name) >= 0:
			e.form.Fields = append(e.form.Fields, name)
			if name == overAmount {
				e.form.Currency, e.form.Digits = x.schema.Currency, x.schema.MinorDigits
			}
		case isFeature:
			if !x.resolve(input, path) {
				ok = false
				continue
			}
			if e.form.Inputs == nil {
				e.form.Inputs = map[string]string{}
			}
			e.form.Inputs[name] = x.entries[input].definition.hash
		case x.brokenPrefix(name):
			ok = false
		default:
			ok = false
			x.fail(e.written, "expr", "%q is neither a feature, a number of %s nor amount", name, x.schema.EventType)
		}
	}
	if !ok {
		return false
	}
	key, problem := e.form.bind(x.schema)
	if problem == "" {
		key, problem = e.form.check()
	}
	if problem != "" {
		x.fail(e.written, key, "%s", problem)
	}
	return problem == ""
}

// brokenPrefix says whether a name would come from a feature that is reported already, as itself or with a window.
func (x *expansion) brokenPrefix(name string) bool {
	for written := range x.broken {
		if name == written || strings.HasPrefix(name, written+"_") {
			return true
		}
	}
	return false
}
