package features

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A snapshot is written in blocks, each with its length and checksum before it, so that damage is found before anything is made of it. A block of no
// bytes is the end.

const (
	blockSize = 64 << 10
	blockHead = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type blockWriter struct {
	w    io.Writer
	head [blockHead]byte
}

func (b *blockWriter) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		n := min(len(data), blockSize)
		if err := b.block(data[:n]); err != nil {
			return written, err
		}
		written, data = written+n, data[n:]
	}
	return written, nil
}

// Close writes the end.
func (b *blockWriter) Close() error { return b.block(nil) }

func (b *blockWriter) block(data []byte) error {
	binary.LittleEndian.PutUint32(b.head[:], uint32(len(data)))
	binary.LittleEndian.PutUint32(b.head[4:], crc32.Checksum(data, castagnoli))
	if _, err := b.w.Write(b.head[:]); err != nil {
		return err
	}
	_, err := b.w.Write(data)
	return err
}

type blockReader struct {
	r      io.Reader
	memory []byte
	block  []byte // what is left of it
	ended  bool
}

func (b *blockReader) Read(into []byte) (int, error) {
	if err := b.fill(); err != nil {
		return 0, err
	}
	n := copy(into, b.block)
	b.block = b.block[n:]
	return n, nil
}

func (b *blockReader) ReadByte() (byte, error) {
	if err := b.fill(); err != nil {
		return 0, err
	}
	c := b.block[0]
	b.block = b.block[1:]
	return c, nil
}

// fill reads the next block when there is nothing left of this one; io.EOF says that the end was read.
func (b *blockReader) fill() error {
	switch {
	case len(b.block) > 0:
		return nil
	case b.ended:
		return io.EOF
	}
	var head [blockHead]byte
	if err := b.whole(head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > blockSize {
		return fmt.Errorf("%w: a block of %d bytes", ErrDamaged, n)
	}
	if b.memory == nil {
		b.memory = make([]byte, blockSize)
	}
	data := b.memory[:n]
	if err := b.whole(data); err != nil {
		return err
	}
	if crc32.Checksum(data, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return fmt.Errorf("%w: the checksum of a block is wrong", ErrDamaged)
	}
	if b.block, b.ended = data, n == 0; b.ended {
		return io.EOF
	}
	return nil
}

// whole reads that many bytes.
func (b *blockReader) whole(into []byte) error {
	switch _, err := io.ReadFull(b.r, into); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is cut off", ErrDamaged)
	default:
		return err
	}
}
