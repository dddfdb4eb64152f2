//go:build cgo

package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/warehouse"
	"github.com/haechi-fraud/haechi/internal/warehouse/duckdb"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

func openLog(t testing.TB, folder string) *eventlog.Log {
	t.Helper()
	log, err := eventlog.Open(eventlog.Options{Dir: folder, SegmentBytes: 1 << 20, MaxBuffered: 1 << 30})
	require.NoError(t, err)
	return log
}

func openWarehouse(t testing.TB, path string) warehouse.Warehouse {
	t.Helper()
	w, err := duckdb.Open(context.Background(), duckdb.Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return w
}

func startLoader(t testing.TB, log *eventlog.Log, sink warehouse.Sink, records int) *ingest.Loader {
	t.Helper()
	l, err := ingest.NewLoader(ingest.LoaderOptions{
		Log: log, Sink: sink, BatchRecords: records, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	require.NoError(t, l.Start())
	return l
}

func appendRecord(t testing.TB, log *eventlog.Log, rec *logv1.Record) uint64 {
	t.Helper()
	sequence, err := log.Append(rec, nil)
	require.NoError(t, err)
	return sequence
}

func state(t testing.TB, log *eventlog.Log) uint32 {
	t.Helper()
	index, err := log.StateEventType(&logv1.EventType{
		Hash: []byte{0xab, 0xcd}, Name: "payment", Document: []byte("d"), Currency: "EUR",
		Entities: []string{"customer", "device"}, Attributes: []string{"channel"}, Numbers: []string{"km"},
	})
	require.NoError(t, err)
	return index
}

// fill appends n events, each followed by a decision and, for every third, a label; it gives the last sequence.
func fill(t testing.TB, log *eventlog.Log, from, n int) uint64 {
	t.Helper()
	index := state(t, log)
	last := uint64(0)
	for i := from; i < from+n; i++ {
		at := int64(1_600_000_000+i) * second
		km := float64(i)
		device, channel := "", "chip"
		if i%2 == 0 {
			km, device, channel = math.NaN(), "d", ""
		}
		last = appendRecord(t, log, &logv1.Record{Body: &logv1.Record_Event{Event: &logv1.Event{
			EventType: index, Id: fmt.Sprint("e", i), Time: at, Entities: []string{fmt.Sprint("c", i%7), device}, Ordinals: []uint64{1, 1},
			Amount: int64(i), Attributes: []string{channel}, Numbers: []float64{km}, Origin: logv1.Origin_ORIGIN_SCORED, Outcome: logv1.Outcome_OUTCOME_LATE_INSERTED, Received: at + 5,
		}}})
		event := last
		last = appendRecord(t, log, &logv1.Record{Body: &logv1.Record_Decision{Decision: &logv1.Decision{
			EventSequence: event, EventType: index, EventId: fmt.Sprint("e", i), Verdict: logv1.Verdict_VERDICT_CHALLENGE,
			Reasons: []*logv1.Reason{{Code: "amount_cap", Text: "Too much"}}, Flags: []string{"late"}, ModelVersion: []byte{1, 2}, AssignmentRevision: 4,
			Raw: -1.5, Probability: .25, Vector: []float64{float64(i), math.NaN()}, Decided: at + 6,
		}}})
		if i%3 == 0 {
			last = appendRecord(t, log, &logv1.Record{Body: &logv1.Record_Label{Label: &logv1.Label{
				EventType: index, EventId: fmt.Sprint("e", i), Verdict: logv1.LabelVerdict_LABEL_VERDICT_FRAUD, Kind: "chargeback", ReasonCode: "4837", KnownAt: at + week,
				Recorded: at + 8, Source: "bank", EventSequence: event, EventTime: at, Entities: []string{"c", ""},
			}}})
		}
	}
	require.NoError(t, log.Wait(context.Background(), last))
	return last
}

func ask(t testing.TB, w warehouse.Warehouse, sql string) [][]any {
	t.Helper()
	table, err := w.Query(context.Background(), sql, 100)
	require.NoError(t, err)
	return table.Rows
}

func TestLoaderLoadsEveryField(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := openLog(t, t.TempDir())
	w := openWarehouse(t, filepath.Join(t.TempDir(), "w.duckdb"))
	last := fill(t, log, 0, 2)
	appendRecord(t, log, &logv1.Record{Body: &logv1.Record_Revision{Revision: &logv1.Revision{EventType: 1, Revision: 2}}})
	require.NoError(t, log.Wait(context.Background(), log.Last()))
	l := startLoader(t, log, w, 100)
	require.NoError(t, l.Drain(context.Background(), log.Last()))
	require.Equal(t, log.Last(), l.Position())
	require.Equal(t, last+1, l.Position(), "records without rows move the position too")
	require.Zero(t, l.Lag())

	var events []warehouse.Event
	var labels []warehouse.Label
	require.NoError(t, w.Pull(context.Background(), warehouse.Query{EventType: "payment", LogID: log.ID(), Through: last}, func(r warehouse.Row) error {
		if r.Label != nil {
			labels = append(labels, *r.Label)
			return nil
		}
		e := *r.Event
		e.Entities, e.Attributes, e.Numbers = nil, nil, nil
		events = append(events, e)
		return nil
	}))
	at := 1_600_000_000 * second
	require.Len(t, events, 2)
	require.Equal(t, warehouse.Event{
		LogID: log.ID(), Sequence: 2, EventType: "payment", EventTypeHash: "abcd", ID: "e0", Time: at, Currency: "EUR", Outcome: "late_inserted", Origin: "scored", Received: at + 5,
	}, events[0])
	require.Equal(t, []warehouse.Label{{
		LogID: log.ID(), Sequence: 4, EventType: "payment", EventID: "e0", Verdict: "fraud", Kind: "chargeback", ReasonCode: "4837", Source: "bank",
		KnownAt: at + week, Recorded: at + 8, EventSequence: 2, EventTime: at,
	}}, labels)
	require.Equal(t, [][]any{
		{`{"customer":"c0","device":"d"}`, `{}`, `{}`}, {`{"customer":"c1"}`, `{"channel":"chip"}`, `{"km":1}`},
	}, ask(t, w, "SELECT entities, attributes, numbers FROM raw_data.events ORDER BY sequence"))
	require.Equal(t, [][]any{
		{int64(6), int64(5), "payment", "abcd", "e1", "challenge", `["amount_cap: Too much"]`, `["late"]`, "0102", int64(4), -1.5, .25, "[1.0, nan]"},
	}, ask(t, w, `SELECT sequence, event_sequence, event_type, event_type_hash, event_id, decision, reasons, flags, model_version, assignment_revision, raw, probability, CAST(vector AS VARCHAR)
FROM raw_data.decisions WHERE event_id = 'e1'`))
	l.Stop()
	l.Stop()
	require.NoError(t, log.Close())
	require.NoError(t, w.Close())
}

// TestLoaderGoesOn restarts loader, log and warehouse between appends: every row is there once.
func TestLoaderGoesOn(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	folder, path := t.TempDir(), filepath.Join(t.TempDir(), "w.duckdb")
	for round := range 4 {
		log, w := openLog(t, folder), openWarehouse(t, path)
		half := fill(t, log, round*1000, 500)
		l := startLoader(t, log, w, 64)
		if round%2 == 0 {
			require.NoError(t, l.Drain(context.Background(), half))
		}
		last := fill(t, log, round*1000+500, 500)
		if round == 3 {
			require.NoError(t, l.Drain(context.Background(), last))
		}
		l.Stop() // in the odd rounds in the middle of something
		require.NoError(t, log.Close())
		require.NoError(t, w.Close())
	}
	w := openWarehouse(t, path)
	defer func() { require.NoError(t, w.Close()) }()
	require.Equal(t, [][]any{{int64(4000), int64(4000), int64(4000), int64(1334)}}, ask(t, w, `SELECT count(*), count(DISTINCT event_id),
(SELECT count(DISTINCT sequence) FROM raw_data.decisions), (SELECT count(*) FROM raw_data.labels) FROM raw_data.events`))
}

// failing is a real warehouse whose Load fails on demand, before or after the rows are in.
type failing struct {
	warehouse.Warehouse
	before, after atomic.Int32
	failed        chan struct{}
}

var errDisk = errors.New("no space left on device")

func (f *failing) Load(ctx context.Context, b warehouse.Batch) error {
	if f.before.Add(-1) >= 0 {
		f.failed <- struct{}{}
		return errDisk
	}
	if err := f.Warehouse.Load(ctx, b); err != nil {
		return err
	}
	if f.after.Add(-1) >= 0 {
		return errDisk
	}
	return nil
}

func TestLoaderTriesAgain(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := openLog(t, t.TempDir())
	sink := &failing{Warehouse: openWarehouse(t, filepath.Join(t.TempDir(), "w.duckdb")), failed: make(chan struct{}, 10)}
	sink.before.Store(2)
	sink.after.Store(1)
	last := fill(t, log, 0, 50)
	l := startLoader(t, log, sink, 100)
	<-sink.failed
	require.Equal(t, last, l.Lag(), "scoring goes on, the lag grows")
	require.NoError(t, l.Drain(context.Background(), last))
	require.Equal(t, [][]any{{int64(50)}}, ask(t, sink, "SELECT count(*) FROM raw_data.events"))
	l.Stop()
	require.NoError(t, log.Close())
	require.NoError(t, sink.Close())
}

func TestDrainSaysWhatKeepsTheLoader(t *testing.T) {
	log := openLog(t, t.TempDir())
	sink := &failing{Warehouse: openWarehouse(t, filepath.Join(t.TempDir(), "w.duckdb")), failed: make(chan struct{}, 1000)}
	sink.before.Store(1000)
	last := fill(t, log, 0, 5)
	l := startLoader(t, log, sink, 100)
	<-sink.failed
	<-sink.failed // the first failure has been told by now
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := l.Drain(ctx, last)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errDisk)
	l.Stop()
	require.ErrorContains(t, l.Drain(context.Background(), last), "stopped")
	require.Error(t, l.Start(), "a loader is started once")
	require.NoError(t, log.Close())
	require.NoError(t, sink.Close())
}

func TestLoaderRefusesAnOlderLog(t *testing.T) {
	log := openLog(t, t.TempDir())
	w := openWarehouse(t, filepath.Join(t.TempDir(), "w.duckdb"))
	last := fill(t, log, 0, 5)
	require.NoError(t, w.Load(context.Background(), warehouse.Batch{LogID: log.ID(), Through: last + 10}))
	l := startLoader(t, log, w, 100)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		return strings.Contains(l.Drain(ctx, last).Error(), "older copy")
	}, time.Minute, time.Millisecond)
	l.Stop()
	require.NoError(t, log.Close())
	require.NoError(t, w.Close())
}

func TestLoaderMetrics(t *testing.T) {
	log := openLog(t, t.TempDir())
	w := openWarehouse(t, filepath.Join(t.TempDir(), "w.duckdb"))
	registry := prometheus.NewRegistry()
	l, err := ingest.NewLoader(ingest.LoaderOptions{Log: log, Sink: w, Logger: slog.New(slog.DiscardHandler), Registerer: registry})
	require.NoError(t, err)
	last := fill(t, log, 0, 3)
	require.Equal(t, last, l.Lag())
	require.NoError(t, l.Start())
	require.NoError(t, l.Drain(context.Background(), last))
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			values[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	require.Equal(t, map[string]float64{
		"haechi_warehouse_rows_total": 7, "haechi_warehouse_lag_records": 0, "haechi_warehouse_load_failures_total": 0, "haechi_warehouse_load_seconds": 0,
	}, values)
	l.Stop()
	families, err = registry.Gather()
	require.NoError(t, err)
	require.Empty(t, families, "another loader may use the registry")
	require.NoError(t, log.Close())
	require.NoError(t, w.Close())
}

// BenchmarkLoader loads b.N events with a label each from the log into DuckDB.
func BenchmarkLoader(b *testing.B) {
	log, err := eventlog.Open(eventlog.Options{Dir: b.TempDir(), MaxBuffered: 4 << 30})
	require.NoError(b, err)
	index, err := log.StateEventType(&logv1.EventType{Hash: make([]byte, 32), Name: "card_payment", Document: []byte("d"), Currency: "EUR", Entities: []string{"customer", "terminal"}})
	require.NoError(b, err)
	for i := range b.N {
		at, entities := int64(1_522_540_800+9*i)*second, []string{fmt.Sprint(i % 4990), fmt.Sprint(i % 9999)}
		id := fmt.Sprint(i)
		event := appendRecord(b, log, &logv1.Record{Body: &logv1.Record_Event{Event: &logv1.Event{
			EventType: index, Id: id, Time: at, Entities: entities, Ordinals: []uint64{1, 2}, Amount: int64(i % 9973), Origin: logv1.Origin_ORIGIN_IMPORTED, Received: at,
		}}})
		appendRecord(b, log, &logv1.Record{Body: &logv1.Record_Label{Label: &logv1.Label{
			EventType: index, EventId: id, Verdict: logv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE, Kind: "chargeback", KnownAt: at + week, Recorded: at,
			Source: "import", EventSequence: event, EventTime: at, Entities: entities,
		}}})
	}
	require.NoError(b, log.Wait(context.Background(), log.Last()))
	w := openWarehouse(b, filepath.Join(b.TempDir(), "w.duckdb"))
	b.ReportAllocs()
	b.ResetTimer()
	l := startLoader(b, log, w, 0)
	require.NoError(b, l.Drain(context.Background(), log.Last()))
	b.StopTimer()
	l.Stop()
	require.NoError(b, log.Close())
	require.NoError(b, w.Close())
}
