package cli

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestInstant(t *testing.T) {
	day := time.Date(2018, 7, 25, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2018-07-25":                  day,
		"2018-07-25T00:00:00Z":        day,
		"2018-07-25T02:00:00+02:00":   day,
		"2018-07-25T00:00:00.000001Z": day.Add(time.Microsecond),
	} {
		var got instant
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.True(t, want.Equal(got.Time), "%s is %s", text, got)
		require.True(t, want.Equal(got.proto().AsTime()))
	}
	for _, text := range []string{"", "yesterday", "2018-07-32", "25.07.2018", "2018-07-25 10:00", "2018-07-25T00:00:00.0000001Z"} {
		var got instant
		require.Error(t, got.UnmarshalText([]byte(text)), text)
	}
	require.Nil(t, instant{}.proto(), "not given")
}

func TestSpan(t *testing.T) {
	var s span
	require.False(t, s.given())
	require.Nil(t, s.proto())
	require.NoError(t, s.UnmarshalText([]byte("2018-07-25..2018-08-01T12:00:00Z")))
	require.True(t, s.given())
	require.Equal(t, "2018-07-25T00:00:00Z", s.proto().From.AsTime().Format(time.RFC3339))
	require.Equal(t, "2018-08-01T12:00:00Z", s.proto().To.AsTime().Format(time.RFC3339))
	for _, text := range []string{"", "2018-07-25", "2018-07-25..", "..2018-07-25", "2018-08-01..2018-07-25", "2018-07-25..2018-07-25", "a..b", "2018-07-25...2018-08-01"} {
		require.Error(t, new(span).UnmarshalText([]byte(text)), text)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "1048576": 1 << 20, "7B": 7, "4GiB": 4 << 30, "512MiB": 512 << 20, "2GB": 2e9, "3KiB": 3072, "1TiB": 1 << 40} {
		var got size
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "GiB", "-1GiB", "1.5GiB", "4 GiB", "4gib", "9223372036854775807KiB", "99999999999999999999"} {
		require.Error(t, new(size).UnmarshalText([]byte(text)), text)
	}
}

func TestFilesTakeEveryValueUpToTheNextFlag(t *testing.T) {
	parse := func(args ...string) (commands, error) {
		var root commands
		parser, err := kong.New(&root, kong.Name("haechi"))
		require.NoError(t, err)
		_, err = parser.Parse(args)
		return root, err
	}
	root, err := parse("import", "p", "--event-type", "t", "--events", "a.csv", "b.csv", "--labels", "c.csv", "--events=d.csv", "e.csv",
		"--lookup", "x=y.csv", "--lookup", "z=w,v.csv")
	require.NoError(t, err)
	require.Equal(t, "p", root.Import.Dir)
	require.Equal(t, files{"a.csv", "b.csv", "d.csv", "e.csv"}, root.Import.Events)
	require.Equal(t, files{"c.csv"}, root.Import.Labels)
	require.Equal(t, map[string]string{"x": "y.csv", "z": "w,v.csv"}, root.Import.Lookup)
	_, err = parse("import", "p", "--event-type", "t", "--events", "--labels", "c.csv")
	require.Error(t, err, "a flag is not a file")

	root, err = parse("retrain", "p", "--event-type", "t", "--features", "a,b", "--features", "c", "--train", "2018-07-25..2018-08-01",
		"--test", "2018-08-08..2018-08-15", "--memory", "4GiB", "--as-of", "2018-08-15", "--json")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, root.Retrain.Features)
	require.Equal(t, size(4<<30), root.Retrain.Memory)
	require.True(t, root.Retrain.Train.given())
	require.False(t, root.Retrain.AsOf.IsZero())
	require.True(t, root.JSON, "--json stands anywhere")
}

func TestSentence(t *testing.T) {
	for want, err := range map[string]error{
		"plain":                         errors.New("plain"),
		"event.time: is required":       status.Error(codes.InvalidArgument, "event.time: is required"),
		"validation error: a: x; b: y":  status.Error(codes.InvalidArgument, "validation error:\n - a: x\n - b: y"),
		"not found":                     fmt.Errorf("get: %w", status.Error(codes.NotFound, "not found")),
		"interrupted":                   fmt.Errorf("score: %w", t.Context().Err()),
		"one thing; another":            errors.Join(status.Error(codes.Internal, "one thing\nanother"), nil),
		"first violation\nand a second": errors.New("first violation\nand a second"),
	} {
		if want == "interrupted" {
			err = status.Error(codes.Canceled, "context canceled")
		}
		require.Equal(t, want, sentence(err))
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		exitDone: nil, exitFailed: errors.New("x"), exitUsage: fmt.Errorf("y: %w", &usageError{errors.New("x")}),
		exitNo: errors.Join(nil, &checkError{errors.New("x")}),
	} {
		require.Equal(t, want, report(t.Output(), err))
	}
}
