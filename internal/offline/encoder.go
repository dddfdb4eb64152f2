package offline

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

// Doubles are written by a dictionary where that pays: a look at a sample and then the limit tell.
const (
	tableBits     = 16
	dictionaryMax = 1 << 14
	sampleRows    = 4096
	sampleMax     = sampleRows / 3
)

// pages are a column of a row group, encoded.
type pages struct {
	dictionary []byte
	entries    int
	data       []byte
	encoding   format.Encoding
}

// encoder holds what encoding needs; one goroutine at a time.
type encoder struct {
	table  []uint32 // entry+1 by hash
	values []uint64 // entries
	index  []int32
	packed []byte
}

// doubles encodes a column.
func (e *encoder) doubles(p *pages, column []float64) error {
	if !e.lookUp(column) {
		p.encoding = format.Plain
		for _, x := range column {
			p.data = binary.LittleEndian.AppendUint64(p.data, math.Float64bits(x))
		}
		return nil
	}
	for _, x := range e.values {
		p.dictionary = binary.LittleEndian.AppendUint64(p.dictionary, x)
	}
	p.entries, p.encoding = len(e.values), format.RLEDictionary
	run := rle.Encoding{BitWidth: max(1, bits.Len(uint(len(e.values)-1)))}
	packed, err := run.EncodeInt32(e.packed, e.index)
	e.packed = packed
	p.data = append(append(p.data, byte(run.BitWidth)), packed...)
	return err
}

// lookUp finds the dictionary entry of every value; false when there are too many.
func (e *encoder) lookUp(column []float64) bool {
	if e.table == nil {
		e.table = make([]uint32, 1<<tableBits)
	}
	clear(e.table)
	e.values, e.index = e.values[:0], e.index[:0]
	limit := sampleMax
	for i, x := range column {
		if i == sampleRows {
			limit = dictionaryMax
		}
		b := math.Float64bits(x)
		for slot := b * 0x9E3779B97F4A7C15 >> (64 - tableBits); ; slot = (slot + 1) & (1<<tableBits - 1) {
			entry := e.table[slot]
			if entry == 0 {
				if len(e.values) == limit {
					return false
				}
				e.values = append(e.values, b)
				entry = uint32(len(e.values))
				e.table[slot] = entry
			} else if e.values[entry-1] != b {
				continue
			}
			e.index = append(e.index, int32(entry-1))
			break
		}
	}
	return len(e.values) > 0
}
