package eventlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// awaitIndexed waits until everything before the open segment is indexed.
func awaitIndexed(t require.TestingT, l *Log) {
	segments := *l.segments.Load()
	want, reached := segments[len(segments)-1].first-1, make(chan struct{}, 1)
	l.OnIndexed(func(upTo uint64) {
		if upTo >= want {
			select {
			case reached <- struct{}{}:
			default:
			}
		}
	})
	<-reached
	require.GreaterOrEqual(t, l.Indexed(), want)
}

// TestFindAgainstPlainMap holds the indexes of random logs, reopened now and then, to a map of all that was appended.
func TestFindAgainstPlainMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{Dir: t.TempDir(), SegmentBytes: rapid.Int64Range(4<<10, 16<<10).Draw(rt, "segment"), Compress: rapid.Bool().Draw(rt, "compress")}
		l := start(t, o)
		want := map[string]*Traces{}
		for range rapid.IntRange(1, 12).Draw(rt, "turns") {
			for range rapid.IntRange(1, 60).Draw(rt, "records") {
				id := fmt.Sprint("e", rapid.IntRange(0, 80).Draw(rt, "id"))
				if want[id] == nil {
					want[id] = &Traces{}
				}
				w := want[id]
				var rec *logv1.Record
				switch kind := rapid.IntRange(0, 2).Draw(rt, "kind"); {
				case kind == 0 && w.Event == 0:
					rec, w.Event = event(id), l.Last()+1
				case kind == 1 && w.Event != 0 && w.Decision == 0:
					rec, w.Decision = decision(w.Event, id), l.Last()+1
				default:
					rec, w.Labels = label(id), append(w.Labels, l.Last()+1)
				}
				_, err := l.Append(rec, nil)
				require.NoError(rt, err)
			}
			require.NoError(rt, l.Wait(t.Context(), l.Last()))
			if rapid.Bool().Draw(rt, "reopen") {
				require.NoError(rt, l.Close())
				l = start(t, o)
			}
			awaitIndexed(rt, l)
			upTo := l.Indexed()
			for id, w := range want {
				got, err := l.Find(l.Key("card_payment", id))
				require.NoError(rt, err)
				require.Equal(rt, w.before(upTo), got, id)
			}
			for _, absent := range []string{"", "e-1", "x"} {
				got, err := l.Find(l.Key("card_payment", absent))
				require.NoError(rt, err)
				require.Zero(rt, got)
			}
			got, err := l.Find(l.Key("login", "e1"))
			require.NoError(rt, err)
			require.Zero(rt, got, "an id of another event type")
		}
		require.NoError(rt, l.Close())
	})
}

// before is what of the traces lies at or before a sequence.
func (t *Traces) before(upTo uint64) Traces {
	var out Traces
	if t.Event <= upTo {
		out.Event = t.Event
	}
	if t.Decision <= upTo {
		out.Decision = t.Decision
	}
	for _, sequence := range t.Labels {
		if sequence <= upTo {
			out.Labels = append(out.Labels, sequence)
		}
	}
	return out
}

// indexedLog makes a closed log of several segments, each with its index.
func indexedLog(t *testing.T) (o Options, paths []string) {
	t.Helper()
	o = Options{Dir: t.TempDir(), SegmentBytes: 16 << 10}
	l := start(t, o)
	appendAll(t, l, numbered("e", 800)...)
	awaitIndexed(t, l)
	require.NoError(t, l.Close())
	paths, err := segmentFiles(o.Dir)
	require.NoError(t, err)
	require.Greater(t, len(paths), 3)
	return o, paths
}

// TestTrustedSegments: a segment with an index is not read at start; what is wrong in it is found where it is read, and by
// Verify.
func TestTrustedSegments(t *testing.T) {
	o, paths := indexedLog(t)
	b, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	_, frames := layout(t, paths[1])
	hurt := frames[3]
	b[hurt.offset+frameHeader] ^= 1
	require.NoError(t, os.WriteFile(paths[1], b, 0o600))
	l, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, err = l.Get(hurt.sequence)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = l.Get((*l.segments.Load())[2].first)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = Verify(o.Dir)
	require.ErrorIs(t, err, ErrCorrupt)
}

// TestBadIndexIsMadeAgain: whatever becomes of an index file, the log opens and finds all ids; a page that goes bad while the
// log is open is an error and no wrong answer, and is made again.
func TestBadIndexIsMadeAgain(t *testing.T) {
	o, paths := indexedLog(t)
	path := indexPath(paths[1])
	original, err := os.ReadFile(path)
	require.NoError(t, err)
	all := func(l *Log) {
		for sequence := uint64(2); sequence <= l.Indexed(); sequence++ {
			rec, err := l.Get(sequence)
			require.NoError(t, err)
			got, err := l.Find(l.Key("card_payment", idOf(rec)))
			require.NoError(t, err)
			require.Equal(t, sequence, got.Event)
		}
	}
	other, _ := indexedLog(t)
	foreign, err := os.ReadFile(filepath.Join(other.Dir, filepath.Base(path)))
	require.NoError(t, err)
	bad := [][]byte{nil, original[:len(original)-1], append(bytes.Clone(original), 0), foreign}
	rnd, directory := rand.New(rand.NewPCG(1, 2)), len(original)%pageBytes // the header and it: pages follow
	for range 30 {
		b := bytes.Clone(original)
		b[rnd.IntN(directory)] ^= 1 << rnd.IntN(8)
		bad = append(bad, b)
	}
	for _, b := range bad {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		l, err := Open(o)
		require.NoError(t, err)
		awaitIndexed(t, l)
		all(l)
		require.NoError(t, l.Close())
		again, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, original, again)
	}
	l, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	x := (*l.segments.Load())[1].ids.Load()
	b := bytes.Clone(original)
	b[x.pagesAt+100] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	rec, err := l.Get(x.first)
	require.NoError(t, err)
	_, err = l.Find(l.Key("card_payment", idOf(rec)))
	require.ErrorIs(t, err, ErrCorrupt)
	for err != nil {
		_, err = l.Find(l.Key("card_payment", idOf(rec)))
		require.True(t, err == nil || bytes.Contains([]byte(err.Error()), []byte("is being made again")), err)
	}
	all(l)
}

// TestManyLabelsOfOneEvent: an id whose entries fill more than a page.
func TestManyLabelsOfOneEvent(t *testing.T) {
	o := Options{Dir: t.TempDir(), SegmentBytes: 128 << 10}
	l := start(t, o)
	appendAll(t, l, event("a"), event("b"), event("c"))
	var want []uint64
	for range 3 * pageEntries {
		want = append(want, appendAll(t, l, label("b")))
	}
	appendAll(t, l, padded("long", 127<<10))
	awaitIndexed(t, l)
	got, err := l.Find(l.Key("card_payment", "b"))
	require.NoError(t, err)
	require.Equal(t, Traces{Event: 3, Labels: want}, got)
	got, err = l.Find(l.Key("card_payment", "c"))
	require.NoError(t, err)
	require.Equal(t, Traces{Event: 4}, got)
}

// TestFilter: no key that is there is missed, and about one in a thousand of the others passes.
func TestFilter(t *testing.T) {
	const n = 100_000
	f := newFilter(n)
	key := func(i int) (uint64, uint64) { return keyOf([16]byte{1}, "card_payment", fmt.Sprint(i)).halves() }
	for i := range n {
		f.add(key(i))
	}
	passed := 0
	for i := range n {
		require.True(t, f.has(key(i)))
		if f.has(key(n + i)) {
			passed++
		}
	}
	require.Less(t, passed, n/400)
}
