package project

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// TimeSource is a column that holds a time, and how it is written.
type TimeSource struct {
	Source Source
	Format TimeFormat
}

// TimeFormat is how a time is written in a column.
type TimeFormat struct {
	// Unit is the number of microseconds that one counts in a column of numbers: 1_000_000 for format unix,
	// 1_000 for unix_ms, 1 for unix_us. 0 for text.
	Unit int64
	// Layout is Go's reference layout of a column of text; empty for numbers.
	Layout string
	// Zone applies to text that carries no offset of its own.
	Zone *time.Location
}

// Parse reads one cell: microseconds since the Unix epoch. Parts finer than a microsecond are refused.
func (f TimeFormat) Parse(text string) (int64, error) {
	if f.Unit > 0 {
		return f.parseNumber(text)
	}
	zone := f.Zone
	if zone == nil {
		zone = time.UTC
	}
	t, err := time.ParseInLocation(f.Layout, text, zone)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time written as %q", text, f.Layout)
	}
	if t.Nanosecond()%1000 != 0 {
		return 0, fmt.Errorf("%q is finer than a microsecond", text)
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return 0, fmt.Errorf("%q is not a plausible time", text)
	}
	return t.UnixMicro(), nil
}

func (f TimeFormat) parseNumber(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= math.MaxInt64/f.Unit || n <= math.MinInt64/f.Unit {
		return 0, fmt.Errorf("%q is not a count of time since 1970", text)
	}
	us := n * f.Unit
	part := f.Unit
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is not a count of time since 1970", text)
		}
		part /= 10
		if part == 0 && c != '0' {
			return 0, fmt.Errorf("%q is finer than a microsecond", text)
		}
		if strings.HasPrefix(whole, "-") {
			us -= int64(c-'0') * part
		} else {
			us += int64(c-'0') * part
		}
	}
	return us, nil
}

// parseTimeFormat reads the `format` of a time column: unix, unix_ms, unix_us, rfc3339, date, or a pattern such as
// "%Y-%m-%d %H:%M:%S".
func parseTimeFormat(text string, zone *time.Location) (TimeFormat, error) {
	switch text {
	case "", "unix":
		return TimeFormat{Unit: 1_000_000}, nil
	case "unix_ms":
		return TimeFormat{Unit: 1_000}, nil
	case "unix_us":
		return TimeFormat{Unit: 1}, nil
	case "rfc3339":
		return TimeFormat{Layout: time.RFC3339Nano, Zone: zone}, nil
	case "date":
		return TimeFormat{Layout: time.DateOnly, Zone: zone}, nil
	}
	layout, err := layoutOf(text)
	return TimeFormat{Layout: layout, Zone: zone}, err
}

// layoutOf turns strptime's percent codes into Go's reference layout.
func layoutOf(pattern string) (string, error) {
	if !strings.Contains(pattern, "%") {
		return "", fmt.Errorf("%q is not a time format; write unix, unix_ms, unix_us, rfc3339, date, or a pattern such as %q", pattern, "%Y-%m-%d %H:%M:%S")
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			if c := pattern[i]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' && c != 'T' || c >= 'a' && c <= 'z' || c == '_' {
				return "", fmt.Errorf("%q holds the letter or digit %q outside a percent code", pattern, c)
			}
			b.WriteByte(pattern[i])
			continue
		}
		i++
		code := ""
		if i < len(pattern) {
			code = percentCode(pattern[i])
		}
		if code == "" {
			return "", fmt.Errorf("%q holds a percent code that is not known; known are %%Y %%m %%d %%H %%M %%S %%f %%z %%b %%I %%p %%y", pattern)
		}
		b.WriteString(code)
	}
	return b.String(), nil
}

func percentCode(c byte) string {
	switch c {
	case 'Y':
		return "2006"
	case 'y':
		return "06"
	case 'm':
		return "01"
	case 'd':
		return "02"
	case 'b':
		return "Jan"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'p':
		return "PM"
	case 'M':
		return "04"
	case 'S':
		return "05"
	case 'f':
		return "999999"
	case 'z':
		return "-0700"
	case '%':
		return "%"
	}
	return ""
}

// Bands cut whole years into named groups: limits 25, 40, 60 give under_25, 25_to_39, 40_to_59, 60_and_over.
type Bands struct {
	Limits []int // ascending, in years
	Format TimeFormat
}

// Names lists the groups, youngest first.
func (b *Bands) Names() []string {
	names := make([]string, 0, len(b.Limits)+1)
	for i := 0; i <= len(b.Limits); i++ {
		names = append(names, b.name(i))
	}
	return names
}

func (b *Bands) name(i int) string {
	switch {
	case i == 0:
		return fmt.Sprintf("under_%d", b.Limits[0])
	case i == len(b.Limits):
		return fmt.Sprintf("%d_and_over", b.Limits[i-1])
	}
	return fmt.Sprintf("%d_to_%d", b.Limits[i-1], b.Limits[i]-1)
}

// Of gives the band of the whole years from the date in cell (birthdays by the UTC calendar) to an event time
// (microseconds since the Unix epoch). A date after the event is an error.
func (b *Bands) Of(cell string, eventTime int64) (string, error) {
	from, err := b.Format.Parse(cell)
	if err != nil {
		return "", err
	}
	if from > eventTime {
		return "", fmt.Errorf("%q lies after the event", cell)
	}
	years := wholeYears(time.UnixMicro(from).UTC(), time.UnixMicro(eventTime).UTC())
	for i, limit := range b.Limits {
		if years < limit {
			return b.name(i), nil
		}
	}
	return b.name(len(b.Limits)), nil
}

func wholeYears(from, to time.Time) int {
	years := to.Year() - from.Year()
	if to.Month() < from.Month() || to.Month() == from.Month() && to.Day() < from.Day() {
		years--
	}
	return years
}
