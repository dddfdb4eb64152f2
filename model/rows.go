package model

import (
	"math"
	"slices"
)

// GoldenRows makes at most limit rows that exercise the model's own decisions,
// for LightGBM's library to score. First come real rows (a quarter of the
// limit), then each special value in each column, then, for splits evenly
// spread over the trees, rows that reach the split and stand on both sides of
// it. Equal arguments give equal rows. The rows of real must be of the model's
// length; others are left out.
func (m *Model) GoldenRows(real [][]float64, limit int) [][]float64 {
	g := rowMaker{m: m, limit: limit}
	for _, row := range real {
		if len(row) == m.Features() {
			g.base = append(g.base, row)
		}
	}
	for _, i := range spread(len(g.base), limit/4) {
		g.add(slices.Clone(g.base[i]))
	}
	if len(g.base) == 0 {
		g.base = [][]float64{make([]float64, m.Features())}
	}
	g.specials(limit / 4)
	g.splits()
	return g.rows
}

type rowMaker struct {
	m     *Model
	base  [][]float64 // what a made row is derived from, in turn
	turn  int
	limit int
	rows  [][]float64
}

func (g *rowMaker) add(row []float64) {
	if len(g.rows) < g.limit {
		g.rows = append(g.rows, row)
	}
}

// next is a copy of the next base row.
func (g *rowMaker) next() []float64 {
	g.turn++
	return slices.Clone(g.base[(g.turn-1)%len(g.base)])
}

// specialValues are those that readers of doubles disagree about: missing,
// infinite, both zeros, both sides of LightGBM's zero, and categories that are
// negative, fractional, unseen or beyond 32 bits.
func specialValues() []float64 {
	return []float64{
		math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e-36, -1e-36,
		zero, -zero, math.Nextafter(zero, 1), -math.Nextafter(zero, 1), 1e300, -1e300,
		math.MaxFloat64, math.SmallestNonzeroFloat64,
		-1, -0.5, 0.5, -7, 31, 32, 1e6, 1<<31 - 1, 1 << 31, 1 << 32, 1<<32 + 1, 1e18, -1e18,
	}
}

// specials puts every special value into every column, at most n rows, evenly
// chosen, and into all columns at once.
func (g *rowMaker) specials(n int) {
	values := specialValues()
	for _, v := range values {
		row := g.next()
		for i := range row {
			row[i] = v
		}
		g.add(row)
	}
	columns := g.m.Features()
	for _, i := range spread(len(values)*columns, n-len(values)) {
		row := g.next()
		row[i/len(values)] = values[i%len(values)]
		g.add(row)
	}
}

// splits adds rows at the model's own splits until the limit.
func (g *rowMaker) splits() {
	total := 0
	for i := range g.m.trees {
		total += len(g.m.trees[i].feature)
	}
	const perSplit = 6
	chosen := spread(total, max(0, g.limit-len(g.rows)+perSplit-1)/perSplit)
	first := 0
	for i := range g.m.trees {
		t := &g.m.trees[i]
		nodes := len(t.feature)
		var parents []int32
		for len(chosen) > 0 && chosen[0] < first+nodes {
			if parents == nil {
				parents = t.parents()
			}
			g.atSplit(t, parents, int32(chosen[0]-first))
			chosen = chosen[1:]
		}
		first += nodes
	}
}

// atSplit adds rows that reach the node where the path allows it, with values
// on both sides of its split.
func (g *rowMaker) atSplit(t *tree, parents []int32, node int32) {
	row := g.next()
	t.lead(row, parents, node)
	for _, v := range t.sides(node) {
		variant := slices.Clone(row)
		variant[t.feature[node]] = v
		g.add(variant)
	}
}

// parents gives each node's parent; the root's is -1.
func (t *tree) parents() []int32 {
	parents := make([]int32, len(t.left))
	parents[0] = -1
	for node := range t.left {
		for _, child := range [2]int32{t.left[node], t.right[node]} {
			if child >= 0 {
				parents[child] = int32(node)
			}
		}
	}
	return parents
}

// lead changes row so that it walks from the root to the node. It goes upwards
// from the node, so that the split nearest to it has the last word on its
// feature where several splits of one feature leave room; a value that already
// satisfies a split stays.
func (t *tree) lead(row []float64, parents []int32, node int32) {
	low, high := make(map[int32]float64), make(map[int32]float64)
	for child, at := node, parents[node]; at >= 0; child, at = at, parents[at] {
		feature, threshold, goLeft := t.feature[at], t.threshold[at], t.left[at] == child
		if t.categorical(int(at)) {
			row[feature] = t.category(at, goLeft, row[feature])
			continue
		}
		if current, ok := high[feature]; goLeft && (!ok || threshold < current) {
			high[feature] = threshold
		}
		if current, ok := low[feature]; !goLeft && (!ok || threshold > current) {
			low[feature] = threshold
		}
	}
	for feature, bound := range high {
		if v := row[feature]; !(v <= bound) {
			row[feature] = bound
		}
	}
	for feature, bound := range low {
		if v := row[feature]; !(v > bound) {
			row[feature] = math.Nextafter(bound, math.Inf(1))
		}
	}
}

// category gives a category that goes the wanted way at the node: the present
// one if it does.
func (t *tree) category(node int32, goLeft bool, present float64) float64 {
	set := t.bitset(int(node))
	if present >= 0 && present < firstUnsafeCategory && member(set, int(present)) == goLeft {
		return present
	}
	for c := range len(set)*32 + 1 {
		if member(set, c) == goLeft {
			return float64(c)
		}
	}
	return present // not reached: one bit is set, and the one behind the last is not
}

func member(set []uint32, category int) bool {
	word := category / 32
	return word < len(set) && set[word]>>(category%32)&1 != 0
}

// sides are the values to try at a node: the threshold, its two neighbours,
// and values that only its missing rules decide; of a category split, members
// and others.
func (t *tree) sides(node int32) []float64 {
	if t.categorical(int(node)) {
		set := t.bitset(int(node))
		in, out := t.category(node, true, -1), t.category(node, false, -1)
		return []float64{in, out, in + 0.5, float64(len(set) * 32), math.NaN(), -1}
	}
	at := t.threshold[node]
	return []float64{at, math.Nextafter(at, math.Inf(1)), math.Nextafter(at, math.Inf(-1)), math.NaN(), 0, -zero}
}

// spread chooses at most n of the numbers below total, evenly.
func spread(total, n int) []int {
	n = min(n, total)
	if n <= 0 {
		return nil
	}
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = i * total / n
	}
	return chosen
}
