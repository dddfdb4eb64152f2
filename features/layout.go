package features

import "slices"

// columnKind says what a column of an entity's rows holds.
type columnKind uint8

const (
	sumColumn     columnKind = iota // sums of an integer value
	squareColumn                    // sums of the squares of a sumColumn's values: kept between chunks only, so that it takes no room in rows
	presentColumn                   // counts of rows that have a value
	rawColumn                       // a number, NaN where there is none
	codeColumn                      // a code, 0 where there is none
)

// column is what an event leaves in the rows of its entities. Columns of the same kind and name are one.
type column struct {
	kind    columnKind
	name    string                               // of where values come from
	value   func(*Event) (v int64, present bool) // of sumColumn, squareColumn and presentColumn; an absent value is 0
	raw     func(*Event) float64                 // of rawColumn; never -0
	code    func(*Event) uint32                  // of codeColumn; asked once for every entry that keeps it
	release func(code uint32)                    // of codeColumn, where not nil: an entry that had the code is gone
	text    func(*Event) string                  // of codeColumn: what the code stands for, "" where there is none

	offset int  // in a row
	shift  uint // 64 less the bits of a field
	word   int  // of what lies before a chunk; squareColumn has a second one, the low bits
	of     int  // a squareColumn's sumColumn
	peak   int  // position in layout.peaks, -1 outside
}

// adds is what an event adds to a sumColumn or a presentColumn.
func (c *column) adds(ev *Event) int64 {
	v, present := c.value(ev)
	switch {
	case !present:
		return 0
	case c.kind == presentColumn:
		return 1
	}
	return v
}

// number is the value of an event as min and max see it.
func (c *column) number(ev *Event) float64 {
	if c.kind == rawColumn {
		return c.raw(ev)
	}
	v, _ := c.value(ev)
	return float64(v)
}

// bytes of a column's field in a row.
func (k columnKind) bytes() int {
	return [...]int{sumColumn: sumBytes, squareColumn: 0, presentColumn: countBytes, rawColumn: rawBytes, codeColumn: codeBytes}[k]
}

const rowsWord = 0 // the first of layout.words counts rows

// layout is the shape of one entity kind's rows and what is read from them.
type layout struct {
	stride   int // bytes of a row; 0 when nothing needs rows
	words    int // of what lies before a chunk: a count of rows, then a word a sumColumn or presentColumn, then two a squareColumn
	wide     int // the first word of squares
	columns  []column
	peaks    []int // columns of which chunks keep the extremes
	windows  []window
	tallies  []tally
	judged   []int // presentColumns by which tallies are filtered
	sets     []valueSet
	readings []reading
	reach    int64 // longest window with its delay
	labels   bool
	interner *interner
	seed     uint64 // of sets of values

	chunkRows, groupChunks int // limits, by which no value changes
}

// column finds or adds a column and returns its position.
func (l *layout) column(c column) int {
	for i := range l.columns {
		if l.columns[i].kind == c.kind && l.columns[i].name == c.name {
			return i
		}
	}
	c.offset, c.peak = l.stride, -1
	c.shift = uint(64 - 8*c.kind.bytes())
	l.stride += c.kind.bytes()
	l.columns = append(l.columns, c)
	return len(l.columns) - 1
}

// peak has chunks keep the extremes of a sumColumn or rawColumn.
func (l *layout) peak(i int) int {
	if c := &l.columns[i]; c.peak < 0 {
		c.peak = len(l.peaks)
		l.peaks = append(l.peaks, i)
	}
	return i
}

// finish gives columns their words, once all are known.
func (l *layout) finish(opts *EngineOptions) {
	l.chunkRows, l.groupChunks = chunkRows, groupChunks
	if opts.chunkRows > 0 {
		l.chunkRows, l.groupChunks = opts.chunkRows, opts.groupChunks
	}
	l.words = rowsWord + 1
	for i := range l.columns {
		if c := &l.columns[i]; c.kind == sumColumn || c.kind == presentColumn {
			c.word = l.words
			l.words++
		}
	}
	l.wide = l.words
	for i := range l.columns {
		if c := &l.columns[i]; c.kind == squareColumn {
			c.word = l.words
			l.words += 2
		}
	}
}

// wordsOf are the words of one event.
func (l *layout) wordsOf(ev *Event, words []uint64) []uint64 {
	words = slices.Grow(words, l.words)[:l.words]
	words[rowsWord] = 1
	for i := range l.columns {
		switch c := &l.columns[i]; c.kind {
		case sumColumn, presentColumn:
			words[c.word] = uint64(c.adds(ev))
		case squareColumn:
			v, _ := c.value(ev)
			s := square(v)
			words[c.word], words[c.word+1] = s.high, s.low
		case rawColumn, codeColumn:
		}
	}
	return words
}

// sumUp adds the words of a chunk's rows.
func (l *layout) sumUp(c *chunk, words []uint64) {
	rows := int(c.rows)
	words[rowsWord] += uint64(rows)
	for i := range l.columns {
		switch col := &l.columns[i]; col.kind {
		case sumColumn, presentColumn:
			words[col.word] += uint64(c.sum(col, rows))
		case squareColumn:
			s := wide{words[col.word], words[col.word+1]}.plus(c.squares(&l.columns[col.of], 0, rows))
			words[col.word], words[col.word+1] = s.high, s.low
		case rawColumn, codeColumn:
		}
	}
}

func (l *layout) addTo(words, more []uint64) {
	for i := range l.wide {
		words[i] += more[i]
	}
	for i := l.wide; i < l.words; i += 2 {
		s := wide{words[i], words[i+1]}.plus(wide{more[i], more[i+1]})
		words[i], words[i+1] = s.high, s.low
	}
}

func (l *layout) subtract(words, less []uint64) {
	for i := range l.wide {
		words[i] -= less[i]
	}
	for i := l.wide; i < l.words; i += 2 {
		s := wide{words[i], words[i+1]}.minus(wide{less[i], less[i+1]})
		words[i], words[i+1] = s.high, s.low
	}
}
