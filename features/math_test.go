package features

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestMathIsAccurate holds our own functions to the standard library's within 4 units in the last place.
func TestMathIsAccurate(t *testing.T) {
	near := func(t *rapid.T, got, want float64) {
		require.LessOrEqual(t, math.Abs(got-want), 4*(math.Nextafter(math.Abs(want), math.Inf(1))-math.Abs(want)), "%v, want %v", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-0.999999, 1), rapid.Float64Range(0, 1e12), rapid.Float64Range(-1e-9, 1e-9)).Draw(t, "x")
		near(t, log1p(x), math.Log1p(x))
		angle := rapid.Float64Range(0, math.Pi/2).Draw(t, "angle")
		near(t, sine(angle), math.Sin(angle))
		h := rapid.Float64Range(0, 0.5).Draw(t, "h")
		near(t, arcsinRoot(h), math.Asin(math.Sqrt(h)))
	})
	require.True(t, math.IsNaN(log1p(math.NaN())))
	require.Equal(t, math.Inf(1), log1p(math.Inf(1)))
	require.Equal(t, math.Pi/2, arcsinRoot(1))
}

// TestHaversine: quarter and half of a great circle are exact by definition; the city distance is that of the haversine Python package 2.8.0.
func TestHaversine(t *testing.T) {
	require.InDelta(t, earthRadius*math.Pi/2, haversine(0, 0, 90, 17), 1e-9)
	require.InDelta(t, earthRadius*math.Pi, haversine(0, -90, 0, 90), 1e-3)
	require.InDelta(t, 392.217259, haversine(45.7597, 4.8422, 48.8567, 2.3508), 1e-6) // Lyon to Paris
	require.Equal(t, haversine(10, 179.5, 10, -179.5), haversine(10, -179.5, 10, 179.5))
	require.InDelta(t, haversine(10, 0, 10, 1), haversine(10, 179.5, 10, -179.5), 1e-9) // over the date line
	require.Zero(t, haversine(37.5, 127, 37.5, 127))
	for _, bad := range []float64{math.NaN(), 90.000001, math.Inf(1)} {
		require.True(t, math.IsNaN(haversine(bad, 0, 0, 0)))
	}
}

func TestWideEqualsBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Int64Range(-maxUnits, maxUnits).Draw(t, "x")
		n := rapid.Uint64Range(1, MaxCap).Draw(t, "n")
		want := new(big.Int).Mul(big.NewInt(x), big.NewInt(x))
		want.Mul(want, new(big.Int).SetUint64(n))
		got := square(x).times(n)
		require.Zero(t, want.Cmp(got.big()))
		float, _ := new(big.Float).SetInt(want).Float64()
		require.Equal(t, float, got.float())
		other := wide{rapid.Uint64().Draw(t, "high"), rapid.Uint64().Draw(t, "low")}
		require.Equal(t, got, got.plus(other).minus(other))
		float, _ = new(big.Float).SetInt(other.big()).Float64()
		require.Equal(t, float, other.float())
	})
}

func (a wide) big() *big.Int {
	high := new(big.Int).SetUint64(a.high)
	return high.Lsh(high, 64).Add(high, new(big.Int).SetUint64(a.low))
}

// TestScaleIsThatOfTheText: a number is accepted exactly when its shortest decimal text has no more decimals than the scale, and its integer is the
// text without its point.
func TestScaleIsThatOfTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.IntRange(0, MaxScale).Draw(t, "scale")
		x := rapid.OneOf(rapid.Float64Range(-100, 100), rapid.Map(rapid.Int64Range(-maxUnits, maxUnits), func(k int64) float64 {
			return float64(k) / powers[rapid.IntRange(0, MaxScale).Draw(t, "decimals")]
		})).Draw(t, "x")
		text := strconv.FormatFloat(x, 'f', -1, 64)
		whole, decimals, _ := strings.Cut(text, ".")
		fits := len(decimals) <= scale && math.Abs(x)*powers[scale] <= maxUnits
		require.Equal(t, fits, numberProblem(x, &Number{Name: "x", Scale: scale}) == "", text)
		if fits {
			k, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", scale-len(decimals)), 10, 64)
			require.NoError(t, err)
			require.Equal(t, k, scaled(x, scale), text)
		}
	})
}
