package simulate

import (
	"math"
	"math/rand/v2"
)

// purpose separates the streams of one seed.
type purpose uint64

const (
	forTerminal purpose = iota + 1
	forCompromisedTerminal
	forCustomer
	forCompromisedCustomer
	forPayments
	forBursts
)

// stream is the random source of one thing (a customer, a terminal, a day). Neighbouring seeds and things are mixed apart.
func stream(seed uint64, p purpose, index int) *rand.Rand {
	return rand.New(rand.NewPCG(mix(seed^mix(uint64(p))), mix(uint64(p)<<48^uint64(index))))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func uniform(r *rand.Rand, low, high float64) float64 {
	return low + float64((high-low)*r.Float64())
}

// poisson draws a count by multiplying uniforms (Knuth), in parts where e^-mean would be too small.
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for mean > 0 {
		part := min(mean, 30)
		mean -= part
		limit, p := math.Exp(-part), 1.0
		for p *= r.Float64(); p > limit; p *= r.Float64() {
			n++
		}
	}
	return n
}
