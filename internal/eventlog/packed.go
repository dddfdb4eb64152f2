package eventlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// # Packed segments, format version 1
//
// A sealed segment may be packed: NNN.seg.zst takes the place of NNN.seg and holds the same bytes in blocks that are
// compressed one by one (Zstandard, RFC 8878), so that any record can be read alone. Offsets everywhere are those of the
// bytes before they were packed. Integers are little-endian.
//
//	offset  bytes  what
//	0       8      magic "HAECHZST"
//	8       1      format version: 1
//	9       3      zero
//	12      4      b, bytes of a block; the last may have fewer
//	16      8      size of the segment
//	24      4      n, number of blocks
//	28      4      CRC-32C of the bytes [0, 28) and of the table
//	32      8 n    table: compressed length and CRC-32C of the compressed block, 4 bytes each
//	...            blocks, one after the other
const (
	packedMagic   = "HAECHZST"
	packedVersion = 1
	packedSuffix  = ".zst"
	packedHeader  = 32
	packedBlock   = 64 << 10
)

// source is the bytes of a segment as they were written, whether its file is packed or not.
type source interface {
	io.ReaderAt
	io.Closer
}

func isPacked(path string) bool { return filepath.Ext(path) == packedSuffix }

// openSource opens a segment's file and tells how long the segment is.
func openSource(path string) (source, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !isPacked(path) {
		return f, info.Size(), nil
	}
	p, err := openPacked(f, info.Size())
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return p, p.size, nil
}

// packed reads a packed segment. Any number of goroutines may.
type packed struct {
	file   *os.File
	size   int64
	block  int64
	start  []int64 // of each compressed block, and the end of the last
	sums   []uint32
	unzip  *zstd.Decoder
	mu     sync.Mutex
	closed bool
	last   int // the block in plain
	plain  []byte
	buffer []byte
}

func openPacked(f *os.File, fileSize int64) (*packed, error) {
	bad := func(problem string) error { return &CorruptError{File: f.Name(), Problem: problem} }
	h := make([]byte, packedHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, bad("the header is cut off")
		}
		return nil, err
	}
	n := int64(le.Uint32(h[24:]))
	if string(h[:8]) != packedMagic || fileSize < packedHeader+8*n {
		return nil, bad("the file does not begin with " + packedMagic + " and a table")
	}
	table := make([]byte, 8*n)
	if _, err := f.ReadAt(table, packedHeader); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if crc32.Update(crc32.Checksum(h[:28], castagnoli), castagnoli, table) != le.Uint32(h[28:]) {
		return nil, bad("the checksum of the header does not match")
	}
	if h[8] != packedVersion {
		return nil, fmt.Errorf("%s: %w: packed format %d, this program reads format %d: use a newer haechi", f.Name(), ErrVersion, h[8], packedVersion)
	}
	p := &packed{file: f, size: int64(le.Uint64(h[16:])), block: int64(le.Uint32(h[12:])), last: -1}
	at := packedHeader + 8*n
	for i := range n {
		p.start = append(p.start, at)
		p.sums = append(p.sums, le.Uint32(table[8*i+4:]))
		at += int64(le.Uint32(table[8*i:]))
	}
	p.start = append(p.start, at)
	if p.block <= 0 || p.block > 16<<20 || (p.size+p.block-1)/p.block != n || at != fileSize {
		return nil, bad("its lengths do not fit together")
	}
	var err error
	p.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(p.block)))
	return p, err
}

// ReadAt implements io.ReaderAt over the segment's bytes.
func (p *packed) ReadAt(b []byte, at int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	for done < len(b) {
		if at >= p.size {
			return done, io.EOF
		}
		if err := p.load(int(at / p.block)); err != nil {
			return done, err
		}
		n := copy(b[done:], p.plain[at%p.block:])
		done, at = done+n, at+int64(n)
	}
	return done, nil
}

// load unpacks a block, unless it was the last one that was.
func (p *packed) load(i int) error {
	if p.closed {
		return os.ErrClosed
	}
	if i == p.last {
		return nil
	}
	p.last = -1
	length := int(p.start[i+1] - p.start[i])
	if cap(p.buffer) < length {
		p.buffer = make([]byte, length)
	}
	p.buffer = p.buffer[:length]
	if _, err := p.file.ReadAt(p.buffer, p.start[i]); err != nil {
		return err
	}
	corrupt := func(problem string) error {
		return &CorruptError{File: p.file.Name(), Offset: p.start[i], Problem: problem}
	}
	if crc32.Checksum(p.buffer, castagnoli) != p.sums[i] {
		return corrupt("the checksum of a packed block does not match")
	}
	plain, err := p.unzip.DecodeAll(p.buffer, p.plain[:0])
	if err != nil {
		return corrupt(err.Error())
	}
	if want := min(p.block, p.size-int64(i)*p.block); int64(len(plain)) != want {
		return corrupt(fmt.Sprintf("a packed block holds %d bytes, not %d", len(plain), want))
	}
	p.plain, p.last = plain, i
	return nil
}

// Close closes the file.
func (p *packed) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.unzip.Close()
	}
	return p.file.Close()
}

// pack writes a segment's bytes into a packed file beside it, under a name of no meaning, and reads them back.
// rest is called after each block.
func pack(path string, size int64, rest func()) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(path+packedSuffix+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	defer func() { err = errors.Join(err, out.Close()) }()
	n := (size + packedBlock - 1) / packedBlock
	head := make([]byte, packedHeader+8*n)
	copy(head, packedMagic)
	head[8] = packedVersion
	le.PutUint32(head[12:], packedBlock)
	le.PutUint64(head[16:], uint64(size))
	le.PutUint32(head[24:], uint32(n))
	if err := packBlocks(out, in, size, head, rest); err != nil {
		return err
	}
	le.PutUint32(head[28:], crc32.Update(crc32.Checksum(head[:28], castagnoli), castagnoli, head[packedHeader:]))
	if _, err := out.WriteAt(head, 0); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return same(in, out, size)
}

// packBlocks writes the blocks behind the space for the head, and their lengths and sums into it.
func packBlocks(out *os.File, in io.ReaderAt, size int64, head []byte, rest func()) error {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	defer func() { _ = zip.Close() }()
	if _, err := out.Seek(int64(len(head)), io.SeekStart); err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	plain, small := make([]byte, packedBlock), []byte(nil)
	for at, i := int64(0), packedHeader; at < size; at, i = at+packedBlock, i+8 {
		plain = plain[:min(packedBlock, size-at)]
		if _, err := in.ReadAt(plain, at); err != nil {
			return err
		}
		small = zip.EncodeAll(plain, small[:0])
		le.PutUint32(head[i:], uint32(len(small)))
		le.PutUint32(head[i+4:], crc32.Checksum(small, castagnoli))
		if _, err := w.Write(small); err != nil {
			return err
		}
		rest()
	}
	return w.Flush()
}

// same reads a packed file back and holds it against what was packed.
func same(in io.ReaderAt, out *os.File, size int64) error {
	info, err := out.Stat()
	if err != nil {
		return err
	}
	p, err := openPacked(out, info.Size())
	if err != nil {
		return err
	}
	defer p.unzip.Close()
	a, b := make([]byte, packedBlock), make([]byte, packedBlock)
	for at := int64(0); at < size; at += packedBlock {
		n := min(packedBlock, size-at)
		if _, err := in.ReadAt(a[:n], at); err != nil {
			return err
		}
		if _, err := p.ReadAt(b[:n], at); err != nil {
			return err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return fmt.Errorf("%s does not unpack to what was packed", out.Name())
		}
	}
	return nil
}
