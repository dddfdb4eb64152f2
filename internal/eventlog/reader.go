package eventlog

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Reader reads durable records in order, in large reads, checking every checksum. It is for one goroutine; any number
// of readers may run beside the writer.
type Reader struct {
	c    *catalog
	from uint64 // records before it are skipped
	seg  *segment
	file source
	cur  *cursor
	dec  Decoder
}

// Read returns a reader whose first record is from, or the first one there is when from is 0. From may be the next
// record to come. Close it after use.
func (c *catalog) Read(from uint64) (*Reader, error) {
	if from == 0 {
		from = c.First()
	}
	s, _ := c.holding(from)
	if s == nil {
		return nil, fmt.Errorf("%w: %d, the log begins at %d", ErrNotFound, from, c.First())
	}
	if last := c.Durable(); from > last+1 {
		return nil, fmt.Errorf("%w: %d, the log ends at %d", ErrNotFound, from, last)
	}
	r := &Reader{c: c, from: from}
	want, at := s.near(from)
	if err := r.open(s, want, at); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) open(s *segment, want uint64, at int64) error {
	f, err := s.source()
	if err != nil {
		return fmt.Errorf("read the event log: %w", err)
	}
	_ = r.Close()
	r.seg, r.file = s, f
	if r.cur == nil {
		r.cur = newCursor(f, r.c.seed, want, at)
	} else {
		r.cur.move(f, want, at)
	}
	return nil
}

// Next returns the next record. The record is valid until the next call: its messages and slices are used again, its
// strings are not. At the durable position it returns io.EOF; called again later it goes on with what has become
// durable since.
func (r *Reader) Next() (uint64, *logv1.Record, error) {
	sequence, payload, err := r.NextRaw()
	if err != nil {
		return 0, nil, err
	}
	rec, err := r.dec.Decode(payload)
	if err != nil {
		return 0, nil, fmt.Errorf("decode record %d: %w", sequence, err)
	}
	return sequence, rec, nil
}

// NextRaw is Next without decoding: the encoded Record, valid until the next call.
func (r *Reader) NextRaw() (uint64, []byte, error) {
	for {
		f, err := r.cur.nextIn(r.seg)
		if err == io.EOF {
			if err := r.follow(); err != nil {
				return 0, nil, err
			}
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		if len(f.payload) > 0 && f.sequence >= r.from {
			return f.sequence, f.payload, nil
		}
	}
}

// follow moves on to the next segment, or returns io.EOF when there is nothing more.
func (r *Reader) follow() error {
	segments := *r.c.segments.Load()
	i, _ := slices.BinarySearchFunc(segments, r.seg.first+1, func(s *segment, n uint64) int { return cmp.Compare(s.first, n) })
	// The order matters: once there is a next segment, the end of this one no longer moves.
	if r.cur.at < r.seg.end.Load() {
		return nil
	}
	if i >= len(segments) {
		return io.EOF
	}
	if next := segments[i]; next.first != r.cur.want {
		return fmt.Errorf("%w: %d, the log begins at %d now", ErrNotFound, r.cur.want, next.first)
	}
	return r.open(segments[i], segments[i].first, segments[i].start)
}

// Close lets go of the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
