package eventlog

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzSegment reads any bytes as the only segment of a log: an answer or ErrCorrupt, never a panic, and no more memory
// than the file and one chunk ask for. What is read for writing can be written and read again.
func FuzzSegment(f *testing.F) {
	open, _ := crashed(f)
	golden, err := os.ReadFile("testdata/v1/" + segmentName(1))
	require.NoError(f, err)
	seed, err := os.ReadFile(lastFile(f, open))
	require.NoError(f, err)
	h, frames := layout(f, lastFile(f, open))
	f.Add(golden)
	f.Add(seed)
	f.Add(seed[:h.size])
	f.Add(seed[:frames[3].offset+5])
	long := append([]byte(nil), seed...)
	le.PutUint32(long[frames[len(frames)-1].offset:], maxPayload)
	f.Add(long)
	long = append([]byte(nil), seed...)
	le.PutUint32(long[40:], 1<<32-1) // event types
	resealHeader(long[:h.size])
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		withFile(t, dir, b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := OpenReader(dir)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(4<<20+100*len(b)); got > most {
			t.Errorf("%d bytes allocated for a file of %d", got, len(b))
		}
		if err != nil {
			require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion), err)
			return
		}
		readRaw(t, v)
		d := newFaults()
		l, err := Open(Options{Dir: dir, SegmentBytes: 64 << 10, disk: d})
		require.NoError(t, err)
		require.Equal(t, v.Last(), l.Last())
		_, err = l.StateEventType(payment())
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.NoError(t, d.powerCut(rand.New(rand.NewPCG(1, 1)), 0))
		again, err := OpenReader(dir)
		require.NoError(t, err)
		require.Equal(t, l.Last(), again.Last())
		readRaw(t, again)
	})
}

func readRaw(t *testing.T, v *View) {
	r, err := v.Read(0)
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	for want := v.First(); ; want++ {
		n, _, err := r.NextRaw()
		if errors.Is(err, io.EOF) {
			require.Equal(t, v.Last()+1, want)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
}
