package features

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShardsAreLockedInAddressOrder, each once, so that no two calls wait for each other.
func TestShardsAreLockedInAddressOrder(t *testing.T) {
	e, err := NewEngine(&Schema{EventType: "x"}, nil, EngineOptions{Shards: 8})
	require.NoError(t, err)
	for _, c := range []struct{ at, held []int }{{[]int{5, 1, 5, 0}, []int{0, 1, 5}}, {[]int{7}, []int{7}}, {nil, []int{0}}} {
		var at []spot
		for _, shard := range c.at {
			at = append(at, spot{shard: shard})
		}
		held := e.lock(at, nil)
		require.Equal(t, c.held, held)
		for i := range e.shards {
			free := e.shards[i].mu.TryLock()
			require.Equal(t, free, !slices.Contains(held, i))
			if free {
				e.shards[i].mu.Unlock()
			}
		}
		e.unlock(held)
	}
}
