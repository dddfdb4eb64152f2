package server

import (
	"context"

	"google.golang.org/grpc"

	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type decisionsService struct {
	haechiv1.UnimplementedDecisionsServer
	scorer scorer
}

// GetDecision implements haechiv1.DecisionsServer.
func (s *decisionsService) GetDecision(ctx context.Context, in *haechiv1.GetDecisionRequest) (*haechiv1.GetDecisionResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	f, err := sc.Lookup(ctx, in.EventType, in.EventId)
	if err != nil {
		return nil, err
	}
	schema, err := sc.Schema(f.EventType)
	if err != nil {
		return nil, err
	}
	out := &haechiv1.GetDecisionResponse{
		Event: eventTo(schema, &f.Event), EventSequence: &haechiv1.Sequence{LogId: f.LogID, Number: f.EventSequence},
		Origin: "scored", Outcome: f.Outcome.String(), Labels: labelsTo(f.LogID, f.EventType, f.Event.ID, f.Labels),
	}
	if f.Imported {
		out.Origin = "imported"
	}
	if f.Decision != nil {
		out.Decision = decisionTo(f.Decision, true)
	}
	return out, nil
}

// ReplayDecision implements haechiv1.DecisionsServer.
func (s *decisionsService) ReplayDecision(ctx context.Context, in *haechiv1.ReplayDecisionRequest) (*haechiv1.ReplayDecisionResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	r, err := sc.Replay(ctx, in.EventType, in.EventId)
	if err != nil {
		return nil, err
	}
	return replayedTo(r), nil
}

func replayedTo(r *scoring.Replayed) *haechiv1.ReplayDecisionResponse {
	return &haechiv1.ReplayDecisionResponse{
		Equal: len(r.Differences) == 0, Logged: decisionTo(r.Logged, true), Replayed: decisionTo(r.Again, true), Differences: r.Differences,
	}
}

// ReplayDecisions implements haechiv1.DecisionsServer.
func (s *decisionsService) ReplayDecisions(in *haechiv1.ReplayDecisionsRequest, stream grpc.ServerStreamingServer[haechiv1.ReplayDecisionsResponse]) error {
	sc, err := s.scorer()
	if err != nil {
		return err
	}
	var first *scoring.Replayed
	o := scoring.ReplayOptions{
		EventType: in.EventType, OneIn: uint64(in.OneIn),
		Visit: func(r *scoring.Replayed) {
			if first == nil {
				first = r
			}
		},
		Progress: func(t scoring.ReplayTotals) {
			_ = stream.Send(totalsTo(t)) // a reader that left ends the stream's context, which ends the replay
		},
	}
	if in.From != nil {
		if o.From, err = micros("from", in.From); err != nil {
			return err
		}
	}
	if in.To != nil {
		if o.To, err = micros("to", in.To); err != nil {
			return err
		}
	}
	totals, err := sc.ReplayAll(stream.Context(), o)
	if err != nil {
		return err
	}
	out := totalsTo(totals)
	out.Done = true
	if first != nil {
		out.FirstMismatch, out.FirstMismatchId = replayedTo(first), first.Logged.EventID
		if out.FirstMismatchTraces, err = traces(stream.Context(), sc, first); err != nil {
			return err
		}
	}
	return stream.Send(out)
}

func totalsTo(t scoring.ReplayTotals) *haechiv1.ReplayDecisionsResponse {
	return &haechiv1.ReplayDecisionsResponse{
		Records: t.Records, RecordsTotal: t.RecordsTotal, Decisions: t.Decisions, Values: t.Values, Mismatches: t.Mismatches,
	}
}
