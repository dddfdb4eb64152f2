package offline_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/offline"
	"github.com/haechi-fraud/haechi/internal/project"
)

// payment is a row of the Handbook's data.
type payment struct {
	ID       int64   `parquet:"tx_id,delta"`
	Time     int64   `parquet:"unix_time,delta"`
	Customer int64   `parquet:"customer_id,dict"`
	Terminal int64   `parquet:"terminal_id,dict"`
	Amount   float64 `parquet:"amount"`
	Fraud    int64   `parquet:"is_fraud,dict"`
}

// handbook opens a file of the shared data, or skips the test when it is not there.
func handbook(t testing.TB, name string) *bufio.Scanner {
	t.Helper()
	dir := os.Getenv("HAECHI_DATA")
	if dir == "" {
		dir = filepath.Join("..", "shared", "data")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir) // relative to the repository, tests run in their package
	}
	file, err := os.Open(filepath.Join(dir, "handbook", name))
	if os.IsNotExist(err) && os.Getenv("HAECHI_REQUIRE_DATA") != "1" {
		t.Skipf("no shared data: %v; set HAECHI_DATA to its folder", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	return bufio.NewScanner(unzipped)
}

// payments reads the Handbook's payments of a span, in the order of the file; times in seconds.
func payments(t testing.TB, from, to int64) (out []payment) {
	t.Helper()
	lines := handbook(t, "transactions.csv.gz")
	require.True(t, lines.Scan())
	for lines.Scan() {
		cells := strings.Split(lines.Text(), ",")
		whole := func(i int) int64 {
			n, err := strconv.ParseInt(cells[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		at := whole(1)
		if at < from {
			continue
		}
		if at >= to {
			break
		}
		amount, err := strconv.ParseFloat(cells[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, payment{whole(0), at, whole(2), whole(3), amount, whole(5)})
	}
	require.NoError(t, lines.Err())
	return out
}

func cardPayments(t testing.TB) *project.EventType {
	t.Helper()
	p, err := project.Load("../../examples/card-payments")
	require.NoError(t, err)
	return p.EventTypes[0]
}

func writePayments(t testing.TB, rows []payment) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[payment](&b, parquet.Compression(&parquet.Snappy))
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return writeFile(t, "payments.parquet", b.String())
}

const (
	firstPublished = 1_532_476_800 // 2018-07-25, in seconds
	lastPublished  = 1_534_291_200 // 2018-08-15
	longestWindow  = 37 * 86_400   // 30 days that end 7 days before
)

// TestHandbook holds a replay against the published features and, bit for bit, against one engine that is fed in order.
func TestHandbook(t *testing.T) {
	if underRace {
		t.Skip("millions of rows: make data runs this, without the race detector")
	}
	rows := payments(t, firstPublished-longestWindow, lastPublished)
	et := cardPayments(t)
	names, err := et.FeatureList("@published")
	require.NoError(t, err)
	got, report := replay(t, offline.Job{EventType: et, Events: []string{writePayments(t, rows)}, Features: names, Cores: 2, Memory: 4 << 20})
	require.Empty(t, report.AsText, "read by columns")
	same(t, names, oneEngine(t, et, names, rows), got)

	printed := handbook(t, "features_20180725_20180814.csv.gz")
	require.True(t, printed.Scan())
	order := []string{"weekend", "night", "customer_payments_1d", "customer_amount_mean_1d", "customer_payments_7d", "customer_amount_mean_7d",
		"customer_payments_30d", "customer_amount_mean_30d", "terminal_payments_1d", "terminal_fraud_share_1d", "terminal_payments_7d",
		"terminal_fraud_share_7d", "terminal_payments_30d", "terminal_fraud_share_30d"}
	column := map[string][]uint64{}
	for i, name := range names {
		column[name] = got.columns[i]
	}
	row, compared, differing := 0, 0, map[string]bool{}
	for ; printed.Scan(); compared++ {
		cells := strings.Split(printed.Text(), ",")
		for got.ids[row] != cells[0] {
			row++
		}
		for i, name := range order {
			want, err := strconv.ParseFloat(cells[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(math.Float64frombits(column[name][row])-want) > 0.5e-6+1e-10 {
				require.True(t, strings.HasPrefix(name, "customer_"), "payment %s: %s", cells[0], name)
				differing[cells[0]] = true
			}
		}
	}
	require.NoError(t, printed.Err())
	require.Equal(t, 201_295, compared)
	require.LessOrEqual(t, len(differing), 20, "rows whose order the publisher's sort left open")
}

// oneEngine feeds payments in order to one engine, labels merged by time.
func oneEngine(t testing.TB, et *project.EventType, names []string, rows []payment) *answer {
	t.Helper()
	definitions, err := features.Needed(et.Definitions, names)
	require.NoError(t, err)
	engine, err := features.NewEngine(&et.Schema, definitions, features.EngineOptions{})
	require.NoError(t, err)
	event := func(p *payment) features.Event {
		return features.Event{ID: strconv.FormatInt(p.ID, 10), Time: p.Time * features.Second, Amount: int64(math.Round(p.Amount * 100)),
			Entities: []string{strconv.FormatInt(p.Customer, 10), strconv.FormatInt(p.Terminal, 10)}}
	}
	a := &answer{columns: make([][]uint64, len(names))}
	vector, sequences := make([]float64, len(definitions)), make([]uint64, len(rows))
	sequence, due := uint64(0), 0
	for i := range rows {
		ev := event(&rows[i])
		for ; rows[due].Time*features.Second+et.Labels.Delay <= ev.Time; due++ {
			if rows[due].Fraud == 0 {
				continue
			}
			past := event(&rows[due])
			require.NoError(t, engine.Label(&past, sequences[due], func() (features.Label, error) {
				sequence++
				return features.Label{Sequence: sequence, Verdict: features.Fraud, KnownAt: past.Time + et.Labels.Delay}, nil
			}))
		}
		_, err := engine.Observe(&ev, vector, func([]uint64) (features.Placement, error) {
			sequence++
			sequences[i] = sequence
			return features.Placement{Sequence: sequence, Outcome: features.InOrder}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		a.ids, a.times = append(a.ids, ev.ID), append(a.times, ev.Time)
		for c := range names {
			a.columns[c] = append(a.columns[c], math.Float64bits(vector[c]))
		}
	}
	return a
}
