package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultSegmentBytes = 256 << 20
	leastSegmentBytes   = 4 << 10
	mostSegmentBytes    = 2 << 30
	defaultMaxBuffered  = 64 << 20
)

// Options say how a log is kept.
type Options struct {
	// Dir is the folder of the log's files; made if absent. Required.
	Dir string
	// SegmentBytes is the size of a segment file, preallocated. Default 256 MiB; from 4 KiB to 2 GiB.
	SegmentBytes int64
	// FlushInterval is the least time from the start of one sync to the start of the next. 0: the next begins as soon as
	// the previous has returned and somebody waits.
	FlushInterval time.Duration
	// MinFreeBytes is the floor of free disk below which Writable refuses. 0: only what the log itself needs next.
	MinFreeBytes int64
	// MaxBuffered is how many bytes of records may be in memory and not yet durable; Append refuses beyond. Decisions are
	// taken up to twice that, since their events are in the log already. Default 64 MiB.
	MaxBuffered int64
	// Compress packs sealed segments, but for the newest two.
	Compress bool
	// Logger gets what people should know. Default: nowhere.
	Logger *slog.Logger
	// Registerer gets the log's metrics until Close. Default: none.
	Registerer prometheus.Registerer

	disk disk // the operating system's, but in tests
}

func (o Options) withDefaults() (Options, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.MaxBuffered == 0 {
		o.MaxBuffered = defaultMaxBuffered
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("event log: "+format, args...)) }
	if o.Dir == "" {
		bad("dir is empty: name the folder of the log")
	}
	if o.SegmentBytes < leastSegmentBytes || o.SegmentBytes > mostSegmentBytes {
		bad("segment size %d is not between %d and %d bytes", o.SegmentBytes, leastSegmentBytes, mostSegmentBytes)
	}
	if o.FlushInterval < 0 || o.FlushInterval > time.Second {
		bad("flush interval %s is not between 0 and 1s", o.FlushInterval)
	}
	if o.MinFreeBytes < 0 {
		bad("floor of free disk %d is negative", o.MinFreeBytes)
	}
	if o.MaxBuffered < 0 {
		bad("buffer limit %d is negative", o.MaxBuffered)
	}
	return o, errors.Join(errs...)
}
