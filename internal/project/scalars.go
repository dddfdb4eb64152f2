package project

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/haechi-fraud/haechi/features"
)

// text reads a scalar into a type that knows its own text form.
func (d *document) text(n ast.Node, path string, target encoding.TextUnmarshaler) {
	text, ok := literal(n)
	if !ok {
		d.misread(n, path, "one value is expected here, not "+describe(n))
		return
	}
	d.scalars[path] = n
	if err := target.UnmarshalText([]byte(text)); err != nil {
		d.misread(n, path, err.Error())
	}
}

// scalar reads a scalar into a plain Go kind.
func (d *document) scalar(n ast.Node, path string, target reflect.Value) {
	d.scalars[path] = n
	switch target.Kind() {
	case reflect.String:
		switch s := n.(type) {
		case *ast.StringNode:
			target.SetString(s.Value)
			return
		case *ast.LiteralNode:
			target.SetString(s.Value.Value)
			return
		}
		if text, ok := literal(n); ok {
			d.misread(n, path, fmt.Sprintf("text is expected here, not %s; write %q in quotes if that is meant", describe(n), text))
			return
		}
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			target.SetBool(b.Value)
			return
		}
	case reflect.Int, reflect.Int64:
		if v, ok := integer(n); ok {
			target.SetInt(v)
			return
		}
	case reflect.Float64:
		if v, ok := float(n); ok {
			target.SetFloat(v)
			return
		}
	case reflect.Interface:
		if text, ok := literal(n); ok {
			target.Set(reflect.ValueOf(text))
			return
		}
	}
	d.misread(n, path, fmt.Sprintf("%s is expected here, not %s", wanted(target.Kind()), describe(n)))
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "text"
}

func integer(n ast.Node) (int64, bool) {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch v := i.Value.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

func float(n ast.Node) (float64, bool) {
	if v, ok := integer(n); ok {
		return float64(v), true
	}
	f, ok := n.(*ast.FloatNode)
	if !ok {
		return 0, false
	}
	return f.Value, !math.IsNaN(f.Value) && !math.IsInf(f.Value, 0)
}

// literal gives the text of any scalar but null.
func literal(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(s.GetToken().Value), true
	}
	return "", false
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "names with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "nothing"
	}
	return "this"
}

// word is a scalar kept as its text, whatever it looks like: true, 7, 0.05 or a word.
type word string

// UnmarshalText keeps the text.
func (w *word) UnmarshalText(text []byte) error { *w = word(text); return nil }

// MarshalText gives the text.
func (w word) MarshalText() ([]byte, error) { return []byte(w), nil }

// duration is a length of time in microseconds, written 7d, 12h, 5m, 30s, 250ms.
type duration int64

// UnmarshalText reads a duration.
func (t *duration) UnmarshalText(text []byte) error {
	us, err := features.ParseSpan(string(text))
	*t = duration(us)
	return err
}

// MarshalText writes the duration in the largest unit that divides it.
func (t duration) MarshalText() ([]byte, error) {
	n, unit := int64(t), "us"
	for _, larger := range []struct {
		unit string
		of   int64
	}{{"ms", 1000}, {"s", 1000}, {"m", 60}, {"h", 60}, {"d", 24}} {
		if n == 0 || n%larger.of != 0 {
			break
		}
		n, unit = n/larger.of, larger.unit
	}
	return []byte(strconv.FormatInt(n, 10) + unit), nil
}

// size is a number of bytes, written 256MiB, 4GB or 1048576.
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "KMGTiB")
	unit, ok := map[string]int64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}[strings.TrimPrefix(string(text), number)]
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || !ok || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size; write a whole number of bytes or with a unit, such as 256MiB or 4GB", text)
	}
	*s = size(n * unit)
	return nil
}

// nearest is the known word at an edit distance of at most two, "" when there is none.
func nearest(w string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if n := distance(w, k); n < at && n < len(k) {
			best, at = k, n
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
