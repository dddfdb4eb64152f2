package eventlog

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDrop: whole segments go, the oldest first; what is left reads as before, also after reopening, and ids of what is gone
// are not found.
func TestDrop(t *testing.T) {
	for _, compress := range []bool{false, true} {
		o := Options{Dir: t.TempDir(), SegmentBytes: 8 << 10, Compress: compress}
		l := start(t, o)
		appendAll(t, l, numbered("e", 600)...)
		awaitIndexed(t, l)
		sealed := l.Sealed()
		require.Greater(t, len(sealed), 5)
		require.EqualValues(t, 1532476800000000, sealed[1].Latest)
		want := contents(t, l, 0)
		reader, err := l.Read(2)
		require.NoError(t, err)
		t.Cleanup(func() { _ = reader.Close() })
		_, _, err = reader.Next()
		require.NoError(t, err)

		n, err := l.Drop(sealed[0].Last)
		require.NoError(t, err)
		require.Zero(t, n, "its last record may still be needed")
		n, err = l.Drop(sealed[2].Last + 1)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		first := sealed[3].First
		require.Equal(t, first, l.First())
		_, err = l.Get(first - 1)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = l.Read(first - 1)
		require.ErrorIs(t, err, ErrNotFound)
		found, err := l.Find(l.Key("card_payment", idOf(want[10])))
		require.NoError(t, err)
		require.Zero(t, found)
		found, err = l.Find(l.Key("card_payment", idOf(want[first])))
		require.NoError(t, err)
		require.Equal(t, first+1, found.Event)
		requireRecords(t, want[first-1:], contents(t, l, first))

		for err = nil; err == nil; { // a reader that was in a dropped segment ends with an error, not with a gap
			_, _, err = reader.Next()
		}
		require.ErrorIs(t, err, ErrNotFound)
		require.False(t, errors.Is(err, io.EOF))

		require.NoError(t, l.Close())
		orphan := filepath.Join(o.Dir, "00000000000000000001"+indexSuffix)
		require.NoError(t, os.WriteFile(orphan, []byte("x"), 0o600))
		l, err = Open(o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		require.NoFileExists(t, orphan)
		requireRecords(t, want[first-1:], contents(t, l, first))
		require.Equal(t, first, l.First())
		n, err = l.Drop(1 << 60)
		require.NoError(t, err)
		require.Equal(t, len(sealed)-3, n, "the open segment stays")
		appendAll(t, l, event("more"))
		report, err := Inspect(o.Dir, Look{Full: true, Live: true})
		require.NoError(t, err)
		require.Len(t, report.Segments, 1)
		require.NoError(t, l.Close())
	}
}
