package features

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPanicWhileReading: an event that the log has is in the state, whatever becomes of its vector, or the ordinals of those after it would not be
// those that the log gives them.
func TestPanicWhileReading(t *testing.T) {
	schema := &Schema{EventType: "login", Entities: []EntityKind{{Name: "user"}}}
	defs, err := Expand(schema, []string{"n"}, map[string]Spec{"n": {Count: "events", By: "user", Windows: []string{"1d"}, IncludeCurrent: new(bool)}})
	require.NoError(t, err)
	e, err := NewEngine(schema, defs, EngineOptions{})
	require.NoError(t, err)
	vector := make([]float64, 1)
	observe := func(sequence uint64) (ordinal uint64) {
		_, err := e.Observe(&Event{ID: "e", Entities: []string{"ann"}}, vector, func(ordinals []uint64) (Placement, error) {
			ordinal = ordinals[0]
			return Placement{Sequence: sequence, Outcome: InOrder}, nil
		})
		require.NoError(t, err)
		return ordinal
	}
	require.EqualValues(t, 1, observe(1))
	e.derived = append(e.derived, derived{0, func(*frame) float64 { panic("a bug") }})
	require.PanicsWithValue(t, "a bug", func() { observe(2) })
	e.derived = nil
	require.EqualValues(t, 3, observe(3), "the locks are free and the event counts")
	require.InDelta(t, 2, vector[0], 0)
}
