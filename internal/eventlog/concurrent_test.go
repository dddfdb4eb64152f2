package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestManyAppenders: 64 goroutines append and wait while readers follow; the order of place is the order of the log.
func TestManyAppenders(t *testing.T) {
	for _, interval := range []time.Duration{0, 300 * time.Microsecond} {
		t.Run(interval.String(), func(t *testing.T) {
			o := Options{Dir: t.TempDir(), SegmentBytes: 64 << 10, FlushInterval: interval}
			l := start(t, o)
			const appenders, each = 64, 60
			var placed []uint64 // the append lock guards it
			var wg sync.WaitGroup
			for g := range appenders {
				wg.Go(func() {
					rec := event("")
					for i := range each {
						rec.GetEvent().Id = fmt.Sprintf("%d/%d", g, i)
						n, err := l.Append(rec, func(n uint64) {
							placed = append(placed, n)
							rec.GetEvent().Ordinals[0] = n // finished while it is placed
							rec.GetEvent().Attributes[0] = fmt.Sprint("longer with ", n)
						})
						if err == nil && i%3 > 0 {
							err = l.Wait(context.Background(), n)
							if err == nil && l.Durable() < n {
								err = errors.New("not durable")
							}
						}
						if err == nil && i%10 == 0 {
							_, err = l.Get(n)
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			for range 4 {
				wg.Go(func() { follow(t, l, appenders*each+1) })
			}
			wg.Wait()
			require.NoError(t, l.Close())
			for i, n := range placed {
				require.EqualValues(t, i+2, n)
			}
			v, err := OpenReader(o.Dir)
			require.NoError(t, err)
			all := contents(t, v, 0)
			require.Len(t, all, appenders*each+1)
			seen := map[string]bool{}
			for i, rec := range all[1:] {
				require.EqualValues(t, i+2, rec.GetEvent().GetOrdinals()[0])
				require.Equal(t, fmt.Sprint("longer with ", i+2), rec.GetEvent().GetAttributes()[0])
				seen[idOf(rec)] = true
			}
			require.Len(t, seen, appenders*each)
		})
	}
}

// follow reads up to the last record while it is written, never beyond what is durable.
func follow(t *testing.T, l *Log, last uint64) {
	r, err := l.Read(0)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = r.Close() }()
	for want := uint64(1); want <= last; {
		n, rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			_ = l.Wait(context.Background(), want) // or it is not appended yet
			continue
		}
		if err != nil || n != want || n > l.Durable() || n > 1 && rec.GetEvent().GetOrdinals()[0] != n {
			t.Error("read", n, "want", want, "durable", l.Durable(), err)
			return
		}
		want++
	}
}

func TestConcurrentStatementsAndClose(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(small(dir))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if index, err := l.StateEventType(payment()); err != nil || index != 1 {
				t.Error(index, err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, l.Last())
	var mu sync.Mutex
	appended := uint64(1)
	for range 8 {
		wg.Go(func() {
			for {
				n, err := l.Append(event("x"), nil)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				appended = max(appended, n)
				mu.Unlock()
				if n%3 == 0 {
					if err := l.Wait(context.Background(), n); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	require.Eventually(t, func() bool { return l.Durable() > 200 }, 30*time.Second, time.Millisecond)
	for range 3 {
		wg.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, appended, l.Durable(), "Close flushes")
	require.Len(t, contents(t, l, 0), int(appended), "readers still work")
}
