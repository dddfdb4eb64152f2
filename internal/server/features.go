package server

import (
	"context"
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// defaultListed is how many events an explanation lists unless asked for another number.
const defaultListed = 100

type featuresService struct {
	haechiv1.UnimplementedFeaturesServer
	scorer scorer
}

// ListFeatures implements haechiv1.FeaturesServer.
func (s *featuresService) ListFeatures(_ context.Context, in *haechiv1.ListFeaturesRequest) (*haechiv1.ListFeaturesResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	t, err := sc.EventType(in.EventType)
	if err != nil {
		return nil, err
	}
	out := &haechiv1.ListFeaturesResponse{EventType: t.Name}
	for i := range t.Definitions {
		d := &t.Definitions[i]
		text := d.Describe(&t.Schema)
		out.Features = append(out.Features, &haechiv1.Feature{
			Name: d.Name, Hash: d.Hash(), Kind: d.Kind(), Entity: d.Entity(), Words: text.Words, Formula: text.Formula, Unit: text.Unit,
			Empty: text.Empty, Canonical: d.Canonical(),
		})
	}
	return out, nil
}

// traced is how many of a decision's features are explained, with how many events each.
const (
	traced       = 5
	tracedEvents = 20
)

// traces explains the features whose values differ, as far as the event type has them still.
func traces(ctx context.Context, sc *scoring.Scorer, r *scoring.Replayed) ([]*haechiv1.ExplainFeatureResponse, error) {
	t, err := sc.EventType(r.Logged.EventType)
	if err != nil {
		return nil, err
	}
	var out []*haechiv1.ExplainFeatureResponse
	for i, name := range r.Logged.FeatureNames {
		inForce := slices.ContainsFunc(t.Definitions, func(d features.Definition) bool { return d.Name == name })
		if len(out) == traced || !inForce || i >= len(r.Again.Vector) || math.Float64bits(r.Logged.Vector[i]) == math.Float64bits(r.Again.Vector[i]) {
			continue
		}
		x, err := sc.ExplainFeature(ctx, t.Name, r.Logged.EventID, name, tracedEvents)
		if err != nil {
			return nil, err
		}
		trace, err := explainedTo(sc, x)
		if err != nil {
			return nil, err
		}
		out = append(out, trace)
	}
	return out, nil
}

// ExplainFeature implements haechiv1.FeaturesServer.
func (s *featuresService) ExplainFeature(ctx context.Context, in *haechiv1.ExplainFeatureRequest) (*haechiv1.ExplainFeatureResponse, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	limit := int(in.Limit)
	if limit == 0 {
		limit = defaultListed
	}
	x, err := sc.ExplainFeature(ctx, in.EventType, in.EventId, in.Name, limit)
	if err != nil {
		return nil, err
	}
	return explainedTo(sc, x)
}

func explainedTo(sc *scoring.Scorer, x *features.Explanation) (*haechiv1.ExplainFeatureResponse, error) {
	out := &haechiv1.ExplainFeatureResponse{Name: x.Name, Value: x.Value, Events: uint64(x.Events)}
	if x.From != 0 || x.To != 0 {
		out.From, out.To = timestamp(x.From), timestamp(x.To)
	}
	if x.Short != 0 {
		out.ShortFrom = timestamp(x.Short)
	}
	for _, e := range x.Entries {
		listed := &haechiv1.ExplainedEvent{Sequence: e.Sequence, Time: timestamp(e.Time), Counts: e.Counts, Value: e.Value, Text: e.Text, Current: e.Current}
		if e.Sequence != 0 {
			var err error
			if listed.EventId, err = sc.EventID(e.Sequence); err != nil {
				return nil, err
			}
		}
		out.Listed = append(out.Listed, listed)
	}
	for i := range x.Inputs {
		input, err := explainedTo(sc, &x.Inputs[i])
		if err != nil {
			return nil, err
		}
		out.Inputs = append(out.Inputs, input)
	}
	for _, f := range x.Fields {
		out.Fields = append(out.Fields, &haechiv1.ExplainedField{Name: f.Name, Value: f.Value})
	}
	return out, nil
}
