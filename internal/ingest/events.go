package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// ErrUnsorted says that a row is older than the one before it.
var ErrUnsorted = errors.New("the rows are not in the order of time")

// ReadEvents reads the job's event files for whoever keeps no log, and gives use each event, valid until it returns, with
// what its row says of it, nil if nothing. With sort the rows come in the order (event time, row), put into it within the
// job's bound of memory; without, they come as they lie, and ErrUnsorted ends it where that is another order.
func ReadEvents(ctx context.Context, job Job, sort bool, use func(*features.Event, *LabelStatement) error) (_ Report, err error) {
	job.Labels = nil
	if err := job.check(); err != nil {
		return Report{}, &InputError{err}
	}
	im, err := newImporter(ctx, job)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, im.close()) }()
	im.state.Stage = "reading"
	lookups, err := openLookups(job.EventType.Mapping, job.Lookups, job.Events[0])
	if err != nil {
		return Report{}, err
	}
	var last int64
	rows := im.inOrder(use, &last)
	if sort {
		rows = im.keepEvent
	}
	for i := range job.Events {
		if err := im.eachEvent(i, lookups, rows); err != nil {
			return im.report(), err
		}
	}
	im.tell()
	if sort {
		err = im.giveSorted(use)
	}
	return im.report(), err
}

// eachEvent gives the events of one file.
func (im *importer) eachEvent(file int, lookups map[string]*lookup, use func(origin, *features.Event, *labelRow) error) (err error) {
	path := im.files[file]
	t, err := openTable(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	c, err := newConverter(im.job.EventType, t, path, lookups)
	if err != nil {
		return err
	}
	err = im.eachRow(file, t, func(cells []string, at origin) error {
		ev, l, err := c.convert(cells)
		if err != nil {
			return err
		}
		return use(at, ev, l)
	})
	for i := range c.lookups {
		if c.lookups[i].misses > 0 {
			im.misses[c.lookups[i].Name] += c.lookups[i].misses
		}
	}
	return err
}

// inOrder hands events over as they come.
func (im *importer) inOrder(use func(*features.Event, *LabelStatement) error, last *int64) func(origin, *features.Event, *labelRow) error {
	return func(at origin, ev *features.Event, l *labelRow) error {
		if ev.Time < *last {
			return fmt.Errorf("%s:%d: %w", im.files[at.file], at.line, ErrUnsorted)
		}
		*last = ev.Time
		im.outcome.Events++
		return use(ev, l.statement())
	}
}

func (l *labelRow) statement() *LabelStatement {
	if l == nil {
		return nil
	}
	return &l.LabelStatement
}

const statementBytes = 9

// keepEvent puts an event into the sorter, behind what is said of it.
func (im *importer) keepEvent(at origin, ev *features.Event, l *labelRow) error {
	var head [statementBytes]byte
	if l != nil {
		head[0] = byte(l.Verdict)
		binary.LittleEndian.PutUint64(head[1:], uint64(l.KnownAt))
	}
	im.buffer = encodeEvent(append(im.buffer[:0], head[:]...), at, ev)
	return im.events.add(ev.Time, im.row, im.buffer)
}

func (im *importer) giveSorted(use func(*features.Event, *LabelStatement) error) error {
	im.state.Stage, im.state.Total = "sorting", im.events.count
	events, err := im.events.finish()
	if err != nil {
		return err
	}
	s := &im.job.EventType.Schema
	ev := features.Event{Entities: make([]string, len(s.Entities)), Attributes: make([]string, len(s.Attributes)), Numbers: make([]float64, len(s.Numbers))}
	for events.ok {
		said := &LabelStatement{Verdict: features.Verdict(events.bytes[0]), KnownAt: int64(binary.LittleEndian.Uint64(events.bytes[1:]))}
		if said.Verdict == 0 {
			said = nil
		}
		decodeEvent(events.bytes[statementBytes:], events.head.time, &ev)
		if err := use(&ev, said); err != nil {
			return err
		}
		if err := events.advance(); err != nil {
			return err
		}
		im.outcome.Events++
		if im.state.Appended++; im.state.Appended%every == 0 {
			if err := im.ctx.Err(); err != nil {
				return err
			}
			im.tell()
		}
	}
	return nil
}

// Mapper turns rows of text that come from elsewhere than files into events, by an event type's import mapping.
type Mapper struct{ converter *converter }

// NewMapper binds the mapping to columns by their names; dated says of each whether its cells are RFC 3339 text whatever
// the mapping says. lookups names the file of each lookup that is not in folder.
func NewMapper(t *project.EventType, columns []string, dated []bool, lookups map[string]string, folder string) (*Mapper, error) {
	if t.Mapping == nil {
		return nil, fmt.Errorf("event type %s declares no import; say which columns make an event under import:", t.Name)
	}
	files, err := openLookups(t.Mapping, lookups, folder+"/")
	if err != nil {
		return nil, err
	}
	c, err := newConverter(t, &header{names: columns, dates: dated}, "the input", files)
	return &Mapper{c}, err
}

// Event gives a row's event, valid until the next call, and what the row says of it, nil if nothing. A cell that is empty
// is absent.
func (m *Mapper) Event(cells []string) (*features.Event, *LabelStatement, error) {
	ev, l, err := m.converter.convert(cells)
	return ev, l.statement(), err
}

// header is a table of which only the columns are known.
type header struct {
	table
	names []string
	dates []bool
}

func (h *header) columns() []string     { return h.names }
func (h *header) dated(column int) bool { return h.dates[column] }
