//go:build cgo

package duckdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var errNotObject = errors.New("not a JSON object")

// readStrings reads a JSON object of strings into m, emptied first. Objects as encoder writes them are cut up in place;
// all others go through encoding/json.
func readStrings(s string, m map[string]string) (map[string]string, error) {
	m = emptied(m)
	if s == "{}" {
		return m, nil
	}
	rest, ok := strings.CutPrefix(s, "{")
	for ok && strings.IndexByte(s, '\\') < 0 {
		var key, value string
		if key, rest, ok = cutQuoted(rest); !ok {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			break
		}
		if value, rest, ok = cutQuoted(rest); !ok {
			break
		}
		m[key] = value
		if rest == "}" {
			return m, nil
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	clear(m)
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return m, fmt.Errorf("%w: %q: %w", errNotObject, s, err)
	}
	return m, nil
}

// readNumbers does the same for numbers.
func readNumbers(s string, m map[string]float64) (map[string]float64, error) {
	m = emptied(m)
	if s == "{}" {
		return m, nil
	}
	rest, ok := strings.CutPrefix(s, "{")
	for ok && strings.IndexByte(s, '\\') < 0 {
		var key string
		if key, rest, ok = cutQuoted(rest); !ok {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			break
		}
		end := strings.IndexAny(rest, ",}")
		if end < 0 {
			break
		}
		value, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			break
		}
		m[key] = value
		if rest = rest[end:]; rest == "}" {
			return m, nil
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	clear(m)
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return m, fmt.Errorf("%w: %q: %w", errNotObject, s, err)
	}
	return m, nil
}

func emptied[V any](m map[string]V) map[string]V {
	if m == nil {
		return make(map[string]V)
	}
	clear(m)
	return m
}

// cutQuoted takes a string without escapes off the front.
func cutQuoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return "", s, false
	}
	return s[1 : end+1], s[end+2:], true
}
