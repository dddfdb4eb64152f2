package offline

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
)

// read deals the rows of all files out.
func (r *replay) read(ctx context.Context) error {
	if err := r.readLabels(ctx); err != nil {
		return err
	}
	partitions := r.partitions()
	begin := func() {
		r.words = newWords(r.plan.schema)
		r.spread = newSpread(r.plan, r.rows, partitions, r.job.From, r.job.To)
	}
	begin()
	err := errColumns
	if !slices.ContainsFunc(r.job.Events, func(path string) bool { return !strings.HasSuffix(path, ".parquet") }) {
		total := r.size()
		err = readColumns(ctx, r.job.EventType, r.job.Events, r.words, r.take, func(bytes int64) { r.tell("reading", bytes, total) })
	}
	for _, sort := range []bool{false, true} {
		if !errors.Is(err, errColumns) && !errors.Is(err, ingest.ErrUnsorted) {
			break
		}
		r.report.AsText = err.Error()
		if err := r.forget(); err != nil {
			return err
		}
		begin()
		err = r.readText(ctx, sort)
	}
	if err != nil {
		return err
	}
	return r.spread.seal()
}

// forget lets go of rows that are read again.
func (r *replay) forget() error {
	old := r.rows
	r.rows = newStore(old.dir, old.limit, old.pool)
	return old.close()
}

func (r *replay) size() (total int64) {
	for _, path := range r.job.Events {
		total += fileSize(path)
	}
	return total
}

// readText reads the files as rows of text.
func (r *replay) readText(ctx context.Context, sort bool) error {
	b := newBatch(r.plan.schema)
	flush := func() error {
		err := r.take(b)
		b.reset()
		return err
	}
	job := ingest.Job{EventType: r.job.EventType, Events: r.job.Events, Lookups: r.job.Lookups, Rejects: r.job.Out + ".rejects.csv",
		MemoryMiB: max(2, int(r.job.Memory>>22)), Progress: func(p ingest.Progress) {
			if p.Stage == "reading" {
				r.tell(p.Stage, p.Bytes, p.TotalBytes)
			} else {
				r.tell(p.Stage, p.Appended, p.Total)
			}
		}}
	report, err := ingest.ReadEvents(ctx, job, sort, func(ev *features.Event, said *ingest.LabelStatement) error {
		if said != nil {
			b.labels = append(b.labels, batchLabel{b.rows, said.Verdict, said.KnownAt})
		}
		b.add(ev, r.words)
		if b.rows == batchRows {
			return flush()
		}
		return nil
	})
	r.report.Rejected, r.report.Rejects = report.Rejected, report.RejectsFile
	if err != nil {
		return err
	}
	return flush()
}

// take completes a batch's labels and deals it out.
func (r *replay) take(b *batch) error {
	if b.rows == 0 {
		return nil
	}
	r.label(b)
	return r.spread.add(b)
}
