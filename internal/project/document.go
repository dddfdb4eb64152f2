package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds that keep a hostile file from costing more than a look.
const (
	maxFileBytes = 256 << 10
	maxTokens    = 32_768 // the parser's time grows with the square of a map's length
	maxNesting   = 32
)

// position is where a value stands in a file, 1-based.
type position struct{ line, column int }

// document is one YAML file: its tree, where each path of it stands, and what was found wrong with it so far.
type document struct {
	file       string
	root       ast.Node
	values     map[string]position // path -> its value
	keys       map[string]position // path -> its key, for members of maps
	scalars    map[string]ast.Node // path -> scalar, to place errors within its text
	unread     map[string]bool     // paths whose value could not be read; nothing more is said about them
	violations Violations
}

// parseDocument parses text. What cannot be parsed, or is YAML beyond plain maps, lists and scalars, becomes a violation
// and leaves root nil.
func parseDocument(file string, text []byte) *document {
	d := &document{file: file, values: map[string]position{}, keys: map[string]position{}, scalars: map[string]ast.Node{}, unread: map[string]bool{}}
	if len(text) > maxFileBytes {
		d.add(position{}, "", "the file is larger than 256 KiB; split it")
		return d
	}
	tokens := lexer.Tokenize(string(text))
	if len(tokens) > maxTokens {
		d.add(position{}, "", "the file holds more than 10,000 entries; split it")
		return d
	}
	if d.refuseExotic(tokens); len(d.violations) > 0 {
		return d
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.addSyntax(err)
		return d
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if d.root != nil {
			d.add(positionOf(doc.Body), "", "a second document in one file; keep one and move the other to its own file")
			break
		}
		d.root = doc.Body
	}
	return d
}

// refuseExotic refuses what this project's files never need (anchors, aliases, tags, complex keys, deep nesting) before
// the recursive parser sees it.
func (d *document) refuseExotic(tokens token.Tokens) {
	depth, entries, line := 0, 0, 0
	for _, t := range tokens {
		at := position{t.Position.Line, t.Position.Column}
		if at.line != line {
			entries, line = 0, at.line
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			d.add(at, "", "anchors, aliases and merges are not read; write the value out")
		case token.TagType, token.DirectiveType:
			d.add(at, "", "tags and directives are not read; remove it")
		case token.MappingKeyType:
			d.add(at, "", "keys are written without '?'; remove it")
		case token.InvalidType:
			d.add(at, "", "not YAML: "+firstLine(t.Error))
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			entries++
		}
		if depth > maxNesting || entries > maxNesting || t.Position.IndentNum > 8*maxNesting {
			d.add(at, "", "nested too deeply to be an honest file; flatten it")
		}
		if len(d.violations) > 20 || depth > maxNesting || entries > maxNesting {
			return
		}
	}
}

func (d *document) addSyntax(err error) {
	at, text := position{}, firstLine(err.Error())
	var e yaml.Error
	if errors.As(err, &e) {
		text = e.GetMessage()
		if t := e.GetToken(); t != nil {
			at = position{t.Position.Line, t.Position.Column}
		}
	}
	d.add(at, "", "not YAML: "+text)
}

// add records a violation at a position.
func (d *document) add(at position, path, problem string) {
	d.violations = append(d.violations, Violation{File: d.file, Line: at.line, Column: at.column, Path: path, Problem: problem})
}

// misread records that the value at path could not be read.
func (d *document) misread(n ast.Node, path, problem string) {
	d.unread[path] = true
	d.add(positionOf(n), path, problem)
}

// report records a violation at a path. Without such a value in the file, the nearest container that is there is shown.
func (d *document) report(path, format string, args ...any) {
	if d.unread[path] {
		return
	}
	d.add(d.find(path), path, fmt.Sprintf(format, args...))
}

// reportKey records a violation of the name that path ends with, where the name stands.
func (d *document) reportKey(path, format string, args ...any) {
	if at, ok := d.keys[path]; ok && !d.unread[path] {
		d.add(at, path, fmt.Sprintf(format, args...))
		return
	}
	d.report(path, format, args...)
}

// reportInside records a violation at a line and column (1-based) within the text of the scalar at path.
// Folded text and escapes shift columns; then the line, or the scalar's beginning, is all that is promised.
func (d *document) reportInside(path string, line, column int, problem string) {
	if d.unread[path] {
		return
	}
	at := d.find(path)
	switch n := d.scalars[path].(type) {
	case *ast.StringNode:
		if line == 1 && !strings.Contains(strings.TrimSpace(n.Token.Origin), "\n") {
			at.column += column - 1
			if n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType {
				at.column++
			}
		}
	case *ast.LiteralNode:
		if line > 0 && n.Start.Type == token.LiteralType {
			at = position{n.Start.Position.Line + line, 1}
		}
	}
	d.add(at, path, problem)
}

func (d *document) find(path string) position {
	for {
		if at, ok := d.keys[path]; ok && d.scalars[path] == nil {
			return at
		}
		if at, ok := d.values[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return position{1, 1}
		}
		path = path[:cut]
	}
}

// has says whether the file holds a value at path.
func (d *document) has(path string) bool {
	_, ok := d.values[path]
	return ok
}

func positionOf(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// join makes the path of a member.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
