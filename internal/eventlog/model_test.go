package eventlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// machine holds a log against a plain list, over appends, reopenings, power cuts and cut files.
type machine struct {
	t       *testing.T
	o       Options
	d       *faults
	l       *Log
	list    []*logv1.Record // what was appended; list[i] is record i+1
	durable int             // of these are acknowledged
	next    int
}

func (m *machine) open(t *rapid.T) {
	m.d = newFaults()
	m.o.disk = m.d
	l, err := Open(m.o)
	require.NoError(t, err)
	m.l = l
	found := contents(t, l, 0)
	require.GreaterOrEqual(t, len(found), m.durable)
	require.LessOrEqual(t, len(found), len(m.list))
	m.list = m.list[:len(found)]
	requireRecords(t, m.list, found)
	m.durable = len(found)
	m.state(t)
}

// state states the event type, which is new only in an empty log.
func (m *machine) state(t *rapid.T) {
	_, err := m.l.StateEventType(payment())
	require.NoError(t, err)
	if len(m.list) == 0 {
		rec, err := m.l.Get(1)
		require.NoError(t, err)
		m.list = append(m.list, rec)
	}
}

func (m *machine) Append(t *rapid.T) {
	for range rapid.IntRange(1, 30).Draw(t, "n") {
		m.next++
		rec := padded(fmt.Sprint(m.next), rapid.SampledFrom([]int{0, 300, 3000, 40000}).Draw(t, "size"))
		n, err := m.l.Append(rec, nil)
		require.NoError(t, err)
		m.list = append(m.list, rec)
		require.EqualValues(t, len(m.list), n)
	}
}

func (m *machine) State(t *rapid.T) {
	et := &logv1.EventType{Name: fmt.Sprint("t", m.next), Document: fmt.Append(nil, rapid.IntRange(0, 20).Draw(t, "document"))}
	before := m.l.Last()
	_, err := m.l.StateEventType(et)
	require.NoError(t, err)
	if m.l.Last() > before {
		rec, err := m.l.Get(before + 1)
		require.NoError(t, err)
		m.list = append(m.list, rec)
	}
}

func (m *machine) Wait(t *rapid.T) {
	n := rapid.IntRange(0, len(m.list)).Draw(t, "record")
	require.NoError(t, m.l.Wait(context.Background(), uint64(n)))
	m.durable = max(m.durable, n)
}

func (m *machine) Get(t *rapid.T) {
	n := rapid.IntRange(1, len(m.list)).Draw(t, "record")
	rec, err := m.l.Get(uint64(n))
	require.NoError(t, err)
	require.True(t, proto.Equal(m.list[n-1], rec))
}

func (m *machine) Read(t *rapid.T) {
	from := rapid.IntRange(1, m.durable+1).Draw(t, "from")
	found := contents(t, m.l, uint64(from))
	require.GreaterOrEqual(t, from-1+len(found), m.durable)
	requireRecords(t, m.list[from-1:from-1+len(found)], found)
}

func (m *machine) Reopen(t *rapid.T) {
	require.NoError(t, m.l.Close())
	m.durable = len(m.list)
	require.NoError(t, m.d.powerCut(rand.New(rand.NewPCG(1, 1)), 1))
	m.open(t)
}

// PowerCut loses some of what was not synced.
func (m *machine) PowerCut(t *rapid.T) {
	m.d.kill()
	if m.l.Close() == nil {
		m.durable = len(m.list)
	}
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	require.NoError(t, m.d.powerCut(rnd, rapid.SampledFrom([]float64{0, .3, 1}).Draw(t, "share")))
	m.durable = max(m.durable, int(m.l.Durable()))
	m.open(t)
}

// Cut shortens the last file by hand: whatever is left must be a prefix.
func (m *machine) Cut(t *rapid.T) {
	require.NoError(t, m.l.Close())
	require.NoError(t, m.d.powerCut(rand.New(rand.NewPCG(1, 1)), 0))
	path := lastFile(m.t, m.o.Dir)
	h, frames := layout(m.t, path)
	end := h.size
	if len(frames) > 0 {
		end = frames[len(frames)-1].end()
	}
	cut := rapid.Int64Range(h.size, end).Draw(t, "cut")
	require.NoError(t, os.Truncate(path, cut))
	m.durable = int(h.first) - 1
	for _, f := range frames {
		if f.end() <= cut && len(f.payload) > 0 {
			m.durable = int(f.sequence)
		}
	}
	m.list = m.list[:m.durable]
	m.open(t)
}

func (m *machine) Check(t *rapid.T) {
	require.EqualValues(t, len(m.list), m.l.Last())
	require.GreaterOrEqual(t, int(m.l.Durable()), m.durable)
}

func TestAgainstPlainList(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "log")
		require.NoError(r, err)
		m := &machine{t: t, o: Options{Dir: dir, SegmentBytes: rapid.SampledFrom([]int64{4 << 10, 20 << 10, 1 << 20}).Draw(r, "segment")}}
		defer func() {
			if m.l != nil {
				_ = m.l.Close()
				_ = m.d.powerCut(rand.New(rand.NewPCG(1, 1)), 0)
			}
		}()
		m.open(r)
		r.Repeat(map[string]func(*rapid.T){
			"append": m.Append, "state": m.State, "wait": m.Wait, "get": m.Get, "read": m.Read,
			"reopen": m.Reopen, "power cut": m.PowerCut, "cut": m.Cut, "": m.Check,
		})
	})
}
