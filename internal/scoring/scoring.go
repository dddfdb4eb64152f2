// Package scoring is the path from an event to its decision: it makes an id count once, appends the event, reads its
// features, asks the champion and the policy, and answers when the decision is on disk. It also takes labels and imported
// history, rebuilds all state from the log and proves past decisions by computing them again. It knows no wire, no
// configuration files and no training.
package scoring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/registry"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// EventType is what the decision path needs of an event-type document.
type EventType struct {
	Name        string
	Hash        string // hex SHA-256 of Document
	Document    []byte // canonical text
	Schema      features.Schema
	Definitions []features.Definition
	Policy      *policy.Policy // compiled against Schema and Definitions, in their order
	LabelKinds  []string       // kinds that a label may have

	scope *features.Scope // of Definitions
}

// Registry is what the decision path reads of the registry.
type Registry interface {
	registry.Versions
	registry.EvidenceStore
	registry.Assignments
}

// Options of a Scorer. All but those with a stated default are required.
type Options struct {
	Log        *eventlog.Log
	Registry   Registry
	EventTypes []EventType
	// ReadDocument compiles an older document that the log states; replay of decisions made under it needs it.
	ReadDocument func(document []byte) (EventType, error)
	// MaxSkew is how far ahead of the receiver's clock an event may be. Default 5 minutes.
	MaxSkew time.Duration
	// PIIKey keys the hash of fields flagged pii; required when an event type has one.
	PIIKey []byte
	// RefuseCardNumbers refuses what looks like a card number in clear; otherwise it is counted and warned of.
	RefuseCardNumbers bool
	// SnapshotDir is the folder of snapshots; empty: none are kept and every start reads the whole log.
	SnapshotDir string
	// Older gives what was dropped from the log; nil where nothing ever is.
	Older Older
	// WithoutFeatures keeps only ids and ordinals: enough to import history, not to score.
	WithoutFeatures bool
	Now             func() time.Time // default time.Now
	Logger          *slog.Logger
	Registerer      prometheus.Registerer
}

// Errors of the decision path, beside *features.FieldError, *ConflictError and those of eventlog.
var (
	ErrNotFound         = errors.New("not found")
	ErrUnknownEventType = errors.New("unknown event type")
	ErrImported         = errors.New("this event was imported as history and has no decision; use another id to have an event scored")
	ErrNoDecision       = errors.New("was imported as history, so there is no decision to replay")
	ErrTooManyWaiting   = errors.New("too many labels wait for events that were never seen; check the event ids of the label source")
	ErrOlderThanHistory = errors.New("older than the history in this log reaches back in order; import into a new project and use its data folder")
	ErrWithoutFeatures  = errors.New("this process keeps no feature state and cannot score")
)

// ConflictError is an id that is known with other content.
type ConflictError struct{ EventType, ID, Field string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("event %s/%s is known with another %s; an id names one event for ever, send a new event under a new id", e.EventType, e.ID, e.Field)
}

// Scorer is the decision path of one log. All methods may be called from any goroutine once Recover has returned.
type Scorer struct {
	opts    Options
	log     *eventlog.Log
	ids     *ids
	lanes   map[string]*lane
	metrics *metrics

	layoutsMu sync.RWMutex
	layouts   map[uint32]*layout

	snapshots  sync.Mutex    // one is written at a time
	snapshotAt atomic.Uint64 // as of which record the newest is

	versionsMu sync.Mutex
	versions   map[string]*loaded // by digest
}

// New makes a Scorer over an open log. Recover must follow before anything else.
func New(o Options) (*Scorer, error) {
	if o.MaxSkew == 0 {
		o.MaxSkew = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ids := newIDs(o.Log)
	s := &Scorer{
		opts: o, log: o.Log, ids: ids, lanes: map[string]*lane{},
		metrics: newMetrics(o.Registerer, func() float64 { return float64(ids.waits.Load()) }),
		layouts: map[uint32]*layout{}, versions: map[string]*loaded{},
	}
	for i := range o.EventTypes {
		t := o.EventTypes[i]
		if len(o.PIIKey) == 0 && hasPII(&t.Schema) {
			return nil, fmt.Errorf("event type %s has fields flagged pii: set pii_key_file in haechi.yaml to a file of at least 16 random bytes", t.Name)
		}
		s.lanes[t.Name] = newLane(t)
	}
	return s, nil
}

// EventTypes lists the names, sorted.
func (s *Scorer) EventTypes() []string {
	names := make([]string, 0, len(s.lanes))
	for name := range s.lanes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Schema gives an event type's schema. An empty name means the only one there is.
func (s *Scorer) Schema(eventType string) (*features.Schema, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	return &l.typ.Schema, nil
}

// EventType gives an event type in force; its fields are shared, do not change them. An empty name means the only one there is.
func (s *Scorer) EventType(eventType string) (*EventType, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return nil, err
	}
	return &l.typ, nil
}

func (s *Scorer) lane(eventType string) (*lane, error) {
	if eventType == "" && len(s.lanes) == 1 {
		for _, l := range s.lanes {
			return l, nil
		}
	}
	if l, ok := s.lanes[eventType]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("%w %q: this server has %v", ErrUnknownEventType, eventType, s.EventTypes())
}

// layoutOf finds how records under a stated document are read.
func (s *Scorer) layoutOf(index uint32) (*layout, error) {
	s.layoutsMu.RLock()
	l, ok := s.layouts[index]
	s.layoutsMu.RUnlock()
	if ok {
		return l, nil
	}
	stated, ok := s.log.EventType(index)
	if !ok {
		return nil, fmt.Errorf("the log does not state event type number %d: run haechi log verify", index)
	}
	lane, err := s.lane(stated.Name)
	if err != nil {
		return nil, fmt.Errorf("the log holds events of type %s, which the project no longer declares: put its file back into event_types/", stated.Name)
	}
	l = newLayout(lane, stated)
	s.layoutsMu.Lock()
	s.layouts[index] = l
	s.layoutsMu.Unlock()
	return l, nil
}

// state writes each event type's document into the log, unless it stands there already.
func (s *Scorer) state() error {
	for _, name := range s.EventTypes() {
		l := s.lanes[name]
		hash, err := decodeDigest(l.typ.Hash)
		if err != nil {
			return err
		}
		index, err := s.log.StateEventType(&logv1.EventType{
			Hash: hash, Name: name, Document: l.typ.Document, Currency: l.typ.Schema.Currency,
			Entities: entityNames(&l.typ.Schema), Attributes: attributeNames(&l.typ.Schema), Numbers: numberNames(&l.typ.Schema),
		})
		if err != nil {
			return fmt.Errorf("state event type %s in the log: %w", name, err)
		}
		l.index = index
	}
	return nil
}

// Watermark is the event clock of an event type in microseconds since the Unix epoch, 0 before its first event.
func (s *Scorer) Watermark(eventType string) (int64, error) {
	l, err := s.lane(eventType)
	if err != nil {
		return 0, err
	}
	return l.watermark.Load(), nil
}

// Writable says why no event could be taken now; nil when one could. A log that is only busy is no reason.
func (s *Scorer) Writable() error {
	if err := s.log.Writable(); !errors.Is(err, eventlog.ErrOverloaded) {
		return err
	}
	return nil
}

// wait waits until a record is durable.
func (s *Scorer) wait(ctx context.Context, sequence uint64) error { return s.log.Wait(ctx, sequence) }

// LogID names the log that holds this scorer's records.
func (s *Scorer) LogID() string { return s.log.ID() }
