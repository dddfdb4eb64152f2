package offline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	absentCell = `\N`
	longestRow = 1 << 20
)

// text reads and writes tab-separated lines.
func (f *flow) text(ctx context.Context, job *PipeJob, out *summed) (in int64, err error) {
	lines := &lineReader{from: bufio.NewReaderSize(job.In, longestRow)}
	columns := job.Columns
	if len(columns) == 0 {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return 0, errors.New("the input is empty; its first line names the columns, unless --columns does")
		}
		if err != nil {
			return 0, err
		}
		if columns, err = cellsOf(string(line), nil); err != nil {
			return 0, err
		}
	}
	if err := f.bind(columns, make([]bool, len(columns))); err != nil {
		return 0, err
	}
	var cells []string
	var answer []byte
	for ended := false; ; {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			if job.End && !ended {
				return in, fmt.Errorf("the input ends after %d rows without the end marker that the caller promised: it was cut", in)
			}
			return in, nil
		}
		if err != nil {
			return in, fmt.Errorf("after %d rows: %w", in, err)
		}
		if ended {
			return in, errors.New("there are rows after the end marker")
		}
		if ended = job.End && bytes.HasPrefix(line, []byte(endMark)); ended {
			if err := f.checkEnd(string(line), in); err != nil {
				return in, err
			}
			continue
		}
		if in++; in%every == 0 && ctx.Err() != nil {
			return in, ctx.Err()
		}
		if cells, err = cellsOf(string(line), cells[:0]); err != nil {
			return in, fmt.Errorf("row %d: %w", in, err)
		}
		if len(cells) != len(columns) {
			return in, fmt.Errorf("row %d has %d cells where there are %d columns", in, len(cells), len(columns))
		}
		if answer, err = f.answer(answer[:0], cells); err != nil {
			return in, err
		}
		if _, err := out.Write(answer); err != nil {
			return in, fmt.Errorf("write: %w", err)
		}
	}
}

// checkEnd compares the caller's count with what came.
func (f *flow) checkEnd(line string, in int64) error {
	said, err := strconv.ParseInt(strings.TrimPrefix(line, endMark+"\t"), 10, 64)
	if err != nil {
		return fmt.Errorf("the end marker %q is not \\., a tab and the number of rows", line)
	}
	if said != in {
		return fmt.Errorf("the caller sent %d rows, %d came", said, in)
	}
	return nil
}

// answer appends the line of a row.
func (f *flow) answer(to []byte, cells []string) ([]byte, error) {
	ev, err := f.row(cells)
	if err != nil {
		return to, err
	}
	to = appendEscaped(to, ev.ID)
	to = strconv.AppendInt(append(to, '\t'), ev.Time, 10)
	for _, x := range f.vector[:len(f.names)] {
		to = appendFloat(append(to, '\t'), x)
	}
	return append(to, '\n'), nil
}

// appendFloat writes the shortest text that reads back as the same double. Every NaN is written NaN.
func appendFloat(to []byte, x float64) []byte {
	switch {
	case math.IsInf(x, 1):
		return append(to, "Infinity"...)
	case math.IsInf(x, -1):
		return append(to, "-Infinity"...)
	}
	return strconv.AppendFloat(to, x, 'g', -1, 64)
}

func appendEscaped(to []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; c {
		case '\t':
			to = append(to, `\t`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\\':
			to = append(to, `\\`...)
		default:
			to = append(to, c)
		}
	}
	return to
}

// cellsOf cuts a line at its tabs and resolves what is escaped; absent cells are empty.
func cellsOf(line string, cells []string) ([]string, error) {
	for {
		cell, rest, more := strings.Cut(line, "\t")
		if cell == absentCell {
			cell = ""
		} else if strings.IndexByte(cell, '\\') >= 0 {
			var err error
			if cell, err = unescaped(cell); err != nil {
				return cells, err
			}
		}
		cells = append(cells, cell)
		if !more {
			return cells, nil
		}
		line = rest
	}
}

func unescaped(cell string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(cell); i++ {
		if cell[i] != '\\' {
			b.WriteByte(cell[i])
			continue
		}
		if i++; i == len(cell) {
			return "", fmt.Errorf("%q ends in the middle of an escape", cell)
		}
		switch cell[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case '\\':
			b.WriteByte('\\')
		default:
			return "", fmt.Errorf(`%q holds \%c; known are \t, \n, \r, \\, and \N as a whole cell for one that is absent`, cell, cell[i])
		}
	}
	return b.String(), nil
}

// lineReader reads lines that end in a line feed.
type lineReader struct{ from *bufio.Reader }

func (l *lineReader) next() ([]byte, error) {
	line, err := l.from.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("a line is longer than %d bytes", longestRow)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, errors.New("the last line does not end: the input was cut")
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}
