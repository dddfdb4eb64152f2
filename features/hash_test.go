package features

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var hashes = [...]uint64{0x55e18617dd877759, 0xc67ac0ee4c650304, 0x5e021b7f922d3a8a}

// TestHashKeyStays: the hashes of a seed are in snapshots; they spread evenly and differ for keys of every length.
func TestHashKeyStays(t *testing.T) {
	require.Equal(t, hashes[0], hashKey(1, ""))
	require.Equal(t, hashes[1], hashKey(1, "card"))
	require.Equal(t, hashes[2], hashKey(2, "customer-0000017"))
	seen := map[uint64]string{}
	for n := range 129 {
		for _, key := range []string{strings.Repeat("a", n), strings.Repeat("a", n) + "b", "b" + strings.Repeat("a", n), strings.Repeat("\x00", n)} {
			hash := hashKey(3, key)
			if other, known := seen[hash]; known {
				require.Equal(t, other, key)
			}
			seen[hash] = key
		}
	}
	counts := make([]int, 64)
	for i := range 64_000 {
		counts[shardOf(hashKey(4, fmt.Sprint(i)), 64, i%3)]++
	}
	for _, n := range counts {
		require.InDelta(t, 1000, n, 150)
	}
}
