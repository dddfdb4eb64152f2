package server

import (
	"context"
	"sync"

	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/internal/scoring"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// scorer gives the decision path, or says why there is none now.
type scorer func() (*scoring.Scorer, error)

type scoringService struct {
	haechiv1.UnimplementedScoringServer
	scorer scorer
	guard  *guard
}

// Score implements haechiv1.ScoringServer.
func (s *scoringService) Score(ctx context.Context, in *haechiv1.ScoreRequest) (*haechiv1.ScoreResponse, error) {
	d, err := s.score(ctx, in.Event, in.Options)
	if err != nil {
		return nil, err
	}
	return &haechiv1.ScoreResponse{Decision: d}, nil
}

func (s *scoringService) score(ctx context.Context, in *haechiv1.Event, o *haechiv1.ScoreOptions) (*haechiv1.Decision, error) {
	sc, err := s.scorer()
	if err != nil {
		return nil, err
	}
	schema, err := sc.Schema(in.Type)
	if err != nil {
		return nil, err
	}
	ev, err := eventFrom(schema, in)
	if err != nil {
		return nil, err
	}
	d, err := sc.Score(ctx, in.Type, ev)
	if err != nil {
		return nil, err
	}
	return decisionTo(d, o.GetFeatures()), nil
}

// batchWorkers bounds how many events of one batch are under way at once.
const batchWorkers = 64

// ScoreBatch implements haechiv1.ScoringServer. Events are begun in request order. Those of one batch may pass each other
// once begun, but for two that share an entity: the later one waits until the earlier is decided.
func (s *scoringService) ScoreBatch(ctx context.Context, in *haechiv1.ScoreBatchRequest) (*haechiv1.ScoreBatchResponse, error) {
	out := &haechiv1.ScoreBatchResponse{Items: make([]*haechiv1.ScoreBatchResponse_Item, len(in.Events))}
	done := make([]chan struct{}, len(in.Events))
	last := map[string]int{} // entity -> the event of the batch that had it last
	var wg sync.WaitGroup
	free := make(chan struct{}, batchWorkers)
	for i, ev := range in.Events {
		done[i] = make(chan struct{})
		before := sharers(ev, i, last)
		free <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { close(done[i]); <-free; wg.Done() }()
			for _, j := range before {
				<-done[j]
			}
			var d *haechiv1.Decision
			err := s.guard.item("ScoreBatch", ev, func() (err error) { d, err = s.score(ctx, ev, in.Options); return err })
			out.Items[i] = &haechiv1.ScoreBatchResponse_Item{Decision: d, Status: status.Convert(err).Proto()}
		}()
	}
	wg.Wait()
	return out, nil
}

// sharers finds the events of the batch, before i, that share an entity or the id with ev.
func sharers(ev *haechiv1.Event, i int, last map[string]int) []int {
	var before []int
	note := func(key string) {
		if j, ok := last[key]; ok {
			before = append(before, j)
		}
		last[key] = i
	}
	note("\x00" + ev.GetType() + "\x00" + ev.GetId())
	for kind, key := range ev.GetEntities() {
		note(ev.GetType() + "\x00" + kind + "\x00" + key)
	}
	return before
}
