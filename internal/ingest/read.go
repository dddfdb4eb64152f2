package ingest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// Labels at one time come before events of that time, except those known at or before their own event: they follow it.
const (
	orderFirst = uint64(0)
	orderAfter = uint64(1) << 63
)

// every is how many rows pass between looks at the context and calls of Progress.
const every = 4096

// read puts the rows of all files into the sorters.
func (im *importer) read() error {
	im.state.Stage = "reading"
	if len(im.job.Events) > 0 {
		lookups, err := openLookups(im.job.EventType.Mapping, im.job.Lookups, im.job.Events[0])
		if err != nil {
			return err
		}
		for i := range im.job.Events {
			if err := im.readEvents(i, lookups); err != nil {
				return err
			}
		}
	}
	for i := range im.job.Labels {
		if err := im.readLabels(len(im.job.Events) + i); err != nil {
			return err
		}
	}
	im.tell()
	return nil
}

// eachRow gives the rows of a file and rejects those that use or the file cannot take.
func (im *importer) eachRow(file int, t table, use func(cells []string, at origin) error) error {
	for {
		cells, err := t.next()
		if err == io.EOF {
			im.done += t.read()
			im.state.Bytes = im.done
			return nil
		}
		at := origin{file, t.line()}
		if err == nil {
			err = use(cells, at)
		}
		if err != nil {
			reason, ok := rejection(err)
			if !ok {
				return err
			}
			if err := im.rejects.add(at, reason); err != nil {
				return err
			}
		}
		im.row++
		if im.state.Rows++; im.state.Rows%every == 0 {
			if err := im.ctx.Err(); err != nil {
				return err
			}
			im.state.Bytes = im.done + t.read()
			im.tell()
		}
	}
}

// rejection gives the reason when an error concerns one row only.
func rejection(err error) (string, bool) {
	var row *rowError
	var field *features.FieldError
	if errors.As(err, &row) || errors.As(err, &field) || errors.Is(err, ErrConflict) {
		return err.Error(), true
	}
	return "", false
}

func (im *importer) readEvents(file int, lookups map[string]*lookup) error {
	return im.eachEvent(file, lookups, func(at origin, ev *features.Event, l *labelRow) error {
		im.buffer = encodeEvent(im.buffer[:0], at, ev)
		if err := im.events.add(ev.Time, im.row, im.buffer); err != nil {
			return err
		}
		if im.times != nil {
			im.times[idHash(ev.ID)] = ev.Time
		}
		if l == nil {
			return nil
		}
		return im.addLabel(at, l, ev.Time)
	})
}

// addLabel places a label of an event of this import.
func (im *importer) addLabel(at origin, l *labelRow, eventTime int64) error {
	place, order := l.KnownAt, orderFirst
	if place <= eventTime {
		place, order = eventTime, orderAfter
	}
	return im.keepLabel(at, l, place, order)
}

func (im *importer) keepLabel(at origin, l *labelRow, place int64, order uint64) error {
	im.buffer = encodeLabel(im.buffer[:0], at, l)
	return im.labels.add(place, order|im.row, im.buffer)
}

func idHash(id string) (h [16]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(h[:], sum[:])
	return h
}

func (im *importer) readLabels(file int) (err error) {
	path := im.files[file]
	t, err := openTable(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	c, err := newLabelConverter(im.job.EventType, t, path)
	if err != nil {
		return err
	}
	return im.eachRow(file, t, func(cells []string, at origin) error {
		l, err := c.convert(cells)
		if err != nil {
			return err
		}
		eventTime, ours := im.times[idHash(l.eventID)]
		switch {
		case ours && l.KnownAt == 0:
			l.KnownAt = eventTime + im.job.EventType.Labels.Delay
			return im.addLabel(at, l, eventTime)
		case ours:
			return im.addLabel(at, l, eventTime)
		case l.KnownAt == 0:
			// Its event is in the log already or nowhere. The Appender knows the time; by known_at it counts only then.
			return im.keepLabel(at, l, math.MinInt64, orderFirst)
		}
		return im.keepLabel(at, l, l.KnownAt, orderFirst)
	})
}

// labelConverter turns the rows of one label file into labels; KnownAt 0 means that the row does not say.
type labelConverter struct {
	file                               project.LabelFile
	kinds                              map[string]project.Kind
	id, verdict, kind, reason, knownAt int
	format                             project.TimeFormat
}

func newLabelConverter(t *project.EventType, file table, path string) (*labelConverter, error) {
	m := *t.Mapping.Labels
	if len(m.Fraud)+len(m.Legitimate)+len(m.Withdrawn) == 0 {
		m.Fraud, m.Legitimate, m.Withdrawn = []string{"fraud"}, []string{"legitimate"}, []string{"withdrawn"}
	}
	b := binder{file: file, path: path}
	optional := func(s project.Source) int {
		if s.Empty() {
			return -1
		}
		return b.column(s.Column)
	}
	c := &labelConverter{file: m, kinds: t.Labels.Kinds, id: b.column(m.ID.Column), verdict: b.column(m.Verdict.Column), kind: optional(m.KindColumn), reason: optional(m.ReasonCode), knownAt: -1}
	if m.KnownAt != nil {
		var at cell
		at, c.format = b.time(*m.KnownAt)
		c.knownAt = at.column
	}
	return c, errors.Join(b.problems...)
}

func (c *labelConverter) convert(cells []string) (*labelRow, error) {
	l := &labelRow{eventID: cells[c.id], LabelStatement: LabelStatement{Kind: c.file.Kind}}
	if l.eventID == "" {
		return nil, &rowError{"id: is empty; a label names its event"}
	}
	switch text := cells[c.verdict]; {
	case slices.Contains(c.file.Fraud, text):
		l.Verdict = features.Fraud
	case slices.Contains(c.file.Legitimate, text):
		l.Verdict = features.Legitimate
	case slices.Contains(c.file.Withdrawn, text):
		l.Verdict = features.Withdrawn
	default:
		return nil, &rowError{fmt.Sprintf("verdict: %q is neither fraud %q, legitimate %q nor withdrawn %q", text, c.file.Fraud, c.file.Legitimate, c.file.Withdrawn)}
	}
	if c.kind >= 0 {
		l.Kind = cells[c.kind]
		if _, ok := c.kinds[l.Kind]; !ok {
			return nil, &rowError{fmt.Sprintf("kind: %q is not declared under labels: kinds:", l.Kind)}
		}
	}
	if c.reason >= 0 {
		l.ReasonCode = cells[c.reason]
	}
	if c.knownAt >= 0 && cells[c.knownAt] != "" {
		known, err := c.format.Parse(cells[c.knownAt])
		if err != nil {
			return nil, &rowError{"known_at: " + err.Error()}
		}
		l.KnownAt = known
	}
	return l, nil
}
