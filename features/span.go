package features

import (
	"fmt"
	"strconv"
	"strings"
)

const maxSpan = 3_660 * Day // ten years: the longest window, delay and lateness

var spanUnits = [...]struct {
	suffix string
	length int64
}{{"us", Microsecond}, {"ms", 1_000 * Microsecond}, {"s", Second}, {"m", 60 * Second}, {"h", 3_600 * Second}, {"d", Day}, {"w", 7 * Day}}

// ParseSpan reads a fixed length of time as event types write it: an integer and one of us, ms, s, m, h, d (24 hours), w (7 days). The result is in
// microseconds, between 0 and ten years.
func ParseSpan(text string) (int64, error) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz")
	for _, unit := range spanUnits {
		if text[len(digits):] != unit.suffix || digits == "" || digits[0] < '0' || digits[0] > '9' {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			break
		}
		if n > maxSpan/unit.length {
			return 0, fmt.Errorf("%q is longer than ten years", text)
		}
		return n * unit.length, nil
	}
	return 0, fmt.Errorf("%q is not a length of time; write an integer and one of us, ms, s, m, h, d, w, such as 7d", text)
}
