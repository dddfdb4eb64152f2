package eventlog

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInspectBesideAWriter: a log that is written, sealed, indexed, packed and dropped meanwhile is in order all the while.
func TestInspectBesideAWriter(t *testing.T) {
	o := Options{Dir: t.TempDir(), SegmentBytes: 16 << 10, Compress: true}
	l := start(t, o)
	appendAll(t, l, event("first"))
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range 120 {
			appendAll(t, l, numbered(fmt.Sprint("turn", i), 60)...)
			if sealed := l.Sealed(); len(sealed) > 12 {
				_, err := l.Drop(sealed[4].First)
				require.NoError(t, err)
			}
		}
	})
	looks := 0
	for running := true; running; looks++ {
		select {
		case <-done:
			running = false
		default:
		}
		for _, full := range []bool{true, false} {
			r, err := Inspect(o.Dir, Look{Full: full, Live: true})
			require.NoError(t, err)
			require.NotZero(t, r.Records)
		}
	}
	wg.Wait()
	require.Greater(t, looks, 5)
}
