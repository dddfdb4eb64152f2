package model

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarked are the shapes of models that are measured, by trees and leaves.
func benchmarked() []growth {
	return []growth{
		{trees: 100, leaves: 31, columns: 30, categories: 2, missing: missingNaN, rows: 4000, seed: 1},
		{trees: 500, leaves: 63, columns: 30, categories: 2, missing: missingNaN, rows: 4000, seed: 1},
		{trees: 1000, leaves: 127, columns: 30, categories: 2, missing: missingNaN, rows: 4000, seed: 1},
		{trees: 50, leaves: 2000, columns: 30, categories: 2, missing: missingNaN, rows: 8000, seed: 1},
	}
}

func (g growth) name() string { return fmt.Sprintf("%dx%d", g.trees, g.leaves) }

// interleaved measures two functions by turns of a hundred rows, so that both
// see the machine in the same states. The ratio is that of their fastest turns.
func interleaved(b *testing.B, metric string, ours, theirs func(i int)) {
	const turn = 100
	fastest := func(best time.Duration, from int, f func(int)) time.Duration {
		start := time.Now()
		for i := from; i < from+turn; i++ {
			f(i)
		}
		return min(best, time.Since(start))
	}
	ours(0)
	theirs(0)
	own, other := time.Duration(1<<62), time.Duration(1<<62)
	b.ResetTimer()
	for i := 0; i < b.N; i += turn {
		own, other = fastest(own, i, ours), fastest(other, i, theirs)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(own)/turn, "ns/row")
	b.ReportMetric(float64(other)/float64(own), metric)
}

// BenchmarkRow scores single rows; x-leaves is how many times as long leaves
// takes for them.
func BenchmarkRow(b *testing.B) {
	for _, g := range benchmarked() {
		m, rows := g.model(b)
		ref, err := m.newReference()
		require.NoError(b, err)
		b.Run(g.name(), func(b *testing.B) {
			var out [1]float64
			interleaved(b, "x-leaves", func(i int) { _, _ = m.Predict(rows[i%len(rows)]) },
				func(i int) { _ = ref.ensemble.Predict(rows[i%len(rows)], 0, out[:]) })
			if m.engine.walker != nil {
				b.ReportMetric(1, "walked")
			}
			b.ReportMetric(testing.AllocsPerRun(1000, func() { _, _ = m.Predict(rows[0]) }), "allocs/row")
		})
	}
}

// BenchmarkRows scores many rows in one call.
func BenchmarkRows(b *testing.B) {
	for _, g := range benchmarked()[1:] {
		m, rows := g.model(b)
		ref, err := m.newReference()
		require.NoError(b, err)
		for _, n := range []int{64, 1000} {
			b.Run(fmt.Sprintf("%s/%d", g.name(), n), func(b *testing.B) {
				benchmarkRows(b, m, ref, rows[:n])
			})
		}
	}
}

func benchmarkRows(b *testing.B, m *Model, ref *reference, rows [][]float64) {
	raw, out := make([]float64, len(rows)), make([]float64, len(rows))
	var flat []float64
	for _, row := range rows {
		flat = append(flat, row...)
	}
	ours, theirs := time.Duration(1<<62), time.Duration(1<<62)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		require.NoError(b, m.PredictRows(rows, raw))
		ours = min(ours, time.Since(start))
		start = time.Now()
		require.NoError(b, ref.ensemble.PredictDense(flat, len(rows), m.Features(), out, 0, 1))
		theirs = min(theirs, time.Since(start))
	}
	require.Equal(b, out, raw)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours)/float64(len(rows)), "ns/row")
	b.ReportMetric(float64(theirs)/float64(ours), "x-leaves")
}

// BenchmarkExplain explains single rows.
func BenchmarkExplain(b *testing.B) {
	for _, g := range benchmarked()[:3] {
		m, rows := g.model(b)
		out := make([]float64, g.columns+1)
		b.Run(g.name(), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				_ = m.Explain(rows[i%len(rows)], out)
			}
		})
	}
}

// BenchmarkLoad parses a model and verifies it on 2,000 golden rows; MB is what
// it keeps in memory.
func BenchmarkLoad(b *testing.B) {
	large, err := os.ReadFile("testdata/many_leaves.txt")
	require.NoError(b, err)
	texts := map[string][]byte{"testdata_many_leaves": large}
	for _, g := range benchmarked()[1:3] {
		texts[g.name()] = g.text(g.sample())
	}
	for name, text := range texts {
		m, err := Parse(text)
		require.NoError(b, err)
		golden := Golden{Rows: m.GoldenRows(nil, 2000)}
		golden.Raw = make([]float64, len(golden.Rows))
		require.NoError(b, m.PredictRows(golden.Rows, golden.Raw))
		b.Run(name+"/parse", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			m = nil
			before := heap()
			b.ResetTimer()
			for range b.N {
				m, err = Parse(text)
			}
			b.StopTimer()
			require.NoError(b, err)
			b.ReportMetric(float64(heap()-before)/1e6, "MB")
			runtime.KeepAlive(m)
		})
		b.Run(name+"/verify", func(b *testing.B) {
			m, err := Parse(text)
			require.NoError(b, err)
			for b.Loop() {
				err = m.Verify(golden)
			}
			require.NoError(b, err)
		})
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
