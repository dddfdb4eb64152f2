package lightgbm

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// The protocol between parent and child, which are the same binary. The parent
// sends one request: magic, length, JSON, a model's text if there is one, then the
// tables' numbers: values, labels, weights of the first, then of the second. The
// child answers with frames: kind, length, payload; the last is done or failed.
const (
	magic          = "haechi-lightgbm-1\n"
	maxRequestJSON = 64 << 20
	maxFrame       = 1 << 20
	chunk          = 64 << 10
)

const (
	frameLog      = 'l' // a line of LightGBM's log
	frameProgress = 'p' // JSON of Progress
	frameModel    = 'm' // a piece of the model's text
	frameScores   = 's' // a piece of the scores
	frameFailed   = 'f' // JSON of failure
	frameDone     = 'd' // JSON of done
)

const (
	actionTrain   = "train"
	actionPredict = "predict"
)

// table is a Data without its numbers.
type table struct {
	Rows, Columns int
	Names         []string
	Categorical   []int
	Label, Weight bool
}

type request struct {
	Action        string
	Library       string
	Memory        int64
	Params        map[string]string
	Rounds        int
	EarlyStopping int
	Threads       int
	Seed          int
	Train, Valid  table // prediction: the rows are Train
	ModelBytes    int   // prediction: the model's text stands before the numbers
	model         []byte
}

type failure struct{ Call, Message string }

type done struct{ Best int }

func describe(d *Data) table {
	return table{d.Rows, d.Columns, d.Names, d.Categorical, d.Label != nil, d.Weight != nil}
}

// send writes the request and the tables. The numbers are written from where
// they are, piece by piece.
func (r *request) send(w io.Writer, tables ...*Data) error {
	head, err := json.Marshal(r)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, chunk)
	_, _ = buffered.WriteString(magic)
	_, _ = buffered.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(head))))
	_, _ = buffered.Write(head)
	_, _ = buffered.Write(r.model)
	for _, d := range tables {
		if err := errors.Join(write64(buffered, d.Values), write32(buffered, d.Label), write32(buffered, d.Weight)); err != nil {
			return err
		}
	}
	return buffered.Flush() // reports what failed before, too
}

func receive(r io.Reader) (*request, error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[len(magic):])
	if string(head[:len(magic)]) != magic || size > maxRequestJSON {
		return nil, errors.New("this is not a request of the parent: the command is not meant to be called by hand")
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	req := new(request)
	if err := json.Unmarshal(text, req); err != nil {
		return nil, err
	}
	req.model = make([]byte, max(0, req.ModelBytes))
	_, err := io.ReadFull(r, req.model)
	return req, err
}

// numbers reads a table's numbers.
func (t *table) numbers(r io.Reader) (d Data, err error) {
	if t.Rows < 0 || t.Columns < 0 || (t.Columns > 0 && t.Rows > math.MaxInt/8/t.Columns) {
		return d, fmt.Errorf("a table of %d rows and %d columns", t.Rows, t.Columns)
	}
	d.Matrix = Matrix{Rows: t.Rows, Columns: t.Columns, Names: t.Names, Categorical: t.Categorical}
	if d.Values, err = read64(r, t.Rows*t.Columns); err != nil {
		return d, err
	}
	if t.Label {
		if d.Label, err = read32(r, t.Rows); err != nil {
			return d, err
		}
	}
	if t.Weight {
		d.Weight, err = read32(r, t.Rows)
	}
	return d, err
}

func write64(w io.Writer, values []float64) error {
	var buffer [chunk]byte
	for len(values) > 0 {
		n := min(len(values), chunk/8)
		for i, v := range values[:n] {
			binary.LittleEndian.PutUint64(buffer[8*i:], math.Float64bits(v))
		}
		if _, err := w.Write(buffer[:8*n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

func read64(r io.Reader, n int) ([]float64, error) {
	values := make([]float64, n)
	var buffer [chunk]byte
	for done := 0; done < n; {
		k := min(n-done, chunk/8)
		if _, err := io.ReadFull(r, buffer[:8*k]); err != nil {
			return nil, err
		}
		for i := range k {
			values[done+i] = math.Float64frombits(binary.LittleEndian.Uint64(buffer[8*i:]))
		}
		done += k
	}
	return values, nil
}

func write32(w io.Writer, values []float32) error {
	var buffer [chunk]byte
	for len(values) > 0 {
		n := min(len(values), chunk/4)
		for i, v := range values[:n] {
			binary.LittleEndian.PutUint32(buffer[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(buffer[:4*n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

func read32(r io.Reader, n int) ([]float32, error) {
	values := make([]float32, n)
	var buffer [chunk]byte
	for done := 0; done < n; {
		k := min(n-done, chunk/4)
		if _, err := io.ReadFull(r, buffer[:4*k]); err != nil {
			return nil, err
		}
		for i := range k {
			values[done+i] = math.Float32frombits(binary.LittleEndian.Uint32(buffer[4*i:]))
		}
		done += k
	}
	return values, nil
}

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = kind
	binary.LittleEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

// readFrame gives io.EOF at a clean end. The payload is valid until the next
// call with the same buffer.
func readFrame(r io.Reader, buffer []byte) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.LittleEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes: the child command does not speak this protocol", size)
	}
	_, err = io.ReadFull(r, buffer[:size])
	return head[0], buffer[:size], err
}
