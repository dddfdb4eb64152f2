package ingest_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
)

const handbook = `
event_type: card_payment
currency: EUR
entities:
  customer: {}
  terminal: {}
labels:
  delay: 7d
  kinds: {chargeback: {arm_neutral: true}}
features: {amount: {field: amount}}
policy: {fallback: review, hash_entity: customer}
import:
  id: tx_id
  time: {column: unix_time, format: unix}
  entities: {customer: customer_id, terminal: terminal_id}
  amount: {column: amount, unit: major}
  label: {column: is_fraud, fraud: "1", legitimate: "0", kind: chargeback}
`

// head copies the first rows of a gzipped file.
func head(t testing.TB, from string, rows int) string {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	text, err := gzip.NewReader(in)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "head.csv")
	out, err := os.Create(path)
	require.NoError(t, err)
	lines := bufio.NewScanner(text)
	for i := 0; i <= rows && lines.Scan(); i++ {
		_, err := io.WriteString(out, lines.Text()+"\n")
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	return path
}

// ordered checks order only and keeps nothing.
type ordered struct {
	last           int64
	events, labels int64
	frauds         int64
	amount         int64
	disorder       int64
}

func (o *ordered) AppendEvent(_ context.Context, _ string, ev *features.Event) (bool, error) {
	if ev.Time < o.last {
		o.disorder++
	}
	o.last = ev.Time
	o.events++
	o.amount += ev.Amount
	return true, nil
}

func (o *ordered) AppendLabel(_ context.Context, _, _ string, l ingest.LabelStatement) (bool, error) {
	if l.KnownAt < o.last {
		o.disorder++
	}
	o.last = l.KnownAt
	o.labels++
	if l.Verdict == features.Fraud {
		o.frauds++
	}
	return true, nil
}

func (o *ordered) Flush(context.Context) error { return nil }

// The numbers were taken from the file with zcat and awk: head -100001 | awk -F, 'NR>1{f+=$6;a+=int($5*100+.5)}END{print f,a}'.
func TestImportHandbookHead(t *testing.T) {
	if underRace {
		t.Skip("millions of rows: make data runs this, without the race detector")
	}
	folder := dataFolder(t)
	job := ingest.Job{
		EventType: eventType(t, handbook), Events: []string{head(t, filepath.Join(folder, "handbook", "transactions.csv.gz"), 100_000)},
		Rejects: filepath.Join(t.TempDir(), "rejects.csv"),
	}
	into := &ordered{}
	report := run(t, job, into)
	require.Equal(t, int64(100_000), report.Events)
	require.Equal(t, int64(100_000), report.Labels)
	require.Zero(t, report.Rejected)
	require.Zero(t, into.disorder)
	require.Equal(t, int64(299), into.frauds)
	require.Equal(t, int64(533313890), into.amount)
}

// BenchmarkImportHandbook reads, sorts and hands over the whole file (1.75 M rows), without a log.
func BenchmarkImportHandbook(b *testing.B) {
	folder := dataFolder(b)
	job := ingest.Job{
		EventType: eventType(b, handbook), Events: []string{filepath.Join(folder, "handbook", "transactions.csv.gz")},
		Rejects: filepath.Join(b.TempDir(), "rejects.csv"),
	}
	b.ReportAllocs()
	for b.Loop() {
		into := &ordered{}
		report := run(b, job, into)
		require.Zero(b, report.Rejected+into.disorder)
		require.Equal(b, int64(1_754_155), report.Events)
		require.Equal(b, int64(14_681), into.frauds)
	}
}
