package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// scanned is what reading a whole segment has shown.
type scanned struct {
	seg     *segment
	head    *header
	last    uint64 // sequence of its last record; first-1 when it has none
	size    int64  // of the file
	synced  int64  // everything before this offset was synced before what follows was written
	marked  bool   // its last frame is a mark
	garbage int64  // bytes of a torn tail behind its end
	types   []*logv1.EventType
	trusted *idIndex // it was not read, its index tells
	err     error
}

// segmentFiles lists the segments in dir, oldest first.
func segmentFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the event log: %w", err)
	}
	var paths []string
	for _, e := range entries {
		name, isSegment := strings.CutSuffix(strings.TrimSuffix(e.Name(), packedSuffix), segmentSuffix)
		if _, err := strconv.ParseUint(name, 10, 64); isSegment && err == nil && len(name) == 20 {
			path := filepath.Join(dir, e.Name())
			if n := len(paths); n > 0 && path == paths[n-1]+packedSuffix {
				paths[n-1] = path // a segment was packed and its first form is still there
				continue
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// inspector looks at each record while a log is scanned; nil: nobody does.
type inspector func(s *scanned, sequence uint64, payload []byte) error

// scanning says how a log is scanned.
type scanning struct {
	look     inspector // nil: segments with an index are not read
	live     bool      // another process writes: what stands behind the last good frame of the log is not judged
	progress func(done, total int)
}

// scanAll reads all segments, several at a time, and holds them against each other. The error of each stands in it.
func scanAll(paths []string, how scanning) []*scanned {
	all := make([]*scanned, len(paths))
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, path := range paths {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i] = scan(path, i == len(paths)-1, how)
			if how.progress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				how.progress(done, len(paths))
			}
		})
	}
	wg.Wait()
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.err == nil && b.err == nil {
			b.err = follows(a, b)
		}
	}
	return all
}

// follows says why b cannot be the segment after a.
func follows(a, b *scanned) error {
	corrupt := func(offset int64, format string, args ...any) error {
		return &CorruptError{File: b.seg.path, Offset: offset, Problem: fmt.Sprintf(format, args...)}
	}
	if a.head.id != b.head.id {
		return corrupt(16, "it belongs to another log: %x, not %x", b.head.id, a.head.id)
	}
	if b.head.first != a.last+1 {
		return corrupt(32, "it begins with record %d, the segment before it ends with %d", b.head.first, a.last)
	}
	if a.trusted != nil && len(b.head.types) == a.trusted.types {
		a.types = b.head.types
	}
	same := func(x, y *logv1.EventType) bool { return bytes.Equal(x.GetHash(), y.GetHash()) }
	if !slices.EqualFunc(a.types, b.head.types, same) {
		return corrupt(40, "its header states other event types than the records before it")
	}
	return nil
}

// scan reads one segment. Only in the last one may the records end before the file does.
func scan(path string, last bool, how scanning) *scanned {
	s := &scanned{seg: &segment{path: path}}
	f, size, err := openSource(path)
	if errors.Is(err, os.ErrNotExist) && !isPacked(path) { // another process has just packed it
		s.seg.path += packedSuffix
		f, size, err = openSource(s.seg.path)
	}
	if err != nil {
		s.err = fmt.Errorf("scan the event log: %w", err)
		return s
	}
	defer func() { _ = f.Close() }()
	s.size = size
	s.err = s.read(f, last, how)
	return s
}

func (s *scanned) read(f io.ReaderAt, last bool, how scanning) (err error) {
	path := s.seg.path
	if s.head, err = readHeader(f, s.size); err != nil {
		var failed *os.PathError
		if errors.Is(err, ErrVersion) || errors.As(err, &failed) {
			return fmt.Errorf("%s: %w", path, err)
		}
		return &CorruptError{File: path, Problem: err.Error()}
	}
	s.seg, s.types = newSegment(path, s.head), s.head.types
	if name := segmentName(s.head.first); name != strings.TrimSuffix(filepath.Base(path), packedSuffix) {
		return &CorruptError{File: path, Offset: 32, Problem: "by its header it should be called " + name}
	}
	if how.look == nil && !last && s.trust() {
		return nil
	}
	cur := newCursor(f, seedOf(s.head.id), s.head.first, s.head.size)
	s.synced = s.head.size
	err = s.frames(cur, how.look)
	s.last = cur.want - 1
	s.seg.end.Store(cur.at)
	if err == io.EOF {
		return nil
	}
	if last && how.live { // whatever stands there is being written, cut or packed
		return nil
	}
	var bad *badFrame
	if !last || err != errZeros && !errors.As(err, &bad) { //nolint:errorlint // next returns it itself
		return s.seg.corrupt(err)
	}
	return s.tail(f, err)
}

// trust spares reading a sealed segment whose index was made from it.
func (s *scanned) trust() bool {
	x, log, err := openIndex(indexPath(s.seg.path))
	if err != nil {
		return false // it is made again
	}
	if log != s.head.id || x.first != s.head.first || x.end != s.size || x.types < len(s.types) {
		_ = x.file.Close()
		return false
	}
	s.trusted, s.last = x, x.last
	s.seg.end.Store(s.size)
	s.seg.adopt(x)
	return true
}

// frames walks over all good frames.
func (s *scanned) frames(cur *cursor, look inspector) error {
	for {
		f, err := cur.next(s.size)
		if err != nil {
			return err
		}
		if f.durable {
			s.synced = f.offset
		}
		if s.marked = len(f.payload) == 0; s.marked {
			continue
		}
		s.seg.note(f.sequence, f.offset)
		if f.payload[0] == tagEventType {
			if err := s.state(f); err != nil {
				return err
			}
		}
		if look != nil {
			if err := look(s, f.sequence, f.payload); err != nil {
				return s.unreadable(f, err.Error())
			}
		}
	}
}

// unreadable is about a frame whose checksum is right: it is no torn tail, wherever it stands.
func (s *scanned) unreadable(f frame, problem string) error {
	return &CorruptError{File: s.seg.path, Offset: f.offset, Problem: problem}
}

func (s *scanned) state(f frame) error {
	rec, err := unmarshal(f.sequence, f.payload)
	if err != nil {
		return s.unreadable(f, err.Error())
	}
	if t := rec.GetEventType(); t == nil || int(t.GetIndex()) != len(s.types)+1 {
		return s.unreadable(f, fmt.Sprintf("record %d states event type %d after %d others", f.sequence, t.GetIndex(), len(s.types)))
	}
	s.types = append(s.types[:len(s.types):len(s.types)], rec.GetEventType())
	return nil
}

// tail judges what stands behind the last good frame of the last segment.
func (s *scanned) tail(f io.ReaderAt, end error) error {
	from := s.seg.end.Load()
	a, err := inspect(f, seedOf(s.head.id), s.last+1, from, s.size)
	if err != nil {
		return fmt.Errorf("scan %s: %w", s.seg.path, err)
	}
	if a.witness > 0 {
		return &CorruptError{File: s.seg.path, Offset: from, Problem: fmt.Sprintf("%v; that it was written in full is said at offset %d", end, a.witness)}
	}
	s.garbage = a.garbage
	return nil
}

// adopt makes the segments readable.
func (c *catalog) adopt(all []*scanned) {
	segments := make([]*segment, len(all))
	for i, s := range all {
		segments[i] = s.seg
	}
	last := all[len(all)-1]
	c.id, c.seed = last.head.id, seedOf(last.head.id)
	c.segments.Store(&segments)
	c.types.Store(&last.types)
	c.durable.Store(last.last)
}

func firstError(all []*scanned) error {
	for _, s := range all {
		if s.err != nil {
			return s.err
		}
	}
	return nil
}
