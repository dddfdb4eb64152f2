package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// instant is a moment given by a flag; the zero instant was not given.
type instant struct{ time.Time }

// UnmarshalText reads RFC 3339, or a date, which begins at midnight UTC.
func (t *instant) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if parsed, err := time.Parse(layout, string(text)); err == nil {
			if parsed.Nanosecond()%1000 != 0 {
				return fmt.Errorf("%q is finer than a microsecond", text)
			}
			t.Time = parsed.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is not a time; write 2018-07-25 (midnight UTC) or 2018-07-25T12:14:00Z", text)
}

func (t instant) proto() *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t.Time)
}

// span is A..B: from A on and before B. The zero span was not given.
type span struct{ from, to instant }

// UnmarshalText reads a span.
func (s *span) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "..")
	if !ok {
		return fmt.Errorf("%q is not a span; write A..B, such as 2018-07-25..2018-08-01, which has A and ends before B", text)
	}
	if err := errors.Join(s.from.UnmarshalText([]byte(from)), s.to.UnmarshalText([]byte(to))); err != nil {
		return err
	}
	if !s.from.Before(s.to.Time) {
		return fmt.Errorf("%q ends before it begins; the end is not part of the span", text)
	}
	return nil
}

func (s span) given() bool { return !s.from.IsZero() }

func (s span) proto() *haechiv1.Span {
	if !s.given() {
		return nil
	}
	return &haechiv1.Span{From: s.from.proto(), To: s.to.proto()}
}

// size is a number of bytes, written 4GiB, 512MiB, 2GB or 1048576.
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	unit := strings.TrimLeft(string(text), "0123456789")
	factor, ok := map[string]int64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}[unit]
	n, err := strconv.ParseInt(strings.TrimSuffix(string(text), unit), 10, 64)
	if !ok || err != nil || n > math.MaxInt64/factor {
		return fmt.Errorf("%q is not a size; write a whole number with a unit, such as 4GiB or 512MiB", text)
	}
	*s = size(n * factor)
	return nil
}

// files takes every value up to the next flag, so that a shell's *.csv works.
type files []string

// Decode implements kong.MapperValue.
func (f *files) Decode(c *kong.DecodeContext) error {
	token, err := c.Scan.PopValue("file")
	if err != nil {
		return err
	}
	*f = append(*f, fmt.Sprint(token.Value))
	for next := c.Scan.Peek(); next.IsValue() && !strings.HasPrefix(next.String(), "-"); next = c.Scan.Peek() {
		*f = append(*f, fmt.Sprint(c.Scan.Pop().Value))
	}
	return nil
}
