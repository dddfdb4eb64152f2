package model

import "math"

// zero is LightGBM's zero: its predictor reads every |x| <= zero as 0, its
// constant is the float32 1e-35.
const zero = float64(float32(1e-35))

// firstUnsafeCategory is the first double whose conversion to int32 is not
// defined in C; LightGBM's result there is a category no model has seen.
const firstUnsafeCategory = 1 << 31

// goesLeft is LightGBM's decision at a node, on the value itself. Scores come
// from the engine, which must decide alike.
func (t *tree) goesLeft(node int32, v float64) bool {
	if t.categorical(int(node)) {
		return v > -1 && v < firstUnsafeCategory && member(t.bitset(int(node)), int(v))
	}
	missing := t.decision[node] >> missingShift
	switch {
	case v != v:
		if missing != 0 {
			return t.decision[node]&defaultLeftBit != 0
		}
		v = 0
	case math.Abs(v) <= zero:
		if missing == missingZero {
			return t.decision[node]&defaultLeftBit != 0
		}
		v = 0
	}
	return v <= t.threshold[node]
}

// value is the leaf that a row ends in.
func (t *tree) value(row []float64) float64 {
	if len(t.feature) == 0 {
		return t.leaf[0]
	}
	for node := int32(0); ; {
		child := t.right[node]
		if t.goesLeft(node, row[t.feature[node]]) {
			child = t.left[node]
		}
		if child < 0 {
			return t.leaf[^child]
		}
		node = child
	}
}
