package offline

import (
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/features"
)

// Columns before the features.
const (
	idColumn   = "id"
	timeColumn = "time"
)

// batchRows is how many rows a batch holds at most.
const batchRows = 8192

// batch is some events in a row, by columns; keys and values are codes of the interners.
type batch struct {
	rows       int
	ids        []byte   // one after the other
	ends       []uint32 // of each id
	times      []int64
	amounts    []int64
	entities   [][]uint32 // by position in the schema
	attributes [][]uint32
	numbers    [][]float64
	labels     []batchLabel // in row order
}

// batchLabel is a statement about an event of the batch.
type batchLabel struct {
	row     int
	verdict features.Verdict
	knownAt int64
}

func newBatch(s *features.Schema) *batch {
	b := &batch{ends: make([]uint32, batchRows), times: make([]int64, batchRows), amounts: make([]int64, batchRows)}
	for range s.Entities {
		b.entities = append(b.entities, make([]uint32, batchRows))
	}
	for range s.Attributes {
		b.attributes = append(b.attributes, make([]uint32, batchRows))
	}
	for range s.Numbers {
		b.numbers = append(b.numbers, slices.Repeat([]float64{math.NaN()}, batchRows))
	}
	return b
}

func (b *batch) reset() { b.rows, b.ids, b.labels = 0, b.ids[:0], b.labels[:0] }

// id is the id of a row.
func (b *batch) id(row int) []byte {
	from := uint32(0)
	if row > 0 {
		from = b.ends[row-1]
	}
	return b.ids[from:b.ends[row]]
}

// words numbers the keys and values of all events.
type words struct {
	entities, attributes []*interner
}

func newWords(s *features.Schema) *words {
	w := &words{}
	for range s.Entities {
		w.entities = append(w.entities, newInterner())
	}
	for range s.Attributes {
		w.attributes = append(w.attributes, newInterner())
	}
	return w
}

// add appends an event to the batch.
func (b *batch) add(ev *features.Event, w *words) {
	i := b.rows
	b.rows++
	b.ids = append(b.ids, ev.ID...)
	b.ends[i] = uint32(len(b.ids))
	b.times[i], b.amounts[i] = ev.Time, ev.Amount
	for k, key := range ev.Entities {
		b.entities[k][i] = w.entities[k].text(key)
	}
	for k, value := range ev.Attributes {
		b.attributes[k][i] = w.attributes[k].text(value)
	}
	for k, x := range ev.Numbers {
		b.numbers[k][i] = x
	}
}

// blank is an event with room for the schema's fields, all absent.
func blank(s *features.Schema) features.Event {
	ev := features.Event{
		Entities: make([]string, len(s.Entities)), Attributes: make([]string, len(s.Attributes)), Numbers: make([]float64, len(s.Numbers)),
	}
	for i := range ev.Numbers {
		ev.Numbers[i] = math.NaN()
	}
	return ev
}
