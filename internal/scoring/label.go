package scoring

import (
	"context"
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// LabelStatement is a dated statement about an event.
type LabelStatement struct {
	Verdict    features.Verdict
	Kind       string // one that the event type declares
	ReasonCode string
	Source     string
	KnownAt    int64 // microseconds since the Unix epoch; 0: the event's time plus the event type's label delay
}

// LabelResult says what became of a statement.
type LabelResult struct {
	Sequence uint64
	Added    bool // false: the statement stood there already
	Waiting  bool // the event has not been seen yet
}

// LoggedLabel is a statement as it stands in the log.
type LoggedLabel struct {
	LabelStatement
	Sequence uint64
	Recorded int64 // microseconds since the Unix epoch
}

// PutLabel takes one statement. It returns before the record is on disk; WaitDurable waits for it.
func (s *Scorer) PutLabel(ctx context.Context, eventType, eventID string, st LabelStatement) (LabelResult, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return LabelResult{}, err
	}
	if err := checkStatement(l, eventID, st); err != nil {
		return LabelResult{}, err
	}
	if err := s.log.Writable(); err != nil {
		return LabelResult{}, err
	}
	k := s.ids.key(l.typ.Name, eventID)
	if err := s.ids.beginLabel(ctx, k); err != nil {
		return LabelResult{}, err
	}
	defer s.ids.endLabel(k)
	for {
		forgotten := s.ids.forgotten.Load()
		p, known, err := s.ids.find(ctx, k)
		if err != nil {
			return LabelResult{}, err
		}
		if known {
			return s.labelKnown(l, k, p, eventID, st)
		}
		r, waits, err := s.labelAwaited(l, k, forgotten, eventID, st)
		if waits || err != nil {
			return r, err
		}
	}
}

func checkStatement(l *lane, eventID string, st LabelStatement) error {
	switch {
	case eventID == "" || len(eventID) > 128:
		return &features.FieldError{Field: "event_id", Problem: "must have 1 to 128 bytes"}
	case st.Verdict != features.Fraud && st.Verdict != features.Legitimate && st.Verdict != features.Withdrawn:
		return &features.FieldError{Field: "verdict", Problem: "must be fraud, legitimate or withdrawn"}
	case !slices.Contains(l.typ.LabelKinds, st.Kind):
		return &features.FieldError{Field: "kind", Problem: fmt.Sprintf("%q is not declared by event type %s, which has %v", st.Kind, l.typ.Name, l.typ.LabelKinds)}
	}
	return nil
}

// WaitDurable waits until a record is on disk.
func (s *Scorer) WaitDurable(ctx context.Context, sequence uint64) error {
	return s.wait(ctx, sequence)
}

func (l *lane) labelRecord(eventID string, st LabelStatement, recorded int64) *logv1.Label {
	verdict := logv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE
	switch st.Verdict {
	case features.Fraud:
		verdict = logv1.LabelVerdict_LABEL_VERDICT_FRAUD
	case features.Withdrawn:
		verdict = logv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN
	}
	return &logv1.Label{
		EventType: l.index, EventId: eventID, Verdict: verdict, Kind: st.Kind, ReasonCode: st.ReasonCode,
		KnownAt: st.KnownAt, Recorded: recorded, Source: st.Source,
	}
}

// labelKnown attaches a statement to an event that was seen.
func (s *Scorer) labelKnown(l *lane, k eventlog.Key, p place, eventID string, st LabelStatement) (LabelResult, error) {
	rec, lay, err := s.loggedEvent(p.event)
	if err != nil {
		return LabelResult{}, err
	}
	var ev features.Event
	lay.event(rec, &ev)
	if st.KnownAt == 0 {
		st.KnownAt = ev.Time + l.typ.Schema.LabelDelay
	}
	if sequence, stands, err := s.stands(k, st); err != nil || stands {
		return LabelResult{Sequence: sequence}, err
	}
	out := l.labelRecord(eventID, st, s.opts.Now().UnixMicro())
	out.EventSequence, out.EventTime, out.Entities = p.event, ev.Time, ev.Entities
	var sequence uint64
	l.gate.RLock()
	defer l.gate.RUnlock()
	err = l.engine.Label(&ev, p.event, func() (features.Label, error) {
		var err error
		sequence, err = s.log.Append(&logv1.Record{Body: &logv1.Record_Label{Label: out}}, nil)
		return features.Label{Sequence: sequence, Verdict: st.Verdict, KnownAt: st.KnownAt}, err
	})
	if err != nil {
		return LabelResult{}, err
	}
	s.ids.addLabel(k, sequence)
	s.metrics.labels.WithLabelValues(l.typ.Name).Inc()
	return LabelResult{Sequence: sequence, Added: true}, nil
}

// stands looks for the same statement among those that the event has.
func (s *Scorer) stands(k eventlog.Key, st LabelStatement) (uint64, bool, error) {
	all, err := s.ids.labelsOf(k)
	if err != nil {
		return 0, false, err
	}
	for _, sequence := range all {
		had, err := s.labelAt(sequence)
		if err != nil {
			return 0, false, err
		}
		if had.LabelStatement == st {
			return sequence, true, nil
		}
	}
	return 0, false, nil
}

func (s *Scorer) labelAt(sequence uint64) (LoggedLabel, error) {
	rec, err := s.get(sequence)
	if err != nil {
		return LoggedLabel{}, fmt.Errorf("read label record %d: %w", sequence, err)
	}
	body := rec.GetLabel()
	if body == nil {
		return LoggedLabel{}, fmt.Errorf("record %d of the log is not a label: run haechi log verify", sequence)
	}
	st := LabelStatement{Kind: body.Kind, ReasonCode: body.ReasonCode, Source: body.Source, KnownAt: body.KnownAt}
	st.Verdict = labelOf(sequence, body).Verdict
	return LoggedLabel{LabelStatement: st, Sequence: sequence, Recorded: body.Recorded}, nil
}

// labelAwaited keeps a statement for an event that has not been seen. It reports false when the event turned up meanwhile.
func (s *Scorer) labelAwaited(l *lane, k eventlog.Key, forgotten uint64, eventID string, st LabelStatement) (LabelResult, bool, error) {
	if st.KnownAt == 0 {
		return LabelResult{}, true, &features.FieldError{Field: "known_at", Problem: "is needed for an event that has not been seen yet, whose time is not known"}
	}
	if sequence, stands, err := s.stands(k, st); err != nil || stands {
		return LabelResult{Sequence: sequence, Waiting: true}, true, err
	}
	label, waits, err := s.ids.wait(k, l.typ.Name, eventID, forgotten, func() (features.Label, error) {
		rec := l.labelRecord(eventID, st, s.opts.Now().UnixMicro())
		sequence, err := s.log.Append(&logv1.Record{Body: &logv1.Record_Label{Label: rec}}, nil)
		return features.Label{Sequence: sequence, Verdict: st.Verdict, KnownAt: st.KnownAt}, err
	})
	if !waits || err != nil {
		return LabelResult{}, waits, err
	}
	s.metrics.labels.WithLabelValues(l.typ.Name).Inc()
	return LabelResult{Sequence: label.Sequence, Added: true, Waiting: true}, true, nil
}

// Labels gives every statement about an event, in log order, when they are on disk; ErrNotFound when neither event nor label is known.
func (s *Scorer) Labels(ctx context.Context, eventType, eventID string) ([]LoggedLabel, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	k := s.ids.key(l.typ.Name, eventID)
	_, known, err := s.ids.find(ctx, k)
	if err != nil {
		return nil, err
	}
	sequences, err := s.ids.labelsOf(k)
	if err != nil {
		return nil, err
	}
	if !known && len(sequences) == 0 {
		return nil, fmt.Errorf("event %s/%s: %w", l.typ.Name, eventID, ErrNotFound)
	}
	if n := len(sequences); n > 0 {
		if err := s.wait(ctx, sequences[n-1]); err != nil {
			return nil, err
		}
	}
	out := make([]LoggedLabel, 0, len(sequences))
	for _, sequence := range sequences {
		label, err := s.labelAt(sequence)
		if err != nil {
			return nil, err
		}
		out = append(out, label)
	}
	return out, nil
}
