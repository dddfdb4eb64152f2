package features_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// TestDerive holds what a Deriver makes of the entities' features against what Observe gave.
func TestDerive(t *testing.T) {
	names, specs := personalSpecs()
	schema := handbookSchema()
	engine := newEngine(t, schema, names, specs)
	derive := newEngine(t, schema, names, specs).Deriver() // another one, which has seen nothing
	definitions := engine.Definitions()
	vector, again := make([]float64, len(definitions)), make([]float64, len(definitions))
	derived := 0
	for i := range 40 {
		ev := features.Event{ID: "e", Time: int64(i) * 5 * features.Day / 4, Amount: int64(100 + 7*i), Entities: []string{"c", "t"}}
		_, err := engine.Observe(&ev, vector, func([]uint64) (features.Placement, error) {
			return features.Placement{Sequence: uint64(i + 1), Outcome: features.InOrder}, nil
		})
		require.NoError(t, err)
		for k := range definitions {
			if again[k] = vector[k]; definitions[k].Entity() == "" {
				again[k] = -1
				derived++
			}
		}
		derive.Derive(&ev, again)
		for k := range definitions {
			require.Equal(t, math.Float64bits(vector[k]), math.Float64bits(again[k]), definitions[k].Name)
		}
	}
	require.Positive(t, derived)
}
