package eventlog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sort"
	"strings"
)

// idIndex is an index file open for looking ids up; its directory is in memory, its pages are on disk.
type idIndex struct {
	path        string
	file        *os.File
	first, last uint64
	end         int64
	types       int
	latest      int64 // event time in the segment
	offsets     []entry
	filter      filter
	fences      []uint64 // first number of the first key of each page
	pagesAt     int64
}

func indexPath(segment string) string {
	return strings.TrimSuffix(strings.TrimSuffix(segment, packedSuffix), segmentSuffix) + indexSuffix
}

// openIndex opens the index at path. An error that is neither os.ErrNotExist nor from reading means that it must be made
// again.
func openIndex(path string) (x *idIndex, log [16]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, log, fmt.Errorf("open the index: %w", err)
	}
	x = &idIndex{path: path, file: f}
	if log, err = x.readDirectory(); err != nil {
		return nil, log, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return x, log, nil
}

func (x *idIndex) readDirectory() (log [16]byte, err error) {
	info, err := x.file.Stat()
	if err != nil {
		return log, err
	}
	h := make([]byte, indexHeader)
	if _, err := x.file.ReadAt(h, 0); err != nil {
		return log, fmt.Errorf("read the header: %w", err)
	}
	if string(h[:8]) != indexMagic || h[8] != indexVersion || crc32.Checksum(h[:84], castagnoli) != le.Uint32(h[84:]) {
		return log, errors.New("not an index of this format")
	}
	offsets, blocks, pages := int64(le.Uint32(h[56:])), int64(le.Uint32(h[60:])), int64(le.Uint32(h[64:]))
	directory := 8*offsets + filterBlock*blocks + 8*pages
	if info.Size() != indexHeader+directory+pageBytes*pages || blocks == 0 {
		return log, fmt.Errorf("the file has %d bytes, its header claims another number", info.Size())
	}
	b := make([]byte, directory)
	if _, err := x.file.ReadAt(b, indexHeader); err != nil {
		return log, fmt.Errorf("read the directory: %w", err)
	}
	if crc32.Checksum(b, castagnoli) != le.Uint32(h[68:]) {
		return log, errors.New("the directory's checksum does not match")
	}
	copy(log[:], h[16:])
	x.first, x.last, x.end, x.types = le.Uint64(h[32:]), le.Uint64(h[40:]), int64(le.Uint64(h[48:])), int(le.Uint32(h[80:]))
	x.latest = int64(le.Uint64(h[72:]))
	x.pagesAt = indexHeader + directory
	x.offsets = make([]entry, offsets)
	for i := range x.offsets {
		x.offsets[i] = entry{le.Uint32(b[8*i:]), le.Uint32(b[8*i+4:])}
	}
	b = b[8*offsets:]
	x.filter, b = filter(b[:filterBlock*blocks:filterBlock*blocks]), b[filterBlock*blocks:]
	x.fences = make([]uint64, pages)
	for i := range x.fences {
		x.fences[i] = le.Uint64(b[8*i:])
	}
	return log, nil
}

// find adds what the index holds of a key.
func (x *idIndex) find(high, low uint64, to *Traces) error {
	if !x.filter.has(high, low) {
		return nil
	}
	b := make([]byte, pageBytes)
	// The key's first entry may stand at the end of the page before the first whose fence is not below it.
	page := max(0, sort.Search(len(x.fences), func(i int) bool { return x.fences[i] >= high })-1)
	for ; page < len(x.fences) && x.fences[page] <= high; page++ {
		if err := x.readPage(page, b); err != nil {
			return err
		}
		n := int(le.Uint32(b[4:]))
		entryAt := func(i int) trace {
			at := b[pageHeader+i*entryBytes:]
			return trace{be.Uint64(at), be.Uint64(at[8:]), le.Uint64(at[16:])}
		}
		i := sort.Search(n, func(i int) bool { return compareTraces(entryAt(i), trace{high, low, 0}) >= 0 })
		for ; i < n && entryAt(i).is(high, low); i++ {
			to.add(entryAt(i))
		}
		if i < n {
			return nil
		}
	}
	return nil
}

func (x *idIndex) readPage(page int, b []byte) error {
	at := x.pagesAt + int64(page)*pageBytes
	if _, err := x.file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the index %s: %w", x.path, err)
	}
	if crc32.Checksum(b[4:], castagnoli) != le.Uint32(b) || le.Uint32(b[4:]) > pageEntries {
		return &CorruptError{File: x.path, Offset: at, Problem: "the checksum of a page does not match; the index is being made again"}
	}
	return nil
}
