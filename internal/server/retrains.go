package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain"
)

type retrainsService struct {
	haechiv1.UnimplementedRetrainsServer
	runner *retrain.Runner
	runs   registry.Runs
}

// StartRetrain implements haechiv1.RetrainsServer.
func (s *retrainsService) StartRetrain(ctx context.Context, in *haechiv1.StartRetrainRequest) (*haechiv1.StartRetrainResponse, error) {
	req := retrain.Request{EventType: in.EventType, Features: in.Features, ExcludeKnown: in.ExcludeKnown, Actor: actor(in.Actor)}
	var err error
	if in.AsOf != nil {
		if req.AsOf, err = micros("as_of", in.AsOf); err != nil {
			return nil, err
		}
	}
	if req.Train, err = spanFrom("train", in.Train); err != nil {
		return nil, err
	}
	if req.Test, err = spanFrom("test", in.Test); err != nil {
		return nil, err
	}
	id, err := s.runner.Start(ctx, req)
	if err != nil {
		return nil, err
	}
	return &haechiv1.StartRetrainResponse{RunId: id}, nil
}

func spanFrom(field string, in *haechiv1.Span) (retrain.Span, error) {
	if in == nil {
		return retrain.Span{}, nil
	}
	from, err := micros(field+".from", in.From)
	if err != nil {
		return retrain.Span{}, err
	}
	to, err := micros(field+".to", in.To)
	if err != nil {
		return retrain.Span{}, err
	}
	if to <= from {
		return retrain.Span{}, invalid(field, "ends before it begins; spans are half-open: FROM..TO with FROM before TO")
	}
	return retrain.Span{From: from, To: to}, nil
}

// WatchRetrain implements haechiv1.RetrainsServer.
func (s *retrainsService) WatchRetrain(in *haechiv1.WatchRetrainRequest, stream grpc.ServerStreamingServer[haechiv1.WatchRetrainResponse]) error {
	run, err := s.runner.Watch(stream.Context(), in.RunId, func(p retrain.Progress) error {
		return stream.Send(&haechiv1.WatchRetrainResponse{Step: p.Step, Done: p.Done, Total: p.Total, Message: p.Message})
	})
	if err != nil {
		return err
	}
	return stream.Send(&haechiv1.WatchRetrainResponse{Step: run.Step, Run: runTo(run)})
}

// GetRetrain implements haechiv1.RetrainsServer.
func (s *retrainsService) GetRetrain(ctx context.Context, in *haechiv1.GetRetrainRequest) (*haechiv1.GetRetrainResponse, error) {
	run, err := s.runs.Run(ctx, in.RunId)
	if err != nil {
		return nil, err
	}
	return &haechiv1.GetRetrainResponse{Run: runTo(run)}, nil
}

// CancelRetrain implements haechiv1.RetrainsServer.
func (s *retrainsService) CancelRetrain(ctx context.Context, in *haechiv1.CancelRetrainRequest) (*haechiv1.CancelRetrainResponse, error) {
	return &haechiv1.CancelRetrainResponse{}, s.runner.Cancel(ctx, in.RunId)
}

// ListRetrains implements haechiv1.RetrainsServer.
func (s *retrainsService) ListRetrains(ctx context.Context, in *haechiv1.ListRetrainsRequest) (*haechiv1.ListRetrainsResponse, error) {
	runs, err := s.runs.ListRuns(ctx, in.EventType)
	if err != nil {
		return nil, err
	}
	out := &haechiv1.ListRetrainsResponse{}
	for _, r := range runs {
		m := runTo(r)
		m.Report = nil // GetRetrain has it
		out.Runs = append(out.Runs, m)
	}
	return out, nil
}

// ReadArtifact implements haechiv1.RetrainsServer.
func (s *retrainsService) ReadArtifact(in *haechiv1.ReadArtifactRequest, stream grpc.ServerStreamingServer[haechiv1.ReadArtifactResponse]) (err error) {
	f, err := s.runner.Artifact(stream.Context(), in.RunId, in.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffer := make([]byte, 256<<10)
	for {
		n, err := f.Read(buffer)
		if n > 0 {
			if err := stream.Send(&haechiv1.ReadArtifactResponse{Chunk: buffer[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func runTo(r registry.Run) *haechiv1.Run {
	out := &haechiv1.Run{
		RunId: r.ID, EventType: r.EventType, State: string(r.State), Step: r.Step, Actor: r.Actor, CreatedAt: timestamppb.New(r.CreatedAt),
		UpdatedAt: timestamppb.New(r.UpdatedAt), Error: r.Error, Version: r.Version,
	}
	out.Report = structOf(r.Report)
	out.Config = structOf(r.Config)
	return out
}

func structOf(text []byte) *structpb.Struct {
	s := &structpb.Struct{}
	if len(text) == 0 || s.UnmarshalJSON(text) != nil {
		return nil
	}
	return s
}
