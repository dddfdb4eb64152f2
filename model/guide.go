package model

import "math"

// guide narrows the search for a value's rank: values are parted into buckets
// of equal width over the range in which most thresholds lie, and the guide
// says how many thresholds lie in the buckets before. The bucket never falls
// when the value rises, so that the search is exact whatever is rounded.
type guide struct {
	low, scale, last float64
	before           []uint32 // by bucket, and one more
}

const (
	guidedKeys   = 8 // fewer thresholds are found as fast without
	guideOutside = 32
	guideBuckets = 2 // for each threshold
)

// newGuide is for rising thresholds.
func newGuide(thresholds []float64) guide {
	n := len(thresholds)
	if n < guidedKeys {
		return guide{}
	}
	low, high := thresholds[n/guideOutside], thresholds[n-1-n/guideOutside]
	if n/guideOutside == 0 && math.IsInf(high, 1) {
		high = thresholds[n-2] // what parts the values that are there from the missing ones
	}
	buckets := guideBuckets * n
	g := guide{low: low, last: float64(buckets - 1), scale: float64(buckets) / (high - low)}
	if !(g.scale > 0) || math.IsInf(g.scale, 1) {
		return guide{}
	}
	g.before = make([]uint32, buckets+1)
	for _, t := range thresholds {
		g.before[g.bucket(t)+1]++
	}
	for i := range buckets {
		g.before[i+1] += g.before[i]
	}
	return g
}

func (g *guide) bucket(v float64) int {
	switch at := (v - g.low) * g.scale; {
	case at >= g.last:
		return int(g.last)
	case at > 0:
		return int(at)
	}
	return 0
}
