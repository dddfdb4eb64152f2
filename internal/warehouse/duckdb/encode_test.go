//go:build cgo

package duckdb

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What the encoder writes is JSON as encoding/json reads it, and the decoder gives it back.
func TestObjectsComeBack(t *testing.T) {
	e := encoder{}
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "texts")
		written := string(e.strings(texts))
		var standard map[string]string
		require.NoError(t, json.Unmarshal([]byte(written), &standard), written)
		require.Equal(t, texts, standard)
		read, err := readStrings(written, map[string]string{"left": "over"})
		require.NoError(t, err)
		require.Equal(t, texts, read)

		numbers := rapid.MapOf(rapid.String(), rapid.Float64()).Draw(t, "numbers")
		written = string(e.numbers(numbers))
		back, err := readNumbers(written, nil)
		require.NoError(t, err, written)
		require.Equal(t, numbers, back)
	})
}

func TestObjectsFromElsewhere(t *testing.T) {
	read, err := readStrings(`{ "a" : "b\u0041" }`, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "bA"}, read)
	for _, bad := range []string{"", "{", `{"a"}`, `{"a":1}`, `["a"]`, `{"a":"b",}`, `{"a":"b"}x`} {
		_, err := readStrings(bad, nil)
		require.ErrorIs(t, err, errNotObject, bad)
	}
	_, err = readNumbers(`{"a":"1"}`, nil)
	require.ErrorIs(t, err, errNotObject)
}
