// Package archtest holds the architecture of the module as a test: which package may import which, who alone may
// import a driver's library, and what no package may have (init functions, mutable globals, a name that says nothing).
// It parses the files itself, all build tags alike, and runs no other program. It knows nothing of what the code does,
// and it does not look at tests.
package archtest

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Violation is one breach of one rule.
type Violation struct {
	// File is relative to the root of the module; a package's folder when the package as a whole is at fault.
	File string
	// Line is 0 when the file as a whole is at fault.
	Line int
	// Problem says what is wrong and what to do.
	Problem string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return v.File + ": " + v.Problem
	}
	return fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Problem)
}

// Check holds the module at the root of tree against every rule and returns all violations in the order of files. The
// error says that the tree could not be read or parsed.
func Check(tree fs.FS) ([]Violation, error) {
	module, err := load(tree)
	if err != nil {
		return nil, err
	}
	found, err := checkTop(tree)
	if err != nil {
		return nil, err
	}
	for _, p := range module.packages {
		found = append(found, checkPlace(p)...)
		found = append(found, checkImports(module, p)...)
		found = append(found, checkOnly(module, p)...)
		found = append(found, checkNames(p)...)
		found = append(found, checkComment(p)...)
		found = append(found, checkGlobals(p)...)
		for _, f := range p.files {
			found = append(found, checkInits(f)...)
			found = append(found, checkContext(f)...)
		}
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Problem, b.Problem))
	})
	return found, nil
}
