package eventlog

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// crashed makes a log of several writes and leaves it as a killed process would.
func crashed(t testing.TB) (dir string, want []*logv1.Record) {
	t.Helper()
	from := t.TempDir()
	l := start(t, Options{Dir: from, SegmentBytes: 8 << 10})
	for i := range 3 {
		appendAll(t, l, numbered(fmt.Sprint("batch", i), 4)...)
	}
	want = contents(t, l, 0)
	dir = copyLog(t, from)
	require.NoError(t, l.Close())
	return dir, want
}

// withFile puts b in the place of the log's only file.
func withFile(t testing.TB, dir string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, segmentName(1))
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// whole counts the records among frames that stand in b as they stood in the original.
func whole(frames []frame, original, b []byte) (records int) {
	for _, f := range frames {
		if f.end() > int64(len(b)) || !bytes.Equal(b[f.offset:f.end()], original[f.offset:f.end()]) {
			break
		}
		if len(f.payload) > 0 {
			records++
		}
	}
	return records
}

func TestTornAtEveryOffset(t *testing.T) {
	dir, want := crashed(t)
	original, err := os.ReadFile(lastFile(t, dir))
	require.NoError(t, err)
	_, frames := layout(t, lastFile(t, dir))
	rnd := rand.New(rand.NewPCG(1, 2))
	tear := map[string]func(b []byte, at int64) []byte{
		"short":   func(b []byte, at int64) []byte { return b[:at] },
		"zeros":   func(b []byte, at int64) []byte { clear(b[at:]); return b },
		"garbage": func(b []byte, at int64) []byte { return append(b[:at], garbage(rnd, 300)...) },
	}
	scratch := t.TempDir()
	for name, tear := range tear {
		for at := frames[0].offset; at <= frames[len(frames)-1].end(); at++ {
			b := tear(bytes.Clone(original), at)
			withFile(t, scratch, b)
			v, err := OpenReader(scratch)
			require.NoError(t, err, "%s at %d", name, at)
			kept := whole(frames, original, b)
			require.EqualValues(t, kept, v.Last(), "%s at %d", name, at)
			if at%29 == 0 { // also for writing, and on from there
				reopenAndAppend(t, scratch, want[:kept])
			}
		}
	}
}

func garbage(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// reopenAndAppend opens a log that holds want, appends, closes, and finds all again.
func reopenAndAppend(t testing.TB, dir string, want []*logv1.Record) {
	t.Helper()
	l, err := Open(Options{Dir: dir, SegmentBytes: 8 << 10})
	require.NoError(t, err)
	requireRecords(t, want, contents(t, l, 0))
	more := label("more")
	if len(want) > 0 {
		want = append(want[:len(want):len(want)], more)
		appendAll(t, l, more)
	}
	require.NoError(t, l.Close())
	v, err := OpenReader(dir)
	require.NoError(t, err)
	requireRecords(t, want, contents(t, v, 0))
}

// TestPagesOutOfOrder: the last write was not synced, so the disk may have kept its end without its beginning.
func TestPagesOutOfOrder(t *testing.T) {
	dir, want := crashed(t)
	original, err := os.ReadFile(lastFile(t, dir))
	require.NoError(t, err)
	_, frames := layout(t, lastFile(t, dir))
	last := len(frames) - 1
	for !frames[last].durable {
		last--
	}
	require.Less(t, last, len(frames)-1, "the last write holds several records")
	for lost := last; lost < len(frames); lost++ {
		b := bytes.Clone(original)
		clear(b[frames[lost].offset:frames[lost].end()])
		withFile(t, dir, b)
		reopenAndAppend(t, dir, want[:lost])
	}
	// The same hole in a write before it is not a torn tail: it was synced before the last one began.
	for lost := range last {
		b := bytes.Clone(original)
		clear(b[frames[lost].offset:frames[lost].end()])
		path := withFile(t, dir, b)
		_, err := Open(Options{Dir: dir})
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, path, corrupt.File)
		require.Equal(t, frames[lost].offset, corrupt.Offset)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, b, after, "nothing is changed in a corrupt log")
	}
}

// TestEveryBit: a flipped bit anywhere is found, or lies in the last write of a log that was not closed.
func TestEveryBit(t *testing.T) {
	open, want := crashed(t)
	closed := copyLog(t, open)
	l, err := Open(Options{Dir: closed, SegmentBytes: 8 << 10})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, dir := range []string{open, closed} {
		path := lastFile(t, dir)
		h, frames := layout(t, path)
		last := len(frames) - 1
		for !frames[last].durable {
			last--
		}
		original, err := os.ReadFile(path)
		require.NoError(t, err)
		for at := range int64(min(len(original), int(frames[len(frames)-1].end())+64)) {
			for _, bit := range []int64{at % 7, 7} {
				b := bytes.Clone(original)
				b[at] ^= 1 << bit
				withFile(t, dir, b)
				v, err := OpenReader(dir)
				if at < h.size || at < frames[last].offset {
					require.ErrorIs(t, err, ErrCorrupt, "bit %d of byte %d", bit, at)
					continue
				}
				require.NoError(t, err, "bit %d of byte %d", bit, at)
				require.EqualValues(t, whole(frames, original, b), v.Last())
				require.Positive(t, v.Stat().TornBytes, "bit %d of byte %d", bit, at)
			}
		}
		withFile(t, dir, original)
		v, err := OpenReader(dir)
		require.NoError(t, err)
		requireRecords(t, want, contents(t, v, 0))
	}
}

// TestSealedSegments: in every file but the last, each change is found.
func TestSealedSegments(t *testing.T) {
	dir := t.TempDir()
	l := start(t, Options{Dir: dir, SegmentBytes: 4 << 10})
	appendAll(t, l, numbered("e", 100)...)
	require.NoError(t, l.Close())
	forgetIndexes(t, dir)
	paths, err := segmentFiles(dir)
	require.NoError(t, err)
	require.Greater(t, len(paths), 2)
	middle := paths[1]
	original, err := os.ReadFile(middle)
	require.NoError(t, err)
	corrupt := func(what string) {
		_, err := OpenReader(dir)
		require.ErrorIs(t, err, ErrCorrupt, what)
		_, err = Open(Options{Dir: dir})
		require.ErrorIs(t, err, ErrCorrupt, what)
		report, err := Verify(dir)
		require.ErrorIs(t, err, ErrCorrupt, what)
		require.Len(t, report.Segments, len(paths))
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for at := 0; at < len(original); at += 1 + rnd.IntN(20) {
		b := bytes.Clone(original)
		b[at] ^= 1 << rnd.IntN(8)
		require.NoError(t, os.WriteFile(middle, b, 0o600))
		_, err := OpenReader(dir)
		var c *CorruptError
		require.ErrorAs(t, err, &c, at)
		require.Equal(t, middle, c.File)
	}
	for _, b := range [][]byte{nil, original[:len(original)-1], append(bytes.Clone(original), 0), append(bytes.Clone(original), make([]byte, 100)...)} {
		require.NoError(t, os.WriteFile(middle, b, 0o600))
		corrupt(fmt.Sprint(len(b), " bytes"))
	}
	_, frames := layout(t, paths[2])
	require.NoError(t, os.WriteFile(middle, original[:len(original)-int(frames[0].end()-frames[0].offset)], 0o600))
	corrupt("a record is missing")
	require.NoError(t, os.Rename(middle, filepath.Join(dir, "away")))
	paths = append(paths[:1], paths[2:]...)
	corrupt("a segment is missing")
	require.NoError(t, os.WriteFile(middle, original, 0o600))
	_, err = OpenReader(dir)
	require.NoError(t, err)
}

func TestSegmentOfAnotherLog(t *testing.T) {
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		l := start(t, Options{Dir: dirs[i], SegmentBytes: 4 << 10})
		appendAll(t, l, numbered("e", 100)...)
		require.NoError(t, l.Close())
	}
	name := filepath.Base(lastFile(t, dirs[0]))
	b, err := os.ReadFile(filepath.Join(dirs[1], name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dirs[0], name), b, 0o600))
	_, err = Open(Options{Dir: dirs[0]})
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "another log")
}

// TestUnknownFormat: a header that is in order but of a later version is no corruption.
func TestUnknownFormat(t *testing.T) {
	dir, _ := crashed(t)
	b, err := os.ReadFile(lastFile(t, dir))
	require.NoError(t, err)
	h, _ := layout(t, lastFile(t, dir))
	b[8] = 2
	resealHeader(b[:h.size])
	withFile(t, dir, b)
	_, err = Open(Options{Dir: dir})
	require.ErrorIs(t, err, ErrVersion)
	require.NotErrorIs(t, err, ErrCorrupt)
}

// TestUndecodable: a frame whose checksum is right is never cut off as a torn tail.
func TestUndecodable(t *testing.T) {
	dir, _ := crashed(t)
	path := lastFile(t, dir)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	h, frames := layout(t, path)
	last := frames[len(frames)-1]
	payload := b[last.offset+frameHeader : last.end()]
	payload[1] = 127 // its length
	sealFrame(b[last.offset:last.end()], seedOf(h.id), last.sequence, false)
	withFile(t, dir, b)
	_, err = Verify(dir)
	require.ErrorIs(t, err, ErrCorrupt)
	v, err := OpenReader(dir)
	require.NoError(t, err)
	_, err = v.Get(last.sequence)
	require.Error(t, err)
}

func resealHeader(b []byte) {
	body := b[:len(b)-4]
	le.PutUint32(b[len(body):], crc32.Checksum(body, castagnoli))
}
