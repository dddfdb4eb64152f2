package features

import (
	"math"
	"slices"
)

// labels are what is said of a chunk's rows.
type labels struct {
	said []statement // in the order (row, known at, sequence of the label)
	verdicts
	filtered []verdicts // of those rows that count in each of layout.judged; only their frauds are told
}

// everything stands for all rows, where a position in layout.judged stands for those that count there.
const everything = -1

// statement is what one label says of a row.
type statement struct {
	knownAt int64
	row     uint8
	fraud   bool
}

// verdicts are what the labels of a chunk or a group come to once the last of them is known.
type verdicts struct {
	known       int64 // when that is
	frauds      int   // rows that are fraud then
	suspect     bool  // a label says fraud, whatever others say
	first, last int64 // times of the first and the last fraud
}

// add counts in what comes after.
func (v *verdicts) add(w *verdicts) {
	v.known, v.suspect = max(v.known, w.known), v.suspect || w.suspect
	if w.frauds == 0 {
		return
	}
	if v.frauds == 0 {
		v.first = w.first
	}
	v.frauds, v.last = v.frauds+w.frauds, w.last
}

// label adds a label to a row. Labels come in the order of their own sequence, so this one goes after those known at the same time; the last of
// them said again is no change.
func (c *chunk) label(l *layout, row int, label *Label) {
	c.own()
	if c.labels == nil {
		c.labels = &labels{}
	}
	ls := c.labels
	said := statement{label.KnownAt, uint8(row), label.Verdict == Fraud}
	i := len(ls.said)
	for i > 0 && (ls.said[i-1].row > said.row || ls.said[i-1].row == said.row && ls.said[i-1].knownAt > said.knownAt) {
		i--
	}
	if i == 0 || ls.said[i-1] != said {
		ls.said = slices.Insert(ls.said, i, said)
		c.judge(l)
	}
}

// judge finds the verdicts of a chunk after its labels or rows have changed.
func (c *chunk) judge(l *layout) {
	ls := c.labels
	if ls == nil {
		return
	}
	if len(ls.said) == 0 {
		c.labels = nil
		return
	}
	ls.verdicts = verdicts{known: never}
	for i := range ls.said {
		ls.known, ls.suspect = max(ls.known, ls.said[i].knownAt), ls.suspect || ls.said[i].fraud
	}
	v := c.verdictsAt(math.MaxInt64, 0, int(c.rows), nil)
	ls.add(&v)
	ls.filtered = nil
	for _, column := range l.judged {
		ls.filtered = append(ls.filtered, c.verdictsAt(math.MaxInt64, 0, int(c.rows), &l.columns[column]))
	}
}

// verdictsAt counts the rows from (inclusive) to (exclusive) that are fraud by what is known at time t, of those that count in a presentColumn when
// there is one.
func (c *chunk) verdictsAt(t int64, from, to int, only *column) verdicts {
	v, said := verdicts{known: never}, c.labels.said
	for i := 0; i < len(said) && int(said[i].row) < to; {
		row, fraud := said[i].row, false
		for ; i < len(said) && said[i].row == row; i++ {
			if said[i].knownAt <= t {
				fraud = said[i].fraud
			}
		}
		if fraud && int(row) >= from && (only == nil || c.sum(only, int(row)+1) > c.sum(only, int(row))) {
			at := c.timeOf(int(row))
			v.add(&verdicts{known: never, frauds: 1, first: at, last: at})
		}
	}
	return v
}

// open makes way for a new row.
func (ls *labels) open(row int) {
	for i := len(ls.said) - 1; i >= 0 && int(ls.said[i].row) >= row; i-- {
		ls.said[i].row++
	}
}

// from returns what is said of the rows from one on, counted from that row, nil when nothing is.
func (ls *labels) from(row int) *labels {
	i := slices.IndexFunc(ls.said, func(s statement) bool { return int(s.row) >= row })
	if i < 0 {
		return nil
	}
	said := slices.Clone(ls.said[i:])
	for i := range said {
		said[i].row -= uint8(row)
	}
	return &labels{said: said}
}

// until forgets what is said of the rows from one on.
func (ls *labels) until(row int) {
	ls.said = slices.DeleteFunc(ls.said, func(s statement) bool { return int(s.row) >= row })
}

// judge finds the verdicts of a group after those of its chunks have changed.
func (g *group) judge(l *layout) {
	g.verdicts, g.filtered = verdicts{known: never}, make([]verdicts, len(l.judged))
	for s := range g.chunks {
		ls := g.chunks[s].labels
		if ls == nil {
			continue
		}
		g.add(&ls.verdicts)
		for i := range g.filtered {
			g.filtered[i].add(&ls.filtered[i])
		}
	}
}

// frauds counts the frauds known at time t among the entries after lo and up to hi, of those that count in a column of layout.judged, or of everything.
func (h *history) frauds(l *layout, t int64, lo, hi place, judged int) (v verdicts) {
	var only *column
	if judged != everything {
		only = &l.columns[l.judged[judged]]
	}
	whole := func(all *verdicts, filtered []verdicts) {
		if only != nil {
			all = &filtered[judged]
		}
		v.add(all)
	}
	count := func(c *chunk, from, to int) {
		switch ls := c.labels; {
		case ls == nil || !ls.suspect:
		case ls.known <= t && from == 0 && to == int(c.rows):
			whole(&ls.verdicts, ls.filtered)
		default:
			some := c.verdictsAt(t, from, to, only)
			v.add(&some)
		}
	}
	n := h.groups()
	for g := lo.group(); g < n && g <= hi.group(); g++ {
		x := &h.older.groups[g]
		switch {
		case !x.suspect:
			continue
		case x.known <= t && g < hi.group() && (g > lo.group() || lo.chunk() == g<<8 && lo.row() == 0):
			whole(&x.verdicts, x.filtered)
			continue
		}
		for s := range x.chunks {
			c := &x.chunks[s]
			if at := g<<8 | s; at >= lo.chunk() && at <= hi.chunk() {
				from, to := rowsOf(c, at, lo, hi)
				count(c, from, to)
			}
		}
	}
	if hi.group() == n {
		from, to := rowsOf(&h.tail, n<<8, lo, hi)
		count(&h.tail, from, to)
	}
	return v
}

// rowsOf are the rows of a chunk, from (inclusive) to (exclusive), that lie in a window which touches it.
func rowsOf(c *chunk, at int, lo, hi place) (from, to int) {
	to = int(c.rows)
	if at == lo.chunk() {
		from = lo.row()
	}
	if at == hi.chunk() {
		to = hi.row()
	}
	return from, to
}
