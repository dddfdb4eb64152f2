package retrain

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// The file of pulled rows: what the warehouse gave, in log order, in the order of the schema. It is read by the child of
// the same run only, so its format carries no version.
const (
	rowEvent = 1
	rowLabel = 2
	rowEnd   = 3
)

type rowWriter struct {
	file   *os.File
	out    *bufio.Writer
	schema *features.Schema
	buf    []byte
}

func createRows(path string, schema *features.Schema) (*rowWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &rowWriter{file: f, out: bufio.NewWriterSize(f, 1<<20), schema: schema}, nil
}

func (w *rowWriter) text(s string) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *rowWriter) event(e *warehouse.Event) error {
	w.buf = append(w.buf[:0], rowEvent)
	w.buf = binary.AppendUvarint(w.buf, e.Sequence)
	w.text(e.ID)
	w.buf = binary.AppendVarint(w.buf, e.Time)
	w.buf = binary.AppendVarint(w.buf, e.AmountMinor)
	outcome, err := outcomeOf(e.Outcome)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	w.buf = append(w.buf, byte(outcome))
	for i := range w.schema.Entities {
		w.text(e.Entities[w.schema.Entities[i].Name])
	}
	for i := range w.schema.Attributes {
		w.text(e.Attributes[w.schema.Attributes[i].Name])
	}
	for i := range w.schema.Numbers {
		v, ok := e.Numbers[w.schema.Numbers[i].Name]
		if !ok {
			v = math.NaN()
		}
		w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(v))
	}
	_, err = w.out.Write(w.buf)
	return err
}

func outcomeOf(text string) (features.Outcome, error) {
	for _, o := range []features.Outcome{features.InOrder, features.LateInserted, features.LateDropped} {
		if o.String() == text {
			return o, nil
		}
	}
	return 0, fmt.Errorf("the warehouse has outcome %q, which this version does not know", text)
}

func verdictOf(text string) (features.Verdict, error) {
	for _, v := range []features.Verdict{features.Fraud, features.Legitimate, features.Withdrawn} {
		if v.String() == text {
			return v, nil
		}
	}
	return 0, fmt.Errorf("the warehouse has verdict %q, which this version does not know", text)
}

func (w *rowWriter) label(l *warehouse.Label) error {
	verdict, err := verdictOf(l.Verdict)
	if err != nil {
		return fmt.Errorf("label of event %s: %w", l.EventID, err)
	}
	w.buf = append(w.buf[:0], rowLabel, byte(verdict))
	w.buf = binary.AppendUvarint(w.buf, l.Sequence)
	w.buf = binary.AppendVarint(w.buf, l.KnownAt)
	w.buf = binary.AppendUvarint(w.buf, l.EventSequence)
	w.text(l.EventID)
	_, err = w.out.Write(w.buf)
	return err
}

// close ends the file; without its end mark a reader refuses it.
func (w *rowWriter) close() error {
	_, err := w.out.Write([]byte{rowEnd})
	return errors.Join(err, w.out.Flush(), w.file.Sync(), w.file.Close())
}

// row is one event or label.
type row struct {
	kind          byte
	sequence      uint64
	event         features.Event // slices are reused by the next row
	outcome       features.Outcome
	label         features.Label
	eventSequence uint64
	eventID       string
}

type rowReader struct {
	in     *bufio.Reader
	schema *features.Schema
	names  map[string]string // keys and values, each held once
	buf    []byte
}

func newRowReader(r io.Reader, schema *features.Schema) *rowReader {
	return &rowReader{in: bufio.NewReaderSize(r, 1<<20), schema: schema, names: map[string]string{}}
}

func (r *rowReader) text(intern bool) (string, error) {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return "", err
	}
	if n > 1<<16 {
		return "", errors.New("the file of pulled rows is damaged; start the run again")
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return "", err
	}
	if !intern {
		return string(r.buf), nil
	}
	if s, ok := r.names[string(r.buf)]; ok {
		return s, nil
	}
	s := string(r.buf)
	r.names[s] = s
	return s, nil
}

// next reads a row into out; io.EOF after the end mark.
func (r *rowReader) next(out *row) (err error) {
	if out.kind, err = r.in.ReadByte(); err != nil {
		return unexpected(err)
	}
	switch out.kind {
	case rowEvent:
		return unexpected(r.event(out))
	case rowLabel:
		return unexpected(r.label(out))
	case rowEnd:
		return io.EOF
	}
	return errors.New("the file of pulled rows is damaged; start the run again")
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *rowReader) event(out *row) (err error) {
	if out.sequence, err = binary.ReadUvarint(r.in); err != nil {
		return err
	}
	ev := &out.event
	if ev.ID, err = r.text(false); err != nil {
		return err
	}
	if ev.Time, err = binary.ReadVarint(r.in); err != nil {
		return err
	}
	if ev.Amount, err = binary.ReadVarint(r.in); err != nil {
		return err
	}
	outcome, err := r.in.ReadByte()
	if err != nil {
		return err
	}
	out.outcome = features.Outcome(outcome)
	ev.Entities, ev.Attributes, ev.Numbers = ev.Entities[:0], ev.Attributes[:0], ev.Numbers[:0]
	for range r.schema.Entities {
		s, err := r.text(true)
		if err != nil {
			return err
		}
		ev.Entities = append(ev.Entities, s)
	}
	for range r.schema.Attributes {
		s, err := r.text(true)
		if err != nil {
			return err
		}
		ev.Attributes = append(ev.Attributes, s)
	}
	var bits [8]byte
	for range r.schema.Numbers {
		if _, err := io.ReadFull(r.in, bits[:]); err != nil {
			return err
		}
		ev.Numbers = append(ev.Numbers, math.Float64frombits(binary.LittleEndian.Uint64(bits[:])))
	}
	return nil
}

func (r *rowReader) label(out *row) (err error) {
	verdict, err := r.in.ReadByte()
	if err != nil {
		return err
	}
	out.label.Verdict = features.Verdict(verdict)
	if out.sequence, err = binary.ReadUvarint(r.in); err != nil {
		return err
	}
	out.label.Sequence = out.sequence
	if out.label.KnownAt, err = binary.ReadVarint(r.in); err != nil {
		return err
	}
	if out.eventSequence, err = binary.ReadUvarint(r.in); err != nil {
		return err
	}
	out.eventID, err = r.text(false)
	return err
}
