package simulate_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/simulate"
)

func read(t *testing.T, text []byte) (header []string, rows [][]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return all[0], all[1:]
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}

func TestCSVHoldsEveryEvent(t *testing.T) {
	w := make120(t, small)
	var b bytes.Buffer
	require.NoError(t, w.WriteEvents(&b, simulate.Export{}))
	header, rows := read(t, b.Bytes())
	require.Equal(t, []string{"tx_id", "unix_time", "customer_id", "terminal_id", "amount", "country", "age_band", "customer_x", "customer_y",
		"terminal_x", "terminal_y", "is_fraud", "scenario", "label_known_at"}, header)
	require.Len(t, rows, len(w.Events()))
	for i, e := range w.Events() {
		row, c, at := rows[i], w.Customers()[e.Customer], w.Terminals()[e.Terminal]
		require.Equal(t, []int64{e.ID, e.Time, int64(e.Customer), int64(e.Terminal)}, []int64{number(t, row[0]), number(t, row[1]), number(t, row[2]), number(t, row[3])})
		amount, err := strconv.ParseFloat(row[4], 64)
		require.NoError(t, err)
		require.Equal(t, float64(e.Amount)/100, amount)
		require.Regexp(t, `^\d+\.\d\d$`, row[4])
		require.Equal(t, []string{c.Country, c.AgeBand}, row[5:7])
		for k, want := range []float64{c.X, c.Y, at.X, at.Y} {
			got, err := strconv.ParseFloat(row[7+k], 64)
			require.NoError(t, err)
			require.Equal(t, want, got, "positions have three decimals")
		}
		require.Equal(t, e.Fraud(), row[11] == "1")
		require.Equal(t, int64(e.Scenario), number(t, row[12]))
		require.Equal(t, e.KnownAt, number(t, row[13]))
	}
}

func TestExportKnowsNoMoreThanItsMoment(t *testing.T) {
	w := make120(t, func(c *simulate.Config) { c.Days, c.Customers = 60, 400 })
	now := w.Day(60)
	var b bytes.Buffer
	require.NoError(t, w.WriteEvents(&b, simulate.Export{From: w.Day(10), To: now, KnownBy: now, Seconds: true}))
	_, rows := read(t, b.Bytes())
	require.Len(t, rows, len(w.Between(w.Day(10), now)))
	verdicts := map[string]int{}
	for i, e := range w.Between(w.Day(10), now) {
		row := rows[i]
		require.Equal(t, e.Time/1_000_000, number(t, row[1]))
		verdicts[row[11]]++
		if e.KnownAt > now {
			require.Equal(t, []string{"", "", ""}, row[11:14])
			continue
		}
		require.LessOrEqual(t, number(t, row[13]), now/1_000_000)
		require.GreaterOrEqual(t, number(t, row[13]), number(t, row[1]))
	}
	require.Positive(t, verdicts["1"])
	require.Positive(t, verdicts["0"])
	require.Positive(t, verdicts[""])
}

func TestLabelFile(t *testing.T) {
	w := make120(t, nil)
	var b bytes.Buffer
	require.NoError(t, w.WriteLabels(&b, simulate.Export{From: w.Day(50), To: w.Day(60)}))
	header, rows := read(t, b.Bytes())
	require.Equal(t, []string{"tx_id", "verdict", "kind", "known_at"}, header)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		e := w.Events()[number(t, row[0])]
		require.True(t, e.Fraud())
		require.Equal(t, e.KnownAt, number(t, row[3]))
		require.GreaterOrEqual(t, e.KnownAt, w.Day(50))
		require.Less(t, e.KnownAt, w.Day(60))
	}
}

func TestFilesAreTheSameEveryTime(t *testing.T) {
	w := make120(t, small)
	write := func(to io.Writer) error { return w.WriteEvents(to, simulate.Export{}) }
	paths := []string{filepath.Join(t.TempDir(), "a.csv.gz"), filepath.Join(t.TempDir(), "b.csv.gz"), filepath.Join(t.TempDir(), "c.csv")}
	var bytesOf [][]byte
	for _, path := range paths {
		require.NoError(t, simulate.WriteFile(path, write))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		bytesOf = append(bytesOf, text)
	}
	require.Equal(t, bytesOf[0], bytesOf[1])
	unzipped, err := gzip.NewReader(bytes.NewReader(bytesOf[0]))
	require.NoError(t, err)
	text, err := io.ReadAll(unzipped)
	require.NoError(t, err)
	require.Equal(t, bytesOf[2], text)

	require.Error(t, simulate.WriteFile(filepath.Join(t.TempDir(), "no", "such.csv"), write))
	require.ErrorIs(t, w.WriteEvents(fullDisk{}, simulate.Export{}), errFull)
	require.ErrorIs(t, w.WriteLabels(fullDisk{}, simulate.Export{}), errFull)
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
