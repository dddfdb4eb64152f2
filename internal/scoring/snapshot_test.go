package scoring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/policy"
	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

func withSnapshots(b *bench) {
	b.options.SnapshotDir = filepath.Join(b.dir, "snapshots")
	b.log.SegmentBytes = 64 << 10
}

// fromLog is the state that the whole log gives.
func (b *bench) fromLog() (checksum [32]byte, watermark int64, waiting int64) {
	b.t.Helper()
	b.close()
	options := b.options
	options.SnapshotDir = ""
	var err error
	options.Log, err = eventlog.Open(b.log)
	require.NoError(b.t, err)
	s, err := New(options)
	require.NoError(b.t, err)
	require.NoError(b.t, s.Recover(b.t.Context(), nil))
	l := s.lanes["payment"]
	checksum, watermark, waiting = l.engine.Checksum(), l.watermark.Load(), s.ids.waits.Load()
	require.NoError(b.t, options.Log.Close())
	b.open()
	return checksum, watermark, waiting
}

// same holds the state of the scorer, made from a snapshot and the tail, against that of the whole log.
func (b *bench) same() {
	b.t.Helper()
	checksum, watermark, waiting := b.fromLog()
	l := b.lane0()
	require.Equal(b.t, checksum, l.engine.Checksum())
	require.Equal(b.t, watermark, l.watermark.Load())
	require.Equal(b.t, waiting, b.ids.waits.Load())
}

// TestSnapshotsUnderLoad: snapshots taken while callers score and label; after a crash at any moment the newest of them and
// the tail give the very state that the whole log gives.
func TestSnapshotsUnderLoad(t *testing.T) {
	b := newBench(t, withSnapshots)
	var n atomic.Int64
	labels := LabelStatement{Verdict: features.Fraud, Kind: "chargeback"}
	for round := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					i := int(n.Add(1))
					ev := pay(number("s", i), number("c", i%11), int64(i-rand.IntN(9)))
					ev.Entities[1] = number("d", i%5)
					if i%7 == 0 { // the label comes first
						early := labels
						early.KnownAt = ev.Time + second
						_, err := b.PutLabel(context.WithoutCancel(ctx), "payment", ev.ID, early)
						require.NoError(t, err)
					}
					_, err := b.Score(context.WithoutCancel(ctx), "payment", ev)
					require.NoError(t, err)
					if i%3 == 0 {
						_, err := b.PutLabel(context.WithoutCancel(ctx), "payment", ev.ID, labels)
						require.NoError(t, err)
					}
					if i%13 == 0 {
						_, err := b.PutLabel(context.WithoutCancel(ctx), "payment", number("never", i), LabelStatement{Verdict: features.Fraud, Kind: "chargeback", KnownAt: ev.Time})
						require.NoError(t, err)
					}
				}
			})
		}
		for range 3 {
			before := n.Load()
			require.Eventually(t, func() bool { return n.Load() > before+100 }, time.Minute, time.Millisecond)
			sequence, err := b.Snapshot(t.Context(), .5)
			require.NoError(t, err)
			require.NotZero(t, sequence)
		}
		before := n.Load()
		require.Eventually(t, func() bool { return n.Load() > before+50 }, time.Minute, time.Millisecond)
		cancel()
		wg.Wait()
		paths, err := snapshotPaths(b.options.SnapshotDir)
		require.NoError(t, err)
		require.Len(t, paths, keepSnapshots)
		b.reopen()
		b.same()
		b.replays(uint64(n.Load()))
		if round == 1 {
			b.Evict()
			b.same()
		}
	}
}

// TestUndecidedAfterSnapshot: what a crash left undecided is decided on its vector, also when the start is from a snapshot,
// and labels that waited meet their event after it.
func TestUndecidedAfterSnapshot(t *testing.T) {
	b := newBench(t, withSnapshots)
	for i := range 40 {
		b.score(pay(number("s", i), number("c", i%3), int64(i)))
	}
	fraud := LabelStatement{Verdict: features.Fraud, Kind: "chargeback", KnownAt: start() + 30*second}
	for _, id := range []string{"waits", "comes"} {
		_, err := b.PutLabel(t.Context(), "payment", id, fraud)
		require.NoError(t, err)
	}
	sequence, err := b.Snapshot(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, b.options.Log.Last(), sequence)
	b.score(pay("comes", "c-1", 50))
	l := b.lane0()
	ev := pay("left", "c-1", 51)
	k := b.ids.key("payment", ev.ID)
	_, _, err = b.ids.reserve(t.Context(), k)
	require.NoError(t, err)
	o := b.observe(l, k, ev, observation{received: ev.Time, origin: logv1.Origin_ORIGIN_SCORED, scored: true})
	require.NoError(t, o.err)
	want := slices.Clone(o.row)
	require.NoError(t, b.Flush(t.Context()))
	b.reopen()
	d := b.score(ev)
	require.Contains(t, d.Flags, FlagRecovered)
	require.Equal(t, want, d.Vector)
	require.InDelta(t, 1.0/14, value(t, d, "card_fraud_share_30d"), 1e-12, "the label that came first counts")
	require.EqualValues(t, 1, b.ids.waits.Load())
	b.score(pay("waits", "c-2", 52))
	require.Zero(t, b.ids.waits.Load())
	all, err := b.Labels(t.Context(), "payment", "waits")
	require.NoError(t, err)
	require.Len(t, all, 1)
	b.same()
	b.replays(43)
}

// TestDamagedSnapshots: a damaged snapshot falls back to the one before, then to the log; so does one of another log or of
// other definitions.
func TestDamagedSnapshots(t *testing.T) {
	b := newBench(t, withSnapshots)
	for turn := range 3 {
		for i := range 30 {
			b.score(pay(fmt.Sprintf("s-%d-%d", turn, i), number("c", i%3), int64(30*turn+i)))
		}
		_, err := b.Snapshot(t.Context(), 1)
		require.NoError(t, err)
	}
	dir := b.options.SnapshotDir
	paths, err := snapshotPaths(dir)
	require.NoError(t, err)
	original, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		damaged := slices.Clone(original)
		if rnd.IntN(4) == 0 {
			damaged = damaged[:rnd.IntN(len(damaged))]
		} else {
			damaged[rnd.IntN(len(damaged))] ^= 1 << rnd.IntN(8)
		}
		require.NoError(t, os.WriteFile(paths[0], damaged, 0o600))
		f, err := openSnapshot(paths[0])
		if err == nil {
			err = errors.Join(f.check(), f.close())
		}
		require.Error(t, err)
	}
	b.reopen()
	b.same()
	for _, path := range paths {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "unfinished"), []byte("x"), 0o600))
	b.reopen()
	b.same()
	require.NoFileExists(t, filepath.Join(dir, "unfinished"))

	require.NoError(t, os.WriteFile(paths[0], original, 0o600))
	other := newBench(t, withSnapshots)
	for i := range 100 {
		other.score(pay(number("o", i), "c-0", int64(i)))
	}
	_, err = other.Snapshot(t.Context(), 1)
	require.NoError(t, err)
	foreign, err := snapshotPaths(other.options.SnapshotDir)
	require.NoError(t, err)
	text, err := os.ReadFile(foreign[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "99999999999999999999.snap"), text, 0o600))
	b.reopen()
	b.same()

	changed, err := readDocument([]byte(document + "# another\n"))
	require.NoError(t, err)
	changed.Definitions = changed.Definitions[:len(changed.Definitions)-1]
	changed.Policy, err = policy.Compile(policy.Spec{Fallback: policy.Review, HashEntity: "card"}, &changed.Schema, changed.Definitions)
	require.NoError(t, err)
	b.options.EventTypes[0] = changed
	b.reopen()
	b.same()
}

// TestSnapshotOfLostRecords: a log that was put back from a copy ends before the snapshots; they do not come back when it has
// grown beyond them with other records.
func TestSnapshotOfLostRecords(t *testing.T) {
	b := newBench(t, withSnapshots)
	for i := range 20 {
		b.score(pay(number("kept", i), number("c", i%3), int64(i)))
	}
	b.close()
	backup := filepath.Join(b.dir, "backup")
	require.NoError(t, os.CopyFS(backup, os.DirFS(b.log.Dir)))
	b.open()
	for i := range 20 {
		b.score(pay(number("lost", i), number("c", i%3), int64(20+i)))
		if i%10 == 9 {
			_, err := b.Snapshot(t.Context(), 1)
			require.NoError(t, err)
		}
	}
	b.close()
	require.NoError(t, os.RemoveAll(b.log.Dir))
	require.NoError(t, os.CopyFS(b.log.Dir, os.DirFS(backup)))
	b.open()
	paths, err := snapshotPaths(b.options.SnapshotDir)
	require.NoError(t, err)
	require.Empty(t, paths)
	for i := range 60 {
		b.score(pay(number("other", i), number("d", i%3), int64(20+i)))
	}
	b.reopen()
	b.same()
	b.replays(80)
}
