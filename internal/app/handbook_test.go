package app_test

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// handbookPayments is the Handbook's file of payments; tests skip, or fail where data is required, when it is absent.
func handbookPayments(t *testing.T) string {
	t.Helper()
	data := os.Getenv("HAECHI_DATA")
	if data == "" {
		data = "../shared/data"
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join("../..", data)
	}
	path := filepath.Join(data, "handbook", "transactions.csv.gz")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("HAECHI_REQUIRE_DATA") == "1" {
			t.Fatalf("the data is required: %v", err)
		}
		t.Skipf("the Handbook's data is absent: %v", err)
	}
	return path
}

// slice writes the payments of a span into a file of their own.
func slice(t *testing.T, path string, from, to time.Time) string {
	t.Helper()
	in, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	unzipped, err := gzip.NewReader(in)
	require.NoError(t, err)
	r := csv.NewReader(unzipped)
	name := filepath.Join(t.TempDir(), "slice.csv")
	out, err := os.Create(name)
	require.NoError(t, err)
	w := csv.NewWriter(out)
	for line := 0; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if line > 0 {
			at, err := strconv.ParseInt(row[1], 10, 64)
			require.NoError(t, err)
			if at < from.Unix() || at >= to.Unix() {
				continue
			}
		}
		require.NoError(t, w.Write(row))
	}
	w.Flush()
	require.NoError(t, errors.Join(w.Error(), out.Close()))
	return name
}

// TestHandbookBaselineWeek trains and tests on the published protocol's baseline week with the published features, through
// the product: at least as good as what was published, and not better than these features allow without a leak.
func TestHandbookBaselineWeek(t *testing.T) {
	if underRace {
		t.Skip("millions of rows: make data runs this, without the race detector")
	}
	day := func(month time.Month, d int) time.Time { return time.Date(2018, month, d, 0, 0, 0, 0, time.UTC) }
	span := func(from, to time.Time) *haechiv1.Span {
		return &haechiv1.Span{From: timestamppb.New(from), To: timestamppb.New(to)}
	}
	// The longest published window reaches back 30 days, ending 7 days before the payment.
	payments := slice(t, handbookPayments(t), day(6, 18), day(8, 15))
	dir := t.TempDir()
	_, err := app.Init(dir, "card-payments")
	require.NoError(t, err)
	a := open(t, dir, false)
	imported := importFile(t, a.Conn(), payments)
	require.Zero(t, imported.RowsRejected)
	run := retrainRun(t, a.Conn(), &haechiv1.StartRetrainRequest{
		EventType: "card_payment", AsOf: timestamppb.New(day(8, 23)), Train: span(day(7, 25), day(8, 1)), Test: span(day(8, 8), day(8, 15)),
		Features: []string{"@published"}, ExcludeKnown: "customer:14d", Actor: "tester",
	})
	require.Equal(t, "done", run.State, run.Error)
	test := run.Report.GetFields()["test"].GetStructValue().GetFields()
	require.InDelta(t, 58264, test["events"].GetNumberValue(), 0)
	require.InDelta(t, 385, test["frauds"].GetNumberValue(), 0)
	require.GreaterOrEqual(t, test["auc"].GetNumberValue(), .865)
	require.GreaterOrEqual(t, test["average_precision"].GetNumberValue(), .67)
	require.Less(t, test["average_precision"].GetNumberValue(), .75, "with these features that is a leak")
	top := test["card_precision"].GetListValue().GetValues()[0].GetStructValue().GetFields()
	require.GreaterOrEqual(t, top["value"].GetNumberValue(), .29)
	stop(t, a)
}
