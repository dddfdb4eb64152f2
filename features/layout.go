package features

import (
	"math"
	"slices"
)

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

// window is a pair of lengths that definitions share, and what is known of it once its bounds are found.
type window struct {
	length, delay int64
	frauds        bool // some definition reads known frauds over it
}

// bounds is a window of one entity at one event: the entries after lo and up to hi, and the known frauds among them.
type bounds struct {
	lo, hi      place
	events      int
	from, to    int64 // times in (from, to]
	frauds      int
	firstFraud  int64
	latestFraud int64
}

// operation is what a reading computes.
type operation uint8

const (
	countEvents operation = iota
	countValues
	sumValues
	meanValues
	stdValues
	minValue
	maxValue
	fraudCount
	fraudShare
	lastFraudAge
	firstFraudAge
	timeSinceLast
	firstSeenAge
	distanceFromLast
)

// reading is one definition compiled against the rows of its entity. Columns are positions in layout.columns.
type reading struct {
	operation operation
	out       int // position in the vector
	window    int // position in layout.windows
	current   bool
	present   int // -1 where every entry counts
	sum       int
	squares   int
	extreme   int
	raw, raw2 int
	lat, lon  int // positions of numbers
	power     float64
}

// layout is the shape of one entity kind's rows and what is read from them.
type layout struct {
	stride   int // bytes of a row; 0 when nothing needs rows
	words    int // of what lies before a chunk: a count of rows, then a word a sumColumn or presentColumn, then two a squareColumn
	wide     int // the first word of squares
	columns  []column
	peaks    []int // columns of which chunks keep the extremes
	windows  []window
	readings []reading
	reach    int64 // longest window with its delay
	labels   bool

	chunkRows, groupChunks int // limits, by which no value changes
}

// add compiles a definition that passed check and bind.
func (l *layout) add(s *Schema, f *form, out int) {
	r := reading{out: out, current: f.Current, present: -1, power: powers[f.Digits]}
	if f.Window > 0 {
		t, _ := traitOf(f.Kind)
		r.window = l.window(f.Window, f.Delay, t.labels)
		l.labels = l.labels || t.labels
		l.reach = max(l.reach, f.Window+f.Delay)
	}
	if f.Kind != "first_seen_age" && l.stride == 0 {
		l.stride = firstColumn
	}
	r.operation = l.operation(s, f, &r)
	l.readings = append(l.readings, r)
}

func (l *layout) operation(s *Schema, f *form, r *reading) operation {
	switch f.Kind {
	case "count", "sum", "mean", "std", "min", "max":
		return l.aggregate(s, f, r)
	case "fraud_count":
		return fraudCount
	case "fraud_share":
		return fraudShare
	case "last_fraud_age":
		return lastFraudAge
	case "first_fraud_age":
		return firstFraudAge
	case "time_since_last":
		return timeSinceLast
	case "first_seen_age":
		return firstSeenAge
	}
	r.lat, r.lon = s.number(f.From[0]), s.number(f.From[1])
	r.raw, r.raw2 = l.column(rawNumber(f.From[0], r.lat)), l.column(rawNumber(f.From[1], r.lon))
	return distanceFromLast
}

func (l *layout) aggregate(s *Schema, f *form, r *reading) operation {
	value := column{kind: sumColumn, name: overAmount, value: amountValue}
	if f.Of != overEvents && f.Of != overAmount {
		number := s.number(f.Of)
		value.name, value.value = f.Of, scaledNumber(number, s.Numbers[number].Scale)
		switch {
		case f.Kind == "min" || f.Kind == "max":
			value = rawNumber(f.Of, number)
		case !s.Numbers[number].Required:
			r.present = l.column(column{kind: presentColumn, name: f.Of, value: value.value})
		}
	}
	switch f.Kind {
	case "min":
		r.extreme = l.peak(l.column(value))
		return minValue
	case "max":
		r.extreme = l.peak(l.column(value))
		return maxValue
	case "count":
		if r.present < 0 {
			return countEvents
		}
		return countValues
	}
	r.sum = l.column(value)
	switch f.Kind {
	case "sum":
		return sumValues
	case "mean":
		return meanValues
	}
	value.kind, value.of = squareColumn, r.sum
	r.squares = l.column(value)
	return stdValues
}

// window finds or adds a window and returns its position.
func (l *layout) window(length, delay int64, frauds bool) int {
	for i := range l.windows {
		if l.windows[i].length == length && l.windows[i].delay == delay {
			l.windows[i].frauds = l.windows[i].frauds || frauds
			return i
		}
	}
	l.windows = append(l.windows, window{length, delay, frauds})
	return len(l.windows) - 1
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

func amountValue(ev *Event) (int64, bool) { return ev.Amount, true }

// scaledNumber is the integer value of a number with a scale, where there is one.
func scaledNumber(number, scale int) func(*Event) (int64, bool) {
	return func(ev *Event) (int64, bool) {
		x := ev.Numbers[number]
		if math.IsNaN(x) {
			return 0, false
		}
		return scaled(x, max(scale, 0)), true
	}
}

// rawNumber is a column of a number as it is, but for -0.
func rawNumber(name string, number int) column {
	return column{kind: rawColumn, name: name, raw: func(ev *Event) float64 { return ev.Numbers[number] + 0 }}
}
