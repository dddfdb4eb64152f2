package features

import (
	"math"
	"slices"
)

const groupChunks = 64 // most chunks of a group

// directory holds the full chunks of a long history, all but the newest, in groups. Sums are kept at three levels: a row's are counted from its
// chunk, a chunk's from its group, a group's from the beginning. So what comes late changes the rows of one chunk, the chunks after it in one group
// and the groups after that, and any sum is three loads.
type directory struct {
	groups []group
	total  []uint64 // words of all rows up to the newest chunk
}

// group is a run of chunks. Words are as layout.words says.
type group struct {
	chunks  []chunk
	base    []uint64  // words of all that lies before the group
	bases   []uint64  // for each chunk, words of what lies before it in the group
	highs   []float64 // for each chunk and column of layout.peaks the largest number, and the smallest; NaN when there is none. They may
	lows    []float64 // tell of rows that were dropped
	highest []float64 // of all chunks
	lowest  []float64
	verdicts
	filtered []verdicts // of those that count in each of layout.judged
}

// words of chunk s, counted from the group.
func (g *group) words(l *layout, s int) []uint64 { return g.bases[s*l.words : (s+1)*l.words] }

// find returns the chunk in which (t, sequence) lies or after whose rows it comes.
func (d *directory) find(t int64, sequence uint64) (g, s int) {
	g = last(len(d.groups), func(i int) bool { return d.groups[i].chunks[0].begins(t, sequence) })
	chunks := d.groups[g].chunks
	return g, last(len(chunks), func(i int) bool { return chunks[i].begins(t, sequence) })
}

// begins says whether a chunk begins at or before (t, sequence).
func (c *chunk) begins(t int64, sequence uint64) bool {
	return c.time < t || c.time == t && c.sequence <= sequence
}

// last is the largest i below n that holds, where all before it hold too; 0 is taken to.
func last(n int, holds func(int) bool) int {
	lo, hi := 0, n
	for hi-lo > 1 {
		if middle := (lo + hi) / 2; holds(middle) {
			lo = middle
		} else {
			hi = middle
		}
	}
	return lo
}

// push adds a chunk after all others.
func (d *directory) push(l *layout, c chunk) {
	n := len(d.groups)
	if n == 0 || len(d.groups[n-1].chunks) == l.groupChunks {
		d.groups = append(d.groups, group{base: slices.Clone(d.total)})
		n++
	}
	g := &d.groups[n-1]
	g.bases = append(g.bases, d.total...)
	l.subtract(g.words(l, len(g.chunks)), g.base)
	g.chunks = append(g.chunks, c)
	g.summarize(l, len(g.chunks)-1, true)
	l.sumUp(&c, d.total)
}

// split makes two chunks of one.
func (d *directory) split(l *layout, g, s, row int) {
	if len(d.groups[g].chunks) == l.groupChunks {
		d.halve(l, g)
		if s >= l.groupChunks/2 {
			g, s = g+1, s-l.groupChunks/2
		}
	}
	x := &d.groups[g]
	right := x.chunks[s].tail(l, row)
	x.chunks[s].head(l, row)
	x.chunks = slices.Insert(x.chunks, s+1, right)
	x.bases = slices.Insert(x.bases, s*l.words, x.words(l, s)...)
	l.sumUp(&x.chunks[s], x.words(l, s+1))
	x.summarize(l, s+1, true)
	x.summarize(l, s, false)
}

// halve makes two groups of a full one.
func (d *directory) halve(l *layout, g int) {
	half := l.groupChunks / 2
	d.groups = slices.Insert(d.groups, g+1, group{})
	x, y := &d.groups[g], &d.groups[g+1]
	p := len(l.peaks)
	*y = group{chunks: slices.Clone(x.chunks[half:]), bases: slices.Clone(x.bases[half*l.words:]), highs: slices.Clone(x.highs[half*p:]),
		lows: slices.Clone(x.lows[half*p:]), base: slices.Clone(x.base)}
	start := slices.Clone(y.words(l, 0))
	l.addTo(y.base, start)
	for s := range y.chunks {
		l.subtract(y.words(l, s), start)
	}
	clear(x.chunks[half:])
	x.chunks, x.bases, x.highs, x.lows = x.chunks[:half], x.bases[:half*l.words], x.highs[:half*p], x.lows[:half*p]
	x.summary(l)
	y.summary(l)
}

// cut removes the rows that were dropped from the first chunk.
func (d *directory) cut(l *layout) {
	g := &d.groups[0]
	c := &g.chunks[0]
	dropped := *c
	dropped.rows = c.dropped
	l.sumUp(&dropped, g.words(l, 0))
	c.cut(l, int(c.dropped))
	g.summarize(l, 0, false)
}

// shift removes the first chunk.
func (d *directory) shift(l *layout) {
	g := &d.groups[0]
	if len(g.chunks) == 1 {
		d.groups = slices.Delete(d.groups, 0, 1)
		return
	}
	p := len(l.peaks)
	g.chunks[0] = chunk{}
	g.chunks, g.bases, g.highs, g.lows = g.chunks[1:], g.bases[l.words:], g.highs[p:], g.lows[p:]
	g.summary(l)
}

// added tells the directory what a row that was put into one of its chunks adds to all after it.
func (d *directory) added(l *layout, p place, words []uint64) {
	g := &d.groups[p.group()]
	c := &g.chunks[p.slot()]
	for i, column := range l.peaks {
		x := c.number(&l.columns[column], p.row())
		at := p.slot()*len(l.peaks) + i
		raise(&g.highs[at], x)
		raise(&g.highest[i], x)
		reduce(&g.lows[at], x)
		reduce(&g.lowest[i], x)
	}
	for s := p.slot() + 1; s < len(g.chunks); s++ {
		l.addTo(g.words(l, s), words)
	}
	for i := p.group() + 1; i < len(d.groups); i++ {
		l.addTo(d.groups[i].base, words)
	}
	l.addTo(d.total, words)
}

// summarize finds the extremes of a chunk, which is new or has been cut.
func (g *group) summarize(l *layout, s int, isNew bool) {
	n := len(l.peaks)
	if isNew {
		g.highs = slices.Insert(g.highs, s*n, make([]float64, n)...)
		g.lows = slices.Insert(g.lows, s*n, make([]float64, n)...)
	}
	c := &g.chunks[s]
	for i, column := range l.peaks {
		col := &l.columns[column]
		g.highs[s*n+i] = c.extreme(col, int(c.dropped), int(c.rows), false, math.NaN())
		g.lows[s*n+i] = c.extreme(col, int(c.dropped), int(c.rows), true, math.NaN())
	}
	g.summary(l)
}

// summary finds the extremes and the verdicts of the group from those of its chunks.
func (g *group) summary(l *layout) {
	g.judge(l)
	n := len(l.peaks)
	if g.highest == nil && n > 0 {
		g.highest, g.lowest = make([]float64, n), make([]float64, n)
	}
	for i := range n {
		g.highest[i], g.lowest[i] = math.NaN(), math.NaN()
		for s := range g.chunks {
			raise(&g.highest[i], g.highs[s*n+i])
			reduce(&g.lowest[i], g.lows[s*n+i])
		}
	}
}

func raise(x *float64, y float64) {
	if beats(y, *x, false) {
		*x = y
	}
}

func reduce(x *float64, y float64) {
	if beats(y, *x, true) {
		*x = y
	}
}
