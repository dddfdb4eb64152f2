package features

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// plain is a history as a list: what the chunks must come to.
type plain struct {
	entries []plainEntry
}

type plainEntry struct {
	event    Event
	sequence uint64
	labels   []Label
}

// fullLayout has a column of every kind.
func fullLayout(opts EngineOptions) *layout {
	l := &layout{stride: firstColumn, reach: math.MaxInt64 / 4, labels: true}
	sum := l.column(column{kind: sumColumn, name: "amount", value: amountValue})
	l.column(column{kind: squareColumn, name: "amount", value: amountValue, of: sum})
	l.column(column{kind: presentColumn, name: "x", value: func(ev *Event) (int64, bool) { return 7, !math.IsNaN(ev.Numbers[0]) }})
	raw := l.column(rawNumber("x", 0))
	l.column(column{kind: codeColumn, name: "code", code: func(ev *Event) uint32 { return uint32(ev.Amount) }})
	l.peak(sum)
	l.peak(raw)
	l.finish(&opts)
	return l
}

func (m *plain) insert(e plainEntry) {
	at := len(m.entries)
	for at > 0 && m.entries[at-1].event.Time > e.event.Time {
		at--
	}
	m.entries = slices.Insert(m.entries, at, e)
}

// TestHistoryEqualsList puts events in any order into one history, of small chunks and of real ones, drops by the cap, labels, and compares all that can
// be read with a plain list.
func TestHistoryEqualsList(t *testing.T) {
	for _, c := range []struct{ rows, chunks, limit, events, late int }{
		{4, 2, 1 << 20, 300, 2}, {4, 2, 50, 600, 2}, {5, 3, 100, 1_000, 4}, {4, 2, 3, 200, 1}, {9, 4, 1, 100, 2},
		{0, 0, 1 << 20, 12_000, 3}, {0, 0, 8_500, 12_000, 5}, {0, 0, 130, 3_000, 8},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			l := fullLayout(EngineOptions{}.Small(c.rows, c.chunks))
			random := rand.New(rand.NewSource(int64(c.events + c.rows)))
			h, m := newHistory(""), &plain{}
			for i := range c.events {
				e := plainEntry{event: Event{Time: int64(i / 3), Amount: random.Int63n(2_000_000) - 1_000_000, Numbers: []float64{float64(random.Intn(50))}},
					sequence: uint64(i + 1)}
				switch random.Intn(c.late) {
				case 0:
					e.event.Time = random.Int63n(e.event.Time + 1)
				case 1:
					e.event.Time -= random.Int63n(min(e.event.Time+1, 9))
				}
				if random.Intn(3) == 0 {
					e.event.Numbers[0] = math.NaN()
				}
				h.insert(l, &e.event, e.sequence)
				h.trim(l, 0, c.limit)
				m.insert(e)
				m.entries = m.entries[max(0, len(m.entries)-c.limit):]
				for range random.Intn(3) {
					label := Label{Verdict: Verdict(1 + random.Intn(3)), KnownAt: random.Int63n(e.event.Time + 20)}
					at := &m.entries[random.Intn(len(m.entries))]
					p, kept := h.find(at.event.Time, at.sequence)
					require.True(t, kept)
					h.label(l, p, &label)
					at.labels = append(at.labels, label)
				}
				if i%(1+c.events/60) == 0 {
					h.check(t, l)
					m.compare(t, l, h, random)
				}
			}
		})
	}
}

// compare reads windows by every accessor.
func (m *plain) compare(t *testing.T, l *layout, h *history, random *rand.Rand) {
	require.Equal(t, len(m.entries), h.size())
	places := []place{h.start()}
	for places[len(places)-1] < h.end() {
		places = append(places, h.next(places[len(places)-1]))
	}
	require.Len(t, places, len(m.entries)+1)
	for range 2 {
		newest := m.entries[len(m.entries)-1].event.Time
		from := random.Int63n(newest+3) - 1
		to := min(from+random.Int63n(newest+3), newest+1)
		lo := slices.IndexFunc(append(m.entries, plainEntry{event: Event{Time: math.MaxInt64}}), func(e plainEntry) bool { return e.event.Time > from })
		hi := slices.IndexFunc(append(m.entries, plainEntry{event: Event{Time: math.MaxInt64}}), func(e plainEntry) bool { return e.event.Time > to })
		require.Equal(t, places[lo], h.upTo(from))
		require.Equal(t, places[hi], h.upTo(to))
		m.compareWindow(t, l, h, places, lo, hi)
		now := random.Int63n(newest + 30)
		v := h.frauds(l, now, places[lo], places[hi], everything)
		require.Equal(t, m.frauds(now, lo, hi), []int64{int64(v.frauds), v.first, v.last})
	}
}

func (m *plain) frauds(now int64, lo, hi int) []int64 {
	out := []int64{0, 0, 0}
	for _, e := range m.entries[lo:hi] {
		current := Label{KnownAt: never}
		for _, label := range e.labels {
			if label.KnownAt <= now && label.KnownAt >= current.KnownAt {
				current = label
			}
		}
		if current.Verdict == Fraud {
			if out[0]++; out[0] == 1 {
				out[1] = e.event.Time
			}
			out[2] = e.event.Time
		}
	}
	return out
}

func (m *plain) compareWindow(t *testing.T, l *layout, h *history, places []place, lo, hi int) {
	amount, present, raw, code := &l.columns[0], &l.columns[2], &l.columns[3], &l.columns[4]
	var sum, n int64
	var squares wide
	low, high, lowX, highX := math.NaN(), math.NaN(), math.NaN(), math.NaN()
	for i, e := range m.entries[lo:hi] {
		p := places[lo+i+1]
		require.Equal(t, []any{e.event.Time, e.sequence, uint32(e.event.Amount)}, []any{h.time(p), h.sequence(p), h.code(code, p)})
		require.Equal(t, math.Float64bits(e.event.Numbers[0]), math.Float64bits(h.raw(raw, p)))
		require.Equal(t, places[lo+i], h.previous(p))
		sum, squares = sum+e.event.Amount, squares.plus(square(e.event.Amount))
		reduce(&low, float64(e.event.Amount))
		raise(&high, float64(e.event.Amount))
		reduce(&lowX, e.event.Numbers[0])
		raise(&highX, e.event.Numbers[0])
		if !math.IsNaN(e.event.Numbers[0]) {
			n++
		}
	}
	from, to := places[lo], places[max(lo, hi)]
	require.Equal(t, max(0, hi-lo), h.count(from, to))
	require.Equal(t, sum, h.sum(amount, from, to))
	require.Equal(t, n, h.sum(present, from, to))
	require.Equal(t, squares, h.squares(l, &l.columns[1], from, to))
	got := []float64{h.extreme(l, 0, from, to, true), h.extreme(l, 0, from, to, false), h.extreme(l, 3, from, to, true), h.extreme(l, 3, from, to, false)}
	require.Equal(t, fmt.Sprint([]float64{low, high, lowX, highX}), fmt.Sprint(got))
	want := hi
	for want > 0 && math.IsNaN(m.entries[want-1].event.Numbers[0]) {
		want--
	}
	p, found := h.latest(present, to)
	require.Equal(t, want > 0, found)
	if found {
		require.Equal(t, places[want], p)
	}
}

// check holds a history to what chunk.go and directory.go promise.
func (h *history) check(t *testing.T, l *layout) {
	checkChunk(t, l, &h.tail)
	if h.groups() == 0 {
		return
	}
	require.Equal(t, []int64{h.tail.timeOf(0), int64(h.tail.sequenceOf(0))}, []int64{h.tail.time, int64(h.tail.sequence)})
	require.Zero(t, h.tail.dropped)
	total := slices.Clone(h.older.groups[0].base)
	for gi := range h.older.groups {
		g := &h.older.groups[gi]
		require.NotEmpty(t, g.chunks)
		require.LessOrEqual(t, len(g.chunks), l.groupChunks)
		require.Equal(t, total, g.base)
		sums, all := make([]uint64, l.words), verdicts{known: never}
		copy(sums, g.bases) // the first group's first may have been removed
		require.True(t, gi == 0 || slices.Max(sums) == 0)
		for s := range g.chunks {
			c := &g.chunks[s]
			checkChunk(t, l, c)
			require.True(t, c.rows > c.dropped && (c.dropped == 0 || gi+s == 0))
			require.True(t, gi+s == 0 || c.time == c.timeOf(0) && c.sequence == c.sequenceOf(0))
			require.Equal(t, sums, g.words(l, s))
			l.sumUp(c, sums)
			if c.labels != nil {
				all.add(&c.labels.verdicts)
			}
		}
		require.Equal(t, all, g.verdicts)
		l.addTo(total, sums)
	}
	require.Equal(t, total, h.older.total)
}

func checkChunk(t *testing.T, l *layout, c *chunk) {
	require.Positive(t, c.rows)
	require.LessOrEqual(t, int(c.rows), min(l.chunkRows, c.capacity()))
	for row := int(c.dropped) + 1; row < int(c.rows); row++ {
		require.True(t, c.starts(row-1, c.timeOf(row), c.sequenceOf(row)), "order")
	}
	if c.labels != nil {
		require.NotEmpty(t, c.labels.said)
		require.Less(t, c.labels.said[len(c.labels.said)-1].row, c.rows)
	}
}
