package features

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTableEqualsMap: keys added, removed and looked for, many of them with the same hash or the same home.
func TestTableEqualsMap(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	hashOf := func(key int) uint64 { return uint64(key%97) << 32 * uint64(1+key%2) >> (key % 3) }
	table, want := table{}, map[string]*history{}
	for i := range 20_000 {
		n := random.Intn(100 + i%3*200)
		key, hash := fmt.Sprint(n), hashOf(n)
		require.Same(t, want[key], table.find(hash, key))
		switch h := want[key]; {
		case h == nil:
			h = newHistory(key)
			want[key] = h
			table.add(hash, h)
		case i%20_000 > 10_000 || random.Intn(2) == 0:
			table.remove(hash, key)
			delete(want, key)
		}
		require.Equal(t, len(want), table.used)
		if i%100 == 0 {
			seen := 0
			table.each(func(hash uint64, h *history) {
				seen++
				require.Same(t, want[h.entity], h)
			})
			require.Equal(t, len(want), seen)
		}
	}
	for key := range want {
		var n int
		fmt.Sscan(key, &n)
		require.NotNil(t, table.first(hashOf(n)))
		table.remove(hashOf(n), key)
		require.Nil(t, table.find(hashOf(n), key))
	}
	require.LessOrEqual(t, len(table.slots), smallTable)
}
