package archtest

import (
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// top is what the module's root may hold beside hidden files and what git ignores.
const top = "cmd proto features model registry retrain internal examples docs " +
	"go.mod go.sum buf.yaml buf.gen.yaml Makefile README.md CHANGELOG.md LICENSE"

// vague lists package names that say nothing of what is inside.
const vague = "util utils common types shared helper helpers misc base"

// checkTop looks at the root of the module. A folder with a haechi.yaml is someone's project, not part of the module.
func checkTop(tree fs.FS) ([]Violation, error) {
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, err
	}
	ignored := ignoredFolders(tree)
	var found []Violation
	for _, e := range entries {
		name := e.Name()
		_, err := fs.Stat(tree, path.Join(name, "haechi.yaml"))
		if name[0] == '.' || err == nil || slices.Contains(ignored, name) || match(top, name) {
			continue
		}
		found = append(found, Violation{File: name, Problem: "the top level holds only: " + top})
	}
	return found, nil
}

// checkNames refuses vague names, of a folder or in a package clause.
func checkNames(p *pkg) []Violation {
	for element := range strings.SplitSeq(p.folder, "/") {
		if match(vague, element) {
			return []Violation{{File: p.folder, Problem: "no package is called " + element + ": name it after what it does"}}
		}
	}
	for _, f := range p.files {
		if name := f.syntax.Name.Name; match(vague, name) {
			return []Violation{f.violation(f.syntax.Name, "no package is called %s: name it after what it does", name)}
		}
	}
	return nil
}

// checkComment asks every package for a comment in the usual form.
func checkComment(p *pkg) []Violation {
	name := p.files[0].syntax.Name.Name
	for _, f := range p.files {
		text := f.syntax.Doc.Text()
		if strings.HasPrefix(text, "Package "+name+" ") || name == "main" && strings.HasPrefix(text, "Command ") {
			return nil
		}
	}
	return []Violation{{
		File:    p.folder,
		Problem: "the package has no comment: begin it with \"Package " + name + " \" (or Command) and say what it does and what it does not",
	}}
}

// checkInits refuses init functions: what happens, happens because someone called it.
func checkInits(f *file) []Violation {
	var found []Violation
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !f.generated {
			found = append(found, f.violation(fn, "no init functions: construct it where it is used"))
		}
	}
	return found
}

// checkContext refuses values in contexts: they carry cancellation, deadline and trace.
func checkContext(f *file) []Violation {
	var found []Violation
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && qualified(s) == "context.WithValue" && !f.generated {
			found = append(found, f.violation(s, "a context carries no values: pass an argument"))
		}
		return true
	})
	return found
}

// qualified returns pkg.Name for a selector of that form.
func qualified(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}
