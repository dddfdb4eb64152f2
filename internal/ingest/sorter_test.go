package ingest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// The sorter gives what a plain sort gives, also when most of it lay in files.
func TestSorterSpills(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := newSorter(dir, 2*chunkBytes)
		type record struct {
			key     key
			payload string
		}
		var want []record
		times := rapid.SliceOfN(rapid.Int64Range(-3, 3), 16, 24).Draw(t, "times")
		for i, at := range times {
			payload := fmt.Sprintf("%0*d", rapid.IntRange(chunkBytes/6, chunkBytes/3).Draw(t, "length"), i)
			require.NoError(t, s.add(at, uint64(i), []byte(payload)))
			want = append(want, record{key{time: at, order: uint64(i)}, payload})
		}
		require.NotEmpty(t, s.runs, "this test is about runs in files")
		slices.SortStableFunc(want, func(a, b record) int { return a.key.compare(b.key) })
		walk, err := s.finish()
		require.NoError(t, err)
		for _, w := range want {
			require.True(t, walk.ok)
			require.Equal(t, w.key.time, walk.head.time)
			require.Equal(t, w.key.order, walk.head.order)
			require.True(t, w.payload == string(walk.bytes))
			require.NoError(t, walk.advance())
		}
		require.False(t, walk.ok)
		require.NoError(t, s.close())
	})
}

func TestRecordsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, 128)
		ev := features.Event{ID: text.Draw(t, "id"), Time: 5, Amount: rapid.Int64().Draw(t, "amount"), Numbers: rapid.SliceOf(rapid.Float64()).Draw(t, "numbers"),
			Entities: rapid.SliceOf(text).Draw(t, "entities"), Attributes: rapid.SliceOf(text).Draw(t, "attributes")}
		at := origin{rapid.IntRange(0, 1000).Draw(t, "file"), rapid.Int64Range(0, math.MaxInt64).Draw(t, "line")}
		got := features.Event{Numbers: make([]float64, len(ev.Numbers)), Entities: make([]string, len(ev.Entities)), Attributes: make([]string, len(ev.Attributes))}
		require.Equal(t, at, decodeEvent(encodeEvent(nil, at, &ev), 5, &got))
		require.Equal(t, ev.ID+fmt.Sprint(ev.Time, ev.Amount, ev.Numbers, ev.Entities, ev.Attributes), got.ID+fmt.Sprint(got.Time, got.Amount, got.Numbers, got.Entities, got.Attributes))
		l := labelRow{text.Draw(t, "event"), LabelStatement{Verdict: features.Withdrawn, Kind: text.Draw(t, "kind"), ReasonCode: text.Draw(t, "reason"), KnownAt: rapid.Int64().Draw(t, "known")}}
		var back labelRow
		require.Equal(t, at, decodeLabel(encodeLabel(nil, at, &l), &back))
		require.Equal(t, l, back)
	})
}
