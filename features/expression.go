package features

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

const maxExpression = 4_096 // bytes

// expressionEnv is CEL without macros plus our functions; all values are doubles.
var expressionEnv = sync.OnceValues(func() (*cel.Env, error) {
	number := func(name string, arguments int) cel.EnvOption {
		kinds := slices.Repeat([]*cel.Type{cel.DoubleType}, arguments)
		return cel.Function(name, cel.Overload(name+"_double", kinds, cel.DoubleType))
	}
	return cel.NewEnv(cel.ClearMacros(), number("log1p", 1), number("abs", 1), number("sqrt", 1), number("min", 2), number("max", 2),
		cel.Function("missing", cel.Overload("missing_double", []*cel.Type{cel.DoubleType}, cel.BoolType)))
})

// expression is a parsed CEL text whose integer literals have become doubles.
type expression struct {
	text   string
	parsed *cel.Ast
	reads  []string // identifiers, sorted
}

// normalExpr is the text that goes into a definition: white space outside does not tell definitions apart.
func normalExpr(text string) string { return strings.Join(strings.Fields(text), " ") }

// parseExpr parses a normal text and finds what it reads.
func parseExpr(text string) (*expression, error) {
	if text == "" || len(text) > maxExpression {
		return nil, fmt.Errorf("an expression has 1 to %d bytes", maxExpression)
	}
	if strings.Contains(text, "//") {
		return nil, fmt.Errorf("an expression holds no comment")
	}
	return parseTree(text)
}

// parseTree parses a text whose form was looked at.
func parseTree(text string) (*expression, error) {
	env, err := expressionEnv()
	if err != nil {
		return nil, fmt.Errorf("CEL environment: %w", err)
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, celError(issues)
	}
	x := &expression{text: text, parsed: parsed}
	factory := ast.NewExprFactory()
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			x.reads = append(x.reads, e.AsIdent())
		case ast.LiteralKind:
			i, isInt := e.AsLiteral().(types.Int)
			if !isInt {
				return
			}
			if i > 1<<53 || i < -(1<<53) {
				err = fmt.Errorf("%d is too large to be exact", int64(i))
			}
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(i)))
		}
	}))
	slices.Sort(x.reads)
	x.reads = slices.Compact(x.reads)
	return x, err
}

// celError is what CEL found, on one line.
func celError(issues *cel.Issues) error {
	var found []string
	for _, e := range issues.Errors() {
		found = append(found, fmt.Sprintf("at column %d: %s", e.Location.Column()+1, strings.Join(strings.Fields(e.Message), " ")))
	}
	return errors.New(strings.Join(found, "; "))
}

// check has CEL type-check the expression with everything it reads as a double.
func (x *expression) check() (*cel.Ast, *cel.Env, error) {
	env, err := expressionEnv()
	if err != nil {
		return nil, nil, fmt.Errorf("CEL environment: %w", err)
	}
	return x.checkIn(env, func(string) *cel.Type { return cel.DoubleType })
}

// checkIn has CEL type-check the expression in an environment that is given what it reads.
func (x *expression) checkIn(env *cel.Env, typed func(name string) *cel.Type) (*cel.Ast, *cel.Env, error) {
	variables := make([]cel.EnvOption, len(x.reads))
	for i, name := range x.reads {
		variables[i] = cel.Variable(name, typed(name))
	}
	var err error
	if env, err = env.Extend(variables...); err != nil {
		return nil, nil, fmt.Errorf("a name it reads means something in CEL itself: %w", err)
	}
	checked, issues := env.Check(x.parsed)
	if issues.Err() != nil {
		return nil, nil, celError(issues)
	}
	return checked, env, nil
}

// checkExpr checks the form's expression by itself: that it is in the subset and reads what the form says it reads.
func (f *form) checkExpr() (key, problem string) {
	x, err := parseExpr(f.Expr)
	if err != nil {
		return "expr", err.Error()
	}
	if f.Expr != normalExpr(f.Expr) {
		return "expr", "is not in normal form"
	}
	declared := slices.Clone(f.Fields)
	for name := range f.Inputs {
		declared = append(declared, name)
	}
	slices.Sort(declared)
	if !slices.Equal(declared, x.reads) || !slices.IsSorted(f.Fields) {
		return "expr", fmt.Sprintf("reads %v, but declares %v", x.reads, declared)
	}
	if usesAmount := slices.Contains(f.Fields, overAmount); !usesAmount && (f.Currency != "" || f.Digits != 0) {
		return "expr", "has a currency without reading amount"
	}
	if _, err := x.lower(func(string) number { return func(*frame) float64 { return 0 } }); err != nil {
		return "expr", err.Error()
	}
	return "", ""
}

// lower turns the checked expression into a closure that does not allocate; read gives the closure of an identifier. A truth value becomes 1 or 0,
// an infinite result is missing.
func (x *expression) lower(read func(name string) number) (number, error) {
	checked, _, err := x.check()
	if err != nil {
		return nil, err
	}
	l := lowering[*frame]{tree: checked.NativeRep(), read: read}
	root := l.tree.Expr()
	if l.tree.GetType(root.ID()) == types.BoolType {
		test, err := l.truth(root)
		if err != nil {
			return nil, err
		}
		return func(in *frame) float64 {
			if test(in) {
				return 1
			}
			return 0
		}, nil
	}
	value, err := l.number(root)
	if err != nil {
		return nil, err
	}
	return func(in *frame) float64 {
		v := value(in)
		if math.IsInf(v, 0) {
			return math.NaN()
		}
		return v
	}, nil
}
