package cli_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
)

// cardPayment is a row of the Handbook's data.
type cardPayment struct {
	ID       int64   `parquet:"tx_id"`
	Time     int64   `parquet:"unix_time"`
	Customer int64   `parquet:"customer_id"`
	Terminal int64   `parquet:"terminal_id"`
	Amount   float64 `parquet:"amount"`
	Fraud    int64   `parquet:"is_fraud"`
}

// TestSpark runs haechi as a child of Spark's partitions, in every way that docs/offline.md shows: the vectors are bit for
// bit those of one process. It takes some of the Handbook's customers; HAECHI_SPARK_ROWS=all takes all of them.
func TestSpark(t *testing.T) {
	python := sparkPython(t)
	dir := t.TempDir()
	haechi := filepath.Join(dir, "haechi")
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, haechi)) // TestMain makes this binary haechi under that name
	events, vectors := filepath.Join(dir, "payments.parquet"), filepath.Join(dir, "vectors.parquet")
	writeCardPayments(t, events)
	const project = "../../examples/card-payments"
	run := func(name string, args ...string) string {
		command := exec.Command(name, args...)
		var words strings.Builder
		command.Stderr = &words
		out, err := command.Output()
		require.NoError(t, err, "%s", words.String())
		return string(out)
	}
	run(haechi, "features", "replay", project, "--features", "@published", "--events", events, "--out", vectors)
	absolute, err := filepath.Abs(project)
	require.NoError(t, err)
	out := run(python, "../offline/sparktest/check.py", haechi, absolute, events, vectors)
	require.Contains(t, out, "mapInArrow by terminal")
	require.Contains(t, out, "SELECT TRANSFORM")
	require.Contains(t, out, "rows out of order end the job")
	t.Log("\n" + out)
}

// sparkPython is the Python that has Spark; without it or without Java the test is skipped.
func sparkPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("HAECHI_SPARK")
	if python == "" {
		var err error
		python, err = filepath.Abs("../../lib/spark/bin/python")
		require.NoError(t, err)
	}
	_, err := os.Stat(python)
	_, java := exec.LookPath("java")
	if problem := errors.Join(err, java); problem != nil {
		require.NotEqual(t, "1", os.Getenv("HAECHI_REQUIRE_SPARK"), "%v", problem)
		t.Skipf("no Spark: %v; make spark installs it, and needs Java", problem)
	}
	return python
}

// writeCardPayments writes the payments of some customers in the first ten weeks, or all there are.
func writeCardPayments(t *testing.T, path string) {
	t.Helper()
	all := os.Getenv("HAECHI_SPARK_ROWS") == "all"
	dir := os.Getenv("HAECHI_DATA")
	if dir == "" {
		dir = filepath.Join("..", "shared", "data")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir) // relative to the repository, tests run in their package
	}
	file, err := os.Open(filepath.Join(dir, "handbook", "transactions.csv.gz"))
	if os.IsNotExist(err) && os.Getenv("HAECHI_REQUIRE_DATA") != "1" {
		t.Skipf("no shared data: %v; set HAECHI_DATA to its folder", err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var rows []cardPayment
	lines := bufio.NewScanner(io.Reader(unzipped))
	for lines.Scan() {
		var p cardPayment
		cells := strings.Split(lines.Text(), ",")
		if p.Customer, err = strconv.ParseInt(cells[2], 10, 64); err != nil || !all && p.Customer%64 != 0 {
			continue
		}
		var problems [5]error
		p.ID, problems[0] = strconv.ParseInt(cells[0], 10, 64)
		p.Time, problems[1] = strconv.ParseInt(cells[1], 10, 64)
		p.Terminal, problems[2] = strconv.ParseInt(cells[3], 10, 64)
		p.Amount, problems[3] = strconv.ParseFloat(cells[4], 64)
		p.Fraud, problems[4] = strconv.ParseInt(cells[5], 10, 64)
		require.NoError(t, errors.Join(problems[:]...))
		if !all && p.Time > 1_528_600_000 {
			break
		}
		rows = append(rows, p)
	}
	require.NoError(t, lines.Err())
	out, err := os.Create(path)
	require.NoError(t, err)
	w := parquet.NewGenericWriter[cardPayment](out)
	_, err = w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, errors.Join(w.Close(), out.Close()))
}
