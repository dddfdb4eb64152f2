package eventlog

import (
	"cmp"
	"hash/crc32"
	"slices"
)

// # Index files, format version 1
//
// A sealed segment NNN.seg has an index NNN.idx beside it, made from the segment alone: it can be deleted at any time and is
// made again. It says where records begin, and which ids the segment speaks of. Integers are little-endian, keys are compared
// as bytes.
//
// Header:
//
//	offset  bytes  what
//	0       8      magic "HAECHIDX"
//	8       1      format version: 1
//	9       7      zero
//	16      16     log id
//	32      8      sequence of the first record of the segment
//	40      8      sequence of its last record
//	48      8      offset at which its records end, uncompressed
//	56      4      n, number of offsets
//	60      4      b, number of filter blocks
//	64      4      p, number of pages
//	68      4      CRC-32C of the directory
//	72      8      latest event time in the segment, microseconds since the Unix epoch; the least number when it has no event
//	80      4      number of event types stated up to the segment's end
//	84      4      CRC-32C of the bytes [0, 84)
//
// Directory: n offsets (record, offset: 4 bytes each, counted from the segment's first), b filter blocks of 32 bytes, the
// first 8 bytes of the first key of each of the p pages (as numbers). It is kept in memory: 8 bytes per 16 KiB
// of log, and some 2 bytes an id.
//
// Pages of 4,096 bytes: CRC-32C of what follows, number of entries, then entries of 24 bytes in ascending order: the key, and
// a word with the kind of record in its top 2 bits (0 event, 1 decision, 2 label) and the sequence below. Looking an id up
// reads one page, and none for most ids that are not there.
const (
	indexMagic   = "HAECHIDX"
	indexVersion = 1
	indexHeader  = 88
	indexSuffix  = ".idx"

	pageBytes   = 4096
	pageHeader  = 8
	entryBytes  = 24
	pageEntries = (pageBytes - pageHeader) / entryBytes
)

// RecordKind is what a record says of an id.
type RecordKind uint8

// The kinds; their numbers stand in index files.
const (
	EventRecord RecordKind = iota
	DecisionRecord
	LabelRecord
)

// trace is one record that speaks of an id.
type trace struct {
	high, low uint64 // of the key
	word      uint64 // kind and sequence
}

func newTrace(k Key, kind RecordKind, sequence uint64) trace {
	high, low := k.halves()
	return trace{high, low, uint64(kind)<<62 | sequence}
}

func (t trace) kind() RecordKind { return RecordKind(t.word >> 62) }
func (t trace) sequence() uint64 { return t.word &^ (3 << 62) }
func (t trace) is(high, low uint64) bool {
	return t.high == high && t.low == low
}

func compareTraces(a, b trace) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low), cmp.Compare(a.word, b.word))
}

// contentsOfIndex is what an index file says, before it is written.
type contentsOfIndex struct {
	log         [16]byte
	first, last uint64
	end         int64
	types       int
	latest      int64 // event time
	offsets     []entry
	traces      []trace
}

// encode sorts the traces and lays the file out.
func (c *contentsOfIndex) encode() []byte {
	slices.SortFunc(c.traces, compareTraces)
	pages := (len(c.traces) + pageEntries - 1) / pageEntries
	filter := newFilter(distinct(c.traces))
	directory := 8*len(c.offsets) + len(filter) + 8*pages
	b := make([]byte, indexHeader, indexHeader+directory+pages*pageBytes)
	for _, o := range c.offsets {
		b = le.AppendUint32(le.AppendUint32(b, o.record), o.offset)
	}
	for i := range c.traces {
		filter.add(c.traces[i].high, c.traces[i].low)
	}
	b = append(b, filter...)
	for i := range pages {
		b = le.AppendUint64(b, c.traces[i*pageEntries].high)
	}
	sum := crc32.Checksum(b[indexHeader:], castagnoli)
	for part := range slices.Chunk(c.traces, pageEntries) {
		b = appendPage(b, part)
	}
	copy(b, indexMagic)
	b[8] = indexVersion
	copy(b[16:], c.log[:])
	le.PutUint64(b[32:], c.first)
	le.PutUint64(b[40:], c.last)
	le.PutUint64(b[48:], uint64(c.end))
	le.PutUint32(b[56:], uint32(len(c.offsets)))
	le.PutUint32(b[60:], uint32(len(filter)/filterBlock))
	le.PutUint32(b[64:], uint32(pages))
	le.PutUint32(b[68:], sum)
	le.PutUint64(b[72:], uint64(c.latest))
	le.PutUint32(b[80:], uint32(c.types))
	le.PutUint32(b[84:], crc32.Checksum(b[:84], castagnoli))
	return b
}

func distinct(sorted []trace) int {
	n := 0
	for i := range sorted {
		if i == 0 || !sorted[i].is(sorted[i-1].high, sorted[i-1].low) {
			n++
		}
	}
	return n
}

func appendPage(b []byte, entries []trace) []byte {
	page := make([]byte, pageBytes)
	le.PutUint32(page[4:], uint32(len(entries)))
	for i, t := range entries {
		at := page[pageHeader+i*entryBytes:]
		be.PutUint64(at, t.high)
		be.PutUint64(at[8:], t.low)
		le.PutUint64(at[16:], t.word)
	}
	le.PutUint32(page, crc32.Checksum(page[4:], castagnoli))
	return append(b, page...)
}

// filter is a split-block Bloom filter (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007) over
// keys, which are hashes already: eight bits in one block of 32 bytes. At 16 bits a key about one absent key in a thousand
// passes.
type filter []byte

const (
	filterBlock   = 32
	filterBitsKey = 16
)

func newFilter(keys int) filter {
	return make(filter, filterBlock*max(1, (keys*filterBitsKey+8*filterBlock-1)/(8*filterBlock)))
}

// block is the key's block: the upper half of the low number picks it.
func (f filter) block(low uint64) []byte {
	at := (low >> 32) * uint64(len(f)/filterBlock) >> 32
	return f[at*filterBlock : (at+1)*filterBlock]
}

// bit is the place of the i-th bit of a key within the i-th four bytes of its block: five bits of the high number each.
func bit(high uint64, i int) uint32 { return 1 << (high >> (5 * i) & 31) }

func (f filter) add(high, low uint64) {
	b := f.block(low)
	for i := range 8 {
		le.PutUint32(b[4*i:], le.Uint32(b[4*i:])|bit(high, i))
	}
}

func (f filter) has(high, low uint64) bool {
	b := f.block(low)
	for i := range 8 {
		if le.Uint32(b[4*i:])&bit(high, i) == 0 {
			return false
		}
	}
	return true
}
