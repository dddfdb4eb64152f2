package features

import (
	"fmt"
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// frame is what an expression reads from: the vector so far and the event.
type frame struct {
	vector []float64
	event  *Event
}

// Closures over what is read: a frame for expressions, an event for filters.
type (
	numberOf[T any] func(T) float64
	truthOf[T any]  func(T) bool
	number          = numberOf[*frame]
)

// lowering turns a checked tree into closures. What is not in the numeric subset, and not known to words, is an error.
type lowering[T any] struct {
	tree  *ast.AST
	read  func(name string) numberOf[T]
	words func(l *lowering[T], e ast.Expr) (truthOf[T], error) // truths about texts and flags; nil for those of numbers; nil in expressions
}

// outsideError says what CEL knows and we do not.
type outsideError struct{ what string }

func (e *outsideError) Error() string {
	return e.what + " is outside the numeric subset: + - * /, comparisons, && || !, ?:, log1p, abs, sqrt, min, max, missing"
}

func outside(what string) error { return &outsideError{what} }

func (l *lowering[T]) number(e ast.Expr) (numberOf[T], error) {
	switch e.Kind() {
	case ast.LiteralKind:
		d, ok := e.AsLiteral().(types.Double)
		if !ok {
			return nil, outside(fmt.Sprintf("the literal %v", e.AsLiteral().Value()))
		}
		return func(T) float64 { return float64(d) }, nil
	case ast.IdentKind:
		return l.read(e.AsIdent()), nil
	case ast.CallKind:
		return l.call(e.AsCall())
	}
	return nil, outside("a part of the expression")
}

func (l *lowering[T]) call(c ast.CallExpr) (numberOf[T], error) {
	if c.IsMemberFunction() {
		return nil, outside("." + c.FunctionName() + "()")
	}
	if c.FunctionName() == operators.Conditional {
		return l.choice(c.Args())
	}
	arguments := make([]numberOf[T], len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if arguments[i], err = l.number(argument); err != nil {
			return nil, err
		}
	}
	switch len(arguments) {
	case 1:
		return ofOne(c.FunctionName(), arguments[0])
	case 2:
		return ofTwo(c.FunctionName(), arguments[0], arguments[1])
	}
	return nil, outside(c.FunctionName())
}

func ofOne[T any](function string, x numberOf[T]) (numberOf[T], error) {
	switch function {
	case operators.Negate:
		return func(in T) float64 { return -x(in) }, nil
	case "abs":
		return func(in T) float64 { return math.Abs(x(in)) }, nil
	case "sqrt":
		return func(in T) float64 { return math.Sqrt(x(in)) }, nil
	case "log1p":
		return func(in T) float64 { return log1p(x(in)) }, nil
	}
	return nil, outside(function)
}

func ofTwo[T any](function string, x, y numberOf[T]) (numberOf[T], error) {
	switch function {
	case operators.Add:
		return func(in T) float64 { return x(in) + y(in) }, nil
	case operators.Subtract:
		return func(in T) float64 { return x(in) - y(in) }, nil
	case operators.Multiply:
		return func(in T) float64 { return float64(x(in) * y(in)) }, nil
	case operators.Divide:
		return func(in T) float64 { return divide(x(in), y(in)) }, nil
	case "min":
		return func(in T) float64 { return min(x(in), y(in)) }, nil
	case "max":
		return func(in T) float64 { return max(x(in), y(in)) }, nil
	}
	return nil, outside(function)
}

// divide is division whose result by zero is missing.
func divide(x, y float64) float64 {
	if y == 0 {
		return math.NaN()
	}
	return x / y
}

func (l *lowering[T]) choice(arguments []ast.Expr) (numberOf[T], error) {
	test, err := l.truth(arguments[0])
	if err != nil {
		return nil, err
	}
	yes, err := l.number(arguments[1])
	if err != nil {
		return nil, err
	}
	no, err := l.number(arguments[2])
	if err != nil {
		return nil, err
	}
	return func(in T) float64 {
		if test(in) {
			return yes(in)
		}
		return no(in)
	}, nil
}

func (l *lowering[T]) truth(e ast.Expr) (truthOf[T], error) {
	if l.words != nil {
		if test, err := l.words(l, e); test != nil || err != nil {
			return test, err
		}
	}
	if e.Kind() == ast.LiteralKind {
		b, ok := e.AsLiteral().(types.Bool)
		if !ok {
			return nil, outside(fmt.Sprintf("the literal %v", e.AsLiteral().Value()))
		}
		return func(T) bool { return bool(b) }, nil
	}
	if e.Kind() != ast.CallKind {
		return nil, outside("a part of the expression")
	}
	c := e.AsCall()
	if c.IsMemberFunction() {
		return nil, outside("." + c.FunctionName() + "()")
	}
	switch c.FunctionName() {
	case operators.LogicalNot, operators.LogicalAnd, operators.LogicalOr, operators.Conditional:
		return l.logic(c)
	case operators.Equals, operators.NotEquals:
		if l.tree.GetType(c.Args()[0].ID()) == types.BoolType {
			return l.logic(c)
		}
	}
	return l.comparison(c)
}

func (l *lowering[T]) logic(c ast.CallExpr) (truthOf[T], error) {
	parts := make([]truthOf[T], len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if parts[i], err = l.truth(argument); err != nil {
			return nil, err
		}
	}
	switch c.FunctionName() {
	case operators.LogicalNot:
		return func(in T) bool { return !parts[0](in) }, nil
	case operators.LogicalAnd:
		return func(in T) bool { return parts[0](in) && parts[1](in) }, nil
	case operators.LogicalOr:
		return func(in T) bool { return parts[0](in) || parts[1](in) }, nil
	case operators.Equals:
		return func(in T) bool { return parts[0](in) == parts[1](in) }, nil
	case operators.NotEquals:
		return func(in T) bool { return parts[0](in) != parts[1](in) }, nil
	}
	return func(in T) bool {
		if parts[0](in) {
			return parts[1](in)
		}
		return parts[2](in)
	}, nil
}

func (l *lowering[T]) comparison(c ast.CallExpr) (truthOf[T], error) {
	arguments := make([]numberOf[T], len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if arguments[i], err = l.number(argument); err != nil {
			return nil, err
		}
	}
	if c.FunctionName() == "missing" {
		x := arguments[0]
		return func(in T) bool { return math.IsNaN(x(in)) }, nil
	}
	if len(arguments) != 2 {
		return nil, outside(c.FunctionName())
	}
	x, y := arguments[0], arguments[1]
	switch c.FunctionName() {
	case operators.Less:
		return func(in T) bool { return x(in) < y(in) }, nil
	case operators.LessEquals:
		return func(in T) bool { return x(in) <= y(in) }, nil
	case operators.Greater:
		return func(in T) bool { return x(in) > y(in) }, nil
	case operators.GreaterEquals:
		return func(in T) bool { return x(in) >= y(in) }, nil
	case operators.Equals:
		return func(in T) bool { return x(in) == y(in) }, nil
	case operators.NotEquals:
		return func(in T) bool { return x(in) != y(in) }, nil
	}
	return nil, outside(c.FunctionName())
}
