package ingest_test

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/project"
)

const payment = `
event_type: payment
currency: EUR
entities:
  customer: {}
  device: {optional: true}
attributes:
  channel: {values: [chip, online]}
  night: {type: flag}
  country: {}
numbers:
  distance_km: {scale: 3}
labels:
  delay: 7d
  kinds:
    chargeback: {arm_neutral: true}
    review: {}
features:
  amount: {field: amount}
policy: {fallback: review, hash_entity: customer}
import:
  id: tx
  time: {column: at, format: unix}
  entities: {customer: customer, device: device}
  attributes:
    channel: channel
    night: {from: night, values: {"1": "true", "0": "false"}}
    country: {from: people.country}
  numbers: {distance_km: km}
  amount: {column: amount, unit: major}
  label: {column: fraud, fraud: "1", legitimate: "0", kind: chargeback}
  labels: {id: tx, verdict: verdict, known_at: {column: known, format: unix}, kind_column: kind}
  lookup: {people: {file: people.csv, key: customer}}
`

func eventType(t testing.TB, document string) *project.EventType {
	t.Helper()
	et, err := project.LoadEventType([]byte(document))
	require.NoError(t, err)
	return et
}

// ledger is an Appender that keeps what it is given, as the log would: ids are known, older than the lateness is refused.
type ledger struct {
	order    []string // "event ID", "label ID verdict known_at"
	events   map[string]features.Event
	labels   map[string]ingest.LabelStatement
	lateness int64
	mark     int64
	flushed  int
}

func newLedger() *ledger {
	return &ledger{events: map[string]features.Event{}, labels: map[string]ingest.LabelStatement{}, lateness: 1 << 62}
}

func (l *ledger) AppendEvent(_ context.Context, _ string, ev *features.Event) (bool, error) {
	if had, ok := l.events[ev.ID]; ok {
		if had.Amount != ev.Amount {
			return false, fmt.Errorf("%w: amount", ingest.ErrConflict)
		}
		return false, nil
	}
	if ev.Time < l.mark-l.lateness {
		return false, ingest.ErrTooOld
	}
	l.mark = max(l.mark, ev.Time)
	kept := *ev
	kept.Entities, kept.Attributes, kept.Numbers = slices.Clone(ev.Entities), slices.Clone(ev.Attributes), slices.Clone(ev.Numbers)
	l.events[ev.ID] = kept
	l.order = append(l.order, "event "+ev.ID)
	return true, nil
}

func (l *ledger) AppendLabel(_ context.Context, _, id string, s ingest.LabelStatement) (bool, error) {
	if l.labels[id] == s {
		return false, nil
	}
	l.labels[id] = s
	l.order = append(l.order, fmt.Sprintf("label %s %s %d", id, s.Verdict, s.KnownAt))
	return true, nil
}

func (l *ledger) Flush(context.Context) error {
	l.flushed++
	return nil
}

func write(t testing.TB, folder, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	text := strings.Join(lines, "\n") + "\n"
	if strings.HasSuffix(name, ".gz") {
		file, err := os.Create(path)
		require.NoError(t, err)
		w := gzip.NewWriter(file)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, file.Close())
		return path
	}
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const (
	header = "tx,at,customer,device,channel,night,km,amount,fraud"
	second = int64(1_000_000)
	week   = 7 * 86_400 * second
)

// payments is a folder with people.csv and the rows given.
func payments(t testing.TB, name string, rows ...string) ingest.Job {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "people.csv", "name,customer,country", "Ann,a,FR", "Bob,b,DE")
	return ingest.Job{
		EventType: eventType(t, payment), Events: []string{write(t, folder, name, append([]string{header}, rows...)...)},
		Rejects: filepath.Join(folder, "rejects.csv"),
	}
}

func run(t testing.TB, job ingest.Job, into ingest.Appender) ingest.Report {
	t.Helper()
	report, err := ingest.Import(context.Background(), job, into)
	require.NoError(t, err)
	return report
}

func TestImportReadsEveryField(t *testing.T) {
	for _, name := range []string{"p.csv", "p.csv.gz"} {
		job := payments(t, name, `1,1600000000,a,,chip,1,1.25,57.16,1`, `2,1600000001.5,x,"d,1",,0,,-0.5,`)
		into := newLedger()
		report := run(t, job, into)
		require.Equal(t, ingest.Report{Rows: 2, Events: 2, Labels: 1, LookupMisses: map[string]int64{"people": 1}, From: 1600000000 * second, To: 1600000001*second + second/2}, report)
		first := into.events["1"]
		require.Equal(t, features.Event{
			ID: "1", Time: 1600000000 * second, Amount: 5716, Entities: first.Entities, Attributes: first.Attributes, Numbers: []float64{1.25},
		}, first)
		s := &job.EventType.Schema
		values := map[string]string{}
		for i, e := range s.Entities {
			values[e.Name] = first.Entities[i] + "|" + into.events["2"].Entities[i]
		}
		for i, a := range s.Attributes {
			values[a.Name] = first.Attributes[i] + "|" + into.events["2"].Attributes[i]
		}
		require.Equal(t, map[string]string{"customer": "a|x", "device": "|d,1", "channel": "chip|", "night": "true|false", "country": "FR|"}, values)
		require.Equal(t, int64(-50), into.events["2"].Amount)
		require.NotEqual(t, into.events["2"].Numbers[0], into.events["2"].Numbers[0], "an empty cell is NaN")
		require.Equal(t, ingest.LabelStatement{Verdict: features.Fraud, Kind: "chargeback", Source: "import", KnownAt: 1600000000*second + week}, into.labels["1"])
		require.Equal(t, 1, into.flushed)
		require.NoFileExists(t, job.Rejects)
	}
}

func TestImportOrdersByTimeAndRow(t *testing.T) {
	const w = 604800
	job := payments(t, "p.csv",
		fmt.Sprintf("late,%d,a,,,,,1,", 100+w), // shares its time with the label of first
		"second,100,a,,,,,1,", "third,100,a,,,,,1,0", "first,99,a,,,,,1,1", fmt.Sprintf("early,%d,a,,,,,1,", 98+w), fmt.Sprintf("tie,%d,a,,,,,1,", 99+w))
	into := newLedger()
	run(t, job, into)
	require.Equal(t, []string{
		"event first", "event second", "event third", "event early",
		fmt.Sprintf("label first fraud %d", (99+w)*second), "event tie",
		fmt.Sprintf("label third legitimate %d", (100+w)*second), "event late",
	}, into.order)
}

func TestImportSpillsAndKeepsTheOrder(t *testing.T) {
	var rows []string
	for i := range 60_000 {
		rows = append(rows, fmt.Sprintf("%06d,%d,a,,chip,,,1,%d", i, 1_000_000+i*7919%600_000, i%2))
	}
	inMemory, spilled := newLedger(), newLedger()
	job := payments(t, "p.csv", rows...)
	run(t, job, inMemory)
	job.MemoryMiB, job.Scratch = 4, t.TempDir()
	run(t, job, spilled)
	require.Len(t, inMemory.order, 120_000)
	require.True(t, slices.Equal(inMemory.order, spilled.order))
	left, err := os.ReadDir(job.Scratch)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestImportRejectsRowsAndGoesOn(t *testing.T) {
	job := payments(t, "p.csv",
		"1,100,a,,chip,1,1,1.00,0",
		"2,noon,a,,chip,1,1,1,0",
		"3,100,a,,chip,1,1,1.001,0",
		"4,100,,,chip,1,1,1,0",
		"5,100,a,,chip,yes,1,1,0",
		"6,100,a,,chip,1,1.2345,1,0",
		"7,100,a,,chip,1,1,1,perhaps",
		"8,100,a",
		`9,100,a"b,,chip,1,1,1,0`,
		"10,100,a,,chip,1,NaN,1,0",
		"1,100,a,,chip,1,1,2.00,0",
		"11,100,a,,chip,1,1,,0",
		"12,100,a,,chip,1,1,1,0")
	into := newLedger()
	report := run(t, job, into)
	require.Equal(t, int64(13), report.Rows)
	require.Equal(t, int64(2), report.Events)
	require.Equal(t, int64(11), report.Rejected)
	require.Equal(t, job.Rejects, report.RejectsFile)
	text, err := os.ReadFile(job.Rejects)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), job.Events[0], "FILE")), "\n")
	require.Equal(t, "file,line,reason", lines[0])
	for line, reason := range map[int]string{
		3: "time", 4: "more than 2 decimals", 5: "entities.customer", 6: "attributes.night", 7: "numbers.distance_km", 8: "perhaps",
		9: "3 cells where the header names 9", 10: `bare`, 11: "numbers.distance_km", 12: "other content", 13: "amount",
	} {
		require.True(t, slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, fmt.Sprintf("FILE,%d,", line)) && strings.Contains(l, reason)
		}), "line %d: %s in %q", line, reason, lines)
	}
	run(t, payments(t, "p.csv", "1,100,a,,chip,1,1,1.00,0"), into)
	again := job
	again.Events = []string{write(t, t.TempDir(), "good.csv", header, "13,100,a,,chip,1,1,1.00,0")}
	again.Lookups = map[string]string{"people": filepath.Join(filepath.Dir(job.Rejects), "people.csv")}
	run(t, again, into)
	require.NoFileExists(t, job.Rejects, "rejects of an earlier import are gone")
}

func TestImportIsSafeToRepeat(t *testing.T) {
	job := payments(t, "p.csv", "1,100,a,,chip,1,1,1,0", "2,101,a,,chip,1,1,1,1")
	into := newLedger()
	require.Equal(t, int64(2), run(t, job, into).Events)
	report := run(t, job, into)
	require.Zero(t, report.Events+report.Labels)
	require.Equal(t, int64(2), report.EventsKnown)
	require.Equal(t, int64(2), report.LabelsKnown)
	require.Len(t, into.order, 4)
}

func TestImportRefusesHistoryBehindTheLog(t *testing.T) {
	into := newLedger()
	into.lateness, into.mark = week, 1600000000*second
	job := payments(t, "p.csv", fmt.Sprintf("new,%d,a,,chip,1,1,1,0", 1600000001), fmt.Sprintf("old,%d,a,,chip,1,1,1,0", 1600000000-604801))
	_, err := ingest.Import(context.Background(), job, into)
	require.ErrorIs(t, err, ingest.ErrTooOld)
	require.ErrorContains(t, err, "haechi import DIR --event-type payment")
	require.ErrorContains(t, err, ":3:")
	require.Empty(t, into.order, "nothing newer went in before the refusal")
}

func TestImportReadsLabelFiles(t *testing.T) {
	job := payments(t, "p.csv", "1,1000,a,,chip,1,1,1,", "2,2000,a,,chip,1,1,1,", "3,3000,a,,chip,1,1,1,")
	job.Labels = []string{write(t, t.TempDir(), "labels.csv", "tx,verdict,kind,known",
		"3,fraud,chargeback,2500", "1,legitimate,review,2000", "elsewhere,withdrawn,review,2999", "2,fraud,review,", "elsewhere2,fraud,review,", "1,guilty,review,5000", "1,fraud,hearsay,5000")}
	into := newLedger()
	report := run(t, job, into)
	require.Equal(t, int64(2), report.Rejected)
	require.Equal(t, []string{
		"label elsewhere2 fraud 0",
		"event 1", fmt.Sprintf("label 1 legitimate %d", 2000*second), "event 2", fmt.Sprintf("label elsewhere withdrawn %d", 2999*second),
		"event 3", fmt.Sprintf("label 3 fraud %d", 2500*second), // known before its event: it follows it
		fmt.Sprintf("label 2 fraud %d", 2000*second+week),
	}, into.order)
	job.Events, job.EventType.Mapping.Labels = nil, nil
	_, err := ingest.Import(context.Background(), job, into)
	require.ErrorContains(t, err, "label file")
}

func TestImportNamesAllMissingColumns(t *testing.T) {
	job := payments(t, "p.csv")
	job.Events = []string{write(t, t.TempDir(), "other.csv", "tx,at,customer,device,channel,night,km", "1")}
	job.Lookups = map[string]string{"people": filepath.Join(filepath.Dir(job.Rejects), "people.csv")}
	_, err := ingest.Import(context.Background(), job, newLedger())
	require.ErrorContains(t, err, `"amount"`)
	require.ErrorContains(t, err, `"fraud"`)
	job.Lookups = map[string]string{"places": "x"}
	_, err = ingest.Import(context.Background(), job, newLedger())
	require.ErrorContains(t, err, "places")
	_, err = ingest.Import(context.Background(), ingest.Job{EventType: job.EventType, Events: []string{"nowhere.csv"}}, newLedger())
	require.ErrorContains(t, err, "nowhere.csv")
	require.ErrorContains(t, err, "rejected rows")
}

func TestImportStopsWithItsContext(t *testing.T) {
	rows := make([]string, 20_000)
	for i := range rows {
		rows[i] = fmt.Sprintf("%d,%d,a,,chip,1,1,1,0", i, 100+i)
	}
	job := payments(t, "p.csv", rows...)
	ctx, cancel := context.WithCancel(context.Background())
	var stages []string
	job.Progress = func(p ingest.Progress) {
		require.LessOrEqual(t, p.Bytes, p.TotalBytes)
		stages = append(stages, p.Stage)
		if p.Appended > 8000 {
			cancel()
		}
	}
	into := newLedger()
	report, err := ingest.Import(ctx, job, into)
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, stages, "reading")
	require.Greater(t, report.Events, int64(8000))
	require.Less(t, report.Events+report.Labels, int64(40_000))
	job.Progress = nil
	report = run(t, job, into)
	require.Equal(t, int64(20_000), report.Events+report.EventsKnown)
	require.Len(t, into.order, 40_000, "the repeated import completes it")
}

func TestImportReportsWhatTheAppenderSays(t *testing.T) {
	job := payments(t, "p.csv", "1,100,a,,chip,1,1,1,0")
	_, err := ingest.Import(context.Background(), job, full{newLedger()})
	require.ErrorIs(t, err, errFull)
	require.ErrorContains(t, err, "p.csv:2")
}

var errFull = errors.New("the disk is full")

// full is a ledger without room.
type full struct{ *ledger }

func (full) AppendEvent(context.Context, string, *features.Event) (bool, error) {
	return false, errFull
}

// dataFolder gives the shared data, or skips.
func dataFolder(t testing.TB) string {
	t.Helper()
	folder := cmp.Or(os.Getenv("HAECHI_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("HAECHI_REQUIRE_DATA") == "1" {
			t.Fatalf("HAECHI_REQUIRE_DATA=1, but there is no data: %v", err)
		}
		t.Skipf("no shared data (set HAECHI_DATA): %v", err)
	}
	return folder
}
