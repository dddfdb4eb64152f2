package eventlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// packedLog makes a log whose older segments are packed, and gives back its records. Readers follow it all the while.
func packedLog(t *testing.T, beside func(l *Log)) (o Options, want []*logv1.Record) {
	t.Helper()
	o = Options{Dir: t.TempDir(), SegmentBytes: 96 << 10, Compress: true}
	l := start(t, o)
	var wg sync.WaitGroup
	wg.Go(func() {
		if beside != nil {
			beside(l)
		}
	})
	for i := range 20 {
		appendAll(t, l, numbered(fmt.Sprint("turn", i), 300)...)
	}
	segments := *l.segments.Load()
	require.Greater(t, len(segments), unpacked+3)
	for _, s := range segments[:len(segments)-1-unpacked] {
		require.Eventually(t, func() bool { return filepath.Ext(s.name()) == packedSuffix }, time.Minute, time.Millisecond)
	}
	wg.Wait()
	want = contents(t, l, 0)
	require.Len(t, want, 6001)
	require.NoError(t, l.Close())
	return o, want
}

// TestPacked: a packed log reads as before, while it is packed, record by record and after reopening, and takes less room.
func TestPacked(t *testing.T) {
	o, want := packedLog(t, func(l *Log) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			if last := l.Durable(); last > 1 {
				sequence := 1 + rnd.Uint64N(last)
				rec, err := l.Get(sequence)
				require.NoError(t, err)
				require.NotEqual(t, "?", idOf(rec))
			}
		}
	})
	v, err := OpenReader(o.Dir)
	require.NoError(t, err)
	requireRecords(t, want, contents(t, v, 0))
	report, err := Verify(o.Dir)
	require.NoError(t, err)
	require.True(t, report.Closed)
	for _, s := range (*v.segments.Load())[:3] {
		info, err := os.Stat(s.path)
		require.NoError(t, err)
		require.Less(t, info.Size(), s.end.Load()/2)
	}
	l, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	for i, rec := range want {
		got, err := l.Get(uint64(i + 1))
		require.NoError(t, err)
		require.Equal(t, idOf(rec), idOf(got))
	}
	require.NoError(t, l.Close())
	forgetIndexes(t, o.Dir)
	reopenAndAppend(t, o.Dir, want)
}

// TestKilledWhilePacking: whatever of the two files a crash leaves, the log is whole.
func TestKilledWhilePacking(t *testing.T) {
	o, want := packedLog(t, nil)
	paths, err := segmentFiles(o.Dir)
	require.NoError(t, err)
	src, size, err := openSource(paths[1])
	require.NoError(t, err)
	plain := make([]byte, size)
	_, err = src.ReadAt(plain, 0)
	require.NoError(t, err)
	require.NoError(t, src.Close())
	raw := strings.TrimSuffix(paths[1], packedSuffix)
	require.NoError(t, os.WriteFile(raw, plain, 0o600))
	require.NoError(t, os.WriteFile(paths[2]+newSuffix, plain[:100], 0o600))
	v, err := OpenReader(o.Dir)
	require.NoError(t, err)
	requireRecords(t, want, contents(t, v, 0))
	reopenAndAppend(t, o.Dir, want)
	require.NoFileExists(t, raw)
	require.NoFileExists(t, paths[2]+newSuffix)
	packedFile, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	require.NoError(t, os.Remove(paths[1])) // before the rename
	require.NoError(t, os.WriteFile(raw, plain, 0o600))
	require.NoError(t, os.WriteFile(paths[1]+newSuffix, packedFile[:len(packedFile)/2], 0o600))
	v, err = OpenReader(o.Dir)
	require.NoError(t, err)
	require.Len(t, contents(t, v, 0), len(want)+1)
}

// TestEveryBitOfPacked: no flipped bit of a packed segment goes unnoticed.
func TestEveryBitOfPacked(t *testing.T) {
	o, _ := packedLog(t, nil)
	forgetIndexes(t, o.Dir)
	paths, err := segmentFiles(o.Dir)
	require.NoError(t, err)
	original, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(3, 4))
	for at := 0; at < len(original); at += 1 + rnd.IntN(len(original)/200) {
		b := bytes.Clone(original)
		b[at] ^= 1 << rnd.IntN(8)
		require.NoError(t, os.WriteFile(paths[1], b, 0o600))
		_, err := OpenReader(o.Dir)
		require.True(t, err != nil, "offset %d", at)
		if at != 8 { // the format's version
			require.ErrorIs(t, err, ErrCorrupt, "offset %d", at)
		}
	}
	for _, b := range [][]byte{nil, original[:20], original[:len(original)-1], append(bytes.Clone(original), 0)} {
		require.NoError(t, os.WriteFile(paths[1], b, 0o600))
		_, err := OpenReader(o.Dir)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}
