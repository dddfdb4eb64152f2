package eventlog

import (
	"fmt"
	"sort"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

const (
	firstBuffer = 64 << 10
	keepBuffer  = 4 << 20 // a larger buffer is not kept for the next batch
)

// batch is what one sync makes durable: frames in a row, as they will stand in the file.
type batch struct {
	buf         []byte
	first, last uint64
	marks       []entry // about one each indexEvery bytes; offsets count from the start of buf
	waiters     int     // how many wait for it
	done        chan struct{}
	err         error // set before done is closed
}

func newBatch(buf []byte, marks []entry, first uint64) *batch {
	return &batch{buf: buf[:0], marks: marks[:0], first: first, last: first - 1, done: make(chan struct{})}
}

// add encodes rec, whose size is known, as the next frame.
func (b *batch) add(rec *logv1.Record, size int, seed uint32, sequence uint64) error {
	from, end := len(b.buf), len(b.buf)+frameHeader+size
	if end > cap(b.buf) {
		grown := make([]byte, from, max(end, 2*cap(b.buf), firstBuffer))
		copy(grown, b.buf)
		b.buf = grown
	}
	f := b.buf[from:end]
	n, err := rec.MarshalToSizedBufferVT(f[frameHeader:])
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes, not %d: was it changed meanwhile?", n, size)
	}
	if err != nil {
		return fmt.Errorf("encode record %d: %w", sequence, err)
	}
	sealFrame(f, seed, sequence, from == 0)
	b.buf, b.last = b.buf[:end], sequence
	if n := len(b.marks); n == 0 || from-int(b.marks[n-1].offset) >= indexEvery {
		b.marks = append(b.marks, entry{uint32(sequence - b.first), uint32(from)})
	}
	return nil
}

func (b *batch) holds(sequence uint64) bool { return sequence >= b.first && sequence <= b.last }

// payload returns a copy of the encoded record.
func (b *batch) payload(sequence uint64) []byte {
	i := sort.Search(len(b.marks), func(i int) bool { return b.first+uint64(b.marks[i].record) > sequence }) - 1
	at, off := b.first+uint64(b.marks[i].record), int(b.marks[i].offset)
	for ; at < sequence; at++ {
		off += frameHeader + int(le.Uint32(b.buf[off:]))
	}
	return append([]byte(nil), b.buf[off+frameHeader:off+frameHeader+int(le.Uint32(b.buf[off:]))]...)
}

// fitting returns how many bytes of whole frames at the start of b fit into room, and how many records they are.
func fitting(b []byte, room int64) (size int, records uint64) {
	for size < len(b) {
		n := frameHeader + int(le.Uint32(b[size:]))
		if int64(size+n) > room {
			break
		}
		size += n
		records++
	}
	return size, records
}
