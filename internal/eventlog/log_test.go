package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

func statement() *logv1.Record {
	et := payment()
	et.Index = 1
	return &logv1.Record{Body: &logv1.Record_EventType{EventType: et}}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l := start(t, small(dir))
	want := []*logv1.Record{statement(), event("1"), decision(2, "1"), label("1"), event("2"),
		{Body: &logv1.Record_Revision{Revision: &logv1.Revision{EventType: 1, Revision: 7, Champion: []byte{1, 2}}}}}
	require.EqualValues(t, 6, appendAll(t, l, want[1:]...))
	require.EqualValues(t, 6, l.Durable())

	got := contents(t, l, 0)
	want[0].GetEventType().Hash = got[0].GetEventType().GetHash()
	require.Len(t, want[0].GetEventType().GetHash(), 32)
	requireRecords(t, want, got)
	requireRecords(t, want[3:], contents(t, l, 4))
	require.Empty(t, contents(t, l, 7))
	_, err := l.Read(8)
	require.ErrorIs(t, err, ErrNotFound)

	id := l.ID()
	require.Len(t, id, 32)
	for range 3 { // reopened
		require.NoError(t, l.Close())
		l, err = Open(small(dir))
		require.NoError(t, err)
		require.Equal(t, id, l.ID())
		require.EqualValues(t, 6, l.Last())
		requireRecords(t, want, contents(t, l, 0))
	}
	require.NoError(t, l.Close())

	v, err := OpenReader(dir)
	require.NoError(t, err)
	requireRecords(t, want, contents(t, v, 0))
	rec, err := v.Get(4)
	require.NoError(t, err)
	require.True(t, proto.Equal(want[3], rec))
	require.Equal(t, id, v.Stat().LogID)

	report, err := Verify(dir)
	require.NoError(t, err)
	require.True(t, report.Closed)
	require.EqualValues(t, 6, report.Records)
	require.EqualValues(t, 1, report.Segments[0].EventTypes)
}

func TestNoLog(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent")} {
		_, err := OpenReader(dir)
		require.ErrorIs(t, err, os.ErrNotExist)
		_, err = Verify(dir)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestOptionsReportAllViolations(t *testing.T) {
	_, err := Open(Options{SegmentBytes: 1, FlushInterval: -1, MinFreeBytes: -1, MaxBuffered: -1})
	for _, want := range []string{"dir", "segment size", "flush interval", "floor", "buffer"} {
		require.ErrorContains(t, err, want)
	}
}

func TestGet(t *testing.T) {
	o := small(t.TempDir())
	o.FlushInterval = time.Second // what is appended below stays in the buffer
	l := start(t, o)
	recs := []*logv1.Record{nil}
	for i := range 2000 {
		recs = append(recs, padded(fmt.Sprint(i), 100+i%700))
	}
	appendAll(t, l, recs[1:1500]...)
	for _, rec := range recs[1500:] {
		_, err := l.Append(rec, nil)
		require.NoError(t, err)
	}
	require.Greater(t, l.Stat().Segments, 5)
	require.Greater(t, l.Last(), l.Durable())
	check := func() {
		for i := 1; i < len(recs); i++ {
			got, err := l.Get(uint64(i) + 1)
			require.NoError(t, err)
			require.True(t, proto.Equal(recs[i], got))
		}
		for _, absent := range []uint64{0, uint64(len(recs)) + 1, 1 << 40, 1<<63 + 5} {
			_, err := l.Get(absent)
			require.ErrorIs(t, err, ErrNotFound)
		}
	}
	check()
	require.NoError(t, l.Close())
	var err error
	l, err = Open(o)
	require.NoError(t, err)
	check() // by the index that the scan made
	require.NoError(t, l.Close())
}

func TestSegmentsCarryEventTypes(t *testing.T) {
	dir := t.TempDir()
	l := start(t, small(dir))
	var names []string
	var want []*logv1.Record
	for i := range 40 {
		et := &logv1.EventType{Name: fmt.Sprint("type", i), Document: fmt.Append(nil, "document ", i)}
		names = append(names, et.GetName())
		index, err := l.StateEventType(et)
		require.NoError(t, err)
		require.EqualValues(t, i+2, index)
		again, err := l.StateEventType(et)
		require.NoError(t, err)
		require.Equal(t, index, again)
		for j := range 20 {
			want = append(want, padded(fmt.Sprintf("%d-%d", i, j), 500))
			want[len(want)-1].GetEvent().EventType = index
		}
		appendAll(t, l, want[len(want)-20:]...)
	}
	check := func() {
		require.Len(t, l.EventTypes(), 41)
		for i, name := range names {
			et, ok := l.EventType(uint32(i) + 2)
			require.True(t, ok)
			require.Equal(t, name, et.GetName())
		}
		_, ok := l.EventType(42)
		require.False(t, ok)
	}
	check()
	paths, err := segmentFiles(dir)
	require.NoError(t, err)
	require.Greater(t, len(paths), 5)
	stated := 0
	for _, path := range paths { // each can be read alone
		h, frames := layout(t, path)
		require.Len(t, h.types, stated)
		require.True(t, frames[0].durable)
		for _, f := range frames {
			if f.payload[0] == tagEventType {
				stated++
			}
		}
	}
	require.NoError(t, l.Close())
	l, err = Open(small(dir))
	require.NoError(t, err)
	check()
	again, err := l.StateEventType(payment())
	require.NoError(t, err)
	require.EqualValues(t, 1, again)
	require.NoError(t, l.Close())
}

func TestRefused(t *testing.T) {
	l := start(t, small(t.TempDir()))
	place := func(uint64) { t.Error("placed") }
	refused := func(want error, rec *logv1.Record) {
		_, err := l.Append(rec, place)
		require.ErrorIs(t, err, want)
	}
	refused(ErrRecord, &logv1.Record{})
	refused(ErrRecord, statement())
	unstated := event("1")
	unstated.GetEvent().EventType = 2
	refused(ErrRecord, unstated)
	refused(ErrTooLarge, padded("1", MaxRecordBytes+100))
	require.EqualValues(t, 1, l.Last())

	big := padded("big", MaxRecordBytes-100) // longer than a segment
	require.EqualValues(t, 2, appendAll(t, l, big))
	require.EqualValues(t, 3, appendAll(t, l, event("3")))
	got, err := l.Get(2)
	require.NoError(t, err)
	require.True(t, proto.Equal(big, got))
	require.NoError(t, l.Close())
	_, err = l.Append(event("4"), place)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, l.Writable(), ErrClosed)
	require.NoError(t, l.Wait(context.Background(), 3))
	require.ErrorIs(t, l.Wait(context.Background(), 4), ErrNotFound)
	require.NoError(t, l.Close())
}

// TestLongRecordAfterMark: a segment that holds only a mark is not ended, for the next would have its name.
func TestLongRecordAfterMark(t *testing.T) {
	o := Options{Dir: t.TempDir(), SegmentBytes: 4 << 10}
	for range 2 {
		l, err := Open(o)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	l, err := Open(o)
	require.NoError(t, err)
	et := payment()
	et.Document = make([]byte, 10000)
	_, err = l.StateEventType(et)
	require.NoError(t, err)
	appendAll(t, l, event("1"))
	require.Len(t, contents(t, l, 0), 2)
	require.Equal(t, 2, l.Stat().Segments)
	require.NoError(t, l.Close())
	report, err := Verify(o.Dir)
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Records)
}

func TestPanicInPlaceLeavesTheLogUsable(t *testing.T) {
	l := start(t, small(t.TempDir()))
	require.Panics(t, func() { _, _ = l.Append(event("1"), func(uint64) { panic("no") }) })
	require.EqualValues(t, 2, appendAll(t, l, event("2")))
	require.Equal(t, []string{"card_payment", "2"}, ids(contents(t, l, 0)))
}

func TestOverloaded(t *testing.T) {
	d := newFaults()
	l := start(t, Options{Dir: t.TempDir(), MaxBuffered: 4096, disk: d})
	appendAll(t, l, event("first"))
	release := d.stall() // the disk hangs in sync
	var err error
	var last uint64
	for i := 0; err == nil && i < 1000; i++ {
		var n uint64
		if n, err = l.Append(event(fmt.Sprint(i)), nil); err == nil {
			last = n
		}
	}
	require.ErrorIs(t, err, ErrOverloaded)
	require.ErrorIs(t, l.Writable(), ErrOverloaded)
	_, err = l.Append(decision(2, "first"), nil) // its event is in: it must get in as well
	require.NoError(t, err)
	for i := 0; err == nil && i < 1000; i++ {
		_, err = l.Append(decision(2, "first"), nil)
	}
	require.ErrorIs(t, err, ErrOverloaded)
	release()
	require.NoError(t, l.Wait(context.Background(), last))
	require.NoError(t, l.Wait(context.Background(), l.Last()))
	require.NoError(t, l.Writable())
	appendAll(t, l, event("again"))
}

func TestFlushedThoughNobodyWaits(t *testing.T) {
	l := start(t, small(t.TempDir()))
	r, err := l.Read(0)
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	_, err = l.Append(event("1"), nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return l.Durable() == 2 }, 10*time.Second, time.Millisecond)
	for _, want := range []uint64{1, 2} {
		sequence, _, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, want, sequence)
	}
	_, _, err = r.Next()
	require.ErrorIs(t, err, io.EOF)
	appendAll(t, l, event("2")) // the reader goes on from where it was
	sequence, rec, err := r.Next()
	require.NoError(t, err)
	require.EqualValues(t, 3, sequence)
	require.Equal(t, "2", rec.GetEvent().GetId())
}

func TestWaitEndsWithItsContext(t *testing.T) {
	d := newFaults()
	l := start(t, Options{Dir: t.TempDir(), disk: d})
	appendAll(t, l, event("1"))
	release := d.stall()
	n, err := l.Append(event("2"), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, l.Wait(ctx, n), context.Canceled)
	release()
	require.NoError(t, l.Wait(context.Background(), n))
	require.NoError(t, l.Wait(ctx, n))
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	o := small(t.TempDir())
	o.Registerer = reg
	l := start(t, o)
	appendAll(t, l, numbered("e", 9)...)
	_, err := Open(o) // the same names cannot be registered twice
	require.Error(t, err)
	require.NoError(t, l.Close())
	value := func(m prometheus.Metric) float64 {
		var d dto.Metric
		require.NoError(t, m.Write(&d))
		return d.GetCounter().GetValue() + d.GetGauge().GetValue()
	}
	require.InDelta(t, 10, value(l.metrics.records), 0)
	require.InDelta(t, 1, value(l.metrics.segments), 0)
	require.Positive(t, value(l.metrics.free))
	require.Zero(t, value(l.metrics.poisoned))
	left, err := reg.Gather()
	require.NoError(t, err)
	require.Empty(t, left, "metrics are gone after Close")
	l, err = Open(o)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestUnfinishedSegmentIsRemoved(t *testing.T) {
	dir := t.TempDir()
	l := start(t, small(dir))
	appendAll(t, l, event("1"))
	require.NoError(t, l.Close())
	left := segmentName(3) + newSuffix
	require.NoError(t, os.WriteFile(filepath.Join(dir, left), []byte("half a header"), 0o600))
	l, err := Open(small(dir))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.False(t, exists(t, dir, left))
}

func TestDecoderReusesAndForgets(t *testing.T) {
	var d Decoder
	encode := func(rec *logv1.Record) []byte {
		b, err := rec.MarshalVT()
		require.NoError(t, err)
		return b
	}
	full := decision(1, "1")
	full.GetDecision().Reasons = []*logv1.Reason{{Code: "rule", Text: "because"}}
	full.GetDecision().Flags = []string{"late"}
	bare := &logv1.Record{Body: &logv1.Record_Decision{Decision: &logv1.Decision{EventSequence: 9}}}
	empty := &logv1.Record{Body: &logv1.Record_Event{Event: &logv1.Event{}}}
	for range 2 {
		for _, want := range []*logv1.Record{full, bare, event("1"), empty, label("1"), statement(), full} {
			got, err := d.Decode(encode(want))
			require.NoError(t, err)
			require.True(t, proto.Equal(want, got), "%v, not %v", got, want)
		}
	}
	_, err := d.Decode([]byte{tagEvent, 5, 1})
	require.Error(t, err)
	require.False(t, errors.Is(err, io.EOF))
}
