package retrain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/retrain/evaluate"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Plan is a request with nothing left open: with the same plan, log and code a run gives the same model bytes.
type Plan struct {
	EventType     string              `json:"event_type"`
	EventTypeHash string              `json:"event_type_hash"`
	LogID         string              `json:"log_id"`
	Through       uint64              `json:"through"` // log position of as_of
	AsOf          int64               `json:"as_of"`
	Train         Span                `json:"train"`
	Test          Span                `json:"test"`
	LabelsBy      int64               `json:"labels_by"` // what training may know of labels: those known by then
	Schema        features.Schema     `json:"schema"`
	Definitions   []Definition        `json:"definitions"` // inputs and what they need, engine order
	Inputs        []string            `json:"inputs"`      // the model's columns, in order
	Known         *evaluate.KnownRule `json:"known,omitempty"`
	AlertEntity   string              `json:"alert_entity"` // entity kind by which alerts are counted
	Thresholds    policy.ThresholdsSpec
	Costs         *policy.Costs     `json:"costs,omitempty"`
	Validation    int64             `json:"validation"` // microseconds at the end of Train for early stopping; 0: none
	Rounds        int               `json:"rounds"`     // at most, where validation rows say when to stop
	RoundsAlone   int               `json:"rounds_without_validation"`
	EarlyStopping int               `json:"early_stopping"`
	Seed          int               `json:"seed"`
	Params        map[string]string `json:"params"`
	Threads       int               `json:"threads"`
}

// Definition is a feature with its canonical text.
type Definition struct {
	Name      string `json:"name"`
	Hash      string `json:"hash"`
	Canonical string `json:"canonical"`
}

const (
	defaultSpan          = 28 // days
	defaultTest          = 7  // days
	defaultValidation    = 28 // days
	defaultRounds        = 1000
	defaultEarlyStopping = 50
)

// plan fills in what a request leaves open and refuses what cannot be.
func plan(t *EventType, req Request, at Position, threads int) (*Plan, error) {
	s := t.Settings
	p := &Plan{
		EventType: t.Name, EventTypeHash: t.Hash, LogID: at.LogID, Through: at.Through, Schema: t.Schema,
		AsOf: orDefault(req.AsOf, at.Watermark+1), Train: req.Train, Test: req.Test, Thresholds: t.Policy.Thresholds, Costs: t.Policy.Costs,
		Rounds: int(orDefault(int64(s.Rounds), defaultRounds)), RoundsAlone: int(orDefault(int64(s.Rounds), lightgbm.DefaultRounds)), EarlyStopping: int(orDefault(int64(s.EarlyStopping), defaultEarlyStopping)),
		Seed: int(orDefault(int64(s.Seed), 1)), Params: s.Params, Threads: threads, AlertEntity: t.Policy.HashEntity,
	}
	if at.Watermark == 0 {
		return nil, fmt.Errorf("%w: the log has no event of type %s yet; import history first: haechi import", ErrRequest, t.Name)
	}
	if err := p.alertEntity(); err != nil {
		return nil, err
	}
	if c := p.Costs; c != nil && (c.FalseDecline.Amount || c.Review.Amount) {
		return nil, fmt.Errorf("%w: policy.costs of event type %s: only missed_fraud may be the amount; give false_decline and review as numbers", ErrRequest, t.Name)
	}
	p.spans(t)
	if err := p.checkSpans(t); err != nil {
		return nil, err
	}
	length := p.Train.To - p.Train.From
	if p.EarlyStopping > 0 {
		p.Validation = min(orDefault(micros(s.Validation), days(defaultValidation)), length/4)
	}
	if err := p.inputs(t, req.Features); err != nil {
		return nil, err
	}
	return p, p.exclusion(t, req.ExcludeKnown)
}

// alertEntity is the kind that a budget counts by, if one does; the evaluation counts by one kind.
func (p *Plan) alertEntity() error {
	review, decline := p.Thresholds.Review, p.Thresholds.Decline
	both := review != nil && decline != nil && review.Per != "" && decline.Per != ""
	switch {
	case both && review.Per != decline.Per:
		return fmt.Errorf("%w: policy.thresholds of event type %s count alerts per %s for review and per %s for decline; name one kind of entity for both",
			ErrRequest, p.EventType, review.Per, decline.Per)
	case review != nil && review.Per != "":
		p.AlertEntity = review.Per
	case decline != nil && decline.Per != "":
		p.AlertEntity = decline.Per
	}
	return nil
}

// spans chooses what was not given: the last week whose labels are in for the test, and the training span before it, a
// label delay apart.
func (p *Plan) spans(t *EventType) {
	delay := t.Schema.LabelDelay
	if p.Test.zero() {
		if p.Train.zero() {
			p.Test.To = floorDay(p.AsOf - delay)
		} else {
			p.Test.To = p.Train.To + delay + days(defaultTest)
		}
		p.Test.From = p.Test.To - days(defaultTest)
	}
	if p.Train.zero() {
		p.Train.To = p.Test.From - delay
		p.Train.From = p.Train.To - orDefault(micros(t.Settings.Span), days(defaultSpan))
	}
	p.LabelsBy = min(p.Test.From, p.AsOf)
}

func (p *Plan) checkSpans(t *EventType) error {
	trainFrom, trainTo := p.Train.text()
	testFrom, testTo := p.Test.text()
	switch {
	case p.Train.From >= p.Train.To:
		return fmt.Errorf("%w: the training span %s..%s is empty; give --train FROM..TO", ErrRequest, trainFrom, trainTo)
	case p.Test.From >= p.Test.To:
		return fmt.Errorf("%w: the test span %s..%s is empty; give --test FROM..TO", ErrRequest, testFrom, testTo)
	case p.Train.To > p.Test.From:
		return fmt.Errorf("%w: the training span ends at %s, after the test begins at %s; a model may not be tested on what it was trained on", ErrRequest, trainTo, testFrom)
	case p.Train.To > p.AsOf:
		return fmt.Errorf("%w: the training span ends at %s, after as_of %s", ErrRequest, trainTo, dateTime(p.AsOf))
	case p.Test.From+t.Schema.LabelDelay >= p.AsOf:
		return fmt.Errorf("%w: no label of the test span %s..%s is known by %s, labels come %d days late; test on earlier days, or give a later as_of",
			ErrRequest, testFrom, testTo, dateTime(p.AsOf), t.Schema.LabelDelay/features.Day)
	case p.Train.To+t.Schema.LabelDelay > p.LabelsBy && p.Train.From+t.Schema.LabelDelay >= p.LabelsBy:
		return fmt.Errorf("%w: no label of the training span %s..%s is known by %s, labels come %d days late; end it earlier",
			ErrRequest, trainFrom, trainTo, dateTime(p.LabelsBy), t.Schema.LabelDelay/features.Day)
	}
	return nil
}

// inputs resolves names and lists, and adds what expressions need.
func (p *Plan) inputs(t *EventType, asked []string) error {
	p.Inputs = t.Inputs
	if len(asked) == 1 && strings.HasPrefix(asked[0], "@") {
		list, ok := t.Lists[asked[0][1:]]
		if !ok {
			return fmt.Errorf("%w: event type %s has no list %s of features", ErrRequest, t.Name, asked[0])
		}
		p.Inputs = list
	} else if len(asked) > 0 {
		p.Inputs = asked
	}
	if len(p.Inputs) == 0 {
		for i := range t.Definitions {
			p.Inputs = append(p.Inputs, t.Definitions[i].Name)
		}
	}
	for i, name := range p.Inputs {
		if slices.Contains(p.Inputs[:i], name) {
			return fmt.Errorf("%w: feature %s is named twice", ErrRequest, name)
		}
	}
	needed, err := features.Needed(t.Definitions, p.Inputs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	for i := range needed {
		p.Definitions = append(p.Definitions, Definition{Name: needed[i].Name, Hash: needed[i].Hash(), Canonical: needed[i].Canonical()})
	}
	return nil
}

// exclusion reads customer:14d.
func (p *Plan) exclusion(t *EventType, text string) error {
	if text == "" {
		return nil
	}
	kind, span, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(strings.TrimSuffix(span, "d"), 10, 64)
	known := slices.ContainsFunc(t.Schema.Entities, func(e features.EntityKind) bool { return e.Name == kind })
	if !ok || err != nil || !strings.HasSuffix(span, "d") || n <= 0 || !known {
		return fmt.Errorf("%w: exclude_known %q must be an entity kind of %s and whole days, such as customer:14d", ErrRequest, text, t.Name)
	}
	p.Known = &evaluate.KnownRule{Kind: kind, Span: days(n), Delay: t.Schema.LabelDelay}
	return nil
}

// entity gives the position of an entity kind, -1 when there is none.
func (p *Plan) entity(kind string) int {
	return slices.IndexFunc(p.Schema.Entities, func(e features.EntityKind) bool { return e.Name == kind })
}
