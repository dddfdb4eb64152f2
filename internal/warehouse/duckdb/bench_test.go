//go:build cgo

package duckdb_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// history gives n events, each followed by its label, in batches of size, shaped like the Handbook's payments.
func history(n, size int, each func(warehouse.Batch)) {
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	b := warehouse.Batch{LogID: "00112233445566778899aabbccddeeff"}
	for i := range n {
		s, at := uint64(2*i+1), int64(1_522_540_800_000_000)+int64(i)*9_000_000
		id := fmt.Sprint(i)
		b.Events = append(b.Events, warehouse.Event{
			Sequence: s, EventType: "card_payment", EventTypeHash: hash, ID: id, Time: at, Currency: "EUR", AmountMinor: int64(i % 9973),
			Entities: map[string]string{"customer": fmt.Sprint(i % 4990), "terminal": fmt.Sprint(i % 9999)}, Outcome: "in_order", Origin: "imported", Received: at,
		})
		b.Labels = append(b.Labels, warehouse.Label{
			Sequence: s + 1, EventType: "card_payment", EventID: id, Verdict: "legitimate", Kind: "chargeback", Source: "import",
			KnownAt: at + 604_800_000_000, Recorded: at, EventSequence: s, EventTime: at,
		})
		if b.Through = s + 1; len(b.Events) == size || i == n-1 {
			each(b)
			b.Events, b.Labels = b.Events[:0], b.Labels[:0]
		}
	}
}

// BenchmarkLoad loads b.N events with their labels, in batches of two sizes.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []int{16384, 65536, 131072} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := open(b, filepath.Join(b.TempDir(), "w.duckdb"))
			history(b.N, size, func(batch warehouse.Batch) { require.NoError(b, w.Load(context.Background(), batch)) })
			require.NoError(b, w.Close())
		})
	}
}

// BenchmarkPull reads b.N events with their labels.
func BenchmarkPull(b *testing.B) {
	w := open(b, filepath.Join(b.TempDir(), "w.duckdb"))
	var last warehouse.Batch
	history(b.N, 65536, func(batch warehouse.Batch) {
		require.NoError(b, w.Load(context.Background(), batch))
		last = batch
	})
	b.ReportAllocs()
	b.ResetTimer()
	rows := 0
	err := w.Pull(context.Background(), warehouse.Query{EventType: "card_payment", LogID: last.LogID, Through: last.Through}, func(warehouse.Row) error {
		rows++
		return nil
	})
	b.StopTimer()
	require.NoError(b, err)
	require.Equal(b, 2*b.N, rows)
	require.NoError(b, w.Close())
}
