package eventlog

import "os"

// Stat is what a log holds.
type Stat struct {
	LogID          string
	First          uint64 // oldest record held, or the first to come
	Last           uint64 // sequence given last
	Durable        uint64 // everything up to it is on disk
	Segments       int
	Bytes          int64 // of durable frames and headers
	AllocatedBytes int64 // that the files take on disk
	BufferedBytes  int64 // not yet durable
	FreeBytes      int64 // free disk as last looked at; 0 for a View
	TornBytes      int64 // of a torn tail: cut by Open, ignored by OpenReader
	EventTypes     int
	Failure        error // why the log is poisoned
}

func (c *catalog) stat() Stat {
	segments := *c.segments.Load()
	st := Stat{
		LogID: c.ID(), First: segments[0].first, Last: c.Durable(), Durable: c.Durable(),
		Segments: len(segments), EventTypes: len(*c.types.Load()),
	}
	for _, s := range segments {
		st.Bytes += s.end.Load()
		if info, err := os.Stat(s.name()); err == nil {
			st.AllocatedBytes += info.Size()
		}
	}
	return st
}

// Stat tells what the log holds. It looks at each file's size.
func (l *Log) Stat() Stat {
	st := l.stat()
	st.Last, st.BufferedBytes = l.Last(), l.buffered.Load()
	st.FreeBytes, st.TornBytes = l.space.free.Load(), l.cutOff
	if err := l.failure.Load(); err != nil {
		st.Failure = *err
	}
	return st
}
