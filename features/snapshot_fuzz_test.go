package features

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile is an engine with a column of every kind.
func hostile(t testing.TB) *Engine {
	schema := &Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2, AllowedLateness: 30, Cap: 40,
		Entities:   []EntityKind{{Name: "customer"}, {Name: "device", Optional: true}},
		Attributes: []Attribute{{Name: "country"}}, Numbers: []Number{{Name: "km", Scale: 3}, {Name: "lat", Scale: -1}}}
	yes := true
	window := []string{"50us"}
	defs, err := Expand(schema, []string{"a", "b", "c", "d", "e", "f", "g"}, map[string]Spec{
		"a": {Std: "km", By: "customer", Windows: window, IncludeCurrent: &yes}, "b": {Max: "lat", By: "customer", Windows: window, IncludeCurrent: &yes},
		"c": {FraudShare: "events", By: "customer", Windows: window, Delay: "0us"}, "d": {Distinct: "country", By: "customer", Windows: window, IncludeCurrent: &yes},
		"e": {Last: "lat", By: "customer"}, "f": {FirstSeenAge: "events", By: "device"}, "g": {Distinct: "amount", By: "customer", Windows: window, IncludeCurrent: &yes}})
	require.NoError(t, err)
	e, err := NewEngine(schema, defs, EngineOptions{Shards: 1, Seed: 1, chunkRows: 5, groupChunks: 2})
	require.NoError(t, err)
	return e
}

func feed(t testing.TB, e *Engine, from, to int) {
	vector := make([]float64, len(e.Definitions()))
	for i := from; i < to; i++ {
		ev := Event{ID: "e", Time: int64(i), Amount: int64(i % 60), Entities: []string{fmt.Sprint(i % 2), ""}, Attributes: []string{fmt.Sprint(i % 45)},
			Numbers: []float64{float64(i % 9), math.NaN()}}
		if i%5 == 0 {
			ev.Time, ev.Entities[1], ev.Numbers[1] = max(0, ev.Time-20), fmt.Sprint(i%3), 7
		}
		_, err := e.Observe(&ev, vector, func([]uint64) (Placement, error) { return Placement{Sequence: uint64(i + 1), Outcome: InOrder}, nil })
		require.NoError(t, err)
		if i%3 == 0 {
			require.NoError(t, e.Label(&ev, uint64(i+1), func() (Label, error) { return Label{Sequence: uint64(i + 1), Verdict: Fraud, KnownAt: int64(i)}, nil }))
		}
	}
}

// FuzzReadShard reads anything behind a good header and with good checksums; what it accepts can be worked with.
func FuzzReadShard(f *testing.F) {
	for _, n := range []int{0, 3, 60, 200} {
		e := hostile(f)
		feed(f, e, 0, n)
		e.Evict(int64(n) - 30)
		var out bytes.Buffer
		_, err := e.WriteShard(&out, 0)
		require.NoError(f, err)
		body, err := io.ReadAll(&blockReader{r: &out})
		require.NoError(f, err)
		f.Add(body[len(header(e)):])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e := hostile(t)
		var in bytes.Buffer
		blocks := &blockWriter{w: &in}
		_, err := blocks.Write(append(header(e), body...))
		require.NoError(t, err)
		require.NoError(t, blocks.Close())
		if _, err = e.ReadShard(&in); err != nil {
			return
		}
		_, err = e.Restored()
		require.NoError(t, err)
		before := e.Checksum()
		var out bytes.Buffer
		_, err = e.WriteShard(&out, 0)
		require.NoError(t, err)
		again := hostile(t)
		_, err = again.ReadShard(&out)
		require.NoError(t, err)
		require.Equal(t, before, again.Checksum())
		feed(t, e, 1_000, 1_100)
		e.Evict(1_100)
		feed(t, e, 1_200, 1_300)
	})
}

// header of a shard of an engine, its position 0.
func header(e *Engine) []byte {
	out := append([]byte(snapshotMagic), e.fingerprint()...)
	for _, v := range []uint64{e.seed, uint64(len(e.shards)), 0, 0} {
		out = binary.AppendUvarint(out, v)
	}
	return out
}
