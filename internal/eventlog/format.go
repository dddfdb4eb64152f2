package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// # Segment files, format version 1
//
// A log is a folder of files named by the sequence of their first record, twenty decimal digits and ".seg". Sequences
// begin at 1 and have no gaps, neither in a file nor between files. All integers are little-endian; CRC is CRC-32C
// (Castagnoli). A file is a header, then frames without padding, then (only in the last file) preallocated zeros.
//
// Header:
//
//	offset  bytes  what
//	0       8      magic "HAECHLOG"
//	8       1      format version: 1
//	9       3      zero
//	12      4      H, the length of the header with its CRC
//	16      16     log id: random, the same in every file of the log
//	32      8      sequence of the first record in this file
//	40      4      n, the number of event types stated before this file
//	44      ...    n times: length (4 bytes), then that many bytes: a haechi.log.v1.EventType, in order of their index
//	H-4     4      CRC of the bytes [0, H-4)
//
// The first 16 bytes mean the same in every version to come. A header is complete before its file gets its name.
//
// Frame:
//
//	offset  bytes  what
//	0       4      length of the payload
//	4       4      CRC of log id, the 8 bytes of the sequence word, payload (the id is not stored again here)
//	8       8      sequence word: bits 0-62 the sequence, bit 63 the durable bit
//	16      ...    payload: a haechi.log.v1.Record
//
// The durable bit says: when this frame was written, everything before it in this file was already synced. The first
// frame of each write carries it (so the first of a file always does). It decides what a bad frame is: when a good frame
// with the bit stands anywhere after it, synced bytes have changed (ErrCorrupt); when none does, the bad frame belongs to
// the last write, which was never acknowledged and of which the disk may have kept any part, also a later page without
// an earlier one: a torn tail, cut at the first bad frame.
//
// A frame with an empty payload is a mark: it has the durable bit, takes no sequence of its own and names the one of
// the next record. It ends a log that was closed in order, so that there even the last write is known to be synced.
//
// Sixteen zero bytes where a frame should begin are the end of the records. All files but the last end exactly where
// their last frame ends.
const (
	magic         = "HAECHLOG"
	formatVersion = 1
	headerFixed   = 44
	headerLeast   = headerFixed + 4
	frameHeader   = 16
	durableBit    = uint64(1) << 63

	// MaxRecordBytes is the largest encoded record that Append takes.
	MaxRecordBytes = 8 << 20
	// maxPayload is the largest payload of a frame: a record may grow a little while it is being placed.
	maxPayload = MaxRecordBytes + 1<<20
	maxHeader  = 256 << 20

	segmentSuffix = ".seg"
	newSuffix     = ".new"
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
	be         = binary.BigEndian // of keys, so that numbers stand in the order of bytes
)

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// seedOf is the CRC state that each frame's CRC starts from.
func seedOf(id [16]byte) uint32 { return crc32.Checksum(id[:], castagnoli) }

// sealFrame writes the header of the frame b, whose payload is in place behind frameHeader bytes.
func sealFrame(b []byte, seed uint32, sequence uint64, durable bool) {
	if durable {
		sequence |= durableBit
	}
	le.PutUint32(b, uint32(len(b)-frameHeader))
	le.PutUint64(b[8:], sequence)
	le.PutUint32(b[4:], crc32.Update(seed, castagnoli, b[8:]))
}

// markFrame is the mark that names the next sequence.
func markFrame(seed uint32, next uint64) []byte {
	b := make([]byte, frameHeader)
	sealFrame(b, seed, next, true)
	return b
}

type header struct {
	id    [16]byte
	first uint64
	types []*logv1.EventType
	size  int64 // offset of the first frame
}

func (h *header) encode() ([]byte, error) {
	b := make([]byte, headerFixed, 4096)
	copy(b, magic)
	b[8] = formatVersion
	copy(b[16:], h.id[:])
	le.PutUint64(b[32:], h.first)
	le.PutUint32(b[40:], uint32(len(h.types)))
	for _, t := range h.types {
		text, err := t.MarshalVT()
		if err != nil {
			return nil, fmt.Errorf("encode event type %s: %w", t.GetName(), err)
		}
		b = le.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	if len(b) > maxHeader-4 {
		return nil, fmt.Errorf("the header of segment %d would take %d bytes: the log states too many event types", h.first, len(b))
	}
	le.PutUint32(b[12:], uint32(len(b)+4))
	b = le.AppendUint32(b, crc32.Checksum(b, castagnoli))
	h.size = int64(len(b))
	return b, nil
}

var errShortHeader = errors.New("the header is cut off")

// readHeader reads and checks the header of a file of the given size. An error other than ErrVersion means that the
// bytes are not what was written, or could not be read.
func readHeader(src io.ReaderAt, size int64) (*header, error) {
	if size < headerLeast {
		return nil, errShortHeader
	}
	fixed := make([]byte, headerFixed)
	if _, err := src.ReadAt(fixed, 0); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if string(fixed[:8]) != magic {
		return nil, errors.New("the file does not begin with " + magic)
	}
	length := int64(le.Uint32(fixed[12:]))
	if length < headerLeast || length > maxHeader || length > size {
		return nil, fmt.Errorf("the header claims %d bytes, the file has %d", length, size)
	}
	b := make([]byte, length)
	if _, err := src.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	body := b[:length-4]
	if crc32.Checksum(body, castagnoli) != le.Uint32(b[length-4:]) {
		return nil, errors.New("the header's checksum does not match")
	}
	if b[8] != formatVersion || b[9]|b[10]|b[11] != 0 {
		return nil, fmt.Errorf("%w: format %d, this program reads format %d: use a newer haechi", ErrVersion, b[8], formatVersion)
	}
	h := &header{first: le.Uint64(b[32:]), size: length}
	copy(h.id[:], b[16:])
	if h.first == 0 || h.first&durableBit != 0 {
		return nil, fmt.Errorf("the header names %d as its first sequence", h.first)
	}
	return h, h.readTypes(body[headerFixed:], le.Uint32(b[40:]))
}

func (h *header) readTypes(b []byte, n uint32) error {
	for i := range n {
		if len(b) < 4 || int64(len(b)-4) < int64(le.Uint32(b)) {
			return errShortHeader
		}
		length := int(le.Uint32(b))
		t := &logv1.EventType{}
		if err := t.UnmarshalVT(b[4 : 4+length]); err != nil {
			return fmt.Errorf("event type %d in the header: %w", i+1, err)
		}
		if t.GetIndex() != i+1 {
			return fmt.Errorf("event type %d in the header has index %d", i+1, t.GetIndex())
		}
		h.types = append(h.types, t)
		b = b[4+length:]
	}
	if len(b) != 0 {
		return errors.New("the header has bytes behind its last event type")
	}
	return nil
}
