package ingest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/warehouse"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// batcher turns log records into rows of the warehouse. Rows and their maps are used again for the next batch.
type batcher struct {
	log     *eventlog.Log
	types   map[uint32]*statedType
	batch   warehouse.Batch
	records int // in the batch, rows or not
}

// statedType is an event type as the log states it.
type statedType struct {
	*logv1.EventType
	hash string
}

func newBatcher(log *eventlog.Log) *batcher {
	return &batcher{log: log, types: make(map[uint32]*statedType), batch: warehouse.Batch{LogID: log.ID()}}
}

// fill replaces the batch by the next records, at most limit; none at the log's durable end.
func (b *batcher) fill(reader *eventlog.Reader, limit int) error {
	b.batch.Events, b.batch.Decisions, b.batch.Labels, b.records = b.batch.Events[:0], b.batch.Decisions[:0], b.batch.Labels[:0], 0
	for b.records < limit {
		sequence, rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log after %d: %w", b.batch.Through, err)
		}
		if err := b.add(sequence, rec); err != nil {
			return fmt.Errorf("log record %d: %w", sequence, err)
		}
		b.batch.Through = sequence
		b.records++
	}
	return nil
}

func (b *batcher) add(sequence uint64, rec *logv1.Record) error {
	switch body := rec.Body.(type) {
	case *logv1.Record_Event:
		return b.event(sequence, body.Event)
	case *logv1.Record_Decision:
		return b.decision(sequence, body.Decision)
	case *logv1.Record_Label:
		return b.label(sequence, body.Label)
	case *logv1.Record_EventType, *logv1.Record_Revision:
		return nil // the registry holds them
	}
	return errors.New("holds nothing that this program knows: it was written by a newer one")
}

func (b *batcher) stated(index uint32) (*statedType, error) {
	if t, ok := b.types[index]; ok {
		return t, nil
	}
	et, ok := b.log.EventType(index)
	if !ok {
		return nil, fmt.Errorf("refers to event type %d, which the log does not state", index)
	}
	t := &statedType{et, hex.EncodeToString(et.Hash)}
	b.types[index] = t
	return t, nil
}

// extend makes one more element and keeps what the slot held before, so that its maps and slices can be used again.
func extend[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	return slices.Grow(s, 1)[:len(s)+1]
}

func (b *batcher) event(sequence uint64, e *logv1.Event) error {
	t, err := b.stated(e.EventType)
	if err != nil {
		return err
	}
	if len(e.Entities) != len(t.Entities) || len(e.Attributes) != len(t.Attributes) || len(e.Numbers) != len(t.Numbers) {
		return fmt.Errorf("event %s/%s does not have the fields of its event type", t.Name, e.Id)
	}
	b.batch.Events = extend(b.batch.Events)
	row := &b.batch.Events[len(b.batch.Events)-1]
	*row = warehouse.Event{
		LogID: b.batch.LogID, Sequence: sequence, EventType: t.Name, EventTypeHash: t.hash, ID: e.Id, Time: e.Time,
		Currency: t.Currency, AmountMinor: e.Amount, Outcome: outcome(e.Outcome), Origin: originOf(e.Origin), Received: e.Received,
		Entities: named(row.Entities, t.Entities, e.Entities), Attributes: named(row.Attributes, t.Attributes, e.Attributes), Numbers: row.Numbers,
	}
	clear(row.Numbers)
	for i, x := range e.Numbers {
		if math.IsNaN(x) {
			continue
		}
		if row.Numbers == nil {
			row.Numbers = make(map[string]float64, len(e.Numbers))
		}
		row.Numbers[t.Numbers[i]] = x
	}
	return nil
}

// named gives the values that are there by their names.
func named(m map[string]string, names, values []string) map[string]string {
	clear(m)
	for i, v := range values {
		if v == "" {
			continue
		}
		if m == nil {
			m = make(map[string]string, len(values))
		}
		m[names[i]] = v
	}
	return m
}

func (b *batcher) decision(sequence uint64, d *logv1.Decision) error {
	t, err := b.stated(d.EventType)
	if err != nil {
		return err
	}
	b.batch.Decisions = extend(b.batch.Decisions)
	row := &b.batch.Decisions[len(b.batch.Decisions)-1]
	*row = warehouse.Decision{
		LogID: b.batch.LogID, Sequence: sequence, EventSequence: d.EventSequence, EventType: t.Name, EventTypeHash: t.hash, EventID: d.EventId,
		Decision: verdict(d.Verdict), Reasons: row.Reasons[:0], Flags: append(row.Flags[:0], d.Flags...), ModelVersion: hex.EncodeToString(d.ModelVersion),
		AssignmentRevision: d.AssignmentRevision, Raw: d.Raw, Probability: d.Probability, Vector: append(row.Vector[:0], d.Vector...), Decided: d.Decided,
	}
	for _, r := range d.Reasons {
		text := r.Text
		if r.Code != "" && r.Text != "" {
			text = r.Code + ": " + r.Text
		} else if r.Text == "" {
			text = r.Code
		}
		row.Reasons = append(row.Reasons, text)
	}
	return nil
}

func (b *batcher) label(sequence uint64, l *logv1.Label) error {
	t, err := b.stated(l.EventType)
	if err != nil {
		return err
	}
	b.batch.Labels = append(b.batch.Labels, warehouse.Label{
		LogID: b.batch.LogID, Sequence: sequence, EventType: t.Name, EventID: l.EventId, Verdict: labelVerdict(l.Verdict), Kind: l.Kind,
		ReasonCode: l.ReasonCode, Source: l.Source, KnownAt: l.KnownAt, Recorded: l.Recorded, EventSequence: l.EventSequence, EventTime: l.EventTime,
	})
	return nil
}

func outcome(o logv1.Outcome) string {
	switch o {
	case logv1.Outcome_OUTCOME_IN_ORDER:
		return "in_order"
	case logv1.Outcome_OUTCOME_LATE_INSERTED:
		return "late_inserted"
	case logv1.Outcome_OUTCOME_LATE_DROPPED:
		return "late_dropped"
	}
	return o.String()
}

func originOf(o logv1.Origin) string {
	switch o {
	case logv1.Origin_ORIGIN_SCORED:
		return "scored"
	case logv1.Origin_ORIGIN_IMPORTED:
		return "imported"
	}
	return o.String()
}

func verdict(v logv1.Verdict) string {
	switch v {
	case logv1.Verdict_VERDICT_APPROVE:
		return "approve"
	case logv1.Verdict_VERDICT_REVIEW:
		return "review"
	case logv1.Verdict_VERDICT_CHALLENGE:
		return "challenge"
	case logv1.Verdict_VERDICT_DECLINE:
		return "decline"
	case logv1.Verdict_VERDICT_UNSPECIFIED:
	}
	return v.String()
}

func labelVerdict(v logv1.LabelVerdict) string {
	switch v {
	case logv1.LabelVerdict_LABEL_VERDICT_FRAUD:
		return "fraud"
	case logv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE:
		return "legitimate"
	case logv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN:
		return "withdrawn"
	case logv1.LabelVerdict_LABEL_VERDICT_UNSPECIFIED:
	}
	return v.String()
}
