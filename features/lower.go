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

type (
	number func(*frame) float64
	truth  func(*frame) bool
)

// lowering turns a checked tree into closures. What is not in the numeric subset is an error.
type lowering struct {
	tree *ast.AST
	read func(name string) number
}

func outside(what string) error {
	return fmt.Errorf("%s is outside the numeric subset: + - * /, comparisons, && || !, ?:, log1p, abs, sqrt, min, max, missing", what)
}

func (l *lowering) number(e ast.Expr) (number, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		d, ok := e.AsLiteral().(types.Double)
		if !ok {
			return nil, outside(fmt.Sprintf("the literal %v", e.AsLiteral().Value()))
		}
		return func(*frame) float64 { return float64(d) }, nil
	case ast.IdentKind:
		return l.read(e.AsIdent()), nil
	case ast.CallKind:
		return l.call(e.AsCall())
	}
	return nil, outside("a part of the expression")
}

func (l *lowering) call(c ast.CallExpr) (number, error) {
	if c.IsMemberFunction() {
		return nil, outside("." + c.FunctionName() + "()")
	}
	if c.FunctionName() == operators.Conditional {
		return l.choice(c.Args())
	}
	arguments := make([]number, len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if arguments[i], err = l.number(argument); err != nil {
			return nil, err
		}
	}
	switch len(arguments) {
	case 1:
		return unary(c.FunctionName(), arguments[0])
	case 2:
		return binary(c.FunctionName(), arguments[0], arguments[1])
	}
	return nil, outside(c.FunctionName())
}

func unary(function string, x number) (number, error) {
	switch function {
	case operators.Negate:
		return func(in *frame) float64 { return -x(in) }, nil
	case "abs":
		return func(in *frame) float64 { return math.Abs(x(in)) }, nil
	case "sqrt":
		return func(in *frame) float64 { return math.Sqrt(x(in)) }, nil
	case "log1p":
		return func(in *frame) float64 { return log1p(x(in)) }, nil
	}
	return nil, outside(function)
}

func binary(function string, x, y number) (number, error) {
	switch function {
	case operators.Add:
		return func(in *frame) float64 { return x(in) + y(in) }, nil
	case operators.Subtract:
		return func(in *frame) float64 { return x(in) - y(in) }, nil
	case operators.Multiply:
		return func(in *frame) float64 { return float64(x(in) * y(in)) }, nil
	case operators.Divide:
		return func(in *frame) float64 { return divide(x(in), y(in)) }, nil
	case "min":
		return func(in *frame) float64 { return min(x(in), y(in)) }, nil
	case "max":
		return func(in *frame) float64 { return max(x(in), y(in)) }, nil
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

func (l *lowering) choice(arguments []ast.Expr) (number, error) {
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
	return func(in *frame) float64 {
		if test(in) {
			return yes(in)
		}
		return no(in)
	}, nil
}

func (l *lowering) truth(e ast.Expr) (truth, error) {
	if e.Kind() == ast.LiteralKind {
		b, ok := e.AsLiteral().(types.Bool)
		if !ok {
			return nil, outside(fmt.Sprintf("the literal %v", e.AsLiteral().Value()))
		}
		return func(*frame) bool { return bool(b) }, nil
	}
	if e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction() {
		return nil, outside("a part of the expression")
	}
	c := e.AsCall()
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

func (l *lowering) logic(c ast.CallExpr) (truth, error) {
	parts := make([]truth, len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if parts[i], err = l.truth(argument); err != nil {
			return nil, err
		}
	}
	switch c.FunctionName() {
	case operators.LogicalNot:
		return func(in *frame) bool { return !parts[0](in) }, nil
	case operators.LogicalAnd:
		return func(in *frame) bool { return parts[0](in) && parts[1](in) }, nil
	case operators.LogicalOr:
		return func(in *frame) bool { return parts[0](in) || parts[1](in) }, nil
	case operators.Equals:
		return func(in *frame) bool { return parts[0](in) == parts[1](in) }, nil
	case operators.NotEquals:
		return func(in *frame) bool { return parts[0](in) != parts[1](in) }, nil
	}
	return func(in *frame) bool {
		if parts[0](in) {
			return parts[1](in)
		}
		return parts[2](in)
	}, nil
}

func (l *lowering) comparison(c ast.CallExpr) (truth, error) {
	arguments := make([]number, len(c.Args()))
	for i, argument := range c.Args() {
		var err error
		if arguments[i], err = l.number(argument); err != nil {
			return nil, err
		}
	}
	if c.FunctionName() == "missing" {
		x := arguments[0]
		return func(in *frame) bool { return math.IsNaN(x(in)) }, nil
	}
	if len(arguments) != 2 {
		return nil, outside(c.FunctionName())
	}
	x, y := arguments[0], arguments[1]
	switch c.FunctionName() {
	case operators.Less:
		return func(in *frame) bool { return x(in) < y(in) }, nil
	case operators.LessEquals:
		return func(in *frame) bool { return x(in) <= y(in) }, nil
	case operators.Greater:
		return func(in *frame) bool { return x(in) > y(in) }, nil
	case operators.GreaterEquals:
		return func(in *frame) bool { return x(in) >= y(in) }, nil
	case operators.Equals:
		return func(in *frame) bool { return x(in) == y(in) }, nil
	case operators.NotEquals:
		return func(in *frame) bool { return x(in) != y(in) }, nil
	}
	return nil, outside(c.FunctionName())
}
