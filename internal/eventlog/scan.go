package eventlog

import (
	"fmt"
	"hash/crc32"
	"io"
)

const readChunk = 512 << 10

// frame is one frame of a file; payload is valid until the cursor moves on, and empty in a mark.
type frame struct {
	sequence uint64
	offset   int64
	durable  bool
	payload  []byte
}

// badFrame is a frame that is not what was written.
type badFrame struct {
	offset  int64
	problem string
}

func (e *badFrame) Error() string { return fmt.Sprintf("offset %d: %s", e.offset, e.problem) }

// errZeros is the preallocated end of a file.
var errZeros = fmt.Errorf("preallocated zeros: %w", io.EOF)

// cursor walks over the frames of a file in large reads. It allocates no more than one chunk, or the longest frame that
// the file can hold.
type cursor struct {
	src  io.ReaderAt
	seed uint32
	want uint64 // sequence of the next record
	at   int64  // offset of the next frame
	base int64  // offset of buf[0]
	buf  []byte
	// chunk is how much is read at once.
	chunk int
}

func newCursor(src io.ReaderAt, seed uint32, want uint64, at int64) *cursor {
	return &cursor{src: src, seed: seed, want: want, at: at, base: at, chunk: readChunk}
}

// move lets the cursor go on in another place, with the buffer it has.
func (c *cursor) move(src io.ReaderAt, want uint64, at int64) {
	c.src, c.want, c.at, c.base, c.buf = src, want, at, at, c.buf[:0]
}

// peek returns the n bytes at the cursor; limit is where the readable part of the file ends.
func (c *cursor) peek(n int, limit int64) ([]byte, error) {
	from := int(c.at - c.base)
	if from+n <= len(c.buf) {
		return c.buf[from : from+n], nil
	}
	left := copy(c.buf[:cap(c.buf)], c.buf[min(from, len(c.buf)):])
	size := int(min(int64(max(n, c.chunk)), limit-c.at))
	if cap(c.buf) < size {
		grown := make([]byte, size, max(size, min(2*cap(c.buf), c.chunk)))
		copy(grown, c.buf[:left])
		c.buf = grown
	}
	c.buf, c.base = c.buf[:size], c.at
	got, err := c.src.ReadAt(c.buf[left:], c.at+int64(left))
	c.buf = c.buf[:left+got]
	if len(c.buf) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read at offset %d: %w", c.at, err)
	}
	return c.buf[:n], nil
}

// next returns the next frame before limit. It ends with io.EOF at limit, with errZeros at preallocated zeros, and with
// *badFrame at what is neither; other errors are from reading.
func (c *cursor) next(limit int64) (frame, error) {
	left := limit - c.at
	if left <= 0 {
		return frame{}, io.EOF
	}
	head, err := c.peek(int(min(left, frameHeader)), limit)
	if err != nil {
		return frame{}, err
	}
	if allZero(head) {
		return frame{}, errZeros
	}
	if left < frameHeader {
		return frame{}, c.bad("%d bytes are left, less than a frame", left)
	}
	length, word := le.Uint32(head), le.Uint64(head[8:])
	f := frame{sequence: word &^ durableBit, offset: c.at, durable: word&durableBit != 0}
	switch {
	case f.sequence != c.want:
		return frame{}, c.bad("the sequence is %d, not %d", f.sequence, c.want)
	case length > maxPayload || int64(length) > left-frameHeader:
		return frame{}, c.bad("the frame claims %d bytes", length)
	case length == 0 && !f.durable:
		return frame{}, c.bad("the frame is empty")
	}
	b, err := c.peek(frameHeader+int(length), limit)
	if err != nil {
		return frame{}, err
	}
	if crc32.Update(c.seed, castagnoli, b[8:]) != le.Uint32(b[4:]) {
		return frame{}, c.bad("the checksum of record %d does not match", f.sequence)
	}
	f.payload = b[frameHeader:]
	c.at += int64(len(b))
	if length > 0 {
		c.want++
	}
	return f, nil
}

func (c *cursor) bad(format string, args ...any) *badFrame {
	return &badFrame{offset: c.at, problem: fmt.Sprintf(format, args...)}
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if le.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// aftermath is what stands in a file behind its last good frame.
type aftermath struct {
	garbage int64 // bytes up to the last one that is not zero
	witness int64 // offset of a good frame that says that the bytes before it were synced; 0 if there is none
}

// inspect looks at everything in [from, size), where the record want was expected.
func inspect(src io.ReaderAt, seed uint32, want uint64, from, size int64) (aftermath, error) {
	var a aftermath
	b := make([]byte, min(readChunk, size-from))
	for at := from; at < size; at += readChunk - frameHeader {
		part := b[:min(int64(len(b)), size-at)]
		if _, err := src.ReadAt(part, at); err != nil {
			return a, fmt.Errorf("read at offset %d: %w", at, err)
		}
		if allZero(part) {
			continue
		}
		for i, x := range part {
			if x != 0 {
				a.garbage = max(a.garbage, at+int64(i)+1-from)
			}
		}
		for i := 0; i+frameHeader <= len(part) && a.witness == 0; i++ {
			offset := at + int64(i)
			if offset > from && plausible(part[i:], want, offset-from, size-offset) {
				good, err := goodFrame(src, seed, offset, int(le.Uint32(part[i:])))
				if err != nil {
					return a, err
				}
				if good {
					a.witness = offset
				}
			}
		}
	}
	return a, nil
}

// plausible says whether b may begin a frame with the durable bit, ahead bytes behind the place of record want.
func plausible(b []byte, want uint64, ahead, left int64) bool {
	if b[15]&0x80 == 0 {
		return false
	}
	sequence, length := le.Uint64(b[8:])&^durableBit, int64(le.Uint32(b))
	return sequence >= want && sequence-want <= uint64(ahead)/frameHeader+1 && length <= maxPayload && length <= left-frameHeader
}

func goodFrame(src io.ReaderAt, seed uint32, offset int64, length int) (bool, error) {
	b := make([]byte, frameHeader+length)
	if _, err := src.ReadAt(b, offset); err != nil {
		return false, fmt.Errorf("read at offset %d: %w", offset, err)
	}
	return crc32.Update(seed, castagnoli, b[8:]) == le.Uint32(b[4:]), nil
}
