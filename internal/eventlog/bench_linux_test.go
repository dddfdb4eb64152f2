package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// BenchmarkAppendWait is one record appended and waited for, by n goroutines.
func BenchmarkAppendWait(b *testing.B) {
	for _, n := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := start(b, Options{Dir: b.TempDir()})
			defer batches(b, l)()
			share(b, n, func(rec *logv1.Record) error {
				sequence, err := l.Append(rec, nil)
				if err != nil {
					return err
				}
				return l.Wait(context.Background(), sequence)
			})
		})
	}
}

// BenchmarkScore is what one score request does: event, decision, wait.
func BenchmarkScore(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := start(b, Options{Dir: b.TempDir()})
			defer batches(b, l)()
			share(b, n, func(rec *logv1.Record) error {
				e, err := l.Append(rec, func(uint64) {})
				if err != nil {
					return err
				}
				d, err := l.Append(decision(e, "x"), nil)
				if err != nil {
					return err
				}
				return l.Wait(context.Background(), d)
			})
		})
	}
}

// cpu is the processor time used so far: on a shared machine the only figure that means something.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// batches reports how many records share a sync.
func batches(b *testing.B, l *Log) func() {
	sum := func() (float64, float64) {
		var d dto.Metric
		require.NoError(b, l.metrics.batch.Write(&d))
		return d.GetHistogram().GetSampleSum(), float64(d.GetHistogram().GetSampleCount())
	}
	records, syncs := sum()
	return func() {
		r, s := sum()
		b.ReportMetric((r-records)/(s-syncs), "records/sync")
	}
}

func share(b *testing.B, n int, do func(*logv1.Record) error) {
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-used)/float64(b.N), "cpu-ns/op") }()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			rec := event("benchmark")
			for left.Add(-1) >= 0 {
				if err := do(rec); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAppend is the cost of the call alone: the disk takes what it can, refusals are not counted.
func BenchmarkAppend(b *testing.B) {
	l := start(b, Options{Dir: b.TempDir(), MaxBuffered: 1 << 30, disk: &nowhere{}})
	rec := event("benchmark")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(rec, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// nowhere is a disk that takes everything and keeps nothing but the first segment's header.
type nowhere struct{ osDisk }

type nowhereFile struct {
	file
	writes int
}

func (d *nowhere) create(path string) (file, error) {
	f, err := d.osDisk.create(path)
	return &nowhereFile{file: f}, err
}

func (f *nowhereFile) WriteAt(b []byte, at int64) (int, error) {
	if f.writes++; f.writes == 1 {
		return f.file.WriteAt(b, at)
	}
	return len(b), nil
}

func (f *nowhereFile) sync() error { return nil }

func filled(b *testing.B, n int) string {
	dir := b.TempDir()
	l := start(b, Options{Dir: dir})
	for i := range n {
		rec := event(fmt.Sprint("payment-", i))
		for {
			_, err := l.Append(rec, nil)
			if err == nil {
				break
			}
			require.ErrorIs(b, err, ErrOverloaded)
			require.NoError(b, l.Wait(context.Background(), l.Last()))
		}
	}
	require.NoError(b, l.Close())
	return dir
}

const benchRecords = 2_000_000

// BenchmarkOpen scans: frames, checksums, index.
func BenchmarkOpen(b *testing.B) {
	dir := filled(b, benchRecords)
	used := cpu(b)
	for b.Loop() {
		v, err := OpenReader(dir)
		require.NoError(b, err)
		b.SetBytes(v.Stat().Bytes)
	}
	b.ReportMetric(float64(benchRecords*b.N)/(cpu(b)-used).Seconds(), "records/cpu-s")
}

func BenchmarkRead(b *testing.B) {
	dir := filled(b, benchRecords)
	v, err := OpenReader(dir)
	require.NoError(b, err)
	for name, next := range map[string]func(*Reader) error{
		"raw":     func(r *Reader) error { _, _, err := r.NextRaw(); return err },
		"decoded": func(r *Reader) error { _, _, err := r.Next(); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			used := cpu(b)
			for b.Loop() {
				r, err := v.Read(0)
				require.NoError(b, err)
				for err == nil {
					err = next(r)
				}
				require.True(b, errors.Is(err, io.EOF))
				require.NoError(b, r.Close())
			}
			b.ReportMetric(float64(benchRecords*b.N)/(cpu(b)-used).Seconds(), "records/cpu-s")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	dir := filled(b, 200_000)
	v, err := OpenReader(dir)
	require.NoError(b, err)
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n = (n + 7919) % 200_000
		if _, err := v.Get(n + 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWritable(b *testing.B) {
	l := start(b, Options{Dir: b.TempDir()})
	for b.Loop() {
		if err := l.Writable(); err != nil {
			b.Fatal(err)
		}
	}
}
