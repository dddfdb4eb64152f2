package scoring

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/haechi-fraud/haechi/features"
)

// # Snapshot files, format version 1
//
// NNN.snap in the snapshot folder holds the state as of record NNN of the log (its name in twenty digits). It is the magic
// "HAECHSNP" and a byte with the version, then frames: every shard of every event type (as features.Engine writes it) in the
// order of the header, the header as JSON, and a last frame of 8 bytes with the offset of the header. A frame is the length
// of its content (8 bytes, little-endian), the CRC-32C of the content (4 bytes) and the content. A file is written whole
// before it gets its name.
const (
	snapshotMagic  = "HAECHSNP\x01"
	snapshotSuffix = ".snap"
	frameHead      = 12
	snapshotFooter = frameHead + 8
	maxFrame       = 16 << 30
)

// snapshotHeader says what a snapshot holds.
type snapshotHeader struct {
	LogID    string         `json:"log_id"`
	Sequence uint64         `json:"sequence"` // of every record up to it nothing is missing
	Reached  uint64         `json:"reached"`  // some shards have records up to here; all events up to here are decided
	Lanes    []snapshotLane `json:"event_types"`
}

type snapshotLane struct {
	EventType string          `json:"event_type"`
	Started   bool            `json:"started"` // an event was seen
	Since     int64           `json:"since"`
	Watermark int64           `json:"watermark"`
	Revision  uint64          `json:"revision"` // that the log says was applied last
	Champion  string          `json:"champion,omitempty"`
	Waiting   []snapshotLabel `json:"waiting,omitempty"`
	Shards    int             `json:"shards"`
}

// snapshotLabel is a label that waits for its event.
type snapshotLabel struct {
	EventID  string           `json:"event_id"`
	Sequence uint64           `json:"sequence"`
	Verdict  features.Verdict `json:"verdict"`
	KnownAt  int64            `json:"known_at"`
}

func (l *snapshotLabel) label() features.Label {
	return features.Label{Sequence: l.Sequence, Verdict: l.Verdict, KnownAt: l.KnownAt}
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func writeFrame(w io.Writer, content []byte) error {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(content)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(content, castagnoli()))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// snapshotFile is a snapshot being read: first all of it is checked, then its shards are read again frame by frame.
type snapshotFile struct {
	snapshotHeader
	path     string
	file     *os.File
	in       *bufio.Reader
	headerAt int64
}

// openSnapshot opens a snapshot and checks its header.
func openSnapshot(path string) (s *snapshotFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("snapshot %s: %w", path, err), f.Close())
		}
	}()
	s = &snapshotFile{path: path, file: f}
	return s, s.readHeader()
}

// check reads all shards, then stands before the first of them again.
func (s *snapshotFile) check() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("snapshot %s: %w", s.path, err)
		}
	}()
	if err := s.rewind(); err != nil {
		return err
	}
	for _, l := range s.Lanes {
		for range l.Shards {
			if err := s.skip(); err != nil {
				return err
			}
		}
	}
	if at, err := s.file.Seek(0, io.SeekCurrent); err != nil || at-int64(s.in.Buffered()) != s.headerAt {
		return errors.Join(errors.New("its shards do not end where its header begins"), err)
	}
	return s.rewind()
}

// readHeader reads the last two frames.
func (s *snapshotFile) readHeader() error {
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	last := func(from int64, most int64) ([]byte, error) {
		if from < int64(len(snapshotMagic)) || from > size {
			return nil, errors.New("it is cut off")
		}
		if _, err := s.file.Seek(from, io.SeekStart); err != nil {
			return nil, err
		}
		s.in = bufio.NewReaderSize(s.file, 1<<16)
		return s.frame(most)
	}
	footer, err := last(size-snapshotFooter, 8)
	if err != nil {
		return err
	}
	if len(footer) != 8 {
		return errors.New("its end is missing")
	}
	s.headerAt = int64(binary.LittleEndian.Uint64(footer))
	header, err := last(s.headerAt, maxHeader)
	if err != nil {
		return err
	}
	if s.headerAt+frameHead+int64(len(header)) != size-snapshotFooter {
		return errors.New("its header does not end where its end begins")
	}
	if err := json.Unmarshal(header, &s.snapshotHeader); err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	return nil
}

const maxHeader = 1 << 30

func (s *snapshotFile) rewind() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.in = bufio.NewReaderSize(s.file, 1<<20)
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(s.in, magic); err != nil || string(magic) != snapshotMagic {
		return errors.Join(errors.New("it is not a snapshot in a format that this version reads"), err)
	}
	return nil
}

func (s *snapshotFile) head() (length int64, sum uint32, err error) {
	head := make([]byte, frameHead)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return 0, 0, fmt.Errorf("it is cut off: %w", err)
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxFrame {
		return 0, 0, fmt.Errorf("a frame claims %d bytes", n)
	}
	return int64(n), binary.LittleEndian.Uint32(head[8:]), nil
}

var errFrame = errors.New("the checksum of a frame does not match")

// frame reads a frame of at most so many bytes.
func (s *snapshotFile) frame(most int64) ([]byte, error) {
	n, sum, err := s.head()
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a frame has %d bytes where at most %d are expected", n, most)
	}
	content, err := io.ReadAll(io.LimitReader(s.in, n)) // a false length takes no more memory than there are bytes
	if err != nil {
		return nil, err
	}
	if int64(len(content)) != n || crc32.Checksum(content, castagnoli()) != sum {
		return nil, errFrame
	}
	return content, nil
}

// skip reads over a frame and checks it.
func (s *snapshotFile) skip() error {
	n, sum, err := s.head()
	if err != nil {
		return err
	}
	digest := crc32.New(castagnoli())
	if _, err := io.CopyN(digest, s.in, n); err != nil {
		return fmt.Errorf("it is cut off: %w", err)
	}
	if digest.Sum32() != sum {
		return errFrame
	}
	return nil
}

func (s *snapshotFile) close() error { return s.file.Close() }

// lane finds an event type in the header.
func (h *snapshotHeader) lane(eventType string) *snapshotLane {
	i := slices.IndexFunc(h.Lanes, func(l snapshotLane) bool { return l.EventType == eventType })
	if i < 0 {
		return nil
	}
	return &h.Lanes[i]
}

func snapshotName(path string) string { return strings.TrimSuffix(filepath.Base(path), snapshotSuffix) }

// snapshotPaths lists the snapshots in dir, newest first.
func snapshotPaths(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the snapshots: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), snapshotSuffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths, nil
}
