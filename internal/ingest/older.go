package ingest

import (
	"context"
	"fmt"
	"math"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/warehouse"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Older gives back from the warehouse what the log no longer holds.
type Older struct {
	LogID   string
	Source  warehouse.Source
	Project *project.Project
}

// Older passes on the events of one event type up to a sequence, in ascending order, as records of imported events of its
// document in force, and the labels appended up to there, each before its event as one that waits for it. Labels are read
// first and held in memory.
func (o *Older) Older(ctx context.Context, eventType string, through uint64, visit func(uint64, *logv1.Record) error) error {
	t, ok := o.Project.EventType(eventType)
	if !ok {
		return fmt.Errorf("the project does not declare event type %s", eventType)
	}
	q := warehouse.Query{EventType: eventType, LogID: o.LogID, Through: through}
	type stated struct {
		sequence uint64
		rec      *logv1.Record
	}
	labels := map[uint64][]stated{} // by the sequence of their event
	err := o.Source.Pull(ctx, q, func(r warehouse.Row) error {
		if r.Label == nil || r.Label.EventSequence == 0 {
			return nil
		}
		rec, err := olderLabel(r.Label)
		labels[r.Label.EventSequence] = append(labels[r.Label.EventSequence], stated{r.Label.Sequence, rec})
		return err
	})
	if err != nil {
		return err
	}
	return o.Source.Pull(ctx, q, func(r warehouse.Row) error {
		if r.Label != nil {
			if r.Label.EventSequence != 0 {
				return nil
			}
			rec, err := olderLabel(r.Label)
			if err != nil {
				return err
			}
			return visit(r.Label.Sequence, rec)
		}
		for _, l := range labels[r.Event.Sequence] {
			if err := visit(l.sequence, l.rec); err != nil {
				return err
			}
		}
		delete(labels, r.Event.Sequence)
		rec, err := olderEvent(&t.Schema, r.Event)
		if err != nil {
			return err
		}
		return visit(r.Event.Sequence, rec)
	})
}

// olderLabel is a row as a record of a label that waits for its event.
func olderLabel(l *warehouse.Label) (*logv1.Record, error) {
	verdicts := map[string]logv1.LabelVerdict{
		features.Fraud.String(): logv1.LabelVerdict_LABEL_VERDICT_FRAUD, features.Legitimate.String(): logv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE,
		features.Withdrawn.String(): logv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN,
	}
	verdict, ok := verdicts[l.Verdict]
	if !ok {
		return nil, fmt.Errorf("the warehouse has verdict %q, which this version does not know", l.Verdict)
	}
	return &logv1.Record{Body: &logv1.Record_Label{Label: &logv1.Label{EventId: l.EventID, Verdict: verdict, KnownAt: l.KnownAt}}}, nil
}

// olderEvent is a row as a record of the document in force.
func olderEvent(s *features.Schema, e *warehouse.Event) (*logv1.Record, error) {
	outcomes := map[string]logv1.Outcome{
		features.InOrder.String(): logv1.Outcome_OUTCOME_IN_ORDER, features.LateInserted.String(): logv1.Outcome_OUTCOME_LATE_INSERTED,
		features.LateDropped.String(): logv1.Outcome_OUTCOME_LATE_DROPPED,
	}
	outcome, ok := outcomes[e.Outcome]
	if !ok {
		return nil, fmt.Errorf("the warehouse has outcome %q, which this version does not know", e.Outcome)
	}
	rec := &logv1.Event{Id: e.ID, Time: e.Time, Amount: e.AmountMinor, Outcome: outcome, Origin: logv1.Origin_ORIGIN_IMPORTED}
	for i := range s.Entities {
		rec.Entities = append(rec.Entities, e.Entities[s.Entities[i].Name])
	}
	for i := range s.Attributes {
		rec.Attributes = append(rec.Attributes, e.Attributes[s.Attributes[i].Name])
	}
	for i := range s.Numbers {
		v, ok := e.Numbers[s.Numbers[i].Name]
		if !ok {
			v = math.NaN()
		}
		rec.Numbers = append(rec.Numbers, v)
	}
	return &logv1.Record{Body: &logv1.Record_Event{Event: rec}}, nil
}
