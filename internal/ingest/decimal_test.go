package ingest

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]int64{"57.16": 5716, "57.1": 5710, "57": 5700, "-0.01": -1, "+.5": 50, "5.": 500, "57.160000": 5716, "0": 0, "92233720368547757.99": 9223372036854775799} {
		got, err := parseDecimal(text, 2)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", ".", "-", "1e3", "1,000", "1.2.3", "57.161", "NaN", " 1", "0x10", "99999999999999999999", "1.0a", "1.000a"} {
		_, err := parseDecimal(text, 2)
		require.Error(t, err, text)
	}
}

// An amount is what exact rational arithmetic makes of the text.
func TestParseDecimalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.IntRange(0, 4).Draw(t, "digits")
		text := rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{0,6})?`).Draw(t, "text")
		r, ok := new(big.Rat).SetString(strings.TrimSuffix(text, "."))
		require.True(t, ok)
		r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)))
		got, err := parseDecimal(text, digits)
		require.Equal(t, r.IsInt(), err == nil, "%s: %v", text, err)
		if err == nil {
			require.Equal(t, r.Num().Int64(), got)
		}
	})
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{"1.25": 1.25, "-3": -3, "1e3": 1000, "0.100": 0.1} {
		got, err := parseNumber(text, 2)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"NaN", "Inf", "0x1p3", "1_000", "1.234", "--1", "0.10000000000000000001"} {
		_, err := parseNumber(text, 2)
		require.Error(t, err, text)
	}
	got, err := parseNumber("0.1234567", -1)
	require.NoError(t, err)
	require.False(t, math.IsNaN(got))
}
