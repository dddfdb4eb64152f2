package project

import (
	"encoding"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decode reads the whole document into target (a pointer to a struct with yaml tags), strictly: unknown and repeated keys
// and values of the wrong type are violations, all of them, and what is sound is read all the same.
func (d *document) decode(target any) {
	if d.root == nil {
		return
	}
	d.values[""] = positionOf(d.root)
	d.value(d.root, "", reflect.ValueOf(target).Elem())
}

// entries is implemented by maps that keep the order of the file.
type entries interface {
	decodeEntry(key string, decode func(target any))
}

// ordered is a map that keeps the order of the file.
type ordered[T any] struct {
	names  []string
	values map[string]T
}

func (o *ordered[T]) decodeEntry(key string, decode func(any)) {
	var v T
	decode(&v)
	if o.values == nil {
		o.values = map[string]T{}
	}
	o.names = append(o.names, key)
	o.values[key] = v
}

func (d *document) value(n ast.Node, path string, target reflect.Value) {
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	switch target.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		d.text(n, path, target.Addr().Interface().(encoding.TextUnmarshaler))
		return
	case entries:
		o := target.Addr().Interface().(entries)
		d.members(n, path, func(key string, v ast.Node) {
			o.decodeEntry(key, func(t any) { d.value(v, join(path, key), reflect.ValueOf(t).Elem()) })
		})
		return
	}
	if d.shorthand(n, path, target) {
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		d.structure(n, path, target)
	case reflect.Map:
		target.Set(reflect.MakeMap(target.Type()))
		d.members(n, path, func(key string, v ast.Node) {
			e := reflect.New(target.Type().Elem()).Elem()
			d.value(v, join(path, key), e)
			target.SetMapIndex(reflect.ValueOf(key).Convert(target.Type().Key()), e)
		})
	case reflect.Slice:
		d.list(n, path, target)
	default:
		d.scalar(n, path, target)
	}
}

// shorthand reads the short form that some types have beside their full one.
func (d *document) shorthand(n ast.Node, path string, target reflect.Value) bool {
	text, one := literal(n)
	if !one {
		return false
	}
	switch t := target.Addr().Interface().(type) {
	case *words:
		*t = words{text}
	case interface{ short(text string) }:
		t.short(text)
	default:
		return false
	}
	d.scalars[path] = n
	return true
}

// members visits the members of a map in the order of the file; null is an empty map.
func (d *document) members(n ast.Node, path string, visit func(key string, v ast.Node)) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	case *ast.NullNode:
		return
	default:
		d.misread(n, path, "names with values are expected here (name: value), not "+describe(n))
		return
	}
	seen := map[string]int{}
	for _, p := range pairs {
		key, ok := keyText(p.Key)
		if !ok {
			d.add(positionOf(p.Key), path, "a key must be plain text")
			continue
		}
		at, member := positionOf(p.Key), join(path, key)
		if line, twice := seen[key]; twice {
			d.add(at, member, fmt.Sprintf("declared a second time (first on line %d); remove or rename one", line))
			continue
		}
		seen[key] = at.line
		d.keys[member], d.values[member] = at, positionOf(p.Value)
		visit(key, p.Value)
	}
}

func keyText(k ast.MapKeyNode) (string, bool) {
	n, ok := k.(ast.ScalarNode)
	if !ok || k.GetToken() == nil {
		return "", false
	}
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value, true
	}
	return k.GetToken().Value, true
}

func (d *document) structure(n ast.Node, path string, target reflect.Value) {
	fields := map[string]int{}
	for i := range target.NumField() {
		if name := yamlName(target.Type().Field(i)); name != "" {
			fields[name] = i
		}
	}
	d.members(n, path, func(key string, v ast.Node) {
		if i, ok := fields[key]; ok {
			d.value(v, join(path, key), target.Field(i))
			return
		}
		d.add(d.keys[join(path, key)], join(path, key), unknownKey(key, fields))
	})
}

// yamlName is the key of a struct field, "" for a field that YAML does not fill.
func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

func unknownKey(key string, fields map[string]int) string {
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	sort.Strings(known)
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("unknown key; did you mean %s?", near)
	}
	return "unknown key; known here are " + strings.Join(known, ", ")
}

func (d *document) list(n ast.Node, path string, target reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.misread(n, path, "a list is expected here ([a, b]), not "+describe(n))
		return
	}
	target.Set(reflect.MakeSlice(target.Type(), len(s.Values), len(s.Values)))
	for i, v := range s.Values {
		item := path + "[" + strconv.Itoa(i) + "]"
		d.values[item] = positionOf(v)
		if text, ok := literal(v); ok && target.Index(i).Kind() == reflect.String {
			d.scalars[item] = v
			target.Index(i).SetString(text) // in a list of texts, 7 is as good as "7"
			continue
		}
		d.value(v, item, target.Index(i))
	}
}
