package ingest

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// key places a record: by time, then by order. The payload lies at offset of the arena's chunk.
type key struct {
	time   int64
	order  uint64
	chunk  uint32
	offset uint32
	length uint32
}

func (k key) compare(o key) int {
	if c := cmp.Compare(k.time, o.time); c != 0 {
		return c
	}
	return cmp.Compare(k.order, o.order)
}

const chunkBytes = 1 << 20

// sorter sorts records of bytes within a bound of memory: what is beyond it goes as sorted runs to files in dir, which
// are gone after close.
type sorter struct {
	dir    string
	limit  int // bytes held in memory
	keys   []key
	chunks [][]byte
	runs   []*run
	count  int64
}

func newSorter(dir string, limit int) *sorter { return &sorter{dir: dir, limit: limit} }

// add takes a copy of payload.
func (s *sorter) add(time int64, order uint64, payload []byte) error {
	last := len(s.chunks) - 1
	if last < 0 || len(s.chunks[last])+len(payload) > cap(s.chunks[last]) {
		if (len(s.chunks)+1)*chunkBytes+len(s.keys)*32 > s.limit && len(s.keys) > 0 {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.chunks = append(s.chunks, make([]byte, 0, max(chunkBytes, len(payload))))
		last = len(s.chunks) - 1
	}
	offset := len(s.chunks[last])
	s.chunks[last] = append(s.chunks[last], payload...)
	s.keys = append(s.keys, key{time, order, uint32(last), uint32(offset), uint32(len(payload))})
	s.count++
	return nil
}

func (s *sorter) payload(k key) []byte { return s.chunks[k.chunk][k.offset : k.offset+k.length] }

// spill writes what is in memory as one run.
func (s *sorter) spill() error {
	slices.SortFunc(s.keys, key.compare)
	file, err := os.CreateTemp(s.dir, "haechi-import-*.run")
	if err != nil {
		return fmt.Errorf("sort: make a temporary file: %w", err)
	}
	s.runs = append(s.runs, &run{file: file})
	if err := os.Remove(file.Name()); err != nil { // it lives on until it is closed
		return fmt.Errorf("sort: %w", err)
	}
	w := bufio.NewWriterSize(file, 1<<18)
	var head [20]byte
	for _, k := range s.keys {
		binary.LittleEndian.PutUint64(head[0:], uint64(k.time))
		binary.LittleEndian.PutUint64(head[8:], k.order)
		binary.LittleEndian.PutUint32(head[16:], k.length)
		_, _ = w.Write(head[:]) // the writer keeps its first error for Flush
		_, _ = w.Write(s.payload(k))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort: write a temporary file in %s: %w", s.dir, err)
	}
	s.keys, s.chunks = s.keys[:0], nil
	return nil
}

// run is a sorted file with its first record in hand.
type run struct {
	file   *os.File
	reader *bufio.Reader
	key    key
	bytes  []byte
	done   bool
}

func (r *run) advance() error {
	var head [20]byte
	if _, err := io.ReadFull(r.reader, head[:]); err != nil {
		r.done = true
		if err == io.EOF {
			return nil
		}
		return fmt.Errorf("sort: read back a temporary file: %w", err)
	}
	r.key.time = int64(binary.LittleEndian.Uint64(head[0:]))
	r.key.order = binary.LittleEndian.Uint64(head[8:])
	r.key.length = binary.LittleEndian.Uint32(head[16:])
	r.bytes = slices.Grow(r.bytes[:0], int(r.key.length))[:r.key.length]
	if _, err := io.ReadFull(r.reader, r.bytes); err != nil {
		return fmt.Errorf("sort: read back a temporary file: %w", err)
	}
	return nil
}

// sorted walks over a sorter's records in order.
type sorted struct {
	s    *sorter
	next int // in memory
	// head is the record in hand; ok is false at the end.
	head  key
	bytes []byte
	ok    bool
	from  *run // head is from this run; nil: from memory
}

// finish sorts and gives a walk that stands on the first record. Nothing may be added afterwards.
func (s *sorter) finish() (*sorted, error) {
	slices.SortFunc(s.keys, key.compare)
	for _, r := range s.runs {
		if _, err := r.file.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("sort: %w", err)
		}
		r.reader = bufio.NewReaderSize(r.file, 1<<17)
		if err := r.advance(); err != nil {
			return nil, err
		}
	}
	w := &sorted{s: s}
	w.pick()
	return w, nil
}

// advance moves to the next record; bytes of the last one are gone.
func (w *sorted) advance() error {
	if w.from == nil {
		w.next++
	} else if err := w.from.advance(); err != nil {
		return err
	}
	w.pick()
	return nil
}

// pick takes the smallest of the heads in hand; there are few runs.
func (w *sorted) pick() {
	w.ok, w.from = false, nil
	if w.next < len(w.s.keys) {
		w.head, w.ok = w.s.keys[w.next], true
		w.bytes = w.s.payload(w.head)
	}
	for _, r := range w.s.runs {
		if !r.done && (!w.ok || r.key.compare(w.head) < 0) {
			w.head, w.bytes, w.ok, w.from = r.key, r.bytes, true, r
		}
	}
}

func (s *sorter) close() error {
	var err error
	for _, r := range s.runs {
		err = errors.Join(err, r.file.Close())
	}
	s.keys, s.chunks, s.runs = nil, nil, nil
	return err
}
