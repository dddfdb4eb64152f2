package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain"
)

// Registry is what the Models service reads and writes.
type Registry interface {
	registry.Versions
	registry.EvidenceStore
	registry.Assignments
}

// Applier brings assignments into service.
type Applier interface {
	// Check says why a version could not be served.
	Check(ctx context.Context, eventType, version string) error
	Apply(ctx context.Context, eventType string) error
}

// ModelImporter checks, verifies and stores a model trained elsewhere.
type ModelImporter interface {
	ImportModel(ctx context.Context, in retrain.ModelImport) (registry.Version, error)
}

type modelsService struct {
	haechiv1.UnimplementedModelsServer
	registry Registry
	applier  func() (Applier, error)
	importer ModelImporter
}

const maxModelBytes = 1 << 30

// ListModels implements haechiv1.ModelsServer.
func (s *modelsService) ListModels(ctx context.Context, in *haechiv1.ListModelsRequest) (*haechiv1.ListModelsResponse, error) {
	versions, err := s.registry.ListVersions(ctx, in.EventType)
	if err != nil {
		return nil, err
	}
	out := &haechiv1.ListModelsResponse{}
	for _, v := range versions {
		m, err := s.versionTo(ctx, v)
		if err != nil {
			return nil, err
		}
		m.Features, m.Needs = nil, nil // GetModel has them
		out.Models = append(out.Models, m)
	}
	return out, nil
}

// GetModel implements haechiv1.ModelsServer.
func (s *modelsService) GetModel(ctx context.Context, in *haechiv1.GetModelRequest) (*haechiv1.GetModelResponse, error) {
	v, err := s.find(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	out := &haechiv1.GetModelResponse{}
	if out.Model, err = s.versionTo(ctx, v); err != nil {
		return nil, err
	}
	evidence, err := s.registry.Evidence(ctx, v.Digest)
	if err != nil {
		return nil, err
	}
	for _, e := range evidence {
		item := &haechiv1.Evidence{Kind: e.Kind, CreatedBy: e.CreatedBy, CreatedAt: timestamppb.New(e.CreatedAt)}
		if len(e.Body) < 1<<20 { // golden rows and the like stay in the registry
			body := &structpb.Struct{}
			if err := body.UnmarshalJSON(e.Body); err == nil {
				item.Body = body
			}
		}
		out.Evidence = append(out.Evidence, item)
	}
	return out, nil
}

// find takes a digest or a prefix of it that names one version.
func (s *modelsService) find(ctx context.Context, digest string) (registry.Version, error) {
	if len(digest) == 64 {
		return s.registry.Version(ctx, digest)
	}
	all, err := s.registry.ListVersions(ctx, "")
	if err != nil {
		return registry.Version{}, err
	}
	var found []registry.Version
	for _, v := range all {
		if strings.HasPrefix(v.Digest, digest) {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 0:
		return registry.Version{}, fmt.Errorf("model version %s: %w", digest, registry.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return registry.Version{}, invalid("version", fmt.Sprintf("%q begins %d versions; give more of it", digest, len(found)))
}

func (s *modelsService) versionTo(ctx context.Context, v registry.Version) (*haechiv1.ModelVersion, error) {
	out := &haechiv1.ModelVersion{
		Version: v.Digest, EventType: v.EventType, Name: v.Name, Source: v.Source, CreatedBy: v.CreatedBy, CreatedAt: timestamppb.New(v.CreatedAt),
		Parameters: v.Parameters, ReviewThreshold: v.Thresholds.Review, DeclineThreshold: v.Thresholds.Decline, Verified: v.Verified, EventTypeHash: v.EventTypeHash,
	}
	if !v.Span.From.IsZero() {
		out.TrainFrom, out.TrainTo = timestamppb.New(v.Span.From), timestamppb.New(v.Span.To)
	}
	for _, f := range v.Features {
		out.Features = append(out.Features, &haechiv1.ModelFeature{Name: f.Name, Hash: f.Hash, Canonical: f.Canonical})
	}
	for _, f := range v.Needs {
		out.Needs = append(out.Needs, &haechiv1.ModelFeature{Name: f.Name, Hash: f.Hash, Canonical: f.Canonical})
	}
	head, err := s.registry.Head(ctx, v.EventType)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	for role, assignments := range head.Roles {
		for _, a := range assignments {
			if a.Version == v.Digest {
				out.Role = string(role)
			}
		}
	}
	return out, nil
}

// ImportModel implements haechiv1.ModelsServer.
func (s *modelsService) ImportModel(stream grpc.ClientStreamingServer[haechiv1.ImportModelRequest, haechiv1.ImportModelResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	h := first.GetHeader()
	if h == nil {
		return invalid("header", "must be the first message of the stream")
	}
	in := retrain.ModelImport{
		EventType: h.EventType, Name: h.Name, Features: h.Features, Actor: actor(h.Actor),
		Thresholds: registry.Thresholds{Review: h.ReviewThreshold, Decline: h.DeclineThreshold},
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if in.Text = append(in.Text, part.GetChunk()...); len(in.Text) > maxModelBytes {
			return invalid("chunk", "the model file is larger than 1 GiB")
		}
	}
	v, err := s.importer.ImportModel(stream.Context(), in)
	if err != nil {
		return err
	}
	m, err := s.versionTo(stream.Context(), v)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&haechiv1.ImportModelResponse{Model: m})
}

func actor(name string) string {
	if name == "" {
		return "unknown"
	}
	return name
}

// PromoteModel implements haechiv1.ModelsServer: it returns when the version answers requests.
func (s *modelsService) PromoteModel(ctx context.Context, in *haechiv1.PromoteModelRequest) (*haechiv1.PromoteModelResponse, error) {
	v, err := s.find(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	if _, err := s.registry.Model(ctx, v.Digest); err != nil { // what cannot be loaded is not made champion
		return nil, err
	}
	applier, err := s.applier()
	if err != nil {
		return nil, err
	}
	if applier != nil {
		if err := applier.Check(ctx, v.EventType, v.Digest); err != nil {
			return nil, invalid("version", err.Error())
		}
	}
	head, err := s.registry.Head(ctx, v.EventType)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	now := time.Now().UTC()
	base := registry.Assignment{EventType: v.EventType, ValidFrom: now, Actor: actor(in.Actor), Reason: in.Reason}
	champion := base
	champion.Role, champion.Version = registry.Champion, v.Digest
	changes := []registry.Assignment{champion}
	for _, old := range head.Roles[registry.Champion] {
		if old.Version == v.Digest {
			return nil, invalid("version", "is the champion already")
		}
		previous := base
		previous.Role, previous.Version = registry.Previous, old.Version
		changes = append(changes, previous)
	}
	revision, err := s.registry.Assign(ctx, head.Revision, changes)
	if err != nil {
		return nil, err
	}
	champion.Revision, champion.RecordedAt = revision, now
	if applier != nil {
		if err := applier.Apply(ctx, v.EventType); err != nil {
			return nil, fmt.Errorf("revision %d is recorded but not in service: %w", revision, err)
		}
	}
	return &haechiv1.PromoteModelResponse{Assignment: assignmentTo(champion)}, nil
}

// ListAssignments implements haechiv1.ModelsServer.
func (s *modelsService) ListAssignments(ctx context.Context, in *haechiv1.ListAssignmentsRequest) (*haechiv1.ListAssignmentsResponse, error) {
	out := &haechiv1.ListAssignmentsResponse{}
	if in.At == nil {
		all, err := s.registry.History(ctx, in.EventType)
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			out.Assignments = append(out.Assignments, assignmentTo(a))
		}
		return out, nil
	}
	state, err := s.registry.At(ctx, in.EventType, in.At.AsTime())
	if err != nil {
		return nil, err
	}
	for _, role := range state.Roles {
		for _, a := range role {
			out.Assignments = append(out.Assignments, assignmentTo(a))
		}
	}
	return out, nil
}

func assignmentTo(a registry.Assignment) *haechiv1.Assignment {
	return &haechiv1.Assignment{
		EventType: a.EventType, Revision: a.Revision, Role: string(a.Role), Version: a.Version, ValidFrom: timestamppb.New(a.ValidFrom),
		RecordedAt: timestamppb.New(a.RecordedAt), Actor: a.Actor, Reason: a.Reason,
	}
}
