package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Report is what a log folder holds.
type Report struct {
	LogID     string          `json:"log_id"`
	First     uint64          `json:"first"` // sequences of the oldest and the newest record
	Last      uint64          `json:"last"`
	Records   uint64          `json:"records"`
	Bytes     int64           `json:"bytes"`      // of good frames and headers
	DiskBytes int64           `json:"disk_bytes"` // that the files take, indexes too
	TornBytes int64           `json:"torn_bytes"` // of a torn tail, which the next Open will cut
	Closed    bool            `json:"closed"`     // the log was closed in order
	Segments  []SegmentReport `json:"segments"`
}

// SegmentReport is what is known of one file.
type SegmentReport struct {
	File       string `json:"file"`
	First      uint64 `json:"first"`
	Last       uint64 `json:"last"`
	Records    uint64 `json:"records"`
	Bytes      int64  `json:"bytes"`
	DiskBytes  int64  `json:"disk_bytes"` // with its index
	Packed     bool   `json:"packed"`
	Indexed    bool   `json:"indexed"`
	Latest     int64  `json:"latest_event_time,omitempty"` // microseconds since the Unix epoch; 0 where no index says it
	EventTypes int    `json:"event_types"`                 // stated up to its end
	Err        error  `json:"-"`                           // nil: in order
}

// Look says how closely Inspect looks.
type Look struct {
	// Full reads every frame, sees that each record can be decoded and refers to a stated event type, and that each index is
	// what its segment gives. Otherwise segments with an index are not read.
	Full bool
	// Live is for a log that another process writes, packs and drops segments of: what stands behind the last good frame is
	// not judged, nor is what goes away meanwhile.
	Live bool
	// Progress is told segments done and segments there are; it may be nil.
	Progress func(done, total int)
}

// Verify inspects the whole log in dir, which no process may have open for writing.
func Verify(dir string) (Report, error) { return Inspect(dir, Look{Full: true}) }

// Inspect looks at all files of the log in dir, also behind a bad one; the error joins what it found.
func Inspect(dir string, how Look) (Report, error) {
	paths, err := segmentFiles(dir)
	if err != nil {
		return Report{}, err
	}
	if len(paths) == 0 {
		return Report{}, fmt.Errorf("no event log in %s: %w", dir, os.ErrNotExist)
	}
	var look inspector
	if how.Full {
		look = decodable
	}
	all := scanAll(paths, scanning{look: look, live: how.Live, progress: how.Progress})
	if how.Live { // the oldest may be dropped meanwhile
		for len(all) > 1 && errors.Is(all[0].err, os.ErrNotExist) {
			all = all[1:]
		}
	}
	var r Report
	var errs []error
	for i, s := range all {
		seg := s.report(how.Full && i < len(all)-1)
		if how.Live && errors.Is(seg.Err, os.ErrNotExist) { // its file has gone since it was read
			seg.Err = nil
		}
		if s.head != nil {
			r.LogID = fmt.Sprintf("%x", s.head.id)
		}
		if i == 0 {
			r.First = seg.First
		}
		r.Last, r.Records, r.Bytes = max(r.Last, seg.Last), r.Records+seg.Records, r.Bytes+seg.Bytes
		r.DiskBytes += seg.DiskBytes
		r.TornBytes, r.Closed = s.garbage, s.marked && s.garbage == 0 && s.err == nil
		r.Segments = append(r.Segments, seg)
		errs = append(errs, seg.Err)
	}
	return r, errors.Join(errs...)
}

func (s *scanned) report(checkIndex bool) SegmentReport {
	path := s.seg.name()
	seg := SegmentReport{File: path, Err: s.err, Bytes: s.seg.end.Load(), EventTypes: len(s.types), Packed: isPacked(path)}
	for _, name := range []string{path, indexPath(path)} {
		if info, err := os.Stat(name); err == nil {
			seg.DiskBytes += info.Size()
		}
	}
	if s.head == nil {
		return seg
	}
	seg.First, seg.Last = s.head.first, s.last
	if s.last >= s.head.first {
		seg.Records = s.last - s.head.first + 1
	}
	x, _, err := openIndex(indexPath(path))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			seg.Err = errors.Join(seg.Err, fmt.Errorf("%w: delete it, it is made again", err))
		}
		return seg
	}
	defer func() { _ = x.file.Close() }()
	seg.Indexed = true
	if x.latest != noEvent {
		seg.Latest = x.latest
	}
	if checkIndex && seg.Err == nil {
		seg.Err = s.checkIndex(x.path)
	}
	return seg
}

// checkIndex holds an index file against what its segment gives.
func (s *scanned) checkIndex(path string) error {
	c := &catalog{id: s.head.id, seed: seedOf(s.head.id)}
	c.types.Store(&s.types)
	want, err := c.read(s.seg, s.last, func() {})
	if err != nil {
		return err
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	if !bytes.Equal(want.encode(), got) {
		return &CorruptError{File: path, Problem: "it is not what its segment gives; delete it, it is made again"}
	}
	return nil
}

// decodable is the inspector of a full look.
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
