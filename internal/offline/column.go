package offline

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// errColumns says that a file is not for the columnar reader; the one that reads rows as text decides what is in it.
var errColumns = errors.New("not for the columnar reader")

// column reads one column of a Parquet file, page by page.
type column struct {
	name    string
	leaf    int
	node    parquet.Node
	pages   parquet.Pages
	page    parquet.Page
	group   int   // row groups begun
	values  cells // of the page, or of its dictionary
	index   []int32
	levels  []byte // nil when the page has no absent value
	row, at int    // next row and value of the page
	rows    int
	fresh   bool // the dictionary has changed since the last segment
	dict    parquet.Dictionary
}

// cells are values of one type.
type cells struct {
	integers []int64
	floats   []float64
	bytes    []byte
	offsets  []uint32
}

// segment is some rows of one page.
type segment struct {
	rows   int
	levels []byte // of the rows: 0 where the value is absent; nil when none is
	from   int    // the first row's value
}

func findColumn(file *parquet.File, name string) (*column, error) {
	c := &column{name: name, leaf: -1}
	for i, path := range file.Schema().Columns() {
		if len(path) != 1 || path[0] != name {
			continue
		}
		if c.leaf >= 0 {
			return nil, fmt.Errorf("%w: two columns %s", errColumns, name)
		}
		c.leaf = i
		found, _ := file.Schema().Lookup(path...)
		c.node = found.Node
	}
	if c.leaf < 0 || c.node.Repeated() {
		return nil, fmt.Errorf("%w: no plain column %s", errColumns, name)
	}
	return c, nil
}

// logical is the type's logical type, nil if it has none that matters.
func (c *column) logical() any {
	l := c.node.Type().LogicalType()
	if l == nil {
		return nil
	}
	switch t := l.Value.(type) {
	case *format.StringType, *format.EnumType:
		return nil
	case *format.IntType:
		if t.IsSigned {
			return nil
		}
	}
	return l.Value
}

func (c *column) kind() parquet.Kind { return c.node.Type().Kind() }

// plain says whether the values are integers or texts as they stand.
func (c *column) plain() error {
	switch c.kind() {
	case parquet.Int32, parquet.Int64, parquet.ByteArray:
		if c.logical() == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: column %s is of type %s", errColumns, c.name, c.node.Type())
}

// next gives the next rows, at most limit; io.EOF at the end of the file.
func (c *column) next(file *parquet.File, limit int) (segment, error) {
	for c.page == nil || c.row == c.rows {
		if err := c.turn(file); err != nil {
			return segment{}, err
		}
	}
	s := segment{rows: min(limit, c.rows-c.row), from: c.at}
	used := s.rows
	if c.levels != nil {
		s.levels = c.levels[c.row : c.row+s.rows]
		used = 0
		for _, level := range s.levels {
			used += int(level)
		}
	}
	c.row += s.rows
	c.at += used
	return s, nil
}

// turn reads the next page.
func (c *column) turn(file *parquet.File) error {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	if c.pages == nil {
		if c.group == len(file.RowGroups()) {
			return io.EOF
		}
		c.pages = file.RowGroups()[c.group].ColumnChunks()[c.leaf].Pages()
		c.group++
	}
	page, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		err = c.pages.Close()
		c.pages = nil
		return err
	}
	if err != nil {
		return fmt.Errorf("column %s: %w", c.name, err)
	}
	c.page, c.row, c.at, c.rows, c.levels, c.index = page, 0, 0, int(page.NumRows()), nil, nil
	if page.NumNulls() > 0 {
		c.levels = page.DefinitionLevels()
	}
	data, dict := page.Data(), page.Dictionary()
	if dict != nil {
		c.index = data.Int32()
		if dict == c.dict {
			return nil
		}
		data = dict.Page().Data()
	}
	c.dict, c.fresh = dict, true
	return c.values.set(data)
}

func (v *cells) set(data encoding.Values) error {
	switch data.Kind() {
	case encoding.Int64:
		v.integers = data.Int64()
	case encoding.Int32:
		narrow := data.Int32()
		v.integers = make([]int64, len(narrow))
		for i, x := range narrow {
			v.integers[i] = int64(x)
		}
	case encoding.Double:
		v.floats = data.Double()
	case encoding.ByteArray:
		v.bytes, v.offsets = data.ByteArray()
	default:
		return errColumns
	}
	return nil
}

func (v *cells) len() int {
	return max(len(v.integers), len(v.floats), len(v.offsets)-1)
}

// each gives for every row of a segment the place of its value among cells, -1 where it is absent.
func (c *column) each(s segment, use func(row, place int)) {
	at := s.from
	for row := range s.rows {
		if s.levels != nil && s.levels[row] == 0 {
			use(row, -1)
			continue
		}
		place := at
		if c.index != nil {
			place = int(c.index[at])
		}
		use(row, place)
		at++
	}
}

func (c *column) close() error {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	if c.pages == nil {
		return nil
	}
	pages := c.pages
	c.pages = nil
	return pages.Close()
}
