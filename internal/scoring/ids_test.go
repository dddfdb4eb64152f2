package scoring

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
)

// inMemory counts the ids and the label records that are held in memory.
func (x *ids) inMemory() (places, labels int) {
	for i := range x.shards {
		s := &x.shards[i]
		s.Lock()
		places += len(s.places)
		for _, all := range s.labels {
			labels += len(all)
		}
		s.Unlock()
	}
	return places, labels
}

// seal fills segments until all that was appended before is in the log's index and out of memory.
func (b *bench) seal() {
	b.t.Helper()
	want := b.options.Log.Last()
	done := make(chan struct{})
	once := sync.Once{}
	b.options.Log.OnIndexed(func(upTo uint64) {
		b.ids.forget(upTo)
		if upTo >= want {
			once.Do(func() { close(done) })
		}
	})
	filler := pay("", "filler", 0)
	for i := 0; ; i++ {
		select {
		case <-done:
			b.options.Log.OnIndexed(b.ids.forget)
			return
		default:
			filler.ID = number("filler", int(b.options.Log.Last()))
			b.score(filler)
		}
	}
}

// TestIDsOfSealedSegments: what is no longer in memory is found in the log's index, by retries, look-ups and labels, across
// restarts.
func TestIDsOfSealedSegments(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.SegmentBytes = 16 << 10 })
	fraud := LabelStatement{Verdict: features.Fraud, Kind: "chargeback", KnownAt: start() + 100*second}
	early, err := b.PutLabel(t.Context(), "payment", "later", fraud)
	require.NoError(t, err)
	require.True(t, early.Waiting)
	const n = 100
	first := map[string]*Decision{}
	for i := range n {
		id := number("e", i)
		first[id] = b.score(pay(id, number("c", i%7), int64(i)))
	}
	first["later"] = b.score(pay("later", "c-0", n))
	labelled, err := b.PutLabel(t.Context(), "payment", "e-5", fraud)
	require.NoError(t, err)

	for round := range 3 {
		b.seal()
		places, labels := b.ids.inMemory()
		require.Less(t, places, n, "the events that filled the last segments")
		require.Zero(t, labels)
		for i := range n {
			id := number("e", i)
			ev := pay(id, number("c", i%7), int64(i))
			again := b.score(ev)
			require.Equal(t, first[id].Sequence, again.Sequence, id)
			ev.Amount++
			_, err := b.Score(t.Context(), "payment", ev)
			var conflict *ConflictError
			require.ErrorAs(t, err, &conflict)
			require.Equal(t, "amount", conflict.Field)
		}
		again, err := b.PutLabel(t.Context(), "payment", "e-5", fraud)
		require.NoError(t, err)
		require.Equal(t, LabelResult{Sequence: labelled.Sequence}, again, "a repeated label is no change")
		again, err = b.PutLabel(t.Context(), "payment", "later", fraud)
		require.NoError(t, err)
		require.Equal(t, LabelResult{Sequence: early.Sequence}, again)
		more := fraud
		more.KnownAt += int64(round+1) * second
		_, err = b.PutLabel(t.Context(), "payment", "e-5", more)
		require.NoError(t, err)
		all, err := b.Labels(t.Context(), "payment", "e-5")
		require.NoError(t, err)
		require.Len(t, all, round+2)
		for i := range all {
			require.Equal(t, fraud.KnownAt+int64(i)*second, all[i].KnownAt, "in log order")
		}
		found, err := b.Lookup(t.Context(), "payment", "later")
		require.NoError(t, err)
		require.Equal(t, first["later"].Sequence, found.Decision.Sequence)
		require.Len(t, found.Labels, 1)
		_, err = b.Lookup(t.Context(), "payment", "never")
		require.ErrorIs(t, err, ErrNotFound)
		b.replays(uint64(len(first))+b.fillers(), "e-0", "later")
		if round%2 == 0 {
			b.reopen()
		}
	}
	require.Zero(t, b.ids.waits.Load())
}

// fillers counts the decisions that seal has made.
func (b *bench) fillers() uint64 {
	r, err := b.options.Log.Read(0)
	require.NoError(b.t, err)
	defer func() { _ = r.Close() }()
	n := uint64(0)
	for {
		_, rec, err := r.Next()
		if err != nil {
			return n
		}
		if d := rec.GetDecision(); d != nil && len(d.EventId) > 6 && d.EventId[:6] == "filler" {
			n++
		}
	}
}

// TestSameIDWhileSegmentsAreSealed: callers race with one id while memory is emptied into the index; it counts once.
func TestSameIDWhileSegmentsAreSealed(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.SegmentBytes = 8 << 10 })
	for round := range 40 {
		id := number("race", round)
		sequences := make([]uint64, 16)
		var wg sync.WaitGroup
		for i := range sequences {
			wg.Go(func() {
				if i%4 == 3 { // others fill segments meanwhile
					_, err := b.Score(t.Context(), "payment", pay(number(id, i), "other", int64(round)))
					require.NoError(t, err)
				}
				d, err := b.Score(t.Context(), "payment", pay(id, "c", int64(round)))
				require.NoError(t, err)
				sequences[i] = d.Sequence
			})
		}
		wg.Wait()
		for _, sequence := range sequences {
			require.Equal(t, sequences[0], sequence)
		}
	}
	d := b.score(pay("last", "c", 100))
	require.InDelta(t, 41, value(t, d, "card_count_30d"), 0, "each id counts once")
	require.NotZero(t, b.options.Log.Indexed())
}

// TestDamagedIndexIsNoNewEvent: an id that cannot be looked up is an error, not a payment nobody has seen.
func TestDamagedIndexIsNoNewEvent(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.SegmentBytes = 16 << 10 })
	first := b.score(pay("old", "c", 0))
	b.seal()
	damage(t, b.log.Dir)
	last := b.options.Log.Last()
	_, err := b.Score(t.Context(), "payment", pay("old", "c", 0))
	require.ErrorIs(t, err, eventlog.ErrCorrupt)
	require.Equal(t, last, b.options.Log.Last(), "nothing was appended")
	require.Eventually(t, func() bool {
		d, err := b.Score(t.Context(), "payment", pay("old", "c", 0))
		return err == nil && d.Sequence == first.Sequence
	}, testPatience, testPatience/1000, "the index is made again")
}

const testPatience = 10 * time.Second

// damage flips a bit in every page of the indexes in dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.idx"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		const page = 4096
		for at := len(b) - page; at > 0; at -= page {
			b[at+20] ^= 1
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
}
