package ingest

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetTable is a Parquet file; columns that are groups or lists cannot be mapped and are left out.
type parquetTable struct {
	path   string
	file   *os.File
	size   int64
	total  int64
	groups []parquet.RowGroup
	rows   parquet.Rows
	buffer []parquet.Row
	filled int
	used   int
	at     int64

	names []string
	times []bool
	// place and text are by leaf column of the file: which cell it fills, -1 for none, and how its value is written.
	place []int
	text  []func(parquet.Value) string
	cells []string
}

func openParquet(path string) (_ table, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	parsed, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("not a readable Parquet file: %w", err)
	}
	t := &parquetTable{path: path, file: file, size: info.Size(), total: parsed.NumRows(), groups: parsed.RowGroups(), buffer: make([]parquet.Row, 512)}
	for _, leaf := range parsed.Schema().Columns() {
		column, _ := parsed.Schema().Lookup(leaf...)
		if len(leaf) != 1 || column.Node.Repeated() {
			t.place, t.text = append(t.place, -1), append(t.text, nil)
			continue
		}
		write, dated := cellWriter(column.Node.Type())
		t.place, t.text = append(t.place, len(t.names)), append(t.text, write)
		t.names, t.times = append(t.names, leaf[0]), append(t.times, dated)
	}
	t.cells = make([]string, len(t.names))
	return t, nil
}

func (t *parquetTable) columns() []string     { return t.names }
func (t *parquetTable) line() int64           { return t.at }
func (t *parquetTable) dated(column int) bool { return t.times[column] }

func (t *parquetTable) read() int64 {
	if t.total == 0 {
		return t.size
	}
	return int64(float64(t.size) * float64(t.at) / float64(t.total))
}

func (t *parquetTable) next() ([]string, error) {
	if t.used == t.filled {
		if err := t.fill(); err != nil {
			return nil, err
		}
	}
	clear(t.cells)
	for _, v := range t.buffer[t.used] {
		if c := v.Column(); t.place[c] >= 0 && !v.IsNull() {
			t.cells[t.place[c]] = t.text[c](v)
		}
	}
	t.used++
	t.at++
	return t.cells, nil
}

// fill reads the next rows.
func (t *parquetTable) fill() error {
	for {
		if t.rows == nil {
			if len(t.groups) == 0 {
				return io.EOF
			}
			t.rows, t.groups = t.groups[0].Rows(), t.groups[1:]
		}
		n, err := t.rows.ReadRows(t.buffer)
		t.filled, t.used = n, 0
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: after row %d: %w", t.path, t.at, err)
		}
		if err == io.EOF {
			closing := t.rows.Close()
			t.rows = nil
			if closing != nil {
				return fmt.Errorf("%s: %w", t.path, closing)
			}
		}
		if n > 0 {
			return nil
		}
	}
}

func (t *parquetTable) close() error {
	var err error
	if t.rows != nil {
		err = t.rows.Close()
	}
	return errors.Join(err, t.file.Close())
}

// cellWriter says how values of a type are written as text, and whether they are points in time.
func cellWriter(typ parquet.Type) (write func(parquet.Value) string, dated bool) {
	if logical := typ.LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.TimestampType:
			unit := l.Unit.Value.Duration()
			return func(v parquet.Value) string { return instantText(v.Int64(), unit) }, true
		case *format.DateType:
			return func(v parquet.Value) string {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
			}, false
		case *format.DecimalType:
			return func(v parquet.Value) string { return decimalText(v, int(l.Scale)) }, false
		case *format.IntType:
			if !l.IsSigned {
				return unsignedText, false
			}
		}
	}
	return plainText, false
}

func instantText(n int64, unit time.Duration) string {
	perSecond := int64(time.Second / unit)
	seconds, rest := n/perSecond, n%perSecond
	return time.Unix(seconds, rest*int64(unit)).UTC().Format(time.RFC3339Nano)
}

func unsignedText(v parquet.Value) string {
	if v.Kind() == parquet.Int32 {
		return strconv.FormatUint(uint64(v.Uint32()), 10)
	}
	return strconv.FormatUint(v.Uint64(), 10)
}

func plainText(v parquet.Value) string {
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'f', -1, 32)
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

// decimalText writes an unscaled integer with its decimal point.
func decimalText(v parquet.Value, scale int) string {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default:
		b := v.ByteArray() // two's complement, big-endian
		n.SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	if scale <= 0 {
		return n.String()
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	digits := n.String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}
