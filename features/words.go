package features

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// wordLowering lowers what filters say of texts, flags and the presence of fields.
type wordLowering struct {
	fields   map[string]string     // name -> sort
	at       func(name string) int // position among its sort
	compared []comparison
}

// comparison is an attribute compared with a text, or with another attribute when word is "".
type comparison struct{ field, word string }

// truth lowers a truth that is not about numbers; nil when it is about numbers or made of other truths.
func (w *wordLowering) truth(l *lowering[*Event], e ast.Expr) (test, error) {
	if e.Kind() == ast.IdentKind {
		i := w.at(e.AsIdent())
		return func(ev *Event) bool { return ev.Attributes[i] == "true" }, nil
	}
	if e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction() {
		return nil, nil
	}
	c := e.AsCall()
	switch c.FunctionName() {
	case "missing":
		return w.missing(c.Args()[0])
	case operators.In:
		return w.in(l, c.Args()[0], c.Args()[1])
	case operators.Equals, operators.NotEquals:
		if l.tree.GetType(c.Args()[0].ID()) == types.StringType {
			same, err := w.same(c.Args()[0], c.Args()[1])
			if err != nil || c.FunctionName() == operators.Equals {
				return same, err
			}
			return func(ev *Event) bool { return !same(ev) }, nil
		}
	}
	return nil, nil
}

// missing says whether an attribute or entity is absent; numbers are left to the numeric subset.
func (w *wordLowering) missing(e ast.Expr) (test, error) {
	if e.Kind() != ast.IdentKind {
		return nil, nil
	}
	i := w.at(e.AsIdent())
	switch w.fields[e.AsIdent()] {
	case asCategory, asFlag:
		return func(ev *Event) bool { return ev.Attributes[i] == "" }, nil
	case asEntity:
		return func(ev *Event) bool { return ev.Entities[i] == "" }, nil
	}
	return nil, nil
}

// attribute is a category's position.
func (w *wordLowering) attribute(e ast.Expr) (int, error) {
	if e.Kind() != ast.IdentKind {
		return 0, outside("a text that is not a field")
	}
	name := e.AsIdent()
	if w.fields[name] == asEntity {
		return 0, fmt.Errorf("%s is an entity: only missing(%s) can be asked of it", name, name)
	}
	return w.at(name), nil
}

// word is a text as written, false for anything else.
func word(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// same lowers the equality of two texts, of which one is a field. What is absent equals nothing.
func (w *wordLowering) same(x, y ast.Expr) (test, error) {
	if _, written := word(x); written {
		x, y = y, x
	}
	i, err := w.attribute(x)
	if err != nil {
		return nil, err
	}
	if text, written := word(y); written {
		if text == "" {
			return nil, fmt.Errorf(`nothing equals ""; write missing(%s)`, x.AsIdent())
		}
		w.compared = append(w.compared, comparison{x.AsIdent(), text})
		return func(ev *Event) bool { return ev.Attributes[i] == text }, nil
	}
	k, err := w.attribute(y)
	if err != nil {
		return nil, err
	}
	w.compared = append(w.compared, comparison{x.AsIdent(), ""}, comparison{y.AsIdent(), ""})
	return func(ev *Event) bool { return ev.Attributes[i] == ev.Attributes[k] && ev.Attributes[i] != "" }, nil
}

// in lowers membership in a list of constants.
func (w *wordLowering) in(l *lowering[*Event], x, list ast.Expr) (test, error) {
	if list.Kind() != ast.ListKind || list.AsList().Size() == 0 {
		return nil, outside("in without a list of constants")
	}
	if l.tree.GetType(x.ID()) == types.DoubleType {
		return numberIn(l, x, list.AsList().Elements())
	}
	i, err := w.attribute(x)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, e := range list.AsList().Elements() {
		text, written := word(e)
		if !written || text == "" {
			return nil, outside("a list entry that is not a text in quotes")
		}
		texts = append(texts, text)
		w.compared = append(w.compared, comparison{x.AsIdent(), text})
	}
	return func(ev *Event) bool {
		for _, text := range texts {
			if ev.Attributes[i] == text {
				return true
			}
		}
		return false
	}, nil
}

func numberIn(l *lowering[*Event], x ast.Expr, elements []ast.Expr) (test, error) {
	value, err := l.number(x)
	if err != nil {
		return nil, err
	}
	var numbers []float64
	for _, e := range elements {
		if e.Kind() != ast.LiteralKind {
			return nil, outside("a list entry that is not a constant")
		}
		d, ok := e.AsLiteral().(types.Double)
		if !ok {
			return nil, outside("a list entry that is not a number")
		}
		numbers = append(numbers, float64(d))
	}
	return func(ev *Event) bool {
		v := value(ev)
		for _, number := range numbers {
			if v == number {
				return true
			}
		}
		return false
	}, nil
}
