package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// indexEvery is how far apart the entries of the open segment's index are, in bytes of the file: a look-up reads about half
// of it.
const indexEvery = 1 << 10

// entry says where a record is: both numbers count from the segment's first.
type entry struct{ record, offset uint32 }

// segment is one file. What is before end is durable and never changes.
type segment struct {
	path  string
	first uint64
	start int64 // offset of the first frame
	end   atomic.Int64

	ids   atomic.Pointer[idIndex] // of a sealed segment, once it was made
	mu    sync.Mutex              // guards path, index and file
	index []entry                 // in order; the first frame is not in it
	file  source                  // kept open for Get once it was needed, nil before and after
}

func newSegment(path string, h *header) *segment {
	s := &segment{path: path, first: h.first, start: h.size}
	s.end.Store(h.size)
	return s
}

// note adds the record at offset to the index unless an entry near by will do.
func (s *segment) note(sequence uint64, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := uint32(0)
	if n := len(s.index); n > 0 {
		last = s.index[n-1].offset
	}
	ahead := uint32(offset - s.start)
	if ahead-last >= indexEvery {
		s.index = append(s.index, entry{uint32(sequence - s.first), ahead})
	}
}

// near returns a record at or before sequence, and its offset.
func (s *segment) near(sequence uint64) (uint64, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.index, sequence-s.first, func(e entry, n uint64) int {
		return int(int64(e.record) - int64(n))
	})
	if !found {
		i--
	}
	if i < 0 {
		return s.first, s.start
	}
	return s.first + uint64(s.index[i].record), s.start + int64(s.index[i].offset)
}

// catalog is what can be read of a log: the segments up to the durable position and the event types.
type catalog struct {
	id       [16]byte
	seed     uint32
	segments atomic.Pointer[[]*segment] // at least one; replaced, never changed
	types    atomic.Pointer[[]*logv1.EventType]
	durable  atomic.Uint64
	keep     atomic.Bool // Get keeps files open; only a Log does, which is closed
}

// ID names the log: 32 hex digits, random, the same for ever.
func (c *catalog) ID() string { return fmt.Sprintf("%x", c.id) }

// Durable is the sequence up to which every record is on disk, 0 in an empty log.
func (c *catalog) Durable() uint64 { return c.durable.Load() }

// First is the sequence of the oldest record held, or of the first to come.
func (c *catalog) First() uint64 { return (*c.segments.Load())[0].first }

// EventTypes returns the stated event types in order of their index. They are shared: do not change them.
func (c *catalog) EventTypes() []*logv1.EventType { return slices.Clone(*c.types.Load()) }

// EventType returns the event type to which records refer by index. It is shared: do not change it.
func (c *catalog) EventType(index uint32) (*logv1.EventType, bool) {
	types := *c.types.Load()
	if index == 0 || int(index) > len(types) {
		return nil, false
	}
	return types[index-1], true
}

// holding returns the segment that holds the sequence, or would, and its place among the segments; nil below the first.
func (c *catalog) holding(sequence uint64) (*segment, int) {
	segments := *c.segments.Load()
	i, found := slices.BinarySearchFunc(segments, sequence, func(s *segment, n uint64) int {
		switch {
		case s.first < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return nil, 0
	}
	return segments[i], i
}

func (c *catalog) get(sequence uint64) (*logv1.Record, error) {
	if sequence == 0 || sequence > c.Durable() {
		return nil, fmt.Errorf("%w: %d, the log ends at %d", ErrNotFound, sequence, c.Durable())
	}
	s, _ := c.holding(sequence)
	if s == nil {
		return nil, fmt.Errorf("%w: %d, the log begins at %d", ErrNotFound, sequence, c.First())
	}
	f, release, err := s.open(c.keep.Load())
	if err != nil {
		return nil, fmt.Errorf("get record %d: %w", sequence, err)
	}
	defer release()
	payload, err := s.find(f, c.seed, sequence)
	if errors.Is(err, os.ErrClosed) {
		return nil, fmt.Errorf("get record %d: %w", sequence, ErrClosed)
	}
	if err != nil {
		return nil, err
	}
	return unmarshal(sequence, payload)
}

// open gives the segment's file: one that stays open until closeFiles, or with keep false one that release closes.
func (s *segment) open(keep bool) (f source, release func(), err error) {
	if !keep {
		if f, err = s.source(); err != nil {
			return nil, nil, err
		}
		return f, func() { _ = f.Close() }, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if s.file, _, err = openSource(s.path); err != nil {
			return nil, nil, err
		}
	}
	return s.file, func() {}, nil
}

// source opens the segment's file for the caller alone.
func (s *segment) source() (source, error) {
	s.mu.Lock() // the file may be packed meanwhile, and goes by another name then
	defer s.mu.Unlock()
	f, _, err := openSource(s.path)
	return f, err
}

// moved has the segment read from a file of the same bytes.
func (s *segment) moved(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path, s.file = path, nil // whoever reads from the old one goes on with it; it is closed with the last reference
}

func (s *segment) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.path
}

// closeFiles closes what Get kept open.
func (c *catalog) closeFiles() error {
	c.keep.Store(false)
	var errs []error
	for _, s := range *c.segments.Load() {
		s.mu.Lock()
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
		if x := s.ids.Load(); x != nil {
			errs = append(errs, x.file.Close())
		}
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// find walks from the nearest entry of the index to the record.
func (s *segment) find(src io.ReaderAt, seed uint32, sequence uint64) ([]byte, error) {
	want, at := s.near(sequence)
	cur := newCursor(src, seed, want, at)
	cur.chunk = indexEvery
	for {
		f, err := cur.nextIn(s)
		if err != nil {
			return nil, err
		}
		if f.sequence == sequence && len(f.payload) > 0 {
			return f.payload, nil
		}
	}
}

// nextIn is next within the durable part of s, where a bad frame is corruption.
func (c *cursor) nextIn(s *segment) (frame, error) {
	f, err := c.next(s.end.Load())
	if err == nil || err == io.EOF {
		return f, err
	}
	return f, s.corrupt(err)
}

// corrupt makes an error of reading s speak of the file.
func (s *segment) corrupt(err error) error {
	switch e := err.(type) { //nolint:errorlint // next returns these themselves
	case *badFrame:
		return &CorruptError{File: s.name(), Offset: e.offset, Problem: e.problem}
	case *CorruptError:
		return e
	default:
		if err == errZeros { //nolint:errorlint // as above
			return &CorruptError{File: s.name(), Offset: s.end.Load(), Problem: "the records end before the segment does"}
		}
		return fmt.Errorf("read %s: %w", s.name(), err)
	}
}
