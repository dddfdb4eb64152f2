package model

import "fmt"

// PredictRows gives the raw scores of many rows, each as Predict gives it, and
// does not allocate. raw must be as long as rows.
func (m *Model) PredictRows(rows [][]float64, raw []float64) error {
	if len(raw) != len(rows) {
		return fmt.Errorf("model %.12s: room for %d scores of %d rows", m.digest, len(raw), len(rows))
	}
	for i, row := range rows {
		if len(row) != len(m.header.names) {
			return fmt.Errorf("row %d: %w", i, m.wrongLength(row))
		}
	}
	m.engine.predictRows(rows, raw)
	return nil
}
