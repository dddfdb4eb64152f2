package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/haechi-fraud/haechi/features"
)

// append hands the sorted rows over, labels merged into the events by time.
func (im *importer) append(into Appender) error {
	im.state.Stage, im.state.Total = "appending", im.events.count+im.labels.count
	im.times = nil
	events, err := im.events.finish()
	if err != nil {
		return err
	}
	labels, err := im.labels.finish()
	if err != nil {
		return err
	}
	s := &im.job.EventType.Schema
	ev := features.Event{Entities: make([]string, len(s.Entities)), Attributes: make([]string, len(s.Attributes)), Numbers: make([]float64, len(s.Numbers))}
	for events.ok || labels.ok {
		if labelFirst(events, labels) {
			err = im.appendLabel(into, labels)
		} else {
			err = im.appendEvent(into, events, &ev)
		}
		if err != nil {
			return err
		}
		if im.state.Appended++; im.state.Appended%every == 0 {
			if err := im.ctx.Err(); err != nil {
				return err
			}
			im.tell()
		}
	}
	im.tell()
	if err := into.Flush(im.ctx); err != nil {
		return fmt.Errorf("make it durable (what is not will be added when you repeat the import): %w", err)
	}
	return nil
}

// labelFirst says whether the label in hand comes before the event in hand.
func labelFirst(events, labels *sorted) bool {
	switch {
	case !labels.ok:
		return false
	case !events.ok:
		return true
	case labels.head.time != events.head.time:
		return labels.head.time < events.head.time
	}
	return labels.head.order < orderAfter
}

func (im *importer) appendEvent(into Appender, from *sorted, ev *features.Event) error {
	at := decodeEvent(from.bytes, from.head.time, ev)
	if err := from.advance(); err != nil {
		return err
	}
	name := im.job.EventType.Name
	added, err := into.AppendEvent(im.ctx, name, ev)
	switch {
	case errors.Is(err, ErrTooOld):
		return im.tooOld(at, ev, err)
	case err != nil:
		return im.rowFailed(at, err)
	}
	im.count(added, &im.outcome.Events, &im.outcome.EventsKnown)
	if im.outcome.Events+im.outcome.EventsKnown == 1 {
		im.outcome.From = ev.Time
	}
	im.outcome.To = ev.Time
	return nil
}

func (im *importer) appendLabel(into Appender, from *sorted) error {
	l := labelRow{LabelStatement: LabelStatement{Source: im.job.Source}}
	at := decodeLabel(from.bytes, &l)
	if err := from.advance(); err != nil {
		return err
	}
	added, err := into.AppendLabel(im.ctx, im.job.EventType.Name, l.eventID, l.LabelStatement)
	if err != nil {
		return im.rowFailed(at, err)
	}
	im.count(added, &im.outcome.Labels, &im.outcome.LabelsKnown)
	return nil
}

func (im *importer) count(added bool, fresh, known *int64) {
	if added {
		*fresh++
	} else {
		*known++
	}
}

// rowFailed rejects the row when the error is about it, else ends the import.
func (im *importer) rowFailed(at origin, err error) error {
	reason, ok := rejection(err)
	if !ok {
		return fmt.Errorf("%s:%d: %w", im.files[at.file], at.line, err)
	}
	return im.rejects.add(at, reason)
}

// tooOld says what to do about history that lies behind the log.
func (im *importer) tooOld(at origin, ev *features.Event, err error) error {
	name := im.job.EventType.Name
	return fmt.Errorf("%s:%d: event %s/%s of %s cannot be put behind what the log holds: %w; history goes in before newer events: "+
		"stop the server, move the project's data folder away and import all of it into a new log with one command: haechi import DIR --event-type %s --events OLD_FILES NEW_FILES",
		im.files[at.file], at.line, name, ev.ID, time.UnixMicro(ev.Time).UTC().Format(time.RFC3339), err, name)
}
