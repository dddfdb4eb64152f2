package evaluate_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/retrain/evaluate"
)

// TestHandbookProtocol holds Evaluate against the published protocol's own script, on made-up scores of the real payments.
// testdata/make_handbook_golden.py ran that script; the scores are made here by the same arithmetic.
func TestHandbookProtocol(t *testing.T) {
	payments := readHandbook(t)
	text, err := os.ReadFile("testdata/handbook_golden.json")
	require.NoError(t, err)
	var cases []struct {
		Start                   string
		Days, Delay, Known, Top int
		AUC, AP, CP             float64
		Rows, Frauds            int
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Start, func(t *testing.T) {
			day, err := time.Parse(time.DateOnly, c.Start)
			require.NoError(t, err)
			start := day.UnixMicro()
			in := payments.test(start, start+int64(c.Days)*evaluate.DayUS)
			in.Tops = []int{c.Top}
			in.Known = &evaluate.Known{
				Rule:    evaluate.KnownRule{Kind: "customer", Span: int64(c.Delay+c.Known) * evaluate.DayUS, Delay: int64(c.Delay) * evaluate.DayUS},
				History: evaluate.History{Time: payments.time, Entity: payments.customer, Fraud: payments.fraud},
			}
			r, err := evaluate.Evaluate(in)
			require.NoError(t, err)
			require.Equal(t, c.Rows, r.Events)
			require.Equal(t, c.Frauds, r.Frauds)
			require.InDelta(t, c.AUC, r.AUC, 1e-9)
			require.InDelta(t, c.AP, r.AP, 1e-9)
			require.InDelta(t, c.CP, r.CardPrecision[0].Value, 1e-9)
			require.Greater(t, r.CardPrecision[0].Ceiling, r.CardPrecision[0].Value)
			require.Len(t, r.CardPrecision[0].ByDay, c.Days)
			if c.Start == "2018-08-08" {
				require.InDelta(t, .397, r.CardPrecision[0].Ceiling, .0005, "published: perfect would be .397")
			}
		})
	}
}

type handbook struct {
	time     []int64
	customer []int
	fraud    []bool
	score    []float64
	amount   []float64
}

// score is the one of testdata/make_handbook_golden.py.
func score(tx, cents int64, fraud bool) float64 {
	h := (tx * 2654435761) % (1 << 32)
	sum := (h>>9)%3000 + cents/40
	if fraud && h%3 != 0 {
		sum += 1700
	}
	return float64(sum/9) / 16
}

func (h *handbook) test(from, to int64) evaluate.Input {
	in := evaluate.Input{Start: from, End: to, EntityKind: "customer"}
	for i, at := range h.time {
		if at < from || at >= to {
			continue
		}
		in.Time, in.Entity, in.Fraud = append(in.Time, at), append(in.Entity, h.customer[i]), append(in.Fraud, h.fraud[i])
		in.Raw, in.Amount = append(in.Raw, h.score[i]), append(in.Amount, h.amount[i])
	}
	return in
}

// dataFolder is HAECHI_DATA, or shared/data beside the repository. It skips the test when there is none.
func dataFolder(t *testing.T) string {
	t.Helper()
	root, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, filepath.Dir(root), root, "no go.mod above the test")
		root = filepath.Dir(root)
	}
	folder := os.Getenv("HAECHI_DATA")
	if folder == "" {
		folder = "../shared/data"
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(root, folder)
	}
	if _, err := os.Stat(filepath.Join(folder, "handbook")); err != nil {
		require.NotEqual(t, "1", os.Getenv("HAECHI_REQUIRE_DATA"), "HAECHI_REQUIRE_DATA=1, but %v", err)
		t.Skipf("no shared data: %v; set HAECHI_DATA", err)
	}
	return folder
}

func readHandbook(t *testing.T) *handbook {
	t.Helper()
	file, err := os.Open(filepath.Join(dataFolder(t), "handbook", "transactions.csv.gz"))
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines := bufio.NewScanner(unzipped)
	require.True(t, lines.Scan())
	require.Equal(t, "tx_id,unix_time,customer_id,terminal_id,amount,is_fraud,scenario", lines.Text())
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	}
	h := &handbook{}
	first := time.Date(2018, 5, 15, 0, 0, 0, 0, time.UTC).Unix() // before the history of the earliest case
	last := time.Date(2018, 9, 6, 0, 0, 0, 0, time.UTC).Unix()
	for lines.Scan() {
		f := strings.Split(lines.Text(), ",")
		at := number(f[1])
		if at < first || at >= last {
			continue
		}
		whole, part, _ := strings.Cut(f[4], ".")
		cents := number(whole)*100 + number((part + "00")[:2])
		fraud := f[5] == "1"
		h.time = append(h.time, at*1_000_000)
		h.customer = append(h.customer, int(number(f[2])))
		h.fraud = append(h.fraud, fraud)
		h.score = append(h.score, score(number(f[0]), cents, fraud))
		h.amount = append(h.amount, float64(cents)/100)
	}
	require.NoError(t, lines.Err())
	return h
}
