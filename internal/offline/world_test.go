package offline_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/offline"
	"github.com/haechi-fraud/haechi/internal/project"
)

// worldType declares three kinds of entities, one of them optional, and features of every sort that matters here: of one
// kind, of the event, and expressions within a kind and across kinds.
const worldType = `
event_type: transfer
currency: EUR
entities:
  customer: {}
  terminal: {}
  device: {optional: true}
attributes:
  country: {type: category, values: [de, fr, us]}
  online: {type: flag}
numbers:
  km: {scale: 1}
  risk: {}
labels:
  delay: 2d
  kinds: {chargeback: {arm_neutral: true}}
features:
  amount: {field: amount}
  hour: {calendar: hour, zone: Europe/Berlin}
  country: {category: country}
  online: {flag: online}
  customer_count: {count: events, by: customer, windows: [1h, 1d], include_current: true}
  customer_std: {std: amount, by: customer, windows: [3d], include_current: false}
  customer_km: {sum: km, by: customer, windows: [1d], include_current: true}
  customer_risk: {max: risk, by: customer, windows: [1d], include_current: false}
  customer_gap: {time_since_last: events, by: customer}
  terminal_frauds: {fraud_count: events, by: terminal, windows: [3d], delay: 2d}
  terminal_share: {fraud_share: events, by: terminal, windows: [5d], delay: 1d}
  terminal_age: {last_fraud_age: events, by: terminal, windows: [9d], delay: 0d}
  device_count: {count: events, by: device, windows: [1d], include_current: true}
  device_seen: {first_seen_age: events, by: device}
  vs_usual: {expr: amount / customer_std_3d}
  across: {expr: "missing(device_count_1d) ? -1.0 : customer_count_1d / (1.0 + terminal_share_5d) + km"}
  further: {expr: across * device_count_1d}
train: {span: 7d}
policy:
  fallback: review
  hash_entity: customer
  thresholds:
    review: {alerts_per_day: 100, per: customer}
    decline: {precision_at_least: 0.9}
  costs: {missed_fraud: amount, false_decline: 15.00, review: 4.00}
import:
  id: id
  time: {column: at, format: unix_us}
  entities: {customer: customer, terminal: terminal, device: device}
  attributes: {country: {from: land, values: {D: de, F: fr, U: us, X: us}}, online: online}
  numbers: {km: km, risk: risk}
  amount: {column: amount, unit: major}
  label: {column: fraud, fraud: "1", legitimate: "0", kind: chargeback}
  labels: {id: event, verdict: verdict, known_at: {column: known, format: unix_us}, kind: chargeback}
`

func worldEventType(t testing.TB) *project.EventType {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../examples/card-payments")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "event_types")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "event_types"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "event_types", "transfer.yaml"), []byte(worldType), 0o644))
	p, err := project.Load(dir)
	require.NoError(t, err)
	return p.EventTypes[0]
}

// transfer is a row of the world, as a Parquet file holds it.
type transfer struct {
	ID       int64    `parquet:"id"`
	At       int64    `parquet:"at"`
	Customer string   `parquet:"customer,dict"`
	Terminal int32    `parquet:"terminal"`
	Device   *int64   `parquet:"device,optional,dict"`
	Land     *string  `parquet:"land,optional,dict"`
	Online   *string  `parquet:"online,optional"`
	Km       *float64 `parquet:"km,optional"`
	Risk     *float64 `parquet:"risk,optional"`
	Amount   float64  `parquet:"amount"`
	Fraud    *int32   `parquet:"fraud,optional"`
}

func world(seed uint64, rows int) []transfer {
	r := rand.New(rand.NewPCG(seed, 1))
	at := int64(1_700_000_000_000_000)
	out := make([]transfer, rows)
	for i := range out {
		if r.IntN(3) > 0 { // a third share their time with the one before
			at += r.Int64N(2 * 60 * features.Second)
		}
		x := transfer{ID: int64(i), At: at, Customer: "c" + strconv.Itoa(int(math.Pow(r.Float64(), 3)*60)), Terminal: r.Int32N(25), Amount: float64(r.IntN(100_000)) / 100}
		maybe(r, 70, &x.Device, r.Int64N(30))
		maybe(r, 80, &x.Land, []string{"D", "F", "U", "X"}[r.IntN(4)])
		maybe(r, 80, &x.Online, []string{"true", "false"}[r.IntN(2)])
		maybe(r, 90, &x.Km, float64(r.IntN(10_000))/10)
		maybe(r, 90, &x.Risk, r.NormFloat64())
		maybe(r, 95, &x.Fraud, int32(r.IntN(12)/11))
		out[i] = x
	}
	return out
}

func maybe[T any](r *rand.Rand, percent int, to **T, value T) {
	if r.IntN(100) < percent {
		*to = &value
	}
}

func writeParquet(t testing.TB, rows []transfer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.parquet")
	var b bytes.Buffer
	w := parquet.NewGenericWriter[transfer](&b, parquet.MaxRowsPerRowGroup(700), parquet.PageBufferSize(2000))
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

func text[T any](x *T) string {
	if x == nil {
		return ""
	}
	return fmt.Sprint(*x)
}

func writeCSV(t testing.TB, rows []transfer) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.csv")
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	require.NoError(t, w.Write([]string{"id", "at", "customer", "terminal", "device", "land", "online", "km", "risk", "amount", "fraud"}))
	for _, x := range rows {
		require.NoError(t, w.Write([]string{strconv.FormatInt(x.ID, 10), strconv.FormatInt(x.At, 10), x.Customer, fmt.Sprint(x.Terminal), text(x.Device),
			text(x.Land), text(x.Online), text(x.Km), text(x.Risk), strconv.FormatFloat(x.Amount, 'f', -1, 64), text(x.Fraud)}))
	}
	w.Flush()
	require.NoError(t, w.Error())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

// said is a label of a label file.
type said struct {
	event   int64
	verdict features.Verdict
	knownAt int64 // 0: not said
}

// answer is a file of vectors as it is read back.
type answer struct {
	ids     []string
	times   []int64
	columns [][]uint64 // bits
}

func readAnswer(t testing.TB, path string) *answer {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	info, err := f.Stat()
	require.NoError(t, err)
	file, err := parquet.OpenFile(f, info.Size())
	require.NoError(t, err)
	a := &answer{columns: make([][]uint64, len(file.Schema().Columns())-2)}
	for _, g := range file.RowGroups() {
		for i, c := range g.ColumnChunks() {
			pages := c.Pages()
			for {
				page, err := pages.ReadPage()
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				values := make([]parquet.Value, page.NumValues())
				_, err = page.Values().ReadValues(values)
				require.True(t, err == nil || err == io.EOF)
				for _, v := range values {
					switch i {
					case 0:
						a.ids = append(a.ids, string(v.ByteArray()))
					case 1:
						a.times = append(a.times, v.Int64())
					default:
						a.columns[i-2] = append(a.columns[i-2], math.Float64bits(v.Double()))
					}
				}
			}
			require.NoError(t, pages.Close())
		}
	}
	require.Equal(t, file.NumRows(), int64(len(a.ids)))
	return a
}

// expected feeds everything in order to one engine, labels merged by time: at equal time labels first, but those known
// at or before their own event behind it.
func expected(t testing.TB, et *project.EventType, rows []transfer, labels []said, names []string) *answer {
	t.Helper()
	engine, err := features.NewEngine(&et.Schema, et.Definitions, features.EngineOptions{})
	require.NoError(t, err)
	var columns []int
	for _, name := range names {
		for i, d := range engine.Definitions() {
			if d.Name == name {
				columns = append(columns, i)
			}
		}
	}
	require.Len(t, columns, len(names))
	rows = append([]transfer(nil), rows...)
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].At < rows[j].At })
	type due struct {
		at    int64
		event int
		label features.Label
	}
	own := make([][]due, len(rows)) // known at or before their event
	var pending []due
	place := map[int64]int{}
	state := func(i int, verdict features.Verdict, knownAt int64) {
		d := due{knownAt, i, features.Label{Verdict: verdict, KnownAt: knownAt}}
		if knownAt <= rows[i].At {
			own[i] = append(own[i], d)
		} else {
			pending = append(pending, d)
		}
	}
	for i, x := range rows {
		place[x.ID] = i
		if x.Fraud != nil {
			state(i, features.Legitimate-features.Verdict(*x.Fraud), x.At+et.Labels.Delay)
		}
	}
	for _, l := range labels {
		i := place[l.event]
		if l.knownAt == 0 {
			l.knownAt = rows[i].At + et.Labels.Delay
		}
		state(i, l.verdict, l.knownAt)
	}
	sort.SliceStable(pending, func(i, j int) bool { return pending[i].at < pending[j].at })
	a := &answer{columns: make([][]uint64, len(names))}
	vector, sequences := make([]float64, len(engine.Definitions())), make([]uint64, len(rows))
	var clock features.Clock
	sequence := uint64(0)
	attach := func(d due) {
		ev := event(&rows[d.event])
		require.NoError(t, engine.Label(&ev, sequences[d.event], func() (features.Label, error) {
			sequence++
			d.label.Sequence = sequence
			return d.label, nil
		}))
	}
	for i := range rows {
		ev := event(&rows[i])
		for ; len(pending) > 0 && pending[0].at <= ev.Time; pending = pending[1:] {
			attach(pending[0])
		}
		_, err := engine.Observe(&ev, vector, func([]uint64) (features.Placement, error) {
			sequence++
			sequences[i] = sequence
			return features.Placement{Sequence: sequence, Outcome: clock.Admit(ev.Time, et.Schema.AllowedLateness), Since: clock.Since()}, nil
		})
		require.NoError(t, err)
		for _, d := range own[i] {
			attach(d)
		}
		a.ids, a.times = append(a.ids, ev.ID), append(a.times, ev.Time)
		for c, column := range columns {
			a.columns[c] = append(a.columns[c], math.Float64bits(vector[column]))
		}
	}
	return a
}

func event(x *transfer) features.Event {
	number := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	land := map[string]string{"": "", "D": "de", "F": "fr", "U": "us", "X": "us"}[text(x.Land)]
	return features.Event{ID: strconv.FormatInt(x.ID, 10), Time: x.At, Amount: int64(math.Round(x.Amount * 100)),
		Entities: []string{x.Customer, text(x.Device), fmt.Sprint(x.Terminal)}, Attributes: []string{land, text(x.Online)}, Numbers: []float64{number(x.Km), number(x.Risk)}}
}

// replay runs a job to an answer.
func replay(t testing.TB, job offline.Job) (*answer, offline.Report) {
	t.Helper()
	job.Out = filepath.Join(t.TempDir(), "vectors.parquet")
	report, err := offline.Replay(t.Context(), job)
	require.NoError(t, err)
	left, err := os.ReadDir(filepath.Dir(job.Out))
	require.NoError(t, err)
	require.Len(t, left, 1, "only the answer is left")
	return readAnswer(t, job.Out), report
}

// same wants two answers to be equal bit for bit.
func same(t testing.TB, names []string, want, got *answer) {
	t.Helper()
	require.True(t, slices.Equal(want.ids, got.ids), "ids: %d rows, want %d", len(got.ids), len(want.ids))
	require.True(t, slices.Equal(want.times, got.times), "times")
	for c := range want.columns {
		different, first := 0, -1
		for i, bits := range want.columns[c] {
			if bits != got.columns[c][i] {
				if different++; first < 0 {
					first = i
				}
			}
		}
		if first >= 0 {
			t.Errorf("%s: %d of %d values differ, the first in row %d: %v, want %v", names[c], different, len(want.ids), first,
				math.Float64frombits(got.columns[c][first]), math.Float64frombits(want.columns[c][first]))
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
