package project

import (
	"fmt"
	"sort"
	"strings"
)

// Violation is one thing that is wrong with a file of a project, and the way out.
type Violation struct {
	File    string // as it was opened
	Line    int    // 1-based; 0 when the file as a whole is meant
	Column  int    // 1-based, in characters
	Path    string // e.g. policy.rules[0].when; empty when the file as a whole is meant
	Problem string
}

// String is "file:line:col: path: problem".
func (v Violation) String() string {
	var b strings.Builder
	b.WriteString(v.File)
	if v.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", v.Line, v.Column)
	}
	b.WriteString(": ")
	if v.Path != "" {
		b.WriteString(v.Path)
		b.WriteString(": ")
	}
	b.WriteString(v.Problem)
	return b.String()
}

// Violations is everything that is wrong with a project, in the order of files and lines.
type Violations []Violation

// Error lists all violations, one a line.
func (v Violations) Error() string {
	lines := make([]string, len(v))
	for i := range v {
		lines[i] = v[i].String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by file, line and column and drops what was said twice.
func (v Violations) sorted() Violations {
	sort.SliceStable(v, func(i, j int) bool {
		a, b := v[i], v[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		if a.Column != b.Column {
			return a.Column < b.Column
		}
		return a.Path+a.Problem < b.Path+b.Problem
	})
	kept := v[:0]
	for i := range v {
		if i == 0 || v[i] != v[i-1] {
			kept = append(kept, v[i])
		}
	}
	return kept
}
