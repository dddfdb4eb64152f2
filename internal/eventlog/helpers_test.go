package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

func payment() *logv1.EventType {
	return &logv1.EventType{
		Name: "card_payment", Document: []byte("event_type: card_payment\n"), Currency: "EUR",
		Entities: []string{"customer", "terminal"}, Attributes: []string{"country"}, Numbers: []string{"lat", "lon"},
	}
}

func event(id string) *logv1.Record {
	return &logv1.Record{Body: &logv1.Record_Event{Event: &logv1.Event{
		EventType: 1, Id: id, Time: 1532476800000000, Entities: []string{"c-4711", "t-3156"}, Ordinals: []uint64{17, 230},
		Amount: 1999, Attributes: []string{"PT"}, Numbers: []float64{38.7, -9.1}, Received: 1532476800100000,
	}}}
}

func decision(of uint64, id string) *logv1.Record {
	return &logv1.Record{Body: &logv1.Record_Decision{Decision: &logv1.Decision{
		EventSequence: of, EventType: 1, EventId: id, Verdict: logv1.Verdict_VERDICT_APPROVE,
		ModelVersion: make([]byte, 32), Raw: -4.2, Probability: .0148, Vector: make([]float64, 25), Decided: 1532476800100042,
	}}}
}

func label(id string) *logv1.Record {
	return &logv1.Record{Body: &logv1.Record_Label{Label: &logv1.Label{
		EventType: 1, EventId: id, Verdict: logv1.LabelVerdict_LABEL_VERDICT_FRAUD, Kind: "chargeback",
	}}}
}

// padded is an event whose encoding has about size bytes.
func padded(id string, size int) *logv1.Record {
	rec := event(id)
	rec.GetEvent().Attributes = []string{strings.Repeat("x", max(0, size-rec.SizeVT()))}
	return rec
}

// idOf is the id of the event that rec is, decides or labels.
func idOf(rec *logv1.Record) string {
	switch b := rec.GetBody().(type) {
	case *logv1.Record_Event:
		return b.Event.GetId()
	case *logv1.Record_Decision:
		return b.Decision.GetEventId()
	case *logv1.Record_Label:
		return b.Label.GetEventId()
	case *logv1.Record_EventType:
		return b.EventType.GetName()
	}
	return "?"
}

func small(dir string) Options { return Options{Dir: dir, SegmentBytes: 64 << 10} }

// start opens a log with one event type stated.
func start(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	index, err := l.StateEventType(payment())
	require.NoError(t, err)
	require.EqualValues(t, 1, index)
	return l
}

// appendAll appends and waits for the last one: usually one sync.
func appendAll(t testing.TB, l *Log, recs ...*logv1.Record) uint64 {
	t.Helper()
	var last uint64
	for _, rec := range recs {
		var err error
		last, err = l.Append(rec, nil)
		require.NoError(t, err)
	}
	require.NoError(t, l.Wait(context.Background(), last))
	return last
}

type readable interface {
	Read(from uint64) (*Reader, error)
}

// contents reads all records from the given one on; records[i] has sequence from+i.
func contents(t require.TestingT, l readable, from uint64) []*logv1.Record {
	r, err := l.Read(from)
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	var all []*logv1.Record
	for want := max(from, 1); ; want++ {
		sequence, rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		require.Equal(t, want, sequence)
		all = append(all, proto.Clone(rec).(*logv1.Record))
	}
}

func ids(recs []*logv1.Record) []string {
	all := make([]string, len(recs))
	for i, rec := range recs {
		all[i] = idOf(rec)
	}
	return all
}

func requireRecords(t require.TestingT, want, got []*logv1.Record) {
	require.Equal(t, ids(want), ids(got))
	for i := range want {
		require.True(t, proto.Equal(want[i], got[i]), "record %d: %v, not %v", i+1, got[i], want[i])
	}
}

// copyLog copies the segments of a log, as a crash would leave them if the disk had got everything but the indexes, which are
// made beside.
func copyLog(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	paths, err := segmentFiles(from)
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(path)), b, 0o600))
	}
	return to
}

// forgetIndexes removes the indexes of a closed log, so that it is read in full when it is opened.
func forgetIndexes(t testing.TB, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+indexSuffix))
	require.NoError(t, err)
	for _, path := range paths {
		require.NoError(t, os.Remove(path))
	}
}

func lastFile(t testing.TB, dir string) string {
	t.Helper()
	paths, err := segmentFiles(dir)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths[len(paths)-1]
}

// layout lists the frames of a file, marks too.
func layout(t testing.TB, path string) (*header, []frame) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	src := strings.NewReader(string(b))
	h, err := readHeader(src, int64(len(b)))
	require.NoError(t, err)
	var frames []frame
	c := newCursor(src, seedOf(h.id), h.first, h.size)
	for {
		f, err := c.next(int64(len(b)))
		if errors.Is(err, io.EOF) {
			return h, frames
		}
		require.NoError(t, err)
		f.payload = append([]byte(nil), f.payload...)
		frames = append(frames, f)
	}
}

func (f frame) end() int64 { return f.offset + frameHeader + int64(len(f.payload)) }

func numbered(prefix string, n int) []*logv1.Record {
	recs := make([]*logv1.Record, n)
	for i := range recs {
		recs[i] = event(fmt.Sprintf("%s-%d", prefix, i))
	}
	return recs
}

func exists(t testing.TB, dir, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}
