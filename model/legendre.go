package model

import "math"

// rule is a Gauss-Legendre quadrature on [0, 1]: with n points it integrates
// polynomials up to degree 2n-1 exactly.
type rule struct{ point, rest, weight []float64 } // rest is 1 - point

// legendre makes the rule of n points by Newton's method on the Legendre
// polynomial (Press et al., Numerical Recipes, section 4.6).
func legendre(n int) rule {
	r := rule{point: make([]float64, n), rest: make([]float64, n), weight: make([]float64, n)}
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var slope float64
		for range 100 {
			p, before := 1.0, 0.0
			for k := range n {
				p, before = ((2*float64(k)+1)*x*p-float64(k)*before)/(float64(k)+1), p
			}
			slope = float64(n) * (x*p - before) / (x*x - 1)
			step := p / slope
			x -= step
			if math.Abs(step) < 1e-16 {
				break
			}
		}
		r.point[i], r.rest[i] = (1+x)/2, (1-x)/2
		r.weight[i] = 1 / ((1 - x*x) * slope * slope)
	}
	return r
}
