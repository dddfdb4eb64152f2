package model

import (
	"fmt"
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
	}
}

// BenchmarkRow scores single rows, by turns with leaves on the same rows:
// x-leaves is how many times as long leaves takes.
func BenchmarkRow(b *testing.B) {
	for _, g := range benchmarked() {
		m, rows := g.model(b)
		b.Run(fmt.Sprintf("%dx%d", g.trees, g.leaves), func(b *testing.B) {
			ref, err := m.newReference()
			require.NoError(b, err)
			benchmarkRow(b, m, ref, rows)
		})
	}
}

func benchmarkRow(b *testing.B, m *Model, ref *reference, rows [][]float64) {
	const turn = 100
	var ours, theirs time.Duration
	var out [1]float64
	b.ReportAllocs()
	for i := 0; i < b.N; i += turn {
		start := time.Now()
		for k := range turn {
			_, _ = m.Predict(rows[(i+k)%len(rows)])
		}
		ours += time.Since(start)
		b.StopTimer()
		start = time.Now()
		for k := range turn {
			_ = ref.ensemble.Predict(rows[(i+k)%len(rows)], 0, out[:])
		}
		theirs += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(theirs)/float64(ours), "x-leaves")
}
