package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/ingest"
)

func writeParquet[T any](t testing.TB, folder string, rows []T) string {
	t.Helper()
	path := filepath.Join(folder, "p.parquet")
	file, err := os.Create(path)
	require.NoError(t, err)
	w := parquet.NewGenericWriter[T](file, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(700))
	_, err = w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
	return path
}

// plainRow has the types that a program without logical types writes.
type plainRow struct {
	TX       int64    `parquet:"tx"`
	At       int64    `parquet:"at"`
	Customer string   `parquet:"customer,dict"`
	Device   *string  `parquet:"device,optional"`
	Channel  string   `parquet:"channel"`
	Night    int32    `parquet:"night"`
	KM       *float64 `parquet:"km,optional"`
	Amount   float64  `parquet:"amount"`
	Fraud    int32    `parquet:"fraud"`
	Tags     []string `parquet:"tags,list"` // cannot be mapped and is not
}

func TestImportParquetEqualsCSV(t *testing.T) {
	var lines []string
	var rows []plainRow
	for i := range 2000 {
		device, km := fmt.Sprint("d", i%5), float64(i%100)/8
		r := plainRow{TX: int64(i), At: int64(1_600_000_000 + i), Customer: []string{"a", "b", "x"}[i%3], Channel: "chip", Night: int32(i % 2), Amount: float64(i*7) / 100, Fraud: int32(i % 2), Tags: []string{"t", "u"}}
		line := fmt.Sprintf("%d,%d,%s,", r.TX, r.At, r.Customer)
		if i%4 == 0 {
			r.Device = &device
			line += device
		}
		line += fmt.Sprintf(",chip,%d,", i%2)
		if i%3 == 0 {
			r.KM = &km
			line += fmt.Sprint(km)
		}
		rows, lines = append(rows, r), append(lines, line+fmt.Sprintf(",%d.%02d,%d", i*7/100, i*7%100, i%2))
	}
	fromCSV, fromParquet := newLedger(), newLedger()
	job := payments(t, "p.csv", lines...)
	want := run(t, job, fromCSV)
	job.Events = []string{writeParquet(t, filepath.Dir(job.Rejects), rows)}
	last := ingest.Progress{}
	job.Progress = func(p ingest.Progress) { last = p }
	require.Equal(t, want, run(t, job, fromParquet))
	require.True(t, slices.Equal(fromCSV.order, fromParquet.order))
	require.Equal(t, fmt.Sprint(fromCSV.events), fmt.Sprint(fromParquet.events), "NaN prints alike")
	require.Equal(t, fromCSV.labels, fromParquet.labels)
	require.Equal(t, ingest.Progress{Stage: "appending", Bytes: last.TotalBytes, TotalBytes: last.TotalBytes, Rows: 2000, Appended: 4000, Total: 4000}, last)
}

// typedRow states its types in the file: the mapping's time format is for text and bare numbers only.
type typedRow struct {
	TX       uint32    `parquet:"tx"`
	At       time.Time `parquet:"at,timestamp(microsecond)"`
	Customer string    `parquet:"customer,enum"`
	Device   string    `parquet:"device,optional"`
	Channel  string    `parquet:"channel"`
	Night    int32     `parquet:"night"`
	KM       int64     `parquet:"km,decimal(3:18)"`
	Amount   int32     `parquet:"amount,decimal(2:9)"`
	Fraud    string    `parquet:"fraud,optional"`
}

func TestImportParquetKeepsStatedTypes(t *testing.T) {
	at := time.Date(2020, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	job := payments(t, "p.csv")
	job.Events = []string{writeParquet(t, filepath.Dir(job.Rejects), []typedRow{
		{TX: 4_000_000_000, At: at, Customer: "a", Channel: "online", KM: -5, Amount: -7, Fraud: "1"},
		{TX: 2, At: at.Add(time.Hour), Customer: "b", Channel: "online", KM: 1500, Amount: 123_456},
	})}
	into := newLedger()
	require.Equal(t, int64(2), run(t, job, into).Events)
	first := into.events["4000000000"]
	require.Equal(t, at.UnixMicro(), first.Time)
	require.Equal(t, int64(-7), first.Amount)
	require.Equal(t, []float64{-0.005}, first.Numbers)
	require.Equal(t, int64(123_456), into.events["2"].Amount)
	require.Equal(t, []float64{1.5}, into.events["2"].Numbers)
	require.Len(t, into.labels, 1)
}

func TestImportRefusesWhatIsNoParquet(t *testing.T) {
	job := payments(t, "p.csv")
	job.Events = []string{write(t, filepath.Dir(job.Rejects), "q.parquet", "tx,at")}
	_, err := ingest.Import(t.Context(), job, newLedger())
	require.ErrorContains(t, err, "not a readable Parquet file")
	job.Events = []string{write(t, filepath.Dir(job.Rejects), "q.tsv", "tx")}
	_, err = ingest.Import(t.Context(), job, newLedger())
	require.ErrorContains(t, err, ".parquet")
	job.Events = []string{write(t, filepath.Dir(job.Rejects), "q.csv.gz")}
	require.NoError(t, os.WriteFile(job.Events[0], []byte("no gzip"), 0o600))
	_, err = ingest.Import(t.Context(), job, newLedger())
	require.ErrorContains(t, err, "not a gzip file")
}
