package features

import "math"

// columnKind says what a column of an entity's rows holds.
type columnKind uint8

const (
	sumColumn     columnKind = iota // prefix sums of an integer value
	squareColumn                    // prefix sums of its squares, two words
	presentColumn                   // prefix counts of rows that have the value
	rawColumn                       // the number itself, as float64 bits
)

const amountSource = -1 // the source of a column that is not a number's position

type column struct {
	kind   columnKind
	source int // amountSource or the position of a number
	scale  int // of a number
	offset int // word within the row
}

// Words of every row before its columns.
const (
	timeWord = iota
	sequenceWord
	firstColumn
)

// window is a pair of lengths that definitions share, and what is known of it once its bounds are found.
type window struct {
	length, delay int64
	frauds        bool // some definition reads known frauds over it
}

// bounds is a window of one entity at one event: the entries lo+1 to hi, and the known frauds among them.
type bounds struct {
	lo, hi      int
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
	minAmount
	maxAmount
	minRaw
	maxRaw
	fraudCount
	fraudShare
	lastFraudAge
	firstFraudAge
	timeSinceLast
	firstSeenAge
	distanceFromLast
)

// reading is one definition compiled against the rows of its entity.
type reading struct {
	operation operation
	out       int // position in the vector
	window    int // position in layout.windows
	current   bool
	source    int // what a value comes from
	scale     int
	sum       int // word offsets of columns; -1 where the value is always present
	squares   int
	present   int
	raw, raw2 int
	extreme   int // position among the layout's extremes
	lat, lon  int // positions of numbers
	power     float64
}

// layout is the shape of one entity kind's rows and what is read from them.
type layout struct {
	stride   int // words of a row; 0 when nothing needs rows
	columns  []column
	windows  []window
	readings []reading
	extremes int   // readings that scan for a smallest or largest value
	reach    int64 // longest window with its delay
	labels   bool
}

// add compiles a definition that passed check and bind.
func (l *layout) add(s *Schema, f *form, out int) {
	r := reading{out: out, current: f.Current, present: -1, source: amountSource, power: powers[f.Digits]}
	if f.Window > 0 {
		t, _ := traitOf(f.Kind)
		r.window = l.window(f.Window, f.Delay, t.labels)
		l.labels = l.labels || t.labels
		l.reach = max(l.reach, f.Window+f.Delay)
	}
	if f.Of != "" && f.Of != overEvents && f.Of != overAmount {
		r.source = s.number(f.Of)
		r.scale = s.Numbers[r.source].Scale
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
	r.raw, r.raw2 = l.column(rawColumn, r.lat, 0), l.column(rawColumn, r.lon, 0)
	return distanceFromLast
}

func (l *layout) aggregate(s *Schema, f *form, r *reading) operation {
	isNumber := r.source != amountSource
	if isNumber && !s.Numbers[r.source].Required && f.Kind != "min" && f.Kind != "max" {
		r.present = l.column(presentColumn, r.source, 0)
	}
	switch f.Kind {
	case "min", "max":
		operation := map[bool]operation{true: minRaw, false: minAmount}[isNumber]
		if isNumber {
			r.raw = l.column(rawColumn, r.source, 0)
		} else {
			r.sum = l.column(sumColumn, amountSource, 0)
		}
		if f.Kind == "max" {
			operation++
		}
		r.extreme = l.extremes
		l.extremes++
		return operation
	case "count":
		if r.present < 0 {
			return countEvents
		}
		return countValues
	}
	r.sum = l.column(sumColumn, r.source, r.scale)
	switch f.Kind {
	case "sum":
		return sumValues
	case "mean":
		return meanValues
	}
	r.squares = l.column(squareColumn, r.source, r.scale)
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

// column finds or adds a column and returns its word offset.
func (l *layout) column(kind columnKind, source, scale int) int {
	for _, c := range l.columns {
		if c.kind == kind && c.source == source {
			return c.offset
		}
	}
	c := column{kind, source, scale, l.stride}
	l.columns = append(l.columns, c)
	l.stride++
	if kind == squareColumn {
		l.stride++
	}
	return c.offset
}

// value is the integer value of an event that a source gives, and whether it has one.
func value(ev *Event, source, scale int) (int64, bool) {
	if source == amountSource {
		return ev.Amount, true
	}
	x := ev.Numbers[source]
	if math.IsNaN(x) {
		return 0, false
	}
	return scaled(x, scale), true
}
