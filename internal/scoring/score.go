package scoring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/policy"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Score decides one event and returns when the decision is on disk. The same id with the same content gets the stored
// decision; with other content a *ConflictError. An error from ctx after the event was appended leaves the outcome
// unknown to the caller, never undone: a retry with the same id tells.
func (s *Scorer) Score(ctx context.Context, eventType string, ev *features.Event) (*Decision, error) {
	start := time.Now()
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	if s.opts.WithoutFeatures {
		return nil, ErrWithoutFeatures
	}
	received := s.opts.Now().UnixMicro()
	if ev, err = s.admit(l, ev, received); err != nil {
		return nil, err
	}
	k := s.ids.key(l.typ.Name, ev.ID)
	known, mine, err := s.ids.reserve(ctx, k)
	if err != nil {
		return nil, err
	}
	if !mine {
		s.metrics.repeated.WithLabelValues(l.typ.Name).Inc()
		return s.stored(ctx, l, known, ev)
	}
	if err := errors.Join(ctx.Err(), s.log.Writable()); err != nil {
		s.ids.drop(k)
		return nil, err
	}
	d, err := s.decide(l, k, ev, received)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, d.Sequence); err != nil {
		return nil, err
	}
	s.metrics.decided(l.typ.Name, d, time.Since(start))
	return d, nil
}

// admit checks an event before anything is appended and hashes its pii.
func (s *Scorer) admit(l *lane, ev *features.Event, received int64) (*features.Event, error) {
	if err := l.typ.Schema.Validate(ev); err != nil {
		return nil, err
	}
	if limit := received + s.opts.MaxSkew.Microseconds(); ev.Time > limit {
		return nil, &features.FieldError{Field: "time", Problem: fmt.Sprintf(
			"is %s ahead of this server's clock, allowed is %s; correct the sender's clock or raise max_skew",
			time.Duration(ev.Time-received)*time.Microsecond, s.opts.MaxSkew)}
	}
	return s.conceal(l, ev)
}

// decide appends the event and its decision. From the moment the event has a sequence nothing but a log that cannot be
// written keeps it from getting a decision record.
func (s *Scorer) decide(l *lane, k eventlog.Key, ev *features.Event, received int64) (*Decision, error) {
	o := s.observe(l, k, ev, observation{received: received, origin: logv1.Origin_ORIGIN_SCORED, scored: true})
	if o.sequence == 0 {
		s.ids.drop(k)
		return nil, o.err
	}
	d := s.answer(l, ev, o)
	d.Decided = s.opts.Now().UnixMicro()
	sequence, err := s.appendDecision(l.index, d)
	s.ids.land(k, place{event: o.sequence, decision: sequence})
	if err != nil {
		return nil, err
	}
	d.Sequence = sequence
	return d, nil
}

// observation is what is asked of observe and what came of it.
type observation struct {
	received int64
	origin   logv1.Origin
	scored   bool // read the features too

	sequence uint64 // 0: nothing was appended, err says why
	result   features.Result
	serving  *serving
	all      []float64 // the engine's vector, the event type's definitions first; nil when it could not be computed
	row      []float64 // the champion's row
	err      error
}

// observe passes an event through the engine, which appends it to the log in between.
func (s *Scorer) observe(l *lane, k eventlog.Key, ev *features.Event, o observation) (out observation) {
	out = o
	l.gate.RLock()
	defer l.gate.RUnlock()
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.opts.Logger.Error("panic in the feature engine", "event_type", l.typ.Name, "event_id", ev.ID, "panic", p, "stack", string(debug.Stack()))
			out.all, out.row, out.err = nil, nil, fmt.Errorf("the feature engine failed on this event: %v", p)
		}
	}()
	out.serving = l.serving.Load()
	var vector []float64
	if o.scored {
		buffer := l.vectors.Get().(*[]float64)
		defer l.vectors.Put(buffer)
		vector = *buffer
	}
	commit := func(ordinals []uint64) (features.Placement, error) {
		p, err := s.appendEvent(l, k, ev, ordinals, &o)
		out.sequence = p.Sequence
		return p, err
	}
	out.result, out.err = l.engine.Observe(ev, vector, commit)
	if out.err == nil && o.scored {
		out.all = append([]float64(nil), vector...)
		out.row = make([]float64, len(out.serving.row))
		for i, at := range out.serving.row {
			out.row[i] = vector[at]
		}
	}
	return out
}

// appendEvent fixes the event's place in the log; the shards of its entities are locked.
func (s *Scorer) appendEvent(l *lane, k eventlog.Key, ev *features.Event, ordinals []uint64, o *observation) (features.Placement, error) {
	rec := &logv1.Event{
		EventType: l.index, Id: ev.ID, Time: ev.Time, Entities: ev.Entities, Ordinals: ordinals, Amount: ev.Amount,
		Attributes: ev.Attributes, Numbers: ev.Numbers, Origin: o.origin, Received: o.received,
	}
	var placement features.Placement
	sequence, err := s.log.Append(&logv1.Record{Body: &logv1.Record_Event{Event: rec}}, func(uint64) {
		placement.Outcome = l.clock.Admit(ev.Time, l.typ.Schema.AllowedLateness)
		rec.Outcome = recordOutcome(placement.Outcome)
		placement.Since, placement.Watermark = l.clock.Since(), l.clock.Watermark()
		l.watermark.Store(placement.Watermark)
	})
	if err != nil {
		return features.Placement{}, err
	}
	placement.Sequence, placement.Labels = sequence, s.ids.awaited(k)
	return placement, nil
}

// answer asks the champion and the policy. It cannot fail: what goes wrong becomes the declared fallback.
func (s *Scorer) answer(l *lane, ev *features.Event, o observation) (d *Decision) {
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.opts.Logger.Error("panic while deciding", "event_type", l.typ.Name, "event_id", ev.ID, "panic", p, "stack", string(debug.Stack()))
			d = l.undecided(ev, s.log.ID(), o)
			d.Verdict, d.Cause = l.typ.Policy.Fallback(), fmt.Sprintf("deciding failed: %v", p)
			if o.err == nil {
				d.Flags = placeFlags(&o.result, l.typ.scope)
			}
			d.Flags = append(d.Flags, FlagFallback)
		}
	}()
	d = l.undecided(ev, s.log.ID(), o)
	s.judge(&l.typ, ev, &o, d)
	return d
}

// undecided is the decision before anyone was asked.
func (l *lane) undecided(ev *features.Event, logID string, o observation) *Decision {
	return &Decision{
		EventType: l.typ.Name, EventID: ev.ID, LogID: logID, EventSequence: o.sequence, EventTypeHash: l.typ.Hash,
		Revision: o.serving.revision, Raw: math.NaN(), Probability: math.NaN(),
	}
}

// placeFlags says what the event's place in time and in its histories means for the features in scope: those of the event
// type and of the version that decided. What else the engine computes, now or in replay, has no say.
func placeFlags(r *features.Result, scopes ...*features.Scope) []string {
	complete, degraded := true, false
	for _, s := range scopes {
		whole, lacks := r.Within(s)
		complete, degraded = complete && whole, degraded || lacks
	}
	var flags []string
	if r.Outcome == features.LateDropped {
		flags = append(flags, FlagLate)
	}
	if degraded {
		flags = append(flags, FlagDegraded)
	}
	if !complete {
		flags = append(flags, FlagWindowIncomplete)
	}
	return flags
}

// judge fills in the score, the verdict and the reasons: the same for a live event, at recovery and in replay.
func (s *Scorer) judge(t *EventType, ev *features.Event, o *observation, d *Decision) {
	in, sv := policy.Input{Event: ev}, o.serving
	scopes := []*features.Scope{t.scope}
	switch {
	case o.err != nil:
		d.Cause = o.err.Error()
	case sv.champion == nil:
		d.Cause = sv.cause
	default:
		raw, err := predict(sv.champion, o.row)
		if err != nil {
			d.Cause = err.Error()
			break
		}
		d.ModelVersion, d.FeatureNames, d.Vector = sv.champion.version.Digest, sv.champion.names, o.row
		d.Raw, d.Probability = raw, sv.champion.model.Probability(raw)
		in.HasModel, in.Raw, in.Probability = true, raw, d.Probability
		in.Thresholds = policy.Thresholds{Review: sv.champion.version.Thresholds.Review, Decline: sv.champion.version.Thresholds.Decline}
		scopes = append(scopes, sv.champion.scope)
	}
	if o.err == nil {
		in.Vector = o.all[:len(t.Definitions)]
		d.Flags = placeFlags(&o.result, scopes...)
	}
	out := t.Policy.Decide(in)
	d.Verdict = out.Decision
	d.Flags = append(d.Flags, out.Flags...)
	for i, rule := range out.Rules {
		d.Reasons = append(d.Reasons, Reason{Code: rule, Text: out.Reasons[i]})
	}
	if out.Err != nil {
		s.metrics.ruleErrors.WithLabelValues(t.Name).Inc()
		s.opts.Logger.Error("a rule of the policy failed", "event_type", t.Name, "event_id", d.EventID, "error", out.Err)
	}
}

// predict keeps a panic of the model within an error.
func predict(v *loaded, row []float64) (raw float64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("model %s failed: %v", v.version.Digest, p)
		}
	}()
	return v.model.Predict(row)
}

// appendDecision appends until there is room: the event stands in the log already and must get its decision.
func (s *Scorer) appendDecision(index uint32, d *Decision) (uint64, error) {
	rec, err := d.record(index)
	if err != nil {
		return 0, err
	}
	for {
		sequence, err := s.log.Append(&logv1.Record{Body: &logv1.Record_Decision{Decision: rec}}, nil)
		if !errors.Is(err, eventlog.ErrOverloaded) {
			return sequence, err
		}
		// The buffer drains with the next group commit; wait for all that is in it.
		if err := s.log.Wait(context.Background(), s.log.Last()); err != nil {
			return 0, err
		}
	}
}

// stored gives the decision of an id that is known already. No answer, a conflict neither, speaks of what is not on disk.
func (s *Scorer) stored(ctx context.Context, l *lane, p place, ev *features.Event) (*Decision, error) {
	if err := s.wait(ctx, max(p.event, p.decision)); err != nil {
		return nil, err
	}
	rec, lay, err := s.loggedEvent(p.event)
	if err != nil {
		return nil, err
	}
	var had features.Event
	lay.event(rec, &had)
	if field := difference(&l.typ.Schema, &had, ev); field != "" {
		return nil, &ConflictError{EventType: l.typ.Name, ID: ev.ID, Field: field}
	}
	if p.decision == 0 {
		if rec.Origin == logv1.Origin_ORIGIN_IMPORTED {
			return nil, ErrImported
		}
		return nil, fmt.Errorf("the decision of %s/%s could not be written: %w", l.typ.Name, ev.ID, eventlog.ErrPoisoned)
	}
	return s.decisionAt(ctx, p.decision)
}

// decisionAt reads a decision record.
func (s *Scorer) decisionAt(ctx context.Context, sequence uint64) (*Decision, error) {
	rec, err := s.get(sequence)
	if err != nil {
		return nil, fmt.Errorf("read decision record %d: %w", sequence, err)
	}
	body := rec.GetDecision()
	stated, ok := s.log.EventType(body.GetEventType())
	if body == nil || !ok {
		return nil, fmt.Errorf("record %d of the log is not a decision: run haechi log verify", sequence)
	}
	d := decisionOf(s.log.ID(), sequence, body, stated)
	d.FeatureNames = s.names(ctx, d.ModelVersion)
	return d, nil
}
