package project

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"sort"
	"strconv"
)

// canonical writes a decoded document as one line of JSON that depends on what was said and not on how: no comments, keys
// of structs and maps sorted, absent and zero fields left out, durations in their largest unit. Only ordered maps (the
// features) and lists keep the order of the file, since there it has a meaning. decode reads it back.
func canonical(v any) []byte {
	var b bytes.Buffer
	writeCanonical(&b, reflect.ValueOf(v))
	return b.Bytes()
}

// members is implemented by maps that keep the order of the file.
type members interface {
	each(visit func(key string, v any))
}

func (o ordered[T]) each(visit func(string, any)) {
	for _, name := range o.names {
		visit(name, o.values[name])
	}
}

// IsZero tells canonical that nothing was declared.
func (o ordered[T]) IsZero() bool { return len(o.names) == 0 }

func writeCanonical(b *bytes.Buffer, v reflect.Value) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case members:
		w := objectWriter{b: b}
		w.open()
		x.each(func(key string, e any) { w.member(key, reflect.ValueOf(e)) })
		w.close()
		return
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() // ours; none of them fails
		writeString(b, string(text))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		writeStruct(b, v)
	case reflect.Map:
		writeMap(b, v)
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.String:
		writeString(b, v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		writeFloat(b, v.Float())
	}
}

func writeStruct(b *bytes.Buffer, v reflect.Value) {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if name := yamlName(v.Type().Field(i)); name != "" && !absent(v.Field(i)) {
			fields[name] = v.Field(i)
		}
	}
	writeSorted(b, fields)
}

func writeMap(b *bytes.Buffer, v reflect.Value) {
	fields := make(map[string]reflect.Value, v.Len())
	for it := v.MapRange(); it.Next(); {
		fields[it.Key().String()] = it.Value()
	}
	writeSorted(b, fields)
}

func writeSorted(b *bytes.Buffer, fields map[string]reflect.Value) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	w := objectWriter{b: b}
	w.open()
	for _, name := range names {
		w.member(name, fields[name])
	}
	w.close()
}

// absent says whether a field is left out: not written, or written as what it is anyway.
func absent(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	}
	return v.IsZero()
}

type objectWriter struct {
	b    *bytes.Buffer
	some bool
}

func (w *objectWriter) open()  { w.b.WriteByte('{') }
func (w *objectWriter) close() { w.b.WriteByte('}') }

func (w *objectWriter) member(key string, v reflect.Value) {
	if w.some {
		w.b.WriteByte(',')
	}
	w.some = true
	writeString(w.b, key)
	w.b.WriteByte(':')
	writeCanonical(w.b, v)
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)         // a string always encodes
	b.Truncate(b.Len() - 1) // Encode ends the line
}

// writeFloat keeps a number a number, whatever its size, in the shortest text that reads back as the same float64.
func writeFloat(b *bytes.Buffer, f float64) {
	text, _ := json.Marshal(f) // finite: decode refuses anything else
	b.Write(text)
}
