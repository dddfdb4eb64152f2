package server

import (
	"context"

	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type labelsService struct {
	haechiv1.UnimplementedLabelsServer
	scorer scorer
	guard  *guard
}

// PutLabel implements haechiv1.LabelsServer.
func (s *labelsService) PutLabel(ctx context.Context, in *haechiv1.PutLabelRequest) (*haechiv1.PutLabelResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	out, err := put1(ctx, sc, in.Label)
	if err != nil {
		return nil, err
	}
	return out, sc.WaitDurable(ctx, out.Sequence.Number)
}

// PutLabels implements haechiv1.LabelsServer; one wait for the disk covers all.
func (s *labelsService) PutLabels(ctx context.Context, in *haechiv1.PutLabelsRequest) (*haechiv1.PutLabelsResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	out := &haechiv1.PutLabelsResponse{}
	var last uint64
	for _, l := range in.Labels {
		var r *haechiv1.PutLabelResponse
		err := s.guard.item("PutLabels", l, func() (err error) { r, err = put1(ctx, sc, l); return err })
		if err == nil {
			last = max(last, r.Sequence.Number)
		}
		out.Items = append(out.Items, &haechiv1.PutLabelsResponse_Item{Status: status.Convert(err).Proto(), Result: r})
	}
	return out, sc.WaitDurable(ctx, last)
}

func put1(ctx context.Context, sc *scoring.Scorer, in *haechiv1.Label) (*haechiv1.PutLabelResponse, error) {
	st := scoring.LabelStatement{Kind: in.Kind, ReasonCode: in.ReasonCode, Source: in.Source}
	switch in.Verdict {
	case haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD:
		st.Verdict = features.Fraud
	case haechiv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE:
		st.Verdict = features.Legitimate
	case haechiv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN:
		st.Verdict = features.Withdrawn
	}
	if in.KnownAt != nil {
		var err error
		if st.KnownAt, err = micros("known_at", in.KnownAt); err != nil {
			return nil, err
		}
	}
	r, err := sc.PutLabel(ctx, in.EventType, in.EventId, st)
	if err != nil {
		return nil, err
	}
	return &haechiv1.PutLabelResponse{Sequence: &haechiv1.Sequence{LogId: sc.LogID(), Number: r.Sequence}, Added: r.Added, Waiting: r.Waiting}, nil
}

// ListLabels implements haechiv1.LabelsServer.
func (s *labelsService) ListLabels(ctx context.Context, in *haechiv1.ListLabelsRequest) (*haechiv1.ListLabelsResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	labels, err := sc.Labels(ctx, in.EventType, in.EventId)
	if err != nil {
		return nil, err
	}
	return &haechiv1.ListLabelsResponse{Labels: labelsTo(sc.LogID(), in.EventType, in.EventId, labels)}, nil
}

func labelsTo(logID, eventType, eventID string, labels []scoring.LoggedLabel) []*haechiv1.ListLabelsResponse_Item {
	var out []*haechiv1.ListLabelsResponse_Item
	for _, l := range labels {
		out = append(out, &haechiv1.ListLabelsResponse_Item{
			Label: &haechiv1.Label{
				EventType: eventType, EventId: eventID, Verdict: labelVerdictTo(l.Verdict), Kind: l.Kind, ReasonCode: l.ReasonCode,
				KnownAt: timestamp(l.KnownAt), Source: l.Source,
			},
			Sequence: &haechiv1.Sequence{LogId: logID, Number: l.Sequence}, RecordedAt: timestamp(l.Recorded),
		})
	}
	return out
}

func labelVerdictTo(v features.Verdict) haechiv1.LabelVerdict {
	switch v {
	case features.Fraud:
		return haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD
	case features.Legitimate:
		return haechiv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE
	case features.Withdrawn:
		return haechiv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN
	}
	return haechiv1.LabelVerdict_LABEL_VERDICT_UNSPECIFIED
}
