package model

import (
	"math"
	"slices"
)

// column turns the values of one feature into codes. A number's code is its
// rank among the model's own thresholds of the feature, so that
// value <= threshold[j] is code <= j, exactly, for every float64. A category's
// code counts the categories that occur in a split; code 0 is any other, which
// goes right at every split.
type column struct {
	feature int
	keys    []uint64 // the thresholds, rising, in a form that compares as integers
	guide   guide
	codes   []uint32 // by category; nil: the feature is a number
	size    int      // number of codes
	nan     uint32   // code of NaN
	zero    uint32   // code of what LightGBM takes for 0
}

// use is a node that splits a column.
type use struct{ tree, node int32 }

// newColumn makes the column of the feature from the nodes that split it.
func newColumn(trees []tree, feature int, uses []use) column {
	c := column{feature: feature}
	first := &trees[uses[0].tree]
	if first.categorical(int(uses[0].node)) {
		c.addCategories(trees, uses)
		return c
	}
	c.keys = make([]uint64, len(uses))
	nanIsZero, zeroIsNumber := true, true
	for i, u := range uses {
		t := &trees[u.tree]
		c.keys[i] = sortable(t.threshold[u.node])
		switch t.decision[u.node] >> missingShift {
		case missingZero:
			zeroIsNumber = false
		case missingNaN:
			nanIsZero = false
		}
	}
	slices.Sort(c.keys)
	c.keys = slices.Clip(slices.Compact(c.keys))
	thresholds := make([]float64, len(c.keys))
	for i, key := range c.keys {
		thresholds[i] = unsortable(key)
	}
	c.guide = newGuide(thresholds)
	c.size = len(c.keys) + 1
	c.zero = c.rank(0)
	if !zeroIsNumber {
		c.zero = c.another()
	}
	c.nan = c.zero
	if !nanIsZero {
		c.nan = c.another()
	}
	return c
}

// another is one more code, behind the ranks: at some node what has it does
// not go where its rank would.
func (c *column) another() uint32 {
	c.size++
	return uint32(c.size - 1)
}

func (c *column) addCategories(trees []tree, uses []use) {
	words := 0
	for _, u := range uses {
		words = max(words, len(trees[u.tree].bitset(int(u.node))))
	}
	any := make([]uint32, words)
	for _, u := range uses {
		for i, word := range trees[u.tree].bitset(int(u.node)) {
			any[i] |= word
		}
	}
	c.codes, c.size = make([]uint32, 32*words), 1
	for category := range c.codes {
		if member(any, category) {
			c.codes[category] = c.another()
		}
	}
}

// code is the value's code.
func (c *column) code(v float64) uint32 {
	if c.codes != nil {
		if v > -1 && v < firstUnsafeCategory && int(v) < len(c.codes) {
			return c.codes[int(v)]
		}
		return 0
	}
	if v != v {
		return c.nan
	}
	if math.Abs(v) <= zero {
		return c.zero
	}
	return c.rank(v)
}

// rank is the number of thresholds below the value, which is not NaN. It halves
// without a branch on the data.
func (c *column) rank(v float64) uint32 {
	keys, base, key := c.keys, 0, sortable(v)
	if c.guide.before != nil {
		bucket := c.guide.bucket(v)
		base = int(c.guide.before[bucket])
		keys = keys[:c.guide.before[bucket+1]]
	}
	for n := len(keys) - base; n > 0; {
		half := (n + 1) >> 1
		next := base + half
		if keys[next-1] < key {
			base = next
		}
		n -= half
	}
	return uint32(base)
}

// sortable is an integer that orders doubles as they are ordered; both zeros
// have the same one. NaN has none.
func sortable(v float64) uint64 {
	b := math.Float64bits(v + 0) // -0 + 0 is +0
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// unsortable is the double of a sortable form.
func unsortable(key uint64) float64 {
	return math.Float64frombits(key ^ (^uint64(int64(key)>>63) | 1<<63))
}
