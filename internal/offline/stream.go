package offline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// chunkBytes is how much of a stream is written or let go at once.
const chunkBytes = 64 << 10

// pool is memory of chunks that nobody uses now: what rows took, values take again.
type pool struct {
	mu   sync.Mutex
	free [][]byte
}

// get gives an empty chunk.
func (p *pool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return make([]byte, 0, chunkBytes)
}

func (p *pool) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(b) == chunkBytes {
		p.free = append(p.free, b[:0])
	}
}

// store holds the streams of one stage, in memory up to a limit and beyond it in one temporary file.
type store struct {
	dir   string
	limit int64
	pool  *pool

	mu   sync.Mutex
	held int64 // bytes of full chunks in memory
	file *os.File
	size int64 // of the file
}

func newStore(dir string, limit int64, p *pool) *store {
	return &store{dir: dir, limit: limit, pool: p}
}

// chunk is a stretch of a stream: in memory, or in the file at offset.
type chunk struct {
	bytes  []byte
	offset int64
	length int
}

// release takes a chunk's memory back.
func (s *store) release(b []byte, held bool) {
	if held {
		s.mu.Lock()
		s.held -= int64(len(b))
		s.mu.Unlock()
	}
	s.pool.put(b)
}

// keep puts a full chunk away.
func (s *store) keep(b []byte) (chunk, error) {
	s.mu.Lock()
	if s.held+int64(len(b)) <= s.limit {
		s.held += int64(len(b))
		s.mu.Unlock()
		return chunk{bytes: b, length: len(b)}, nil
	}
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "haechi-offline-*")
		if err == nil {
			err = os.Remove(file.Name()) // it lives on until it is closed
		}
		if err != nil {
			s.mu.Unlock()
			return chunk{}, fmt.Errorf("make a temporary file: %w", err)
		}
		s.file = file
	}
	c := chunk{offset: s.size, length: len(b)}
	s.size += int64(len(b))
	s.mu.Unlock()
	if _, err := s.file.WriteAt(b, c.offset); err != nil {
		return chunk{}, fmt.Errorf("write a temporary file in %s: %w", s.dir, err)
	}
	s.release(b, false)
	return c, nil
}

func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// stream is a sequence of records, written to its end and then read once. A record lies in one chunk.
type stream struct {
	store  *store
	chunks []chunk
	tail   []byte
}

// room makes sure that a record of n bytes can be appended to tail.
func (s *stream) room(n int) error {
	if len(s.tail)+n <= cap(s.tail) {
		return nil
	}
	if err := s.seal(); err != nil {
		return err
	}
	s.tail = s.store.pool.get()
	if n > cap(s.tail) {
		s.tail = make([]byte, 0, n)
	}
	return nil
}

// seal ends the chunk in hand.
func (s *stream) seal() error {
	if len(s.tail) == 0 {
		return nil
	}
	c, err := s.store.keep(s.tail)
	s.chunks, s.tail = append(s.chunks, c), nil
	return err
}

// reader reads a stream and lets go of what it has read.
type reader struct {
	stream *stream
	next   int
	at     []byte // unread bytes of the chunk in hand
	whole  []byte
	held   bool
}

var errShort = errors.New("a temporary file ends before its last record")

// more puts the next chunk in hand; io.EOF after the last.
func (r *reader) more() error {
	s := r.stream.store
	if r.whole != nil {
		s.release(r.whole, r.held)
		r.whole, r.at = nil, nil
	}
	if r.next == len(r.stream.chunks) {
		return io.EOF
	}
	c := &r.stream.chunks[r.next]
	r.next++
	if c.bytes != nil {
		r.whole, r.held, c.bytes = c.bytes, true, nil
	} else {
		b := s.pool.get()
		if c.length > cap(b) {
			b = make([]byte, 0, c.length)
		}
		b = b[:c.length]
		if n, err := s.file.ReadAt(b, c.offset); n < len(b) {
			return fmt.Errorf("read back a temporary file: %w", err)
		}
		r.whole, r.held = b, false
	}
	r.at = r.whole
	return nil
}

// take gives the next n bytes, valid until the next call.
func (r *reader) take(n int) ([]byte, error) {
	if len(r.at) == 0 {
		if err := r.more(); err != nil {
			return nil, err
		}
	}
	if len(r.at) < n {
		return nil, errShort
	}
	b := r.at[:n]
	r.at = r.at[n:]
	return b, nil
}

// peek gives a sealed chunk and leaves it where it is.
func (s *stream) peek(i int) ([]byte, error) {
	c := &s.chunks[i]
	if c.bytes != nil {
		return c.bytes, nil
	}
	b := make([]byte, c.length)
	if n, err := s.store.file.ReadAt(b, c.offset); n < len(b) {
		return nil, fmt.Errorf("read back a temporary file: %w", err)
	}
	return b, nil
}
