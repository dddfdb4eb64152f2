package features

import (
	"math"
	"math/bits"
)

// The functions here use only operations that IEEE 754 rounds exactly (+ - * / sqrt), each rounded on its own (float64 around every product keeps
// compilers from fusing it with a sum), so that all platforms give the same bits. The standard library's do not promise that.

// earthRadius is the mean radius of the Earth in km (IUGG R1).
const earthRadius = 6371.0088

// haversine is the great-circle distance in km of two places in degrees; NaN when one is missing or not on the globe.
// Source: R. W. Sinnott, Virtues of the haversine, Sky and Telescope 68 (1984).
func haversine(lat1, lon1, lat2, lon2 float64) float64 {
	if !(math.Abs(lat1) <= 90 && math.Abs(lat2) <= 90 && math.Abs(lon1) <= 180 && math.Abs(lon2) <= 180) {
		return math.NaN()
	}
	across := math.Abs(lon1 - lon2)
	if across > 180 {
		across = 360 - across
	}
	u, v := sinDegrees(math.Abs(lat1-lat2)/2), sinDegrees(across/2)
	product := float64(float64(sinDegrees(90-math.Abs(lat1))*sinDegrees(90-math.Abs(lat2))) * float64(v*v))
	h := min(float64(u*u)+product, 1)
	return float64(2 * earthRadius * arcsinRoot(h))
}

// sinDegrees is the sine of an angle between 0 and 90 degrees.
func sinDegrees(d float64) float64 { return sine(float64(d * (math.Pi / 180))) }

// sine is the sine of x in [0, pi/2] by its Taylor series up to x^23, whose remainder is below 1e-20.
func sine(x float64) float64 {
	z := float64(x * x)
	sum := 0.0
	for k := 22; k >= 2; k -= 2 {
		sum = -float64(z / float64(k*(k+1)) * (1 + sum))
	}
	return x + float64(x*sum)
}

// arcsinRoot is the arcsine of sqrt(h) for h in [0, 1], by Newton's method on sine from a series of four terms.
func arcsinRoot(h float64) float64 {
	if h > 0.5 {
		return math.Pi/2 - arcsinRoot(1-h)
	}
	s := math.Sqrt(h)
	y := s + float64(s*float64(h*(1.0/6+float64(h*(3.0/40+float64(h*(15.0/336)))))))
	for range 4 {
		y -= (sine(y) - s) / sine(math.Pi/2-y)
	}
	return y
}

// log1p is log(1+x), NaN for x <= -1. The correction x/(u-1) restores what rounding u = 1+x lost (W. Kahan).
func log1p(x float64) float64 {
	u := 1 + x
	switch {
	case !(u > 0):
		return math.NaN()
	case math.IsInf(u, 1):
		return u
	case u == 1:
		return x
	}
	return float64(logarithm(u) * (x / (u - 1)))
}

// logarithm is the natural logarithm of a positive finite number: u = m 2^k with m in [sqrt 1/2, sqrt 2), log m = 2 artanh((m-1)/(m+1)).
func logarithm(u float64) float64 {
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // log 2; k*high is exact
	m, k := math.Frexp(u)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	sum := 0.0
	for n := 25; n >= 3; n -= 2 {
		sum = float64(z * (1/float64(n) + sum))
	}
	return float64(float64(k)*high) + (float64(2*s) + (float64(2*s*sum) + float64(float64(k)*low)))
}

// wide is an unsigned integer of 128 bits; sums wrap, so differences of prefix sums are exact.
type wide struct{ high, low uint64 }

func square(x int64) wide {
	u := uint64(x)
	if x < 0 {
		u = -u
	}
	high, low := bits.Mul64(u, u)
	return wide{high, low}
}

func (a wide) plus(b wide) wide {
	low, carry := bits.Add64(a.low, b.low, 0)
	high, _ := bits.Add64(a.high, b.high, carry)
	return wide{high, low}
}

func (a wide) minus(b wide) wide {
	low, borrow := bits.Sub64(a.low, b.low, 0)
	high, _ := bits.Sub64(a.high, b.high, borrow)
	return wide{high, low}
}

func (a wide) times(n uint64) wide {
	high, low := bits.Mul64(a.low, n)
	return wide{high + a.high*n, low}
}

// float is a, rounded once to the nearest float64.
func (a wide) float() float64 {
	if a.high == 0 {
		return float64(a.low)
	}
	n := bits.LeadingZeros64(a.high)
	top := a.high<<n | a.low>>(64-n) // a shift by 64 gives 0
	if a.low<<n != 0 {
		top |= 1 // sticky: below the bits that a float64 keeps
	}
	return math.Ldexp(float64(top), 64-n)
}

// deviation is the sample standard deviation (ddof 1) of n integers with that sum and sum of squares, in units of 10^-digits: the variance's
// numerator n*squares - sum^2 is exact in 128 bits for n <= 2^20 and |x| <= 10^12.
func deviation(n, sum int64, squares wide, power float64) float64 {
	if n < 2 {
		return math.NaN()
	}
	numerator := squares.times(uint64(n)).minus(square(sum)).float()
	return math.Sqrt(numerator/float64(n*(n-1))) / power
}
