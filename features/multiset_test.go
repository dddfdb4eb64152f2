package features

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plainSketch is HyperLogLog as its paper has it: registers of a list of hashes, and Ertl's sums written out over all ranks.
func plainEstimate(hashes []uint64) float64 {
	var table [1 << 14]int
	for _, h := range hashes {
		r, first := int(h>>50), 1
		for bit := 49; bit >= 0 && h>>bit&1 == 0; bit-- {
			first++
		}
		table[r] = max(table[r], first)
	}
	var c [52]float64
	for _, k := range table {
		c[k]++
	}
	const m = 16384.0
	sigma, x, y := c[0]/m, c[0]/m, 1.0
	for range 200 {
		x = float64(x * x)
		sigma += float64(x * y)
		y *= 2
	}
	if c[0] == m {
		sigma = math.Inf(1)
	}
	tau, x, y := 1-(1-c[51]/m), 1-c[51]/m, 1.0
	for range 200 {
		x = math.Sqrt(x)
		y /= 2
		tau -= float64((1 - x) * (1 - x) * y)
	}
	z := float64(m * (tau / 3))
	for k := 50; k >= 1; k-- {
		z = (z + c[k]) / 2
	}
	z += float64(m * sigma)
	return m * m / (2 * math.Ln2) / z
}

func TestEstimate(t *testing.T) {
	for _, n := range []int{257, 1_000, 10_000, 100_000, 1_000_000} {
		tally, table, hashes := ranks{registers}, sketch{tally: ranks{registers}}, make([]uint64, n)
		for i := range n {
			hashes[i] = hashNumber(math.Float64bits(float64(i)))
			table.raise(hashes[i])
		}
		tally = table.tally
		require.InEpsilon(t, float64(n), tally.estimate(), 0.03, "0.8 %% standard error")
		require.InEpsilon(t, plainEstimate(hashes), tally.estimate(), 1e-12)
	}
	full := ranks{}
	full[maxRank] = registers
	require.True(t, math.IsInf(full.estimate(), 1) || full.estimate() > 1e15)
	register, largest := rank(0)
	require.Equal(t, []int{0, maxRank}, []int{register, int(largest)})
	register, largest = rank(math.MaxUint64)
	require.Equal(t, []int{registers - 1, 1}, []int{register, int(largest)})
}

// TestEstimateIsForEver: values that were published are for ever, as models were trained on them.
func TestEstimateIsForEver(t *testing.T) {
	s := newMultiset(1)
	for i := range 1_000 {
		s.add(math.Float64bits(float64(i)), hashNumber)
	}
	require.Equal(t, "408efb1f89ea07fd 9ca066f1a4ab2eea ee843794155f7c65 c11111982d6e8218", fmt.Sprintf("%x %x %x %x", math.Float64bits(s.distinct(false, 0, 0)), hashText(""), hashText("KR"), hashText("customer-0123456789")))
}

func TestHashesSpread(t *testing.T) {
	seen := map[uint64]bool{}
	var buckets [64]int
	for i := range 100_000 {
		for _, h := range []uint64{hashNumber(math.Float64bits(float64(i))), hashText(fmt.Sprintf("merchant-%06d", i))} {
			require.False(t, seen[h])
			seen[h] = true
			buckets[h>>58]++
		}
	}
	for _, n := range buckets {
		require.InDelta(t, 200_000/64, n, 300)
	}
	require.NotEqual(t, hashText("a"), hashText("a\x00"), "the length counts")
}

// TestMultisetEqualsMap: any order of coming and going, counts and the number of different ones by the rule, whatever was there before.
func TestMultisetEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, want := newMultiset(rapid.Uint64().Draw(t, "seed")), map[uint64]int{}
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "random")))
		values := rapid.SampledFrom([]int{3, 250, 260, 1_000}).Draw(t, "values")
		var in []uint64
		for range rapid.IntRange(1, 4).Draw(t, "phases") {
			grow := random.Intn(100)
			for range 600 {
				if random.Intn(100) < grow || len(in) == 0 {
					key := uint64(random.Intn(values))
					in, want[key] = append(in, key), want[key]+1
					s.add(key, hashNumber)
					continue
				}
				at := random.Intn(len(in))
				key := in[at]
				in = slices.Delete(in, at, at+1)
				s.remove(key)
				if want[key]--; want[key] == 0 {
					delete(want, key)
				}
			}
			check := func(extra bool, key uint64) {
				hashes := []uint64{}
				for k := range want {
					hashes = append(hashes, hashNumber(k))
				}
				if extra && want[key] == 0 {
					hashes = append(hashes, hashNumber(key))
				}
				expected := float64(len(hashes))
				if len(hashes) > 256 {
					fresh := sketch{tally: ranks{registers}}
					for _, h := range hashes {
						fresh.raise(h)
					}
					expected = fresh.tally.estimate()
				}
				require.Equal(t, math.Float64bits(expected), math.Float64bits(s.distinct(extra, key, hashNumber(key))))
			}
			check(false, 0)
			check(true, uint64(random.Intn(values)))
			check(true, 1<<40)
			for key := range uint64(values) {
				require.Equal(t, want[key], s.count(key))
			}
		}
	})
}

func TestInterner(t *testing.T) {
	in := newInterner()
	require.Zero(t, in.hold(""))
	require.Zero(t, in.find("KR"))
	a, b := in.hold("KR"), in.hold("US")
	require.NotEqual(t, a, b)
	require.Equal(t, a, in.hold("KR"))
	require.Equal(t, a, in.find("KR"))
	require.Equal(t, "KR", in.text(a))
	require.Equal(t, hashText("US"), in.hash(b))
	in.release(a)
	require.Equal(t, a, in.find("KR"))
	in.release(a)
	require.Zero(t, in.find("KR"), "nobody holds it")
	in.release(0)
	for i := range 10_000 { // what comes and goes takes no more memory than what is there at once
		in.release(in.hold(fmt.Sprint(i)))
	}
	slots := 0
	for i := range in.shards {
		slots += len(in.shards[i].slots) - 1
		require.LessOrEqual(t, len(in.shards[i].codes), 1)
	}
	require.LessOrEqual(t, slots, internShards+1)
}
