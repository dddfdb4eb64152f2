//go:build cgo

package duckdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// session is a connection below database/sql, for bulk loads: the driver's own appender boxes every value and crosses
// into C for every string, which costs three times what DuckDB itself needs.
type session struct {
	db   mapping.Database
	conn mapping.Connection
}

func openSession(o Options, settings map[string]string) (_ *session, err error) {
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return nil, errors.New("DuckDB has no memory for its configuration")
	}
	defer mapping.DestroyConfig(&config)
	for name, value := range settings {
		if mapping.SetConfig(config, name, value) == mapping.StateError {
			return nil, fmt.Errorf("DuckDB refuses %s = %s", name, value)
		}
	}
	s := &session{}
	var message string
	if mapping.GetOrCreateFromCache(instances(), o.Path, &s.db, config, &message) == mapping.StateError {
		return nil, errors.New(message)
	}
	if mapping.Connect(s.db, &s.conn) == mapping.StateError {
		mapping.Close(&s.db)
		return nil, errors.New("DuckDB gives no connection")
	}
	return s, nil
}

func (s *session) close() {
	mapping.Disconnect(&s.conn)
	mapping.Close(&s.db)
}

func (s *session) exec(statement string) error {
	var result mapping.Result
	defer mapping.DestroyResult(&result)
	if mapping.Query(s.conn, statement, &result) == mapping.StateError {
		return errors.New(mapping.ResultError(&result))
	}
	return nil
}

// bulk appends rows to one table by filling DuckDB's vectors in place. The values of a row are put in the order of the
// table's columns, each by the method for its type; endRow ends it. The first error stays until finish gives it.
type bulk struct {
	appender mapping.Appender
	types    []mapping.LogicalType
	chunk    mapping.DataChunk
	columns  []column
	at       int // column to put next
	row      int // of the chunk
	capacity int
	err      error
}

// column is a vector of the chunk in hand.
type column struct {
	vector mapping.Vector
	data   unsafe.Pointer
	// long is the last text of this chunk that does not fit into its entry, and stored that entry: an equal text after
	// it is the same entry again.
	long   string
	stored entry
}

// entry is DuckDB's string in a vector: a length, then up to 12 bytes, or a prefix of 4 and a pointer.
type entry [16]byte

const inlined = 12

func (s *session) newBulk(table string) (*bulk, error) {
	b := &bulk{capacity: int(mapping.VectorSize())}
	if mapping.AppenderCreateExt(s.conn, "", "raw_data", table, &b.appender) == mapping.StateError {
		err := errors.New(mapping.AppenderError(b.appender))
		mapping.AppenderDestroy(&b.appender)
		return nil, fmt.Errorf("append to %s: %w", table, err)
	}
	for i := range uint64(mapping.AppenderColumnCount(b.appender)) {
		b.types = append(b.types, mapping.AppenderColumnType(b.appender, mapping.IdxT(i)))
	}
	b.chunk = mapping.CreateDataChunk(b.types)
	b.columns = make([]column, len(b.types))
	b.begin()
	return b, nil
}

// begin empties the chunk.
func (b *bulk) begin() {
	mapping.DataChunkReset(b.chunk)
	for i := range b.columns {
		v := mapping.DataChunkGetVector(b.chunk, mapping.IdxT(i))
		b.columns[i] = column{vector: v, data: mapping.VectorGetData(v)}
	}
	b.row = 0
}

func (b *bulk) next() *column {
	b.at++
	return &b.columns[b.at-1]
}

func (b *bulk) integer(v int64) {
	c := b.next()
	*(*int64)(unsafe.Add(c.data, 8*b.row)) = v
}

// timestamp puts microseconds since the Unix epoch, which is what DuckDB keeps.
func (b *bulk) timestamp(us int64) { b.integer(us) }

// double puts a number, NULL for NaN.
func (b *bulk) double(v float64) {
	if math.IsNaN(v) {
		b.null()
		return
	}
	c := b.next()
	*(*float64)(unsafe.Add(c.data, 8*b.row)) = v
}

func (b *bulk) null() {
	c := b.next()
	mapping.VectorEnsureValidityWritable(c.vector)
	mapping.ValiditySetRowInvalid(mapping.VectorGetValidity(c.vector), mapping.IdxT(b.row))
}

// text puts a string; what is not UTF-8 is replaced, since DuckDB takes nothing else.
func (b *bulk) text(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	c := b.next()
	to := (*entry)(unsafe.Add(c.data, len(entry{})*b.row))
	switch {
	case len(s) <= inlined:
		*to = entry{}
		binary.NativeEndian.PutUint32(to[:], uint32(len(s)))
		copy(to[4:], s)
	case s == c.long:
		*to = c.stored
	default:
		mapping.VectorAssignStringElement(c.vector, mapping.IdxT(b.row), s)
		c.long, c.stored = s, *to
	}
}

// json puts text that is valid UTF-8, without keeping or comparing it.
func (b *bulk) json(s []byte) {
	c := b.next()
	if len(s) > inlined {
		mapping.VectorAssignStringElementLen(c.vector, mapping.IdxT(b.row), s)
		return
	}
	to := (*entry)(unsafe.Add(c.data, len(entry{})*b.row))
	*to = entry{}
	binary.NativeEndian.PutUint32(to[:], uint32(len(s)))
	copy(to[4:], s)
}

// doubles puts a list; NaN stays NaN.
func (b *bulk) doubles(values []float64) {
	c := b.next()
	size := mapping.ListVectorGetSize(c.vector)
	end := size + mapping.IdxT(len(values))
	if mapping.ListVectorReserve(c.vector, end) == mapping.StateError || mapping.ListVectorSetSize(c.vector, end) == mapping.StateError {
		b.err = errors.Join(b.err, errors.New("DuckDB has no memory for a vector"))
		return
	}
	*(*[2]uint64)(unsafe.Add(c.data, 16*b.row)) = [2]uint64{uint64(size), uint64(len(values))}
	if len(values) > 0 {
		child := mapping.VectorGetData(mapping.ListVectorGetChild(c.vector))
		copy(unsafe.Slice((*float64)(unsafe.Add(child, 8*int(size))), len(values)), values)
	}
}

// endRow reports whether there may be another row.
func (b *bulk) endRow() bool {
	b.at = 0
	if b.row++; b.row == b.capacity {
		b.send()
	}
	return b.err == nil
}

// send hands the chunk to the appender.
func (b *bulk) send() {
	if b.row == 0 || b.err != nil {
		return
	}
	mapping.DataChunkSetSize(b.chunk, mapping.IdxT(b.row))
	if mapping.AppendDataChunk(b.appender, b.chunk) == mapping.StateError {
		b.err = errors.New(mapping.AppenderError(b.appender))
		return
	}
	b.begin()
}

// finish sends what is left, unless err says that it is not wanted, and gives everything back.
func (b *bulk) finish(err error) error {
	if err == nil {
		b.send()
	}
	if err = errors.Join(err, b.err); err == nil {
		if mapping.AppenderFlush(b.appender) == mapping.StateError {
			err = errors.New(mapping.AppenderError(b.appender))
		}
	}
	if err != nil {
		mapping.AppenderClear(b.appender)
	}
	mapping.DestroyDataChunk(&b.chunk)
	for i := range b.types {
		mapping.DestroyLogicalType(&b.types[i])
	}
	if mapping.AppenderDestroy(&b.appender) == mapping.StateError && err == nil {
		err = errors.New("DuckDB could not end the bulk load")
	}
	return err
}
