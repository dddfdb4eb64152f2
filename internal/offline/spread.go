package offline

import (
	"encoding/binary"
	"math"

	"github.com/haechi-fraud/haechi/features"
)

// spread deals rows out to one stream a pass and partition, by entity, and to the main stream, in order, what the answer
// needs besides features.
//
// A row of a pass: time, flags (4 bytes: how many labels follow, and wanted), the fields that the pass reads, its labels
// (9 bytes each).
// A row of the main stream: time, the partition of each pass (1 byte each), the fields that deriving reads, the length of
// the id (1 byte), the id.
type spread struct {
	plan       *plan
	from, to   int64 // rows in [from, to) are wanted, those before are history
	partitions int
	main       stream
	rows       [][]stream // [pass][partition]
	counts     [][]int64  // rows of each
	wanted     int64
	all        int64
}

const (
	rowHead    = 8 + 4
	wantedFlag = 1 << 31
)

func newSpread(p *plan, s *store, partitions int, from, to int64) *spread {
	sp := &spread{plan: p, from: from, to: to, partitions: partitions, main: stream{store: s}}
	for range p.passes {
		streams := make([]stream, partitions)
		for i := range streams {
			streams[i].store = s
		}
		sp.rows, sp.counts = append(sp.rows, streams), append(sp.counts, make([]int64, partitions))
	}
	return sp
}

// size is how long the fields are in a row.
func (f *fields) size() int {
	n := 4*len(f.entities) + 4*len(f.attributes) + 8*len(f.numbers)
	if f.amount {
		n += 8
	}
	return n
}

// put appends the fields of a row.
func (f *fields) put(to []byte, b *batch, row int) []byte {
	if f.amount {
		to = binary.LittleEndian.AppendUint64(to, uint64(b.amounts[row]))
	}
	for _, k := range f.entities {
		to = binary.LittleEndian.AppendUint32(to, b.entities[k][row])
	}
	for _, k := range f.attributes {
		to = binary.LittleEndian.AppendUint32(to, b.attributes[k][row])
	}
	for _, k := range f.numbers {
		to = binary.LittleEndian.AppendUint64(to, math.Float64bits(b.numbers[k][row]))
	}
	return to
}

// get reads what put wrote into an event of the narrowed schema, or with places of the whole one.
func (f *fields) get(from []byte, ev *features.Event, w *words, whole bool) {
	if f.amount {
		ev.Amount = int64(binary.LittleEndian.Uint64(from))
		from = from[8:]
	}
	for i, k := range f.entities {
		if whole {
			i = k
		}
		ev.Entities[i] = w.entities[k].words[binary.LittleEndian.Uint32(from)]
		from = from[4:]
	}
	for i, k := range f.attributes {
		if whole {
			i = k
		}
		ev.Attributes[i] = w.attributes[k].words[binary.LittleEndian.Uint32(from)]
		from = from[4:]
	}
	for i, k := range f.numbers {
		if whole {
			i = k
		}
		ev.Numbers[i] = math.Float64frombits(binary.LittleEndian.Uint64(from))
		from = from[8:]
	}
}

// add deals a batch out; its rows are not before those of the last.
func (sp *spread) add(b *batch) error {
	first, last := 0, b.rows // of those that matter
	for last > 0 && b.times[last-1] >= sp.to {
		last--
	}
	for first < last && b.times[first] < sp.from {
		first++
	}
	for p := range sp.plan.passes {
		if err := sp.addPass(p, b, first, last); err != nil {
			return err
		}
	}
	longest := 8 + len(sp.plan.passes) + sp.plan.fields.size() + 1 + 255
	for row := first; row < last; row++ {
		if err := sp.main.room(longest); err != nil {
			return err
		}
		t := binary.LittleEndian.AppendUint64(sp.main.tail, uint64(b.times[row]))
		for p := range sp.plan.passes {
			t = append(t, byte(sp.partition(b.entities[sp.plan.passes[p].kind][row], sp.all+int64(row))))
		}
		t = sp.plan.fields.put(t, b, row)
		id := b.id(row)
		t = append(t, byte(len(id)))
		sp.main.tail = append(t, id...)
	}
	sp.wanted += int64(last - first)
	sp.all += int64(last)
	return nil
}

// partition of an entity; rows without one have no history and go anywhere.
func (sp *spread) partition(code uint32, row int64) int {
	if code == 0 {
		code = uint32(row >> 10)
	}
	return int(code) & (sp.partitions - 1)
}

func (sp *spread) addPass(p int, b *batch, first, last int) error {
	ps := &sp.plan.passes[p]
	codes := b.entities[ps.kind]
	length := rowHead + ps.fields.size()
	labels := b.labels
	if !ps.labels {
		labels = nil
	}
	for row := range last {
		own := 0
		for own < len(labels) && labels[own].row == row {
			own++
		}
		to := sp.partition(codes[row], sp.all+int64(row))
		s := &sp.rows[p][to]
		if err := s.room(length + 9*own); err != nil {
			return err
		}
		flags := uint32(own)
		if row >= first {
			flags |= wantedFlag
		}
		t := binary.LittleEndian.AppendUint64(s.tail, uint64(b.times[row]))
		t = binary.LittleEndian.AppendUint32(t, flags)
		t = ps.fields.put(t, b, row)
		for _, l := range labels[:own] {
			t = binary.LittleEndian.AppendUint64(append(t, byte(l.verdict)), uint64(l.knownAt))
		}
		s.tail, labels = t, labels[own:]
		sp.counts[p][to]++
	}
	return nil
}

// seal ends all streams.
func (sp *spread) seal() error {
	if err := sp.main.seal(); err != nil {
		return err
	}
	for _, streams := range sp.rows {
		for i := range streams {
			if err := streams[i].seal(); err != nil {
				return err
			}
		}
	}
	return nil
}
