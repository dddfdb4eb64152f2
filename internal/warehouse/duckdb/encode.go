//go:build cgo

package duckdb

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// encoder puts rows into their tables, column by column in the order of schema.sql.
type encoder struct {
	log  string
	keys []string
	buf  []byte
}

func (e *encoder) event(to *bulk, v *warehouse.Event) {
	to.text(e.log)
	to.integer(int64(v.Sequence))
	to.text(v.EventType)
	to.text(v.EventTypeHash)
	to.text(v.ID)
	to.timestamp(v.Time)
	to.text(v.Currency)
	to.integer(v.AmountMinor)
	to.json(e.strings(v.Entities))
	to.json(e.strings(v.Attributes))
	to.json(e.numbers(v.Numbers))
	to.text(v.Outcome)
	to.text(v.Origin)
	to.timestamp(v.Received)
}

func (e *encoder) decision(to *bulk, v *warehouse.Decision) {
	to.text(e.log)
	to.integer(int64(v.Sequence))
	to.integer(int64(v.EventSequence))
	to.text(v.EventType)
	to.text(v.EventTypeHash)
	to.text(v.EventID)
	to.text(v.Decision)
	to.json(e.list(v.Reasons))
	to.json(e.list(v.Flags))
	to.text(v.ModelVersion)
	to.integer(int64(v.AssignmentRevision))
	to.double(v.Raw)
	to.double(v.Probability)
	to.doubles(v.Vector)
	to.timestamp(v.Decided)
}

func (e *encoder) label(to *bulk, v *warehouse.Label) {
	to.text(e.log)
	to.integer(int64(v.Sequence))
	to.text(v.EventType)
	to.text(v.EventID)
	to.text(v.Verdict)
	to.text(v.Kind)
	to.text(v.ReasonCode)
	to.text(v.Source)
	to.timestamp(v.KnownAt)
	to.timestamp(v.Recorded)
	to.integer(int64(v.EventSequence))
	if v.EventSequence == 0 {
		to.null()
		return
	}
	to.timestamp(v.EventTime)
}

// strings writes a JSON object with its keys in order. Like the other two, what it gives is valid until the next call.
func (e *encoder) strings(m map[string]string) []byte {
	e.keys = e.keys[:0]
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys)
	b := append(e.buf[:0], '{')
	for i, k := range e.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(appendQuoted(b, k), ':'), m[k])
	}
	e.buf = append(b, '}')
	return e.buf
}

// numbers writes a JSON object with its keys in order; what JSON has no number for is left out.
func (e *encoder) numbers(m map[string]float64) []byte {
	e.keys = e.keys[:0]
	for k, v := range m {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			e.keys = append(e.keys, k)
		}
	}
	slices.Sort(e.keys)
	b := append(e.buf[:0], '{')
	for i, k := range e.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(append(appendQuoted(b, k), ':'), m[k], 'g', -1, 64)
	}
	e.buf = append(b, '}')
	return e.buf
}

// list writes a JSON array of strings.
func (e *encoder) list(items []string) []byte {
	b := append(e.buf[:0], '[')
	for i, s := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, s)
	}
	e.buf = append(b, ']')
	return e.buf
}

// appendQuoted writes a JSON string. Plain ASCII, nearly all there is, is copied; the rest goes through encoding/json.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(s)
			if err != nil { // cannot happen for a string
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
