package eventlog

import (
	"errors"
	"fmt"
	"os"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// View is a log that nobody writes, for reading. It changes nothing on disk: a torn tail is ignored.
type View struct {
	catalog
	torn int64
}

// OpenReader reads the log in dir, which no process may have open for writing. os.ErrNotExist when there is none.
func OpenReader(dir string) (*View, error) {
	paths, err := segmentFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no event log in %s: %w", dir, os.ErrNotExist)
	}
	all := scanAll(paths, nil)
	if err := firstError(all); err != nil {
		return nil, err
	}
	v := &View{torn: all[len(all)-1].garbage}
	v.adopt(all)
	return v, nil
}

// Last is the sequence of the last record, 0 in an empty log.
func (v *View) Last() uint64 { return v.Durable() }

// Get returns the record of that sequence. ErrNotFound when there is none.
func (v *View) Get(sequence uint64) (*logv1.Record, error) { return v.get(sequence) }

// Stat tells what the log holds.
func (v *View) Stat() Stat {
	st := v.stat()
	st.TornBytes = v.torn
	return st
}

// Report is what Verify found.
type Report struct {
	LogID     string
	First     uint64
	Last      uint64
	Records   uint64
	Bytes     int64 // of good frames and headers
	TornBytes int64 // of a torn tail, which the next Open will cut
	Closed    bool  // the log was closed in order
	Segments  []SegmentReport
}

// SegmentReport is what Verify found in one file.
type SegmentReport struct {
	File       string
	First      uint64
	Last       uint64
	Records    uint64
	Bytes      int64
	EventTypes int   // stated up to its end
	Err        error // nil: in order
}

// Verify reads the whole log in dir, which no process may have open for writing, and checks every frame, that each
// record can be decoded and that it refers to a stated event type. It looks at all files, also behind a bad one; the
// error joins what it found.
func Verify(dir string) (Report, error) {
	paths, err := segmentFiles(dir)
	if err != nil {
		return Report{}, err
	}
	if len(paths) == 0 {
		return Report{}, fmt.Errorf("no event log in %s: %w", dir, os.ErrNotExist)
	}
	var r Report
	var errs []error
	for i, s := range scanAll(paths, decodable) {
		seg := SegmentReport{File: s.seg.path, Err: s.err, Bytes: s.seg.end.Load(), EventTypes: len(s.types)}
		if s.head != nil {
			seg.First, seg.Last = s.head.first, s.last
			if s.last >= s.head.first {
				seg.Records = s.last - s.head.first + 1
			}
			r.LogID = fmt.Sprintf("%x", s.head.id)
		}
		if i == 0 {
			r.First = seg.First
		}
		r.Last, r.Records, r.Bytes = max(r.Last, seg.Last), r.Records+seg.Records, r.Bytes+seg.Bytes
		r.TornBytes, r.Closed = s.garbage, s.marked && s.garbage == 0 && s.err == nil
		r.Segments = append(r.Segments, seg)
		errs = append(errs, s.err)
	}
	return r, errors.Join(errs...)
}

// decodable is the inspector of Verify.
func decodable(s *scanned, sequence uint64, payload []byte) error {
	rec, err := unmarshal(sequence, payload)
	if err != nil {
		return err
	}
	var index uint32
	switch body := rec.GetBody().(type) {
	case *logv1.Record_Event:
		index = body.Event.GetEventType()
	case *logv1.Record_Decision:
		index = body.Decision.GetEventType()
	case *logv1.Record_Label:
		index = body.Label.GetEventType()
	case *logv1.Record_Revision:
		index = body.Revision.GetEventType()
	case *logv1.Record_EventType:
		index = body.EventType.GetIndex()
	default:
		return fmt.Errorf("record %d has no body that this program knows", sequence)
	}
	if index == 0 || int(index) > len(s.types) {
		return fmt.Errorf("record %d refers to event type %d, which was not stated", sequence, index)
	}
	return nil
}
