// Package model reads LightGBM text models and evaluates them. It promises the
// raw score of LightGBM's own library to the bit and refuses, with the reason,
// every model for which it cannot keep that promise. It does not train,
// calibrate or store models and knows nothing of the features' meaning.
package model

// Model is a parsed, immutable model. All methods may be called from any
// goroutine.
type Model struct {
	digest  string
	header  header
	trees   []tree
	sigmoid float64
	engine  *engine
}

// Parse reads a LightGBM text model of version v2, v3 or v4. What cannot be
// served exactly is a *Refusal.
func Parse(text []byte) (*Model, error) { return nil, &Refusal{Reason: "not implemented"} }

// Refusal says why a model is not served.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return "model refused: " + r.Reason }

// Digest is the hex SHA-256 of the bytes given to Parse.
func (m *Model) Digest() string { return m.digest }

// FeatureNames are the columns of a row, in order.
func (m *Model) FeatureNames() []string { return nil }

// Features is the length of a row.
func (m *Model) Features() int { return 0 }

// Trees is the number of trees.
func (m *Model) Trees() int { return len(m.trees) }

// Objective is the objective as the model file states it.
func (m *Model) Objective() string { return "" }

// Predict gives the raw score of one row.
func (m *Model) Predict(row []float64) (float64, error) { return 0, nil }

// Probability is the model's own sigmoid of a raw score.
func (m *Model) Probability(raw float64) float64 { return 0 }

// Probability is the sigmoid of a raw score with coefficient 1.
func Probability(raw float64) float64 { return 0 }

// Golden holds rows and the raw scores that LightGBM itself gave them.
type Golden struct {
	Rows [][]float64
	Raw  []float64
}

// GoldenRows makes rows that exercise the model's own decisions.
func (m *Model) GoldenRows(real [][]float64, limit int) [][]float64 { return nil }

// Mismatch is a golden row whose score differs from LightGBM's.
type Mismatch struct {
	Row       int
	Want, Got float64
	Engine    string
}

func (m *Mismatch) Error() string { return "mismatch" }

// Verify holds the model against golden rows; the first difference is a *Mismatch.
func (m *Model) Verify(g Golden) error { return nil }

type (
	header struct{}
	tree   struct{}
	engine struct{}
)
