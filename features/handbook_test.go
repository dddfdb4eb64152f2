package features_test

import (
	"bufio"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// published names the columns of the published file and the features that reproduce them, in the file's order.
var published = []struct{ column, feature string }{
	{"tx_during_weekend", "weekend"}, {"tx_during_night", "night"},
	{"customer_id_nb_tx_1day_window", "customer_payments_1d"}, {"customer_id_avg_amount_1day_window", "customer_amount_mean_1d"},
	{"customer_id_nb_tx_7day_window", "customer_payments_7d"}, {"customer_id_avg_amount_7day_window", "customer_amount_mean_7d"},
	{"customer_id_nb_tx_30day_window", "customer_payments_30d"}, {"customer_id_avg_amount_30day_window", "customer_amount_mean_30d"},
	{"terminal_id_nb_tx_1day_window", "terminal_payments_1d"}, {"terminal_id_risk_1day_window", "terminal_fraud_share_1d"},
	{"terminal_id_nb_tx_7day_window", "terminal_payments_7d"}, {"terminal_id_risk_7day_window", "terminal_fraud_share_7d"},
	{"terminal_id_nb_tx_30day_window", "terminal_payments_30d"}, {"terminal_id_risk_30day_window", "terminal_fraud_share_30d"},
}

func handbookSchema() *features.Schema {
	return &features.Schema{EventType: "card_payment", Currency: "EUR", MinorDigits: 2,
		Entities:   []features.EntityKind{{Name: "customer"}, {Name: "terminal"}},
		LabelDelay: 7 * features.Day, AllowedLateness: features.DefaultAllowedLateness}
}

// publishedSpecs are the published features as an event type writes them.
func publishedSpecs() ([]string, map[string]features.Spec) {
	yes := true
	windows := []string{"1d", "7d", "30d"}
	specs := map[string]features.Spec{
		"amount":               {Field: "amount"},
		"night":                {Calendar: "hour", Zone: "UTC", Between: []string{"0", "6"}},
		"weekend":              {Calendar: "weekday", Zone: "UTC", Between: []string{"sat", "sun"}},
		"customer_payments":    {Count: "events", By: "customer", Windows: windows, IncludeCurrent: &yes},
		"customer_amount_mean": {Mean: "amount", By: "customer", Windows: windows, IncludeCurrent: &yes},
		"terminal_payments":    {Count: "events", By: "terminal", Windows: windows, Delay: "7d"},
		"terminal_fraud_share": {FraudShare: "events", By: "terminal", Windows: windows, Delay: "7d"},
	}
	return []string{"amount", "night", "weekend", "customer_payments", "customer_amount_mean", "terminal_payments", "terminal_fraud_share"}, specs
}

// personalSpecs are features of the customer's own habits and the terminal's known frauds, as the card payment example has them.
func personalSpecs() ([]string, map[string]features.Spec) {
	names, specs := publishedSpecs()
	no := false
	windows := []string{"7d", "30d", "90d"}
	for name, spec := range map[string]features.Spec{
		"own_mean":        {Mean: "amount", By: "customer", Windows: windows, IncludeCurrent: &no},
		"own_std":         {Std: "amount", By: "customer", Windows: windows, IncludeCurrent: &no},
		"own_max":         {Max: "amount", By: "customer", Windows: windows, IncludeCurrent: &no},
		"gap":             {TimeSinceLast: "events", By: "customer"},
		"seen":            {FirstSeenAge: "events", By: "terminal"},
		"frauds":          {FraudCount: "events", By: "terminal", Windows: []string{"7d", "28d", "60d"}, Delay: "7d"},
		"fraud_age":       {LastFraudAge: "events", By: "terminal", Windows: []string{"60d"}, Delay: "7d"},
		"first_fraud_age": {FirstFraudAge: "events", By: "terminal", Windows: []string{"60d"}, Delay: "7d"},
		"customer_frauds": {FraudCount: "events", By: "customer", Windows: []string{"30d"}, Delay: "7d"},
		"vs_mean":         {Expr: "amount / own_mean_30d"},
		"vs_max":          {Expr: "amount / own_max_90d"},
		"deviation":       {Expr: "(amount - own_mean_30d) / own_std_30d"},
		"vs_terminal":     {Expr: "missing(frauds_28d) ? 0 : log1p(frauds_28d)"},
	} {
		specs[name] = spec
	}
	return append(names, "own_mean", "own_std", "own_max", "gap", "seen", "frauds", "fraud_age", "first_fraud_age", "customer_frauds", "vs_mean",
		"vs_max", "deviation", "vs_terminal"), specs
}

// payment is one row of the Handbook's data.
type payment struct {
	event features.Event
	fraud bool
}

// handbook opens a file of the shared data, or skips the test when it is not there.
func handbook(t testing.TB, name string) *bufio.Scanner {
	t.Helper()
	dir := os.Getenv("HAECHI_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir) // relative to the repository, tests run in their package
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

// payments reads the Handbook's payments before a time, in the order of the file.
func payments(t testing.TB, before int64) []payment {
	t.Helper()
	lines := handbook(t, "transactions.csv.gz")
	require.True(t, lines.Scan())
	require.Equal(t, "tx_id,unix_time,customer_id,terminal_id,amount,is_fraud,scenario", lines.Text())
	var out []payment
	for lines.Scan() {
		cells := strings.Split(lines.Text(), ",")
		unix, err := strconv.ParseInt(cells[1], 10, 64)
		require.NoError(t, err)
		if unix*features.Second >= before {
			break
		}
		cents, err := strconv.ParseInt(strings.Replace(cells[4], ".", "", 1), 10, 64)
		require.NoError(t, err)
		out = append(out, payment{features.Event{ID: cells[0], Time: unix * features.Second, Amount: cents, Entities: cells[2:4:4]}, cells[5] == "1"})
	}
	require.NoError(t, lines.Err())
	return out
}

// replay observes payments and their labels as an import merges them: by time, labels first at equal time, known a delay after their event.
func replay(t testing.TB, engine *features.Engine, history []payment, delay int64, seen func(i int, vector []float64)) {
	t.Helper()
	vector := make([]float64, len(engine.Definitions()))
	sequences := make([]uint64, len(history))
	var clock features.Clock
	var sequence uint64
	var at int
	commit := func([]uint64) (features.Placement, error) {
		sequence++
		sequences[at] = sequence
		return features.Placement{Sequence: sequence, Outcome: clock.Admit(history[at].event.Time, features.DefaultAllowedLateness), Since: clock.Since()}, nil
	}
	due := 0
	for i := range history {
		for ; history[due].event.Time+delay <= history[i].event.Time; due++ {
			if !history[due].fraud {
				continue
			}
			err := engine.Label(&history[due].event, sequences[due], func() (features.Label, error) {
				sequence++
				return features.Label{Sequence: sequence, Verdict: features.Fraud, KnownAt: history[due].event.Time + delay}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		at = i
		if _, err := engine.Observe(&history[i].event, vector, commit); err != nil {
			t.Fatal(err)
		}
		if seen != nil {
			seen(i, vector)
		}
	}
}

func newEngine(t testing.TB, schema *features.Schema, names []string, specs map[string]features.Spec) *features.Engine {
	t.Helper()
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	engine, err := features.NewEngine(schema, definitions, features.EngineOptions{})
	require.NoError(t, err)
	return engine
}

// TestHandbook holds the engine against the published features: all rows to the digits printed, but for the customer features of the twenty rows
// whose order the publisher's sort left open (the data's README).
func TestHandbook(t *testing.T) {
	if underRace {
		t.Skip("millions of rows: make data runs this, without the race detector")
	}
	printed := handbook(t, "features_20180725_20180814.csv.gz")
	require.True(t, printed.Scan())
	header := strings.Split(printed.Text(), ",")
	history := payments(t, 1_534_291_200*features.Second) // 2018-08-15
	schema := handbookSchema()
	names, specs := publishedSpecs()
	engine := newEngine(t, schema, names, specs)
	column := make([]int, len(published))
	for i, p := range published {
		require.Equal(t, p.column, header[i+1])
		column[i] = position(t, engine, p.feature)
	}
	rows, differing := 0, 0
	more := printed.Scan()
	replay(t, engine, history, 7*features.Day, func(i int, vector []float64) {
		if !more {
			return
		}
		cells := strings.Split(printed.Text(), ",")
		if cells[0] != history[i].event.ID {
			return
		}
		rows++
		differs := false
		for k, p := range published {
			if prints(t, cells[k+1], vector[column[k]]) {
				continue
			}
			differs = true
			if !strings.HasPrefix(p.column, "customer_id_") {
				t.Errorf("payment %s: %s is %v, published %s", cells[0], p.feature, vector[column[k]], cells[k+1])
			}
		}
		if differs {
			differing++
			if !tied(history, i) {
				t.Errorf("payment %s differs without sharing its second with another of its customer", cells[0])
			}
		}
		more = printed.Scan()
	})
	require.NoError(t, printed.Err())
	require.False(t, more, "published rows without a payment")
	require.Equal(t, 201_295, rows)
	require.LessOrEqual(t, differing, 20, "rows that differ in customer features")
	t.Logf("%d rows, %d differ in customer features", rows, differing)
}

// tied says whether the payment shares its second with another one of its customer.
func tied(history []payment, i int) bool {
	same := func(j int) bool {
		return history[j].event.Time == history[i].event.Time && history[j].event.Entities[0] == history[i].event.Entities[0]
	}
	for j := i - 1; j >= 0 && history[j].event.Time == history[i].event.Time; j-- {
		if same(j) {
			return true
		}
	}
	for j := i + 1; j < len(history) && history[j].event.Time == history[i].event.Time; j++ {
		if same(j) {
			return true
		}
	}
	return false
}

// prints says whether text is x rounded to the six decimals that are printed. Of a tie (a mean over 16 payments, say) both neighbours will do: the
// publisher's floating sums left ties on either side.
func prints(t testing.TB, text string, x float64) bool {
	printed, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return math.Abs(x-printed) <= 0.5e-6+1e-10
}

func position(t testing.TB, engine *features.Engine, name string) int {
	t.Helper()
	for i, d := range engine.Definitions() {
		if d.Name == name {
			return i
		}
	}
	t.Fatalf("no feature %s", name)
	return -1
}

// BenchmarkHandbook replays all payments of the Handbook with the published and the personal features; one operation is one payment.
func BenchmarkHandbook(b *testing.B) {
	history := payments(b, math.MaxInt64)
	names, specs := personalSpecs()
	var engine *features.Engine
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		engine = newEngine(b, handbookSchema(), names, specs)
		part := history[:min(len(history), b.N-done)]
		replay(b, engine, part, 7*features.Day, nil)
		done += len(part)
	}
	b.ReportMetric(float64(len(engine.Definitions())), "features")
}
