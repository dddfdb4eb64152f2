package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// arrow reads and writes Arrow IPC streams, a batch out for every batch in. An Arrow stream has an end marker of its own:
// an input without it was cut.
func (f *flow) arrow(ctx context.Context, from io.Reader, out *summed) (in int64, err error) {
	tail := &tailReader{from: from}
	reader, err := ipc.NewReader(tail)
	if err != nil {
		return 0, fmt.Errorf("the input is no Arrow stream: %w", err)
	}
	defer reader.Release()
	fields := reader.Schema().Fields()
	columns, dated := make([]string, len(fields)), make([]bool, len(fields))
	for i, field := range fields {
		columns[i], dated[i] = field.Name, valueType(field.Type).ID() == arrow.TIMESTAMP
	}
	if err := f.bind(columns, dated); err != nil {
		return 0, err
	}
	schema := f.vectorSchema()
	writer := ipc.NewWriter(out, ipc.WithSchema(schema))
	build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer build.Release()
	cells := make([]string, len(columns))
	for reader.Next() {
		batch := reader.RecordBatch()
		if err := ctx.Err(); err != nil {
			return in, err
		}
		in += batch.NumRows()
		if err := f.arrowBatch(batch, cells, build); err != nil {
			return in, err
		}
		answer := build.NewRecordBatch()
		err := writer.Write(answer)
		answer.Release()
		if err != nil {
			return in, fmt.Errorf("write: %w", err)
		}
	}
	if err := reader.Err(); err != nil && !errors.Is(err, io.EOF) {
		return in, fmt.Errorf("after %d rows: %w", in, err)
	}
	if err := tail.check(); err != nil {
		return in, fmt.Errorf("after %d rows: %w", in, err)
	}
	if in == 0 {
		empty := build.NewRecordBatch() // so that the stream has its schema
		defer empty.Release()
		if err := writer.Write(empty); err != nil {
			return in, fmt.Errorf("write: %w", err)
		}
	}
	return in, writer.Close()
}

func (f *flow) vectorSchema() *arrow.Schema {
	fields := []arrow.Field{{Name: idColumn, Type: arrow.BinaryTypes.String}, {Name: timeColumn, Type: arrow.FixedWidthTypes.Timestamp_us}}
	for _, name := range f.names {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64})
	}
	return arrow.NewSchema(fields, nil)
}

// arrowBatch answers the rows of a batch.
func (f *flow) arrowBatch(batch arrow.RecordBatch, cells []string, to *array.RecordBuilder) error {
	texts := make([]func(int) string, len(cells))
	for i := range texts {
		var err error
		if texts[i], err = cellText(batch.Column(i)); err != nil {
			return fmt.Errorf("column %s: %w", batch.ColumnName(i), err)
		}
	}
	ids, times := to.Field(0).(*array.StringBuilder), to.Field(1).(*array.TimestampBuilder)
	for row := range int(batch.NumRows()) {
		for i, text := range texts {
			if cells[i] = ""; !batch.Column(i).IsNull(row) {
				cells[i] = text(row)
			}
		}
		ev, err := f.row(cells)
		if err != nil {
			return err
		}
		ids.Append(ev.ID)
		times.Append(arrow.Timestamp(ev.Time))
		for i, x := range f.vector[:len(f.names)] {
			to.Field(2 + i).(*array.Float64Builder).Append(x)
		}
	}
	return nil
}

func valueType(t arrow.DataType) arrow.DataType {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return d.ValueType
	}
	return t
}

// cellText says how the cells of a column are written as text, as a Parquet file's are.
func cellText(column arrow.Array) (func(int) string, error) {
	switch c := column.(type) {
	case *array.Dictionary:
		values, err := cellText(c.Dictionary())
		return func(i int) string { return values(c.GetValueIndex(i)) }, err
	case *array.String:
		return c.Value, nil
	case *array.LargeString:
		return c.Value, nil
	case *array.Binary:
		return func(i int) string { return string(c.Value(i)) }, nil
	case *array.Boolean:
		return func(i int) string { return strconv.FormatBool(c.Value(i)) }, nil
	case *array.Float32:
		return func(i int) string { return strconv.FormatFloat(float64(c.Value(i)), 'f', -1, 32) }, nil
	case *array.Float64:
		return func(i int) string { return strconv.FormatFloat(c.Value(i), 'f', -1, 64) }, nil
	case *array.Timestamp:
		unit := c.DataType().(*arrow.TimestampType).Unit
		return func(i int) string { return c.Value(i).ToTime(unit).UTC().Format(time.RFC3339Nano) }, nil
	case *array.Date32:
		return func(i int) string { return c.Value(i).ToTime().UTC().Format(time.DateOnly) }, nil
	case *array.Decimal128:
		scale := c.DataType().(*arrow.Decimal128Type).Scale
		return func(i int) string { return c.Value(i).ToString(scale) }, nil
	}
	return integerText(column)
}

func integerText(column arrow.Array) (func(int) string, error) {
	switch c := column.(type) {
	case *array.Int64:
		return func(i int) string { return strconv.FormatInt(c.Value(i), 10) }, nil
	case *array.Int32:
		return func(i int) string { return strconv.FormatInt(int64(c.Value(i)), 10) }, nil
	case *array.Int16:
		return func(i int) string { return strconv.FormatInt(int64(c.Value(i)), 10) }, nil
	case *array.Int8:
		return func(i int) string { return strconv.FormatInt(int64(c.Value(i)), 10) }, nil
	case *array.Uint64:
		return func(i int) string { return strconv.FormatUint(c.Value(i), 10) }, nil
	case *array.Uint32:
		return func(i int) string { return strconv.FormatUint(uint64(c.Value(i)), 10) }, nil
	case *array.Null:
		return func(int) string { return "" }, nil
	}
	return nil, fmt.Errorf("cells of type %s cannot be read; cast them to text, numbers or timestamps", column.DataType())
}

// tailReader remembers the last bytes that were read.
type tailReader struct {
	from io.Reader
	last []byte
}

// Read implements io.Reader.
func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	t.last = append(t.last, p[max(0, n-8):n]...)
	t.last = t.last[max(0, len(t.last)-8):]
	return n, err
}

// check wants the stream to have ended with its end marker.
func (t *tailReader) check() error {
	if more, err := io.Copy(io.Discard, t); err != nil || more > 0 {
		return errors.Join(err, errors.New("there is more after the stream's end marker"))
	}
	if !bytes.Equal(t.last, []byte{255, 255, 255, 255, 0, 0, 0, 0}) {
		return errors.New("the stream ends without its end marker: the input was cut")
	}
	return nil
}
