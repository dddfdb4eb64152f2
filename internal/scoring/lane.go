package scoring

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/registry"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// lane is one event type in service.
type lane struct {
	typ   EventType
	index uint32 // of the document in force, as stated in the log

	clock     features.Clock // under the log's append lock
	watermark atomic.Int64   // a copy for readers

	// gate is held for reading while an event or label passes through the engine, for writing while the engine is changed.
	gate    sync.RWMutex
	engine  *features.Engine
	vectors *sync.Pool

	warned sync.Map // fields in which a card number was seen

	// changing serialises changes of the champion.
	changing sync.Mutex
	serving  atomic.Pointer[serving]
	applied  atomic.Pointer[applied]
	refused  refusal
}

// refusal is the last revision that could not be brought into service.
type refusal struct {
	revision uint64
	at       time.Time
	err      error
}

// retryRefused is how long a champion that could not be served is left alone: reading it again costs its verification.
const retryRefused = 10 * time.Second

// refuse notes that a revision could not be brought into service.
func (s *Scorer) refuse(l *lane, revision uint64, err error) error {
	s.metrics.refused.WithLabelValues(l.typ.Name).Inc()
	l.refused = refusal{revision, time.Now(), err}
	return err
}

// applied is the last revision that the log says was brought into service.
type applied struct {
	revision uint64
	champion string
}

// serving is what answers: a champion or none, under one revision.
type serving struct {
	revision uint64
	champion *loaded // nil: none
	cause    string  // why there is none
	row      []int   // the model's row as positions in the engine's vector
}

// loaded is a version whose model was read, checked against its digest and verified.
type loaded struct {
	version     registry.Version
	model       *model.Model
	definitions []features.Definition // features, then what they need
	scope       *features.Scope       // of them
	hashes      []string              // of the model's row, in its order
	names       []string
}

func newLane(t EventType) *lane {
	t.scope = features.NewScope(&t.Schema, t.Definitions...)
	l := &lane{typ: t}
	l.applied.Store(&applied{})
	l.serving.Store(&serving{cause: "no champion has been promoted"})
	return l
}

func (l *lane) use(e *features.Engine) {
	n := len(e.Definitions())
	l.engine = e
	l.vectors = &sync.Pool{New: func() any { v := make([]float64, n); return &v }}
}

// load reads a version from the registry, once.
func (s *Scorer) load(ctx context.Context, digest string) (*loaded, error) {
	s.versionsMu.Lock()
	defer s.versionsMu.Unlock()
	if v, ok := s.versions[digest]; ok {
		return v, nil
	}
	version, err := s.opts.Registry.Version(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", digest, err)
	}
	text, err := s.opts.Registry.Model(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("model of version %s: %w", digest, err)
	}
	m, err := model.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("model of version %s: %w", digest, err)
	}
	if m.Features() != len(version.Features) {
		return nil, fmt.Errorf("version %s declares %d features, its model has %d columns", digest, len(version.Features), m.Features())
	}
	if err := s.verify(ctx, &version, m); err != nil {
		return nil, err
	}
	v := &loaded{version: version, model: m}
	for _, f := range version.Features {
		v.hashes = append(v.hashes, f.Hash)
		v.names = append(v.names, f.Name)
	}
	for _, f := range append(append([]registry.Feature(nil), version.Features...), version.Needs...) {
		d, err := features.ParseCanonical(f.Name, f.Canonical)
		if err != nil {
			return nil, fmt.Errorf("version %s: definition of %s: %w", digest, f.Name, err)
		}
		if d.Hash() != f.Hash {
			return nil, fmt.Errorf("version %s: definition of %s has hash %s, declared is %s", digest, f.Name, d.Hash(), f.Hash)
		}
		v.definitions = append(v.definitions, d)
	}
	l, err := s.lane(version.EventType)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", digest, err)
	}
	v.scope = features.NewScope(&l.typ.Schema, v.definitions...)
	s.versions[digest] = v
	return v, nil
}

// verify holds the model against the scores that LightGBM's own library gave to its golden rows.
func (s *Scorer) verify(ctx context.Context, v *registry.Version, m *model.Model) error {
	digest, verified := v.Digest, false
	all, err := s.opts.Registry.Evidence(ctx, digest)
	if err != nil {
		return fmt.Errorf("evidence of version %s: %w", digest, err)
	}
	for _, e := range all {
		if e.Kind != registry.EvidenceGolden {
			continue
		}
		var g model.Golden
		if err := g.UnmarshalJSON(e.Body); err != nil {
			return fmt.Errorf("golden rows of version %s: %w", digest, err)
		}
		if err := m.Verify(g); err != nil {
			return fmt.Errorf("version %s is not served: %w", digest, err)
		}
		verified = true
	}
	switch {
	case verified:
		return nil
	case v.Verified == registry.VerifiedByLightGBM:
		return fmt.Errorf("version %s is not served: it says that LightGBM verified it, and has no golden rows to show for it; train or import it again", digest)
	}
	// Without LightGBM's own scores the independent reference alone is the judge.
	c, err := m.Compare(m.GoldenRows(nil, unverifiedRows), nil)
	if err != nil {
		return fmt.Errorf("version %s is not served: %w", digest, err)
	}
	if !c.Same() {
		return fmt.Errorf("version %s is not served: of %d rows %d get another score than from the reference evaluator", digest, c.Rows, c.Leaves.Rows)
	}
	return nil
}

// unverifiedRows is how many rows a version that LightGBM did not verify is tried on.
const unverifiedRows = 2000

// union is the event type's definitions, in their order, then what the versions need besides, each once.
func union(t *EventType, versions ...*loaded) []features.Definition {
	out := append([]features.Definition(nil), t.Definitions...)
	have := map[string]bool{}
	for i := range out {
		have[out[i].Hash()] = true
	}
	for _, v := range versions {
		if v == nil {
			continue
		}
		for i := range v.definitions {
			if h := v.definitions[i].Hash(); !have[h] {
				have[h] = true
				out = append(out, v.definitions[i])
			}
		}
	}
	return out
}

// champion finds the version in force.
func (s *Scorer) champion(ctx context.Context, eventType string) (revision uint64, digest string, err error) {
	state, err := s.opts.Registry.Head(ctx, eventType)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	for _, a := range state.Roles[registry.Champion] {
		digest = a.Version
	}
	return state.Revision, digest, nil
}

// Check says why a version could not be served: its model, its golden rows or its definitions.
func (s *Scorer) Check(ctx context.Context, eventType, digest string) error {
	l, err := s.lane(eventType)
	if err != nil {
		return err
	}
	v, err := s.load(ctx, digest)
	if err != nil {
		return err
	}
	if _, err := features.NewEngine(&l.typ.Schema, union(&l.typ, v), features.EngineOptions{}); err != nil {
		return fmt.Errorf("definitions of version %s: %w", digest, err)
	}
	return nil
}

// Apply brings the assignments that are in force in the registry into service. Requests go on meanwhile with what was in
// force before. When the champion cannot be served the previous one stays (at start, the declared fallback), the error says
// why, and after a while it is tried again.
func (s *Scorer) Apply(ctx context.Context, eventType string) error {
	l, err := s.lane(eventType)
	if err != nil {
		return err
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	revision, digest, err := s.champion(ctx, l.typ.Name)
	if err != nil {
		return fmt.Errorf("assignments of %s: %w", l.typ.Name, err)
	}
	now := l.serving.Load()
	refused := revision == l.refused.revision && l.refused.err != nil
	if revision == now.revision && !refused {
		return nil
	}
	if refused && time.Since(l.refused.at) < retryRefused {
		return l.refused.err
	}
	next := &serving{revision: revision, cause: "no champion has been promoted"}
	if digest != "" {
		if next.champion, err = s.load(ctx, digest); err != nil {
			err = fmt.Errorf("champion of %s: %w", l.typ.Name, err)
		}
	}
	if err == nil {
		err = s.install(ctx, l, next)
	}
	switch {
	case err == nil:
		l.refused = refusal{}
	case ctx.Err() == nil && !errors.Is(err, eventlog.ErrOverloaded): // else the next call may well do it
		return s.refuse(l, revision, err)
	}
	return err
}

// install puts a serving into service, with an engine that computes all it needs.
func (s *Scorer) install(ctx context.Context, l *lane, next *serving) error {
	if next.champion != nil && !s.opts.WithoutFeatures {
		row, err := l.engine.Projection(next.champion.hashes)
		if err != nil { // a definition that this engine does not compute yet
			if err := s.rebuild(ctx, l, next.champion); err != nil {
				return err
			}
			if row, err = l.engine.Projection(next.champion.hashes); err != nil {
				return err
			}
		}
		next.row = row
	}
	if err := s.stateRevision(l, next); err != nil {
		return err
	}
	l.serving.Store(next)
	s.opts.Logger.Info("assignments applied", "event_type", l.typ.Name, "revision", next.revision, "champion", next.champion != nil)
	return nil
}

// stateRevision writes into the log what is about to serve, unless that stands there last.
func (s *Scorer) stateRevision(l *lane, next *serving) error {
	rec := &logv1.Revision{EventType: l.index, Revision: next.revision, Applied: s.opts.Now().UnixMicro()}
	now := applied{revision: next.revision}
	if next.champion != nil {
		now.champion = next.champion.version.Digest
		rec.Champion, _ = hex.DecodeString(now.champion)
	}
	if now == *l.applied.Load() {
		return nil
	}
	if _, err := s.log.Append(&logv1.Record{Body: &logv1.Record_Revision{Revision: rec}}, nil); err != nil {
		return fmt.Errorf("state revision %d in the log: %w", next.revision, err)
	}
	l.applied.Store(&now)
	return nil
}

// names gives the feature names of a version, nil when the registry does not have it.
func (s *Scorer) names(ctx context.Context, digest string) []string {
	if digest == "" {
		return nil
	}
	s.versionsMu.Lock()
	v := s.versions[digest]
	s.versionsMu.Unlock()
	if v != nil {
		return v.names
	}
	version, err := s.opts.Registry.Version(ctx, digest)
	if err != nil {
		return nil
	}
	out := make([]string, len(version.Features))
	for i, f := range version.Features {
		out[i] = f.Name
	}
	return out
}

func decodeDigest(digest string) ([]byte, error) {
	b, err := hex.DecodeString(digest)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%q is not a SHA-256 in hex", digest)
	}
	return b, nil
}
