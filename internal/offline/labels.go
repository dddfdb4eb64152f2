package offline

import (
	"context"
	"fmt"
	"os"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
)

// statement is what a label file says of an event; knownAt 0 is the event's time plus the event type's label delay.
type statement struct {
	verdict features.Verdict
	knownAt int64
}

// readLabels keeps what the label files say of events that were ever called fraud. What they say of others changes
// nothing: an event without a label does not count as fraud either. So what is held is in proportion to the frauds.
func (r *replay) readLabels(ctx context.Context) error {
	if len(r.job.Labels) == 0 {
		return nil
	}
	r.statements = map[string][]statement{}
	if err := r.eachLabel(ctx, func(id string, l ingest.LabelStatement) {
		if l.Verdict == features.Fraud {
			r.statements[id] = nil
		}
	}); err != nil {
		return err
	}
	return r.eachLabel(ctx, func(id string, l ingest.LabelStatement) {
		if said, suspect := r.statements[id]; suspect {
			r.statements[id] = append(said, statement{l.Verdict, l.KnownAt})
		}
	})
}

func (r *replay) eachLabel(ctx context.Context, use func(id string, l ingest.LabelStatement)) error {
	job := ingest.Job{EventType: r.job.EventType, Labels: r.job.Labels, Rejects: r.job.Out + ".labels.rejects.csv", MemoryMiB: max(2, int(r.job.Memory>>22))}
	report, err := ingest.Import(ctx, job, labelTaker(use))
	if err == nil && report.Rejected > 0 {
		err = fmt.Errorf("%d rows of the label files cannot be used; %s says why", report.Rejected, report.RejectsFile)
	}
	return err
}

// labelTaker takes the labels of an import.
type labelTaker func(id string, l ingest.LabelStatement)

// AppendEvent is never called: there are no event files.
func (labelTaker) AppendEvent(context.Context, string, *features.Event) (bool, error) {
	return false, nil
}

// AppendLabel takes a label.
func (t labelTaker) AppendLabel(_ context.Context, _, eventID string, l ingest.LabelStatement) (bool, error) {
	t(eventID, l)
	return true, nil
}

// Flush has nothing to do.
func (labelTaker) Flush(context.Context) error { return nil }

// label leaves in the batch the labels that change something, with what the label files say.
func (r *replay) label(b *batch) {
	if r.statements == nil {
		kept := b.labels[:0]
		for _, l := range b.labels {
			if l.verdict == features.Fraud {
				kept = append(kept, l)
			}
		}
		b.labels = kept
		return
	}
	own := b.labels
	var all []batchLabel
	for row := range b.rows {
		said := r.statements[string(b.id(row))]
		for len(own) > 0 && own[0].row == row {
			if said != nil || own[0].verdict == features.Fraud {
				all = append(all, own[0])
			}
			own = own[1:]
		}
		for _, l := range said {
			if l.knownAt == 0 {
				l.knownAt = b.times[row] + r.job.EventType.Labels.Delay
			}
			all = append(all, batchLabel{row, l.verdict, l.knownAt})
		}
	}
	b.labels = all
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
