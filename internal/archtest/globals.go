package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkGlobals refuses package variables but those that nothing changes: `var _ Interface`, error sentinels, embedded
// text, regular expressions and the like, and arrays that the package only reads.
func checkGlobals(p *pkg) []Violation {
	var found []Violation
	for _, f := range p.files {
		if f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, s := range decl.Specs {
				found = append(found, checkVariables(p, f, decl, s.(*ast.ValueSpec))...) // the only kind under var
			}
		}
	}
	return found
}

func checkVariables(p *pkg, f *file, decl *ast.GenDecl, spec *ast.ValueSpec) []Violation {
	if embedded(decl.Doc, spec.Type) || embedded(spec.Doc, spec.Type) {
		return nil
	}
	var found []Violation
	for i, name := range spec.Names {
		if name.Name == "_" {
			continue
		}
		if i < len(spec.Values) && (constant(name.Name, spec.Values[i]) || array(name, spec.Values[i]) && !changed(p, name.Name)) {
			continue
		}
		found = append(found, f.violation(name, "no mutable globals: make %s a constant, a function, a field or an array that is only read", name.Name))
	}
	return found
}

// embedded reports whether a go:embed directive fills the variable with something that cannot be changed.
func embedded(doc *ast.CommentGroup, kind ast.Expr) bool {
	if doc == nil || !slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
		return false
	}
	name, ok := kind.(*ast.Ident)
	return qualified(kind) == "embed.FS" || ok && name.Name == "string"
}

// constant reports whether the value is, or comes from a constructor of, something that does not change.
func constant(name string, value ast.Expr) bool {
	if from := qualified(value); from == "binary.LittleEndian" || from == "binary.BigEndian" {
		return true
	}
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch qualified(call.Fun) {
	case "errors.New", "fmt.Errorf":
		return strings.HasPrefix(strings.ToLower(name), "err")
	case "regexp.MustCompile", "crc32.MakeTable", "strings.NewReplacer", "sync.OnceValue", "sync.OnceValues":
		return true
	}
	return false
}

// array reports whether the variable is an unexported array: reading it gives a copy.
func array(name *ast.Ident, value ast.Expr) bool {
	literal, ok := value.(*ast.CompositeLit)
	if !ok || name.IsExported() {
		return false
	}
	kind, ok := literal.Type.(*ast.ArrayType)
	return ok && kind.Len != nil
}

// changed reports whether the package assigns to the variable or to a part of it, takes its address or slices it.
func changed(p *pkg, name string) bool {
	var hit bool
	of := func(e ast.Expr) { hit = hit || root(e) == name }
	for _, f := range p.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						of(e)
					}
				}
			case *ast.IncDecStmt:
				of(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					of(n.X)
				}
			case *ast.SliceExpr:
				of(n.X)
			}
			return !hit
		})
	}
	return hit
}

// root returns the variable that an expression like table[i].field is a part of.
func root(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}
