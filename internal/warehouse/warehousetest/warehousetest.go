// Package warehousetest is the suite that every driver of the warehouse runs. It tests what the interfaces of package
// warehouse promise and nothing that only one driver has.
package warehousetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Open opens the store of one test; a second call after Close opens the same store again.
type Open func(t *testing.T) warehouse.Warehouse

// Run runs the suite; fresh makes an empty store for each test.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"position", testPosition},
		{"round trip", testRoundTrip},
		{"repeat", testRepeat},
		{"overlap", testOverlap},
		{"order", testOrder},
		{"pull bounds", testBounds},
		{"pull stops", testStops},
		{"logs apart", testLogsApart},
		{"cancelled load", testCancelled},
		{"reopen", testReopen},
		{"query", testQuery},
		{"query refuses", testQueryRefuses},
		{"daily sums", testDaily},
		{"describe", testDescribe},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

const day = int64(86_400_000_000)

// start is 2024-01-01 00:00:00.000001 UTC: the odd microsecond must survive.
const start = int64(1_704_067_200_000_001)

// event gives event n of log "a", at sequence n.
func event(n uint64) warehouse.Event {
	return warehouse.Event{
		LogID: "a", Sequence: n, EventType: "payment", EventTypeHash: "abc", ID: fmt.Sprintf("p%d", n),
		Time: start + int64(n)*day/4, Currency: "EUR", AmountMinor: int64(n) * 101,
		Entities:   map[string]string{"customer": fmt.Sprint(n % 3), "terminal": `qu"ote\back`},
		Attributes: map[string]string{"country": "日本", "online": "true"},
		Numbers:    map[string]float64{"distance_km": 0.1 * float64(n)},
		Outcome:    "in_order", Origin: "imported", Received: start + 7,
	}
}

func label(n, of uint64, verdict string) warehouse.Label {
	return warehouse.Label{
		LogID: "a", Sequence: n, EventType: "payment", EventID: fmt.Sprintf("p%d", of), Verdict: verdict, Kind: "chargeback",
		ReasonCode: "r", Source: "import", KnownAt: start + 30*day, Recorded: start + 31*day, EventSequence: of, EventTime: start + int64(of)*day/4,
	}
}

func decision(n, of uint64, verdict string) warehouse.Decision {
	return warehouse.Decision{
		LogID: "a", Sequence: n, EventSequence: of, EventType: "payment", EventTypeHash: "abc", EventID: fmt.Sprintf("p%d", of),
		Decision: verdict, Reasons: []string{"amount: too much"}, Flags: []string{"fallback"}, ModelVersion: "m", AssignmentRevision: 3,
		Raw: math.NaN(), Probability: math.NaN(), Vector: []float64{1, math.NaN(), -0.5}, Decided: start + int64(of)*day/4,
	}
}

// world has events 1, 2, 4, 6, labels 3, 7 and a decision 5 of event 4.
func world() warehouse.Batch {
	return warehouse.Batch{
		LogID: "a", Through: 8,
		Events:    []warehouse.Event{event(1), event(2), event(4), event(6)},
		Labels:    []warehouse.Label{label(3, 1, "fraud"), label(7, 1, "legitimate")},
		Decisions: []warehouse.Decision{decision(5, 4, "decline")},
	}
}

func opened(t *testing.T, open Open, batches ...warehouse.Batch) warehouse.Warehouse {
	t.Helper()
	w := open(t)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	for _, b := range batches {
		require.NoError(t, w.Load(context.Background(), b))
	}
	return w
}

// pulled gives copies of all rows.
func pulled(t *testing.T, w warehouse.Warehouse, q warehouse.Query) (events []warehouse.Event, labels []warehouse.Label, order []uint64) {
	t.Helper()
	require.NoError(t, w.Pull(context.Background(), q, func(r warehouse.Row) error {
		if r.Event != nil {
			require.Nil(t, r.Label)
			e := *r.Event
			e.Entities, e.Attributes, e.Numbers = clone(e.Entities), clone(e.Attributes), clone(e.Numbers)
			events, order = append(events, e), append(order, e.Sequence)
			return nil
		}
		labels, order = append(labels, *r.Label), append(order, r.Label.Sequence)
		return nil
	}))
	return events, labels, order
}

func clone[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func testPosition(t *testing.T, open Open) {
	w := opened(t, open)
	position, err := w.Position(context.Background(), "a")
	require.NoError(t, err)
	require.Zero(t, position)
	require.NoError(t, w.Load(context.Background(), warehouse.Batch{LogID: "a", Through: 5}))
	require.NoError(t, w.Load(context.Background(), warehouse.Batch{LogID: "b", Through: 9}))
	for log, want := range map[string]uint64{"a": 5, "b": 9, "c": 0} {
		position, err := w.Position(context.Background(), log)
		require.NoError(t, err)
		require.Equal(t, want, position, log)
	}
}

func testRoundTrip(t *testing.T, open Open) {
	b := world()
	empty := event(8)
	empty.Entities, empty.Attributes, empty.Numbers = map[string]string{}, map[string]string{}, map[string]float64{}
	empty.Time = -1 // before 1970
	waiting := label(9, 77, "withdrawn")
	waiting.EventSequence, waiting.EventTime = 0, 0
	b.Events, b.Labels, b.Through = append(b.Events, empty), append(b.Labels, waiting), 9
	w := opened(t, open, b)
	events, labels, order := pulled(t, w, warehouse.Query{EventType: "payment", LogID: "a", Through: 9, From: -day})
	require.Equal(t, b.Events, events)
	require.Equal(t, b.Labels, labels)
	require.Equal(t, []uint64{1, 2, 3, 4, 6, 7, 8, 9}, order)
}

func testRepeat(t *testing.T, open Open) {
	w := opened(t, open, world(), world())
	_, _, order := pulled(t, w, warehouse.Query{EventType: "payment", LogID: "a", Through: 8})
	require.Equal(t, []uint64{1, 2, 3, 4, 6, 7}, order)
	require.Equal(t, int64(4), count(t, w, "raw_data.events"))
	require.Equal(t, int64(2), count(t, w, "raw_data.labels"))
	require.Equal(t, int64(1), count(t, w, "raw_data.decisions"))
}

func testOverlap(t *testing.T, open Open) {
	first := warehouse.Batch{LogID: "a", Through: 2, Events: []warehouse.Event{event(1), event(2)}}
	w := opened(t, open, first, world())
	require.Equal(t, int64(4), count(t, w, "raw_data.events"))
	position, err := w.Position(context.Background(), "a")
	require.NoError(t, err)
	require.Equal(t, uint64(8), position)
}

func testOrder(t *testing.T, open Open) {
	w := opened(t, open)
	for name, b := range map[string]warehouse.Batch{
		"descending": {LogID: "a", Through: 9, Events: []warehouse.Event{event(2), event(1)}},
		"twice":      {LogID: "a", Through: 9, Labels: []warehouse.Label{label(2, 1, "fraud"), label(2, 1, "fraud")}},
		"beyond":     {LogID: "a", Through: 1, Decisions: []warehouse.Decision{decision(2, 1, "approve")}},
	} {
		require.ErrorIs(t, w.Load(context.Background(), b), warehouse.ErrOrder, name)
	}
	require.Zero(t, count(t, w, "raw_data.events"))
	position, err := w.Position(context.Background(), "a")
	require.NoError(t, err)
	require.Zero(t, position)
}

func testBounds(t *testing.T, open Open) {
	w := opened(t, open, world())
	_, _, order := pulled(t, w, warehouse.Query{EventType: "payment", LogID: "a", Through: 6})
	require.Equal(t, []uint64{1, 2, 3, 4, 6}, order)
	_, _, order = pulled(t, w, warehouse.Query{EventType: "payment", LogID: "a", Through: 8, From: event(2).Time, To: event(6).Time})
	require.Equal(t, []uint64{2, 4}, order, "labels go with their events, To is not in the span")
	_, _, order = pulled(t, w, warehouse.Query{EventType: "login", LogID: "a", Through: 8})
	require.Empty(t, order)
	_, _, order = pulled(t, w, warehouse.Query{EventType: "payment", LogID: "a"})
	require.Empty(t, order)
	err := w.Pull(context.Background(), warehouse.Query{EventType: "payment", LogID: "a", Through: 9}, func(warehouse.Row) error { return nil })
	require.ErrorIs(t, err, warehouse.ErrBehind)
}

func testStops(t *testing.T, open Open) {
	w := opened(t, open, world())
	stop, calls := errors.New("enough"), 0
	err := w.Pull(context.Background(), warehouse.Query{EventType: "payment", LogID: "a", Through: 8}, func(warehouse.Row) error {
		calls++
		return stop
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, calls)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	err = w.Pull(canceled, warehouse.Query{EventType: "payment", LogID: "a", Through: 8}, func(warehouse.Row) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
}

func testLogsApart(t *testing.T, open Open) {
	other := warehouse.Batch{LogID: "b", Through: 3, Events: []warehouse.Event{event(1), event(3)}}
	w := opened(t, open, world(), other)
	events, _, order := pulled(t, w, warehouse.Query{EventType: "payment", LogID: "b", Through: 3})
	require.Equal(t, []uint64{1, 3}, order)
	require.Equal(t, "b", events[0].LogID, "the batch says which log its rows are of")
}

// testCancelled ends Loads at odd moments: nothing of them is there, and the next one works.
func testCancelled(t *testing.T, open Open) {
	big := warehouse.Batch{LogID: "a", Through: 20_000}
	for n := uint64(1); n <= big.Through; n++ {
		big.Events = append(big.Events, event(n))
	}
	w := opened(t, open)
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		err := w.Load(ctx, big)
		cancel()
		position, positionErr := w.Position(context.Background(), "a")
		require.NoError(t, positionErr)
		if err == nil {
			require.Equal(t, big.Through, position)
			continue
		}
		require.Zero(t, position)
		require.Zero(t, count(t, w, "raw_data.events"))
	}
	require.NoError(t, w.Load(context.Background(), big))
	require.Equal(t, int64(big.Through), count(t, w, "raw_data.events"))
}

func testReopen(t *testing.T, open Open) {
	w := open(t)
	require.NoError(t, w.Load(context.Background(), world()))
	require.NoError(t, w.Close())
	w = opened(t, open)
	position, err := w.Position(context.Background(), "a")
	require.NoError(t, err)
	require.Equal(t, uint64(8), position)
	require.Equal(t, int64(4), count(t, w, "raw_data.events"))
}

func count(t *testing.T, w warehouse.Warehouse, table string) int64 {
	t.Helper()
	answer, err := w.Query(context.Background(), "SELECT count(*) FROM "+table, 1)
	require.NoError(t, err)
	n, ok := answer.Rows[0][0].(int64)
	require.True(t, ok)
	return n
}
