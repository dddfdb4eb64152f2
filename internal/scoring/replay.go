package scoring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/haechi-fraud/haechi/features"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Replayed is one decision computed again from the log alone.
type Replayed struct {
	Logged, Again *Decision
	Differences   []string // in words; empty when every bit is equal
}

// ReplayTotals counts what a replay has compared.
type ReplayTotals struct {
	Records, RecordsTotal         uint64
	Decisions, Values, Mismatches uint64
}

// Replay computes one decision again, reading the log up to its event, and compares every bit.
func (s *Scorer) Replay(ctx context.Context, eventType, eventID string) (*Replayed, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	p, err := s.locate(ctx, l, eventID)
	if err != nil {
		return nil, err
	}
	if p.decision == 0 {
		return nil, fmt.Errorf("event %s/%s: %w", l.typ.Name, eventID, ErrNoDecision)
	}
	logged, err := s.decisionAt(ctx, p.decision)
	if err != nil {
		return nil, err
	}
	var out *Replayed
	r, err := s.newReplay(ctx, l, map[string]bool{logged.ModelVersion: true})
	if err != nil {
		return nil, err
	}
	if byEntity(r.feed.engine) {
		if r.feed.tracked, err = s.entitiesOf(l, p.event); err != nil {
			return nil, err
		}
	}
	r.only = p.event
	r.visit = func(x *Replayed) { out = x }
	_, err = s.history(ctx, l, r.record)
	if err != nil && !errors.Is(err, errReplayed) {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("event %s/%s was not met in the log: run haechi log verify", l.typ.Name, eventID)
	}
	return out, nil
}

// ReplayOptions choose which decisions ReplayAll computes again, and how.
type ReplayOptions struct {
	EventType string // empty: every event type
	From, To  int64  // event times, half-open, microseconds since the Unix epoch; To 0: no end
	OneIn     uint64 // one decision in so many, chosen by its id, and the histories of its entities alone; 0 and 1: all
	// Share is the part of one core that may be used, above 0 and up to 1; 0: as much as there is.
	Share float64
	// Visit is given each decision that differs.
	Visit func(*Replayed)
	// Progress may be nil.
	Progress func(ReplayTotals)
}

// ReplayAll computes decisions again from the log alone and compares every bit.
func (s *Scorer) ReplayAll(ctx context.Context, o ReplayOptions) (ReplayTotals, error) {
	names := s.EventTypes()
	if o.EventType != "" {
		names = []string{o.EventType}
	}
	var sum ReplayTotals
	for _, name := range names {
		l, err := s.lane(name)
		if err != nil {
			return sum, err
		}
		pace := pacer{share: o.Share, every: paceRecords}
		chosen, err := s.choose(ctx, l, &o, &pace)
		if err != nil {
			return sum, err
		}
		r, err := s.newReplay(ctx, l, chosen.versions)
		if err != nil {
			return sum, err
		}
		r.totals = sum
		r.choice, r.end = &o, chosen.end
		if byEntity(r.feed.engine) {
			r.feed.tracked = chosen.entities
		}
		r.totals.RecordsTotal = (chosen.end - 1) * uint64(len(names))
		r.progress = o.Progress
		r.visit = func(x *Replayed) {
			if len(x.Differences) > 0 {
				o.Visit(x)
			}
		}
		if _, err := s.history(ctx, l, pace.between(ctx, r.record)); err != nil && !errors.Is(err, errReplayed) {
			return r.totals, err
		}
		sum = r.totals
	}
	return sum, nil
}

// replay computes the decisions of one lane again, from its own engine.
type replay struct {
	s         *Scorer
	lane      *lane
	feed      *feed
	rows      map[string][]int     // version -> row in the engine's vector
	versions  map[string]*loaded   // by digest
	documents map[uint32]EventType // by stated index
	prefix    map[uint32][]int     // document -> its definitions in the engine's vector
	held      map[uint64]*held     // events whose decision has not come yet
	only      uint64               // event sequence to decide; 0: all
	end       uint64               // sequence before which to stop: a version may decide from there on that is not at hand; 0: none
	choice    *ReplayOptions       // nil: all
	totals    ReplayTotals
	visit     func(*Replayed)
	progress  func(ReplayTotals)
}

// held is what an event had when it was observed.
type held struct {
	event  features.Event // as logged: in the order of the document stated
	stated *logv1.EventType
	result features.Result
	vector []float64
}

var errReplayed = errors.New("replayed")

func (s *Scorer) newReplay(ctx context.Context, l *lane, digests map[string]bool) (*replay, error) {
	r := &replay{s: s, lane: l, rows: map[string][]int{}, versions: map[string]*loaded{}, documents: map[uint32]EventType{},
		prefix: map[uint32][]int{}, held: map[uint64]*held{}}
	var versions []*loaded
	for digest := range digests {
		if digest == "" {
			continue
		}
		v, err := s.load(ctx, digest)
		if err != nil {
			return nil, err
		}
		r.versions[digest] = v
		versions = append(versions, v)
	}
	for _, stated := range s.log.EventTypes() {
		if stated.Name != l.typ.Name {
			continue
		}
		t := l.typ
		if stated.Index != l.index {
			var err error
			if t, err = s.opts.ReadDocument(stated.Document); err != nil {
				return nil, fmt.Errorf("event-type document %x, in force earlier: %w", stated.Hash, err)
			}
		}
		t.scope = features.NewScope(&l.typ.Schema, t.Definitions...) // the engine's entities stand as in the schema in force
		r.documents[stated.Index] = t
		versions = append(versions, &loaded{definitions: t.Definitions})
	}
	engine, err := features.NewEngine(&l.typ.Schema, union(&l.typ, versions...), features.EngineOptions{})
	if err != nil {
		return nil, err
	}
	r.feed = newFeed(l, engine)
	for digest, v := range r.versions {
		if r.rows[digest], err = engine.Projection(v.hashes); err != nil {
			return nil, err
		}
	}
	for index, t := range r.documents {
		hashes := make([]string, len(t.Definitions))
		for i := range t.Definitions {
			hashes[i] = t.Definitions[i].Hash()
		}
		if r.prefix[index], err = engine.Projection(hashes); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *replay) record(sequence uint64, rec *logv1.Record) error {
	if r.end != 0 && sequence >= r.end {
		return errReplayed
	}
	r.totals.Records++
	if r.progress != nil && r.totals.Records%65536 == 0 {
		r.progress(r.totals)
	}
	switch body := rec.Body.(type) {
	case *logv1.Record_Event:
		lay, err := r.s.layoutOf(body.Event.EventType)
		if err != nil || lay.lane != r.lane {
			return err
		}
		read := body.Event.Origin == logv1.Origin_ORIGIN_SCORED && (r.only == 0 || r.only == sequence) && r.choice.takes(body.Event)
		_, result, err := r.feed.event(sequence, body.Event, lay, read)
		if err == nil && read {
			r.held[sequence] = &held{event: loggedAs(body.Event), stated: lay.stated, result: result, vector: slices.Clone(r.feed.vector)}
		}
		return err
	case *logv1.Record_Label:
		lay, err := r.s.layoutOf(body.Label.EventType)
		if err != nil || lay.lane != r.lane {
			return err
		}
		return r.feed.label(sequence, body.Label, lay)
	case *logv1.Record_Decision:
		return r.decision(sequence, body.Decision)
	}
	return nil
}

// loggedAs keeps what a record says; the record's slices are used again for the next one.
func loggedAs(rec *logv1.Event) features.Event {
	return features.Event{
		ID: rec.Id, Time: rec.Time, Amount: rec.Amount,
		Entities: slices.Clone(rec.Entities), Attributes: slices.Clone(rec.Attributes), Numbers: slices.Clone(rec.Numbers),
	}
}

// decision compares one logged decision with what its event gives now.
func (r *replay) decision(sequence uint64, rec *logv1.Decision) error {
	h, ok := r.held[rec.EventSequence]
	if !ok {
		return nil
	}
	delete(r.held, rec.EventSequence)
	stated, _ := r.s.log.EventType(rec.EventType)
	logged := decisionOf(r.s.log.ID(), sequence, rec, stated)
	logged.Vector, logged.Flags = slices.Clone(logged.Vector), slices.Clone(logged.Flags) // the record's are used again
	x := &Replayed{Logged: logged, Again: r.again(h, rec.EventType, logged)}
	if v := r.versions[logged.ModelVersion]; v != nil {
		logged.FeatureNames = v.names
	}
	x.Differences = differences(x.Logged, x.Again)
	r.totals.Decisions++
	r.totals.Values += uint64(len(logged.Vector))
	if len(x.Differences) > 0 {
		r.totals.Mismatches++
	}
	r.visit(x)
	if r.only != 0 {
		return errReplayed
	}
	return nil
}

// again decides an event under the document and the version that the logged decision names.
func (r *replay) again(h *held, index uint32, logged *Decision) *Decision {
	t := r.documents[index]
	o := observation{result: h.result, serving: &serving{revision: logged.Revision, cause: logged.Cause}, all: make([]float64, len(t.Definitions))}
	d := &Decision{
		EventType: t.Name, EventID: logged.EventID, LogID: logged.LogID, Sequence: logged.Sequence, EventSequence: logged.EventSequence,
		EventTypeHash: t.Hash, Revision: logged.Revision, Raw: math.NaN(), Probability: math.NaN(), Decided: logged.Decided,
	}
	if v := r.versions[logged.ModelVersion]; v != nil {
		o.serving.champion = v
		for _, at := range r.rows[logged.ModelVersion] {
			o.row = append(o.row, h.vector[at])
		}
	}
	for i, at := range r.prefix[index] {
		o.all[i] = h.vector[at]
	}
	r.s.judge(&t, h.under(&t.Schema), &o, d)
	if slices.Contains(logged.Flags, FlagRecovered) {
		d.Flags = append(d.Flags, FlagRecovered)
	}
	return d
}

// under gives the event as a document sees it, whose policy reads fields by their place.
func (h *held) under(s *features.Schema) *features.Event {
	lay := layoutIn(s, h.stated)
	if lay.same {
		return &h.event
	}
	out := h.event
	out.Entities = pick(lay.entities, h.event.Entities, "")
	out.Attributes = pick(lay.attributes, h.event.Attributes, "")
	out.Numbers = pick(lay.numbers, h.event.Numbers, math.NaN())
	return &out
}

// differences names, in words, what is not equal to the bit.
func differences(a, b *Decision) []string {
	var out []string
	add := func(what string, x, y any) { out = append(out, fmt.Sprintf("%s: logged %v, replayed %v", what, x, y)) }
	if len(a.Vector) != len(b.Vector) {
		add("length of the row", len(a.Vector), len(b.Vector))
	} else {
		for i := range a.Vector {
			if !sameBits(a.Vector[i], b.Vector[i]) {
				add(b.FeatureNames[i], a.Vector[i], b.Vector[i])
			}
		}
	}
	if !sameBits(a.Raw, b.Raw) {
		add("raw", a.Raw, b.Raw)
	}
	if !sameBits(a.Probability, b.Probability) {
		add("probability", a.Probability, b.Probability)
	}
	if a.Verdict != b.Verdict {
		add("decision", a.Verdict, b.Verdict)
	}
	if !slices.Equal(a.Reasons, b.Reasons) {
		add("reasons", a.Reasons, b.Reasons)
	}
	if !slices.Equal(a.Flags, b.Flags) {
		add("flags", a.Flags, b.Flags)
	}
	return out
}
