package offline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"

	"github.com/haechi-fraud/haechi/internal/project"
)

// Job says what to replay.
type Job struct {
	EventType *project.EventType
	// Events and Labels are files that end in .csv, .csv.gz or .parquet, read by the event type's import mapping.
	Events, Labels []string
	// Lookups overrides the file of a lookup by its name.
	Lookups map[string]string
	// Features names the columns of the answer, in order.
	Features []string
	// From and To bound the rows of the answer, half-open, in microseconds since the Unix epoch; To 0 is no bound. Rows
	// before From are history.
	From, To int64
	// Out is the Parquet file that is made.
	Out string
	// Cores is how many goroutines compute; all when 0.
	Cores int
	// Memory is what the process may take, in bytes: half of it holds rows and values, and what of them is beyond goes to
	// temporary files beside Out; the rest is for engines, keys and the garbage collector, which its caller bounds. 2 GiB
	// when 0.
	Memory int64
	// Resume keeps what is computed beside Out until the job is done, and uses what an earlier run of it left there.
	Resume bool
	// Progress is called now and then, not by two goroutines at once; may be nil.
	Progress func(Progress)
}

// Progress of a job.
type Progress struct {
	Stage       string // "reading", "computing", "writing"
	Done, Total int64  // bytes while reading, rows of entity kinds while computing, rows while writing; Total 0 is not known
}

// Report is what a job did.
type Report struct {
	Rows     int64  `json:"rows"` // in the answer
	Read     int64  `json:"read"` // rows that took part, those before From included
	Features int    `json:"features"`
	Rejected int64  `json:"rejected"` // rows that could not be used
	Rejects  string `json:"rejects,omitempty"`
	Degraded int64  `json:"degraded"`          // rows, once an entity kind, whose windows miss events that the cap on history dropped
	Resumed  int    `json:"resumed"`           // partitions taken from an earlier run
	AsText   string `json:"as_text,omitempty"` // why the files were not read by columns; empty when they were
}

// DefaultMemory is what a job takes that does not say.
const DefaultMemory = 2 << 30

const maxPartitions = 256

// Replay computes the features of the job's events, each from what was there before it, and writes them in the order
// (event time, row). The values are bit for bit those of one engine that observed the events and their labels in that
// order.
func Replay(ctx context.Context, job Job) (Report, error) {
	r, err := newReplay(job)
	if err != nil {
		return Report{}, fmt.Errorf("replay: %w", err)
	}
	err = r.run(ctx)
	if closing := r.close(); err == nil {
		err = closing
	}
	if err != nil {
		return r.report, fmt.Errorf("replay: %w", err)
	}
	return r.report, nil
}

// replay is one job under way.
type replay struct {
	job        Job
	plan       *plan
	words      *words
	rows       *store
	values     *store
	spread     *spread
	results    [][]stream
	statements map[string][]statement
	kept       *kept // nil without Resume
	report     Report
	telling    sync.Mutex
	resumed    atomic.Int64
}

func newReplay(job Job) (*replay, error) {
	if job.Cores <= 0 {
		job.Cores = runtime.GOMAXPROCS(0)
	}
	if job.Memory <= 0 {
		job.Memory = DefaultMemory
	}
	if job.To == 0 {
		job.To = math.MaxInt64
	}
	if info, err := os.Stat(filepath.Dir(job.Out)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s cannot be written: %s is not a folder", job.Out, filepath.Dir(job.Out))
	}
	if job.EventType.Mapping == nil {
		return nil, fmt.Errorf("event type %s declares no import; say which columns make an event under import:", job.EventType.Name)
	}
	p, err := newPlan(&job.EventType.Schema, job.EventType.Definitions, job.Features)
	if err != nil {
		return nil, err
	}
	dir, shared := filepath.Dir(job.Out), &pool{}
	return &replay{job: job, plan: p, rows: newStore(dir, job.Memory/4, shared), values: newStore(dir, job.Memory/4, shared), report: Report{Features: len(p.names)}}, nil
}

func (r *replay) close() error { return errors.Join(r.rows.close(), r.values.close()) }

func (r *replay) run(ctx context.Context) error {
	if r.job.Resume {
		var err error
		if r.kept, err = openKept(&r.job, r.plan); err != nil {
			return err
		}
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	r.report.Read, r.report.Rows = r.spread.all, r.spread.wanted
	if err := r.compute(ctx); err != nil {
		return err
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if r.kept != nil {
		return r.kept.remove()
	}
	return nil
}

// tell reports progress.
func (r *replay) tell(stage string, done, total int64) {
	if r.job.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.job.Progress(Progress{stage, done, total})
}

// partitions is a power of two such that a partition's histories are small enough to stay in a cache, and large enough to
// be worth an engine.
func (r *replay) partitions() int {
	const rows, textRow = 1 << 15, 64
	var n int64
	for _, path := range r.job.Events {
		if info, err := os.Stat(path); err == nil {
			n += max(1, info.Size()/textRow)
		}
		if f, err := os.Open(path); err == nil && strings.HasSuffix(path, ".parquet") {
			if info, err := f.Stat(); err == nil {
				if file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)); err == nil {
					n += file.NumRows()
				}
			}
			_ = f.Close() // nothing was written
		}
	}
	p := 8
	for int64(p)*rows < n && p < maxPartitions {
		p *= 2
	}
	return p
}

// compute feeds every partition to an engine, Cores of them at a time.
func (r *replay) compute(ctx context.Context) error {
	type part struct{ pass, partition int }
	var parts []part
	for p := range r.plan.passes {
		streams := make([]stream, r.spread.partitions)
		for i := range streams {
			streams[i].store = r.values
			parts = append(parts, part{p, i})
		}
		r.results = append(r.results, streams)
	}
	total := r.spread.all * int64(len(r.plan.passes))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done, degraded atomic.Int64
	var wait sync.WaitGroup
	r.tell("computing", 0, total)
	for range r.job.Cores {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(parts)); i = next.Add(1) - 1 {
				n, err := r.computePart(ctx, parts[i].pass, parts[i].partition, func(rows int64) { r.tell("computing", done.Add(rows), total) })
				if err != nil {
					cancel(err)
					return
				}
				degraded.Add(n)
			}
		})
	}
	wait.Wait()
	r.report.Degraded, r.report.Resumed = degraded.Load(), int(r.resumed.Load())
	return context.Cause(ctx)
}

func (r *replay) computePart(ctx context.Context, pass, partition int, told func(int64)) (degraded int64, err error) {
	out := &r.results[pass][partition]
	if r.kept != nil {
		degraded, found, err := r.kept.load(pass, partition, r.spread.counts[pass][partition], out)
		if found {
			r.resumed.Add(1)
		}
		if err != nil || found {
			told(r.spread.counts[pass][partition])
			return degraded, err
		}
	}
	ps := &r.plan.passes[pass]
	if degraded, err = ps.feed(ctx, &r.spread.rows[pass][partition], r.words, out, told); err != nil {
		return 0, err
	}
	if r.kept != nil {
		return degraded, r.kept.save(pass, partition, r.spread.counts[pass][partition], degraded, out)
	}
	return degraded, nil
}

// write joins the columns and makes the answer.
func (r *replay) write(ctx context.Context) error {
	t := r.job.EventType
	to, err := createVectors(r.job.Out, r.plan.names, r.job.Cores, map[string]string{"haechi.event_type": t.Name, "haechi.event_type_hash": t.Hash})
	if err != nil {
		return err
	}
	j, err := newJoiner(r.spread, r.results, r.words)
	if err == nil {
		done := int64(0)
		r.tell("writing", 0, r.spread.wanted)
		err = j.run(ctx, to, func(rows int64) { done += rows; r.tell("writing", done, r.spread.wanted) })
	}
	if err != nil {
		return errors.Join(err, to.abandon())
	}
	return to.close()
}
