//go:build cgo

package duckdb

import (
	"database/sql/driver"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// encoder turns rows into the values of their table's columns, in the order of schema.sql. The slice it gives is valid
// until its next call.
type encoder struct {
	log    string
	values []driver.Value
	keys   []string
	text   []byte
}

func (e *encoder) event(v *warehouse.Event) []driver.Value {
	e.values = append(e.values[:0],
		e.log, int64(v.Sequence), v.EventType, v.EventTypeHash, v.ID, instant(v.Time), v.Currency, v.AmountMinor,
		e.strings(v.Entities), e.strings(v.Attributes), e.numbers(v.Numbers), v.Outcome, v.Origin, instant(v.Received))
	return e.values
}

func (e *encoder) decision(v *warehouse.Decision) []driver.Value {
	vector := v.Vector
	if vector == nil {
		vector = []float64{}
	}
	e.values = append(e.values[:0],
		e.log, int64(v.Sequence), int64(v.EventSequence), v.EventType, v.EventTypeHash, v.EventID, v.Decision,
		e.list(v.Reasons), e.list(v.Flags), v.ModelVersion, int64(v.AssignmentRevision),
		finite(v.Raw), finite(v.Probability), vector, instant(v.Decided))
	return e.values
}

func (e *encoder) label(v *warehouse.Label) []driver.Value {
	var eventTime driver.Value
	if v.EventSequence != 0 {
		eventTime = instant(v.EventTime)
	}
	e.values = append(e.values[:0],
		e.log, int64(v.Sequence), v.EventType, v.EventID, v.Verdict, v.Kind, v.ReasonCode, v.Source,
		instant(v.KnownAt), instant(v.Recorded), int64(v.EventSequence), eventTime)
	return e.values
}

func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// finite gives NULL for what has no value.
func finite(v float64) driver.Value {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// strings writes a JSON object with its keys in order.
func (e *encoder) strings(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	e.keys = e.keys[:0]
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys)
	b := append(e.text[:0], '{')
	for i, k := range e.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(appendQuoted(b, k), ':'), m[k])
	}
	e.text = append(b, '}')
	return string(e.text)
}

// numbers writes a JSON object with its keys in order; what JSON has no number for is left out.
func (e *encoder) numbers(m map[string]float64) string {
	if len(m) == 0 {
		return "{}"
	}
	e.keys = e.keys[:0]
	for k, v := range m {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			e.keys = append(e.keys, k)
		}
	}
	slices.Sort(e.keys)
	b := append(e.text[:0], '{')
	for i, k := range e.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(append(appendQuoted(b, k), ':'), m[k], 'g', -1, 64)
	}
	e.text = append(b, '}')
	return string(e.text)
}

// list writes a JSON array of strings.
func (e *encoder) list(items []string) string {
	b := append(e.text[:0], '[')
	for i, s := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, s)
	}
	e.text = append(b, ']')
	return string(e.text)
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
