package offline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// groupRows is how many rows a row group of the answer has.
const groupRows = 1 << 17

// group is a row group before it is written.
type group struct {
	rows    int
	ids     []byte // as Parquet writes them plainly: each with its length before it
	times   []int64
	columns [][]float64
}

func newGroup(columns int) *group {
	g := &group{times: make([]int64, 0, groupRows), columns: make([][]float64, columns)}
	for i := range g.columns {
		g.columns[i] = make([]float64, groupRows)
	}
	return g
}

func (g *group) reset() { g.rows, g.ids, g.times = 0, g.ids[:0], g.times[:0] }

// vectors writes a Parquet file of ids, times and one column of doubles a feature. All its columns are required. It is
// uncompressed but for dictionaries, which make it about as small as a compressor would, for a fraction of the work.
type vectors struct {
	path     string
	file     *os.File
	offset   int64
	meta     format.FileMetaData
	encoders []encoder
	pages    []pages // of the group in hand
}

const magic = "PAR1"

// createVectors begins a file beside path; close puts it in its place.
func createVectors(path string, names []string, workers int, facts map[string]string) (*vectors, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	v := &vectors{path: path, file: file, encoders: make([]encoder, workers), pages: make([]pages, 2+len(names))}
	v.meta = format.FileMetaData{Version: 2, CreatedBy: "haechi", Schema: schemaOf(names)}
	for _, name := range []string{"haechi.event_type", "haechi.event_type_hash"} {
		v.meta.KeyValueMetadata = append(v.meta.KeyValueMetadata, format.KeyValue{Key: name, Value: facts[name]})
	}
	if err := v.write([]byte(magic)); err != nil {
		return nil, errors.Join(err, v.abandon())
	}
	return v, nil
}

func schemaOf(names []string) []format.SchemaElement {
	required := thrift.New(format.Required)
	out := []format.SchemaElement{
		{Name: "vectors", NumChildren: thrift.New(int32(2 + len(names)))},
		{Name: idColumn, Type: thrift.New(format.ByteArray), RepetitionType: required,
			ConvertedType: thrift.New(deprecated.UTF8), LogicalType: format.LogicalType{Value: &format.StringType{}}},
		{Name: timeColumn, Type: thrift.New(format.Int64), RepetitionType: required,
			ConvertedType: thrift.New(deprecated.TimestampMicros), LogicalType: format.LogicalType{Value: &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}}},
	}
	for _, name := range names {
		out = append(out, format.SchemaElement{Name: name, Type: thrift.New(format.Double), RepetitionType: required})
	}
	return out
}

func (v *vectors) write(b []byte) error {
	n, err := v.file.Write(b)
	v.offset += int64(n)
	if err != nil {
		return fmt.Errorf("write %s: %w", v.path, err)
	}
	return nil
}

// add writes a row group, its columns encoded side by side.
func (v *vectors) add(g *group) error {
	next := make(chan int, len(v.pages))
	for i := range v.pages {
		next <- i
	}
	close(next)
	var wait sync.WaitGroup
	problems := make([]error, len(v.encoders))
	for w := range v.encoders {
		wait.Go(func() {
			for i := range next {
				if err := v.encode(&v.encoders[w], g, i); err != nil {
					problems[w] = err
				}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(problems...); err != nil {
		return err
	}
	row := format.RowGroup{NumRows: int64(g.rows), FileOffset: v.offset, Ordinal: int16(len(v.meta.RowGroups))}
	for i := range v.pages {
		chunk, err := v.writeColumn(i, g)
		if err != nil {
			return err
		}
		row.TotalByteSize += chunk.MetaData.TotalUncompressedSize
		row.Columns = append(row.Columns, chunk)
	}
	row.TotalCompressedSize = row.TotalByteSize
	v.meta.RowGroups = append(v.meta.RowGroups, row)
	v.meta.NumRows += int64(g.rows)
	return nil
}

func (v *vectors) encode(e *encoder, g *group, column int) (err error) {
	p := &v.pages[column]
	p.dictionary, p.entries, p.data = p.dictionary[:0], 0, p.data[:0]
	switch column {
	case 0:
		p.data, p.encoding = append(p.data, g.ids...), format.Plain
	case 1:
		p.encoding = format.DeltaBinaryPacked
		p.data, err = new(delta.BinaryPackedEncoding).EncodeInt64(p.data, g.times)
	default:
		err = e.doubles(p, g.columns[column-2][:g.rows])
	}
	return err
}

// writeColumn writes the pages of a column.
func (v *vectors) writeColumn(i int, g *group) (format.ColumnChunk, error) {
	p, element := &v.pages[i], &v.meta.Schema[i+1]
	begin := v.offset
	m := format.ColumnMetaData{
		Type: element.Type.V, Encoding: []format.Encoding{p.encoding}, PathInSchema: []string{element.Name}, Codec: format.Uncompressed,
		NumValues: int64(g.rows),
	}
	if p.entries > 0 {
		m.Encoding = []format.Encoding{format.Plain, format.RLEDictionary}
		m.DictionaryPageOffset = begin
		header := format.PageHeader{Type: format.DictionaryPage,
			DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(p.entries), Encoding: format.Plain})}
		if err := v.page(header, p.dictionary); err != nil {
			return format.ColumnChunk{}, err
		}
	}
	if i == 1 {
		m.Statistics = format.Statistics{
			MinValue: binary.LittleEndian.AppendUint64(nil, uint64(g.times[0])), MaxValue: binary.LittleEndian.AppendUint64(nil, uint64(g.times[g.rows-1])),
		}
	}
	m.DataPageOffset = v.offset
	header := format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues: int32(g.rows), Encoding: p.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})}
	if err := v.page(header, p.data); err != nil {
		return format.ColumnChunk{}, err
	}
	m.TotalUncompressedSize = v.offset - begin
	m.TotalCompressedSize = m.TotalUncompressedSize
	return format.ColumnChunk{FileOffset: begin, MetaData: m}, nil
}

func (v *vectors) page(header format.PageHeader, body []byte) error {
	header.UncompressedPageSize, header.CompressedPageSize = int32(len(body)), int32(len(body))
	head, err := thrift.Marshal(new(thrift.CompactProtocol), header)
	if err != nil {
		return err
	}
	return errors.Join(v.write(head), v.write(body))
}

// close ends the file and puts it in its place.
func (v *vectors) close() error {
	for range v.meta.Schema[1:] {
		v.meta.ColumnOrders = append(v.meta.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), v.meta)
	if err != nil {
		return errors.Join(err, v.abandon())
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	err = v.write(append(footer, magic...))
	if err == nil {
		err = v.file.Sync()
	}
	if err == nil {
		err = v.file.Chmod(0o644)
	}
	if err = errors.Join(err, v.file.Close()); err == nil {
		err = os.Rename(v.file.Name(), v.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(v.file.Name()))
	}
	return nil
}

// abandon removes what was written.
func (v *vectors) abandon() error {
	return errors.Join(v.file.Close(), os.Remove(v.file.Name()))
}
