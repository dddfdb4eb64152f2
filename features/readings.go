package features

// window is a pair of lengths that definitions share.
type window struct{ length, delay int64 }

// bounds is a window of one entity at one event: the entries after lo and up to hi.
type bounds struct {
	lo, hi   place
	events   int
	from, to int64 // times in (from, to]
}

// tally is a window over which known frauds are counted: those that count in a column of layout.judged, or everything.
type tally struct{ window, judged int }

// valueSet is a window and a column whose values are told apart over it.
type valueSet struct {
	window, column int
	hash           func(key uint64) uint64
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
	velocity
	distinctValues
	shareOfValue
	fraudCount
	fraudShare
	lastFraudAge
	firstFraudAge
	timeSinceLast
	firstSeenAge
	distanceFromLast
	speedFromLast
	speedOfRoute
	lastValue
	changedValue
	sameAsLast
)

func operationOf(kind string) operation {
	return map[string]operation{"count": countValues, "sum": sumValues, "mean": meanValues, "std": stdValues, "min": minValue, "max": maxValue,
		"velocity": velocity, "distinct": distinctValues, "share_of_value": shareOfValue, "fraud_count": fraudCount, "fraud_share": fraudShare,
		"last_fraud_age": lastFraudAge, "first_fraud_age": firstFraudAge, "time_since_last": timeSinceLast, "first_seen_age": firstSeenAge,
		"distance_from_last": distanceFromLast, "speed_from_last": speedFromLast, "speed": speedOfRoute, "last": lastValue, "changed": changedValue,
		"same_as_last": sameAsLast}[kind]
}

// reading is one definition compiled against the rows of its entity. Columns are positions in layout.columns, -1 where there is none.
type reading struct {
	operation operation
	out       int // position in the vector
	window    int // position in layout.windows, -1 without a window
	long      int // position of a velocity's longer window
	tally     int
	set       int
	own       column // of a share: what the event itself has, whether it counts or not
	current   bool
	filter    int // presentColumn of the entries that count
	present   int // presentColumn of those that also have a value
	column    int // what is read of an entry: integers of a sum, numbers or codes
	squares   int
	raw, raw2 int    // numbers of a place
	places    [4]int // positions of the event's own numbers
	power     float64
	rate      float64 // of a velocity's windows
}

// add compiles a definition that passed check and bind.
func (l *layout) add(s *Schema, f *form, out int) error {
	v, err := l.filtered(s, f.Where)
	if err != nil {
		return err
	}
	t, _ := traitOf(f.Kind)
	r := reading{operation: operationOf(f.Kind), out: out, window: -1, current: f.Current, present: -1, column: -1, power: powers[f.Digits]}
	if (f.Kind != "first_seen_age" || f.Window > 0) && l.stride == 0 {
		l.stride = firstColumn
	}
	r.filter = v.filter()
	if f.Window > 0 {
		r.window = l.window(f.Window, f.Delay)
		l.reach = max(l.reach, f.reach())
	}
	if t.labels {
		l.labels = true
		r.tally = l.tally(r.window, r.filter)
	}
	l.columnsOf(v, f, &r)
	l.readings = append(l.readings, r)
	return nil
}

// columnsOf finds the columns that a reading needs.
func (l *layout) columnsOf(v values, f *form, r *reading) {
	switch r.operation {
	case countValues, sumValues, meanValues, stdValues, velocity:
		l.totalsOf(v, f, r)
	case minValue, maxValue:
		r.column = l.peak(l.column(v.number(f.Of)))
	case distinctValues, shareOfValue:
		r.own = v.all().any(f.Of, f.As)
		r.column = l.column(v.any(f.Of, f.As))
		r.set = l.set(r.window, r.column)
	case changedValue, sameAsLast:
		r.column = l.column(v.all().any(f.Of, f.As))
	case lastValue:
		r.column = l.column(v.all().last(f))
	case distanceFromLast, speedFromLast:
		r.places[0], r.places[1] = v.s.number(f.From[0]), v.s.number(f.From[1])
		r.raw, r.raw2 = l.column(v.all().number(f.From[0])), l.column(v.all().number(f.From[1]))
	case speedOfRoute:
		for i, name := range append(append([]string(nil), f.From...), f.To...) {
			r.places[i] = v.s.number(name)
		}
	}
}

// totalsOf finds the columns of what is counted and summed.
func (l *layout) totalsOf(v values, f *form, r *reading) {
	if f.Kind == "velocity" {
		r.long = l.window(f.Over, f.Delay)
		r.rate = float64(f.Over) / float64(f.Window)
	}
	if f.Kind != "velocity" {
		r.present = v.present(f.Of)
	}
	if f.Of == overEvents || f.Kind == "count" {
		if r.present < 0 && f.Kind == "count" {
			r.operation = countEvents
		}
		return
	}
	r.column = l.column(v.integer(sumColumn, f.Of))
	if f.Kind == "std" {
		squares := v.integer(squareColumn, f.Of)
		squares.of = r.column
		r.squares = l.column(squares)
	}
}

// window finds or adds a window and returns its position.
func (l *layout) window(length, delay int64) int { return entryOf(&l.windows, window{length, delay}) }

func (l *layout) tally(window, filter int) int {
	judged := everything
	if filter >= 0 {
		judged = entryOf(&l.judged, filter)
	}
	return entryOf(&l.tallies, tally{window, judged})
}

// entryOf finds or adds an entry and returns its position.
func entryOf[T comparable](list *[]T, entry T) int {
	for i := range *list {
		if (*list)[i] == entry {
			return i
		}
	}
	*list = append(*list, entry)
	return len(*list) - 1
}

// set finds or adds a set of values and returns its position.
func (l *layout) set(window, column int) int {
	for i := range l.sets {
		if l.sets[i].window == window && l.sets[i].column == column {
			return i
		}
	}
	hash := hashNumber
	if l.columns[column].kind == codeColumn {
		hash = func(key uint64) uint64 { return l.interner.hash(uint32(key)) }
	}
	l.sets = append(l.sets, valueSet{window, column, hash})
	return len(l.sets) - 1
}
