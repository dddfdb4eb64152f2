package ingest

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// table is an opened file of rows.
type table interface {
	// columns gives the names of the header.
	columns() []string
	// next gives the cells of the next row as text, empty for an absent value. The slice is used again, the strings are
	// not. io.EOF at the end; a *rowError for a row that cannot be read while the next one can.
	next() ([]string, error)
	// line is where the last row stands: its line in a CSV file, its number from 1 in a Parquet file.
	line() int64
	// dated says that the file itself types a column as a point in time; its cells are then RFC 3339 text.
	dated(column int) bool
	// read is how many bytes of the file have been used up.
	read() int64
	close() error
}

// rowError is a row that cannot be used.
type rowError struct{ problem string }

func (e *rowError) Error() string { return e.problem }

// openTable opens a file by its ending.
func openTable(path string) (table, error) {
	switch {
	case strings.HasSuffix(path, ".csv"), strings.HasSuffix(path, ".csv.gz"):
		return openCSV(path)
	case strings.HasSuffix(path, ".parquet"):
		return openParquet(path)
	}
	return nil, fmt.Errorf("%s: files end in .csv, .csv.gz or .parquet", path)
}

// csvTable is a comma-separated file with a header row.
type csvTable struct {
	path   string
	file   *os.File
	count  countingReader
	gzip   *gzip.Reader
	reader *csv.Reader
	header []string
	at     int64
}

func openCSV(path string) (_ table, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	t := &csvTable{path: path, file: file, count: countingReader{from: file}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), t.close())
		}
	}()
	var text io.Reader = bufio.NewReaderSize(&t.count, 1<<18)
	if strings.HasSuffix(path, ".gz") {
		if t.gzip, err = gzip.NewReader(text); err != nil {
			return nil, fmt.Errorf("not a gzip file: %w", err)
		}
		text = bufio.NewReaderSize(t.gzip, 1<<18)
	}
	t.reader = csv.NewReader(text)
	t.reader.ReuseRecord = true
	header, err := t.reader.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty; its first row must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	t.header = append([]string(nil), header...)
	t.header[0] = strings.TrimPrefix(t.header[0], "\ufeff")
	return t, nil
}

func (t *csvTable) columns() []string { return t.header }
func (t *csvTable) line() int64       { return t.at }
func (t *csvTable) dated(int) bool    { return false }
func (t *csvTable) read() int64       { return t.count.n }

func (t *csvTable) next() ([]string, error) {
	cells, err := t.reader.Read()
	if err == nil {
		line, _ := t.reader.FieldPos(0)
		t.at = int64(line)
		return cells, nil
	}
	var bad *csv.ParseError
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case errors.As(err, &bad):
		t.at = int64(bad.StartLine)
		if errors.Is(bad.Err, csv.ErrFieldCount) {
			return nil, &rowError{fmt.Sprintf("has %d cells where the header names %d", len(cells), len(t.header))}
		}
		return nil, &rowError{bad.Err.Error()}
	}
	return nil, fmt.Errorf("%s: after line %d: %w", t.path, t.at, err)
}

func (t *csvTable) close() error {
	if t.gzip != nil {
		return errors.Join(t.gzip.Close(), t.file.Close())
	}
	return t.file.Close()
}

type countingReader struct {
	from io.Reader
	n    int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
