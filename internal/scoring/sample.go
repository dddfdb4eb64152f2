package scoring

import (
	"context"
	"encoding/hex"
	"hash/fnv"
	"time"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// takes says whether a scored event is among the chosen.
func (o *ReplayOptions) takes(rec *logv1.Event) bool {
	if o == nil {
		return true
	}
	if rec.Time < o.From || o.To != 0 && rec.Time >= o.To {
		return false
	}
	if o.OneIn <= 1 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(rec.Id))
	return h.Sum64()%o.OneIn == 0
}

// choice is what a replay of chosen decisions needs to know before it begins.
type choice struct {
	versions map[string]bool   // model versions that decided the lane's events
	end      uint64            // the record before which the log ended then
	entities []map[string]bool // keys of each kind that chosen events name; nil: all
}

// choose reads the log once for what a replay needs.
func (s *Scorer) choose(ctx context.Context, l *lane, o *ReplayOptions, pace *pacer) (choice, error) {
	c := choice{versions: map[string]bool{}}
	if o.OneIn > 1 {
		c.entities = make([]map[string]bool, len(l.typ.Schema.Entities))
		for i := range c.entities {
			c.entities[i] = map[string]bool{}
		}
	}
	used := map[string]bool{}
	var err error
	c.end, err = s.walk(ctx, s.log.First(), pace.between(ctx, func(_ uint64, rec *logv1.Record) error {
		switch body := rec.Body.(type) {
		case *logv1.Record_Decision:
			if lay, err := s.layoutOf(body.Decision.EventType); err != nil || lay.lane != l {
				return err
			}
			used[string(body.Decision.ModelVersion)] = true
		case *logv1.Record_Event:
			lay, err := s.layoutOf(body.Event.EventType)
			if err != nil || lay.lane != l || c.entities == nil || body.Event.Origin != logv1.Origin_ORIGIN_SCORED || !o.takes(body.Event) {
				return err
			}
			for kind, key := range pick(lay.entities, body.Event.Entities, "") {
				if key != "" {
					c.entities[kind][key] = true
				}
			}
		}
		return nil
	}))
	for digest := range used {
		c.versions[hex.EncodeToString([]byte(digest))] = true
	}
	return c, err
}

// pacer keeps work to a share of one core.
type pacer struct {
	share float64 // 0: no bound
	every int     // steps between looks at the clock
	steps int
	since time.Time
}

const (
	// paceRecords is how many records are read between looks at the clock.
	paceRecords = 256
	longestNap  = time.Second
)

// between rests between the records that visit is given.
func (p *pacer) between(ctx context.Context, visit func(uint64, *logv1.Record) error) func(uint64, *logv1.Record) error {
	return func(sequence uint64, rec *logv1.Record) error {
		if err := p.rest(ctx); err != nil {
			return err
		}
		return visit(sequence, rec)
	}
}

// rest is called once a step; it sleeps when the work since the last sleep was more than its share.
func (p *pacer) rest(ctx context.Context) error {
	if p.share <= 0 || p.share >= 1 {
		return nil
	}
	if p.steps++; p.steps%p.every != 0 {
		return nil
	}
	if p.since.IsZero() {
		p.since = time.Now()
		return nil
	}
	nap := time.Duration(float64(time.Since(p.since)) * (1/p.share - 1))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(nap, longestNap)):
	}
	p.since = time.Now()
	return nil
}
