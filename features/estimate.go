package features

import "math"

// maxExact is the number of different values up to which a window's distinct is exact.
const maxExact = 256

// Beyond maxExact, distinct is the HyperLogLog estimate of exactly the window's different values: each is hashed to 64 bits, of which the first
// precision choose a register and the position of the first one among the others is its rank; a register holds the largest rank of its values.
// P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, HyperLogLog (AofA 2007). The estimator is O. Ertl's improved raw one, New cardinality estimation
// algorithms for HyperLogLog sketches (arXiv:1702.01284, 2017, algorithm 6), which needs no tables and no switch for small numbers; its standard
// error is 1.04/sqrt(2^14) = 0.8 %. It depends on how many registers hold each rank and uses only operations that IEEE 754 rounds exactly, so the
// same values give the same bits, in whatever order they came.
const (
	precision = 14
	registers = 1 << precision
	maxRank   = 64 - precision + 1
)

// ranks counts registers by the rank that they hold, 0 for those without a value.
type ranks [maxRank + 1]uint32

// rank is the register of a hash and its rank there.
func rank(hash uint64) (register int, rank uint8) {
	rest := hash<<precision | 1<<(precision-1) // the bit behind the last ends the search
	rank = 1
	for rest>>63 == 0 {
		rest <<= 1
		rank++
	}
	return int(hash >> (64 - precision)), rank
}

// estimate is the number of different values.
func (c *ranks) estimate() float64 {
	const m = float64(registers)
	z := float64(m * tau(1-float64(c[maxRank])/m))
	for k := maxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(c[k]))
	}
	z += float64(m * sigma(float64(c[0])/m))
	const alpha = 0.7213475204444817 // 1 / (2 ln 2)
	return float64(alpha*m*m) / z
}

// sigma is x + sum of x^(2^k) 2^(k-1) for k >= 1.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for before := math.NaN(); z != before; {
		x = float64(x * x)
		before = z
		z += float64(x * y)
		y += y
	}
	return z
}

// tau is (1 - x - sum of (1 - x^(2^-k))^2 2^-k for k >= 1) / 3.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for before := math.NaN(); z != before; {
		x = math.Sqrt(x)
		before = z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
	}
	return z / 3
}

// mix spreads the bits of a word over all bits (the finaliser of MurmurHash3, A. Appleby; a bijection).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

const hashSeed = 0x9e3779b97f4a7c15

// hashNumber hashes the bits of a number.
func hashNumber(bits uint64) uint64 { return mix(bits + hashSeed) }

// hashText hashes a text: eight bytes at a time, the rest with its length, each step mixed.
func hashText(text string) uint64 {
	h := uint64(hashSeed)
	for i := 0; i < len(text); i += 8 {
		var word uint64
		for k := i; k < min(i+8, len(text)); k++ {
			word |= uint64(text[k]) << (8 * (k - i))
		}
		h = mix(h ^ word)
	}
	return mix(h + uint64(len(text)))
}
