package archtest

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the parsed tree.
type module struct {
	// path is the module's own import path.
	path     string
	packages []*pkg
}

// pkg is a folder with Go files that are not tests.
type pkg struct {
	// folder is relative to the root of the module.
	folder string
	files  []*file
}

type file struct {
	name      string // relative to the root of the module
	set       *token.FileSet
	syntax    *ast.File
	generated bool
}

func (f *file) violation(at ast.Node, format string, args ...any) Violation {
	return Violation{File: f.name, Line: f.set.Position(at.Pos()).Line, Problem: fmt.Sprintf(format, args...)}
}

// imported is an import of one file; ours is the folder when it is a package of the module.
type imported struct {
	spec *ast.ImportSpec
	path string
	ours string
}

func (m *module) imports(f *file) []imported {
	var all []imported
	for _, spec := range f.syntax.Imports {
		i := imported{spec: spec}
		i.path, _ = strconv.Unquote(spec.Path.Value) // the parser has accepted it
		i.ours, _ = strings.CutPrefix(i.path, m.path+"/")
		if i.ours == i.path {
			i.ours = ""
		}
		all = append(all, i)
	}
	return all
}

// load parses every Go file of the module but tests, testdata, files of `go:build ignore` and nested modules.
func load(tree fs.FS) (*module, error) {
	text, err := fs.ReadFile(tree, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("read the module's path: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	m := &module{path: strings.TrimSpace(strings.TrimPrefix(first, "module "))}
	ignored := ignoredFolders(tree)
	folders := map[string]*pkg{}
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(tree, name, ignored)
		case path.Ext(name) != ".go", strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parse(tree, name)
		if err != nil || f == nil {
			return err
		}
		folder := path.Dir(name)
		if folders[folder] == nil {
			folders[folder] = &pkg{folder: folder}
			m.packages = append(m.packages, folders[folder])
		}
		folders[folder].files = append(folders[folder].files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return m, nil
}

func skip(tree fs.FS, folder string, ignored []string) error {
	if folder == "." {
		return nil
	}
	base := path.Base(folder)
	_, err := fs.Stat(tree, path.Join(folder, "go.mod"))
	if err == nil || base == "testdata" || base[0] == '.' || base[0] == '_' || slices.Contains(ignored, folder) {
		return fs.SkipDir
	}
	return nil
}

// ignoredFolders returns the folders at the top that git ignores: what the Makefile builds and fetches.
func ignoredFolders(tree fs.FS) []string {
	text, err := fs.ReadFile(tree, ".gitignore")
	if err != nil {
		return nil
	}
	var folders []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "/") && strings.HasSuffix(line, "/") {
			folders = append(folders, strings.Trim(line, "/"))
		}
	}
	return folders
}

// parse returns nil for a file that no build takes in.
func parse(tree fs.FS, name string) (*file, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	f := &file{name: name, set: token.NewFileSet()}
	f.syntax, err = parser.ParseFile(f.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f.generated = ast.IsGenerated(f.syntax)
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if c.Pos() < f.syntax.Package && constraint.IsGoBuild(c.Text) && strings.TrimSpace(c.Text) == "//go:build ignore" {
				return nil, nil
			}
		}
	}
	return f, nil
}
