package features

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// filter is a `where:` in canonical form. It is made by newFilter or read back with its definition.
type filter struct {
	Text     string            `json:"text"`
	Fields   map[string]string `json:"fields"`             // what it reads of an event: name -> sort
	Currency string            `json:"currency,omitempty"` // where amount is among them
	Digits   int               `json:"digits,omitempty"`
}

// test says of an event whether it counts.
type test = truthOf[*Event]

// newFilter reads a filter as written for events of a schema.
func newFilter(s *Schema, written string) (*filter, error) {
	text, err := normalFilter(written)
	if err != nil {
		return nil, err
	}
	x, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	w := &filter{Text: text, Fields: map[string]string{}}
	for _, name := range x.reads {
		w.Fields[name] = s.sort(name)
		switch w.Fields[name] {
		case "":
			return nil, fmt.Errorf("%q is not an attribute, number or entity of %s, nor amount; a filter reads an event's own fields", name, s.EventType)
		case asAmount:
			w.Currency, w.Digits = s.Currency, s.MinorDigits
		}
	}
	if problem := w.check(); problem != "" {
		return nil, errors.New(problem)
	}
	if problem := w.bind(s); problem != "" {
		return nil, errors.New(problem)
	}
	return w, w.checkWords(s)
}

// checkWords refuses comparisons that can never hold: with values that an attribute does not have, and of what arrives as a keyed hash.
func (w *filter) checkWords(s *Schema) error {
	_, compared, err := w.lower(func(string) int { return 0 })
	if err != nil {
		return err
	}
	for _, c := range compared {
		a := &s.Attributes[s.attribute(c.field)]
		switch {
		case a.PII:
			return fmt.Errorf("%s is kept as a keyed hash, which compares with nothing; only missing(%s) can be asked", c.field, c.field)
		case c.word != "" && len(a.Values) > 0 && !slices.Contains(a.Values, c.word):
			return fmt.Errorf("%q is not a declared value of %s, which has %s", c.word, c.field, strings.Join(a.Values, ", "))
		}
	}
	return nil
}

// normalFilter is the text that goes into a definition: white space outside quotes does not tell filters apart.
func normalFilter(text string) (string, error) {
	if text == "" || len(text) > maxExpression {
		return "", fmt.Errorf("a filter has 1 to %d bytes", maxExpression)
	}
	var out strings.Builder
	var quote, before rune
	space, escaped := false, false
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote && !escaped {
				quote = 0
			}
			escaped = r == '\\' && !escaped
		case unicode.IsSpace(r):
			space = true
			continue
		case r == '"' || r == '\'':
			if !space && (before == r || unicode.IsLetter(before)) {
				return "", fmt.Errorf("texts are written in plain quotes: \"...\" or '...'")
			}
			quote = r
		case r == '/' && before == '/' && !space:
			return "", fmt.Errorf("a filter holds no comment")
		}
		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
		space, before = false, r
	}
	return out.String(), nil
}

// filterEnv is the environment of expressions with missing() of texts and flags.
var filterEnv = sync.OnceValues(func() (*cel.Env, error) {
	env, err := expressionEnv()
	if err != nil {
		return nil, fmt.Errorf("CEL environment: %w", err)
	}
	return env.Extend(cel.Function("missing", cel.Overload("missing_string", []*cel.Type{cel.StringType}, cel.BoolType),
		cel.Overload("missing_bool", []*cel.Type{cel.BoolType}, cel.BoolType)))
})

// celType is what a field of a sort is to CEL.
func celType(sort string) *cel.Type {
	switch sort {
	case asCategory, asEntity:
		return cel.StringType
	case asFlag:
		return cel.BoolType
	}
	return cel.DoubleType
}

// tree has CEL check the filter's text.
func (w *filter) tree() (*cel.Ast, *cel.Env, error) {
	x, err := parseTree(w.Text)
	if err != nil {
		return nil, nil, err
	}
	if reads := slices.Sorted(maps.Keys(w.Fields)); !slices.Equal(reads, x.reads) {
		return nil, nil, fmt.Errorf("reads %v, but declares %v", x.reads, reads)
	}
	env, err := filterEnv()
	if err != nil {
		return nil, nil, err
	}
	return x.checkIn(env, func(name string) *cel.Type { return celType(w.Fields[name]) })
}

// check says what is wrong with a filter by itself, "" when nothing is.
func (w *filter) check() (problem string) {
	reads := false
	for name, sort := range w.Fields {
		reads = reads || sort == asAmount
		known := slices.Contains([]string{asAmount, asNumber, asCategory, asFlag, asEntity}, sort)
		if !known || (name == overAmount) != (sort == asAmount) {
			return fmt.Sprintf("%s is said to be %q", name, sort)
		}
	}
	normal, err := normalFilter(w.Text)
	switch {
	case err != nil:
		return err.Error()
	case normal != w.Text:
		return "is not in normal form"
	case len(w.Fields) == 0:
		return "reads no field of an event, so it chooses nothing"
	case w.Digits < 0 || w.Digits > MaxScale, !reads && (w.Currency != "" || w.Digits != 0):
		return "has a currency without reading amount"
	}
	if _, _, err := w.lower(func(string) int { return 0 }); err != nil {
		return err.Error()
	}
	return ""
}

// bind says what of a filter the schema does not give, "" when all is there.
func (w *filter) bind(s *Schema) (problem string) {
	for _, name := range slices.Sorted(maps.Keys(w.Fields)) {
		switch as := s.sort(name); {
		case as == "":
			return fmt.Sprintf("%q is not a field of %s", name, s.EventType)
		case as != w.Fields[name]:
			return fmt.Sprintf("%s is a %s in %s, not a %s", name, as, s.EventType, w.Fields[name])
		case as == asAmount && s.Currency == "":
			return s.EventType + " declares no currency, so its events have no amount"
		case as == asAmount && (w.Currency != s.Currency || w.Digits != s.MinorDigits):
			return fmt.Sprintf("is defined on %s with %d decimals, %s has %s with %d", w.Currency, w.Digits, s.EventType, s.Currency, s.MinorDigits)
		}
	}
	return ""
}

// compile lowers a bound filter to a closure that does not allocate.
func (w *filter) compile(s *Schema) (test, error) {
	counts, _, err := w.lower(func(name string) int {
		switch w.Fields[name] {
		case asEntity:
			return s.entity(name)
		case asNumber:
			return s.number(name)
		}
		return s.attribute(name)
	})
	return counts, err
}

// lower turns the filter into a closure; at gives the position of a field among its sort. It also tells which attributes are compared with what.
func (w *filter) lower(at func(name string) int) (test, []comparison, error) {
	checked, _, err := w.tree()
	if err != nil {
		return nil, nil, err
	}
	words := wordLowering{fields: w.Fields, at: at}
	l := lowering[*Event]{tree: checked.NativeRep(), words: words.truth}
	power := powers[w.Digits]
	l.read = func(name string) numberOf[*Event] {
		if name == overAmount {
			return func(ev *Event) float64 { return float64(ev.Amount) / power }
		}
		i := at(name)
		return func(ev *Event) float64 { return ev.Numbers[i] + 0 } // -0 becomes 0
	}
	root := l.tree.Expr()
	if l.tree.GetType(root.ID()) != types.BoolType {
		return nil, nil, fmt.Errorf("gives a value; a filter says whether an event counts, such as channel == \"online\"")
	}
	counts, err := l.truth(root)
	var beyond *outsideError
	if errors.As(err, &beyond) {
		err = fmt.Errorf("%s is more than a filter may hold: == != < <= > >= in [...], && || !, ?:, missing, + - * /, abs, sqrt, log1p, min, max", beyond.what)
	}
	return counts, words.compared, err
}
