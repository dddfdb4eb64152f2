package eventlog

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// Sealed is what is known of a segment that no longer grows.
type Sealed struct {
	First, Last uint64
	Latest      int64 // latest event time in it, microseconds since the Unix epoch; the least number when it has no event
}

// Sealed lists the sealed segments that have an index, oldest first, up to the first that has none.
func (l *Log) Sealed() []Sealed {
	var out []Sealed
	for _, s := range *l.segments.Load() {
		x := s.ids.Load()
		if x == nil {
			break
		}
		out = append(out, Sealed{x.first, x.last, x.latest})
	}
	return out
}

// Drop deletes the sealed segments whose records all come before the sequence, and returns how many those were. Their records
// and ids are not found any more; readers that are in them go on. What still needs them is for the caller to know.
func (l *Log) Drop(before uint64) (int, error) {
	l.keeper.files.Lock() // no index is made and nothing is packed meanwhile, and the log is not let go of
	defer l.keeper.files.Unlock()
	l.mu.Lock() // no segment is added meanwhile
	if err := l.unusable(); err != nil {
		l.mu.Unlock()
		return 0, err // another Log may have the folder by now
	}
	all := *l.segments.Load()
	n := 0
	for n < len(all)-1 && all[n].ids.Load() != nil && all[n+1].first <= before {
		n++
	}
	kept := all[n:]
	l.segments.Store(&kept)
	l.mu.Unlock()
	l.metrics.segments.Set(float64(len(kept)))
	// The oldest go first: after a crash what is left begins later and has no gap.
	for _, s := range all[:n] {
		path := s.name()
		if err := l.o.disk.remove(path); err != nil {
			return n, fmt.Errorf("drop a segment: %w", err)
		}
		if err := l.o.disk.remove(indexPath(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return n, fmt.Errorf("drop a segment's index: %w", err)
		}
	}
	if n == 0 {
		return 0, nil
	}
	if err := l.o.disk.syncDir(l.o.Dir); err != nil {
		return n, fmt.Errorf("sync the folder of the event log: %w", err)
	}
	return n, nil
}

// noEvent is the latest event time of a segment without events.
const noEvent = math.MinInt64
