package ingest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseDecimal reads a decimal number exactly, as a count of units of 10^-digits: "57.16" with two digits is 5716. No
// float is involved. More decimals than digits are refused unless they are zeros.
func parseDecimal(text string, digits int) (int64, error) {
	rest := text
	negative := strings.HasPrefix(rest, "-")
	if negative || strings.HasPrefix(rest, "+") {
		rest = rest[1:]
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	if whole == "" && fraction == "" {
		return 0, fmt.Errorf("%q is not a decimal number", text)
	}
	var n int64
	add := func(c byte) error {
		if c < '0' || c > '9' {
			return fmt.Errorf("%q is not a decimal number", text)
		}
		if n > (math.MaxInt64-9)/10 {
			return fmt.Errorf("%q is too large", text)
		}
		n = n*10 + int64(c-'0')
		return nil
	}
	for i := range len(whole) {
		if err := add(whole[i]); err != nil {
			return 0, err
		}
	}
	for i := range max(digits, len(fraction)) {
		c := byte('0')
		if i < len(fraction) {
			c = fraction[i]
		}
		if i >= digits {
			if c < '0' || c > '9' {
				return 0, fmt.Errorf("%q is not a decimal number", text)
			}
			if c != '0' {
				return 0, fmt.Errorf("%q has more than %d decimals", text, digits)
			}
			continue
		}
		if err := add(c); err != nil {
			return 0, err
		}
	}
	if negative {
		n = -n
	}
	return n, nil
}

var errNotNumber = errors.New("is not a number")

// parseNumber reads a number; with scale >= 0 its text may have that many decimals. Hexadecimal, infinite and NaN
// spellings are refused: an absent number is an empty cell.
func parseNumber(text string, scale int) (float64, error) {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, fmt.Errorf("%q %w", text, errNotNumber)
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q %w", text, errNotNumber)
	}
	if scale >= 0 && !strings.ContainsAny(text, "eE") {
		if _, fraction, _ := strings.Cut(text, "."); len(strings.TrimRight(fraction, "0")) > scale {
			return 0, fmt.Errorf("%q has more than %d decimals", text, scale)
		}
	}
	return x, nil
}
