package model

import "math"

// A run holds the strikes of one side of the typical value, block by block, of
// which the whole blocks are there once more as a merged run: one strike for
// each part in it.
const (
	leastBlock = 128
	mostBlocks = 16 // a column: what is merged is in proportion to its nodes
)

// addRuns lays out the strikes of a column so that each code has one near run,
// and one far run where merging makes it shorter.
func (b *builder) addRuns(c *column, s *splits, left [][]bool) {
	b.e.first = append(b.e.first, uint32(len(b.e.runs)))
	if c.codes != nil {
		b.addCategories(c, s)
		return
	}
	// Nodes at which the typical value goes right come first: a value differs
	// from it at those of its rank and beyond, and at the others below its rank.
	start := len(b.e.part)
	for _, u := range s.uses {
		b.add(u)
	}
	middle := 0
	for middle < len(s.uses) && !left[s.uses[middle].tree][s.uses[middle].node] {
		middle++
	}
	block := max(leastBlock, len(s.uses)/mostBlocks)
	below, above := b.mergeBlocks(start+middle, -block, start), b.mergeBlocks(start+middle, block, start+len(s.uses))
	at := 0
	for code := range len(c.keys) + 1 {
		for at < len(s.uses) && int(s.rank[at]) < code {
			at++
		}
		r := runs{near: run{uint32(start + min(at, middle)), uint32(start + max(at, middle))}}
		if n := (middle - at) / block; n > 0 && below[n-1].worth(n*block) {
			r.far = below[n-1]
			r.near.to -= uint32(n * block)
		}
		if n := (at - middle) / block; n > 0 && above[n-1].worth(n*block) {
			r.far = above[n-1]
			r.near.from += uint32(n * block)
		}
		b.e.runs = append(b.e.runs, r)
	}
	for code := len(c.keys) + 1; code < c.size; code++ {
		b.addSpecial(s, left, special(c, uint32(code)))
	}
}

// worth says whether a merged run of so many strikes is shorter enough.
func (r run) worth(strikes int) bool { return int(r.to-r.from) <= strikes*7/8 }

// mergeBlocks merges the strikes from the middle up to the first block's end,
// up to the second's, and so on until the end.
func (b *builder) mergeBlocks(middle, block, end int) []run {
	var merged []run
	for at := middle; block > 0 && at+block <= end || block < 0 && at+block >= end; at += block {
		for i := min(at, at+block); i < max(at, at+block); i++ {
			b.strikeAlso(b.e.part[i], b.e.strike[i])
		}
		merged = append(merged, b.layMerged())
	}
	b.forget()
	return merged
}

func (b *builder) strikeAlso(part uint32, leaves uint64) {
	if b.sum[part] == 0 {
		b.parts = append(b.parts, part)
	}
	b.sum[part] |= leaves
}

// layMerged lays down one strike for each part.
func (b *builder) layMerged() run {
	from := len(b.e.part)
	for _, part := range b.parts {
		b.e.part, b.e.strike = append(b.e.part, part), append(b.e.strike, b.sum[part])
	}
	return run{uint32(from), uint32(len(b.e.part))}
}

func (b *builder) forget() {
	for _, part := range b.parts {
		b.sum[part] = 0
	}
	b.parts = b.parts[:0]
}

// special is a value that has the code.
func special(c *column, code uint32) float64 {
	if code == c.zero {
		return 0
	}
	return math.NaN()
}

// addSpecial merges the strikes of a value that is not placed by its rank.
func (b *builder) addSpecial(s *splits, left [][]bool, v float64) {
	for _, u := range s.uses {
		if b.trees[u.tree].goesLeft(u.node, v) != left[u.tree][u.node] {
			b.strikeAlso(b.cuts[u.tree].strike(u.node))
		}
	}
	b.e.runs = append(b.e.runs, runs{near: b.layMerged()})
	b.forget()
}

// addCategories: the typical category goes right everywhere, so that each
// category strikes at the nodes whose sets hold it.
func (b *builder) addCategories(c *column, s *splits) {
	holders := make([][]use, c.size)
	for _, u := range s.uses {
		for word, set := range b.trees[u.tree].bitset(int(u.node)) {
			for category := 32 * word; set != 0; category, set = category+1, set>>1 {
				if set&1 != 0 {
					code := c.codes[category]
					holders[code] = append(holders[code], u)
				}
			}
		}
	}
	for _, uses := range holders {
		for _, u := range uses {
			b.strikeAlso(b.cuts[u.tree].strike(u.node))
		}
		b.e.runs = append(b.e.runs, runs{near: b.layMerged()})
		b.forget()
	}
}

// add lays down the strike of one node.
func (b *builder) add(u use) {
	part, strike := b.cuts[u.tree].strike(u.node)
	b.e.part, b.e.strike = append(b.e.part, part), append(b.e.strike, strike)
}
