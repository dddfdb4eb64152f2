package eventlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// written is what the appenders of a run know.
type written struct {
	mu           sync.Mutex
	ids          map[uint64]string // appended
	acknowledged map[uint64]bool
}

// work appends and waits from several goroutines until the log refuses or n records each are through.
func (w *written) work(t testing.TB, l *Log, round string, n int) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range n {
				id := fmt.Sprintf("%s/%d/%d", round, g, i)
				sequence, err := l.Append(event(id), nil)
				if err != nil {
					return
				}
				w.mu.Lock()
				w.ids[sequence] = id
				w.mu.Unlock()
				if err := l.Wait(context.Background(), sequence); err != nil {
					if l.failure.Load() == nil {
						t.Error(err)
					}
					return
				}
				w.mu.Lock()
				w.acknowledged[sequence] = true
				w.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// verify holds what is found on disk against what was appended and acknowledged, and forgets what is gone.
func (w *written) verify(t testing.TB, l *Log) {
	t.Helper()
	found := contents(t, l, 0)
	for i, rec := range found[min(1, len(found)):] {
		require.Equal(t, w.ids[uint64(i)+2], idOf(rec))
	}
	for sequence := range w.acknowledged {
		require.LessOrEqual(t, int(sequence), len(found), "acknowledged, then lost")
	}
	for sequence := range w.ids {
		if sequence > uint64(len(found)) {
			delete(w.ids, sequence)
		}
	}
}

func requirePoisoned(t testing.TB, l *Log) {
	t.Helper()
	<-l.Failed()
	_, err := l.Append(event("after"), func(uint64) { t.Error("placed") })
	require.ErrorIs(t, err, ErrPoisoned)
	require.ErrorIs(t, err, errInjected)
	require.ErrorIs(t, l.Writable(), ErrPoisoned)
	if l.Last() > l.Durable() {
		require.ErrorIs(t, l.Wait(context.Background(), l.Last()), ErrPoisoned)
		_, err := l.Get(l.Last())
		require.ErrorIs(t, err, ErrNotFound)
	}
	_, err = l.StateEventType(statement().GetEventType())
	if err != nil {
		require.ErrorIs(t, err, ErrPoisoned)
	}
	require.ErrorIs(t, l.Stat().Failure, errInjected)
}

// TestFailAtEachOperation lets the n-th operation of the disk fail, for each n, in all its ways.
func TestFailAtEachOperation(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for n := 1; n <= 120; n++ {
		dir := t.TempDir()
		w := &written{ids: map[uint64]string{}, acknowledged: map[uint64]bool{}}
		d := newFaults()
		d.failAt, d.sticky, d.short = n, rnd.IntN(2) == 0, rnd.IntN(2) == 0
		l, err := Open(Options{Dir: dir, SegmentBytes: 4 << 10, disk: d})
		if err == nil {
			if _, err := l.StateEventType(payment()); err == nil {
				w.work(t, l, "a", 40)
			}
			if l.failure.Load() != nil {
				requirePoisoned(t, l)
				require.ErrorIs(t, l.Close(), ErrPoisoned)
			} else { // the operation was not reached before Close, or not one that matters
				_ = l.Close()
			}
		} else {
			require.ErrorIs(t, err, errInjected)
		}
		require.NoError(t, d.powerCut(rnd, float64(n%3)/2)) // nothing, half or all of what was not synced is lost
		l = start(t, Options{Dir: dir, SegmentBytes: 4 << 10})
		require.NoError(t, l.Wait(context.Background(), l.Last()))
		w.verify(t, l)
		w.work(t, l, "b", 5)
		w.verify(t, l)
		require.NoError(t, l.Close())
	}
}

// TestPowerCuts cuts the power of one log again and again.
func TestPowerCuts(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(7, 8))
	w := &written{ids: map[uint64]string{}, acknowledged: map[uint64]bool{}}
	for round := range 60 {
		d := newFaults()
		d.short = round%2 == 0
		l, err := Open(Options{Dir: dir, SegmentBytes: 8 << 10, disk: d})
		require.NoError(t, err)
		_, err = l.StateEventType(payment())
		require.NoError(t, err)
		require.NoError(t, l.Wait(context.Background(), l.Last()))
		w.verify(t, l)
		d.mu.Lock()
		d.failAt, d.sticky = d.ops+1+rnd.IntN(60), true
		d.mu.Unlock()
		w.work(t, l, fmt.Sprint(round), 200)
		requirePoisoned(t, l)
		require.ErrorIs(t, l.Close(), ErrPoisoned)
		require.NoError(t, d.powerCut(rnd, rnd.Float64()))
	}
	require.Greater(t, len(w.acknowledged), 100)
}

func TestWithoutPreallocation(t *testing.T) {
	d := newFaults()
	d.noRoom = true
	dir := t.TempDir()
	w := &written{ids: map[uint64]string{}, acknowledged: map[uint64]bool{}}
	l := start(t, Options{Dir: dir, SegmentBytes: 8 << 10, disk: d})
	w.work(t, l, "a", 30)
	require.NoError(t, l.Writable())
	require.NoError(t, l.Close())
	require.NoError(t, d.powerCut(rand.New(rand.NewPCG(1, 1)), 1))
	l = start(t, Options{Dir: dir, SegmentBytes: 8 << 10})
	w.verify(t, l)
	require.Len(t, w.acknowledged, 240)
}
