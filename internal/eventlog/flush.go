package eventlog

import (
	"fmt"
	"io"
)

// writer owns the open segment; only the writer goroutine uses it.
type writer struct {
	l         *Log
	seg       *segment
	file      file
	pos       int64 // where the next frame goes; everything before it is durable
	allocated int64 // bytes of the file that the disk has promised
	zeroed    int64 // bytes up to which the file was written, if only with zeros
	marked    bool  // the last frame is a mark
}

// flush writes b and makes it durable, in as many segments as it takes.
func (w *writer) flush(b *batch) error {
	rest, sequence := b.buf, b.first
	for len(rest) > 0 {
		size, records := len(rest), b.last-sequence+1
		if room := w.l.o.SegmentBytes - frameHeader - w.pos; int64(size) > room {
			if size, records = fitting(rest, room); size == 0 && sequence > w.seg.first {
				if err := w.roll(sequence, len(rest)); err != nil {
					return err
				}
				continue
			}
			if size == 0 { // longer than the segment, which has no record yet
				size, records = frameHeader+int(le.Uint32(rest)), 1
			}
		}
		if len(rest) != len(b.buf) { // not the first write of this batch, so its first frame has no durable bit yet
			w.l.mu.Lock() // Get may be reading it
			sealFrame(rest[:frameHeader+int(le.Uint32(rest))], w.l.seed, sequence, true)
			w.l.mu.Unlock()
		}
		if err := w.put(rest[:size]); err != nil {
			return err
		}
		w.publish(b, sequence, records, int64(len(b.buf)-len(rest)), int64(size))
		rest, sequence = rest[size:], sequence+records
	}
	return nil
}

const (
	zeroAhead  = 512 << 10 // how far small writes zero the file ahead of themselves
	smallWrite = 64 << 10
)

// put writes and syncs. A sync of blocks that were written before is cheaper than one of blocks that were only
// allocated, so small writes put zeros ahead now and then.
func (w *writer) put(b []byte) error {
	if err := w.writeAt(b, w.pos); err != nil {
		return err
	}
	end := w.pos + int64(len(b))
	if end > w.zeroed && len(b) <= smallWrite {
		if ahead := min(int64(len(w.l.zeros)), w.allocated-end); ahead > 0 {
			if err := w.writeAt(w.l.zeros[:ahead], end); err != nil {
				return err
			}
			w.zeroed = end + ahead
		}
	}
	w.zeroed = max(w.zeroed, end)
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.seg.path, err)
	}
	w.pos, w.marked = end, false
	w.l.space.reserved.Store(max(0, w.allocated-end))
	return nil
}

func (w *writer) writeAt(b []byte, at int64) error {
	n, err := w.file.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", w.seg.path, err)
	}
	return nil
}

// publish lets readers see what put has written: size bytes from skip on in b, the first of which is record sequence.
func (w *writer) publish(b *batch, sequence, records uint64, skip, size int64) {
	at := w.pos - size
	for _, m := range b.marks {
		if n := int64(m.offset) - skip; n >= 0 && n < size {
			w.seg.note(b.first+uint64(m.record), at+n)
		}
	}
	w.seg.end.Store(w.pos)
	w.l.durable.Store(sequence + records - 1)
}

// roll ends the segment and begins the one whose first record is sequence.
func (w *writer) roll(sequence uint64, need int) error {
	if err := w.cut(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", w.seg.path, err)
	}
	return w.begin(sequence, int64(need))
}

// cut makes the file end where its frames end.
func (w *writer) cut() error {
	if err := w.file.truncate(w.pos); err != nil {
		return fmt.Errorf("cut %s: %w", w.seg.path, err)
	}
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.seg.path, err)
	}
	w.allocated, w.zeroed = w.pos, w.pos
	return nil
}
