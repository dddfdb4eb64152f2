// Package registry says what is kept about models: immutable versions named by the SHA-256 of their bytes, the evidence on
// which they were judged, append-only assignments of roles, every event-type document, and retrain runs. It holds the
// types and the contract that every driver keeps (registrytest holds them to it); it stores nothing itself.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Errors of every driver, wrapped with what happened.
var (
	// ErrNotFound: no such version, run, document or assignment.
	ErrNotFound = errors.New("not found in the registry")
	// ErrConflict: the head of the assignments has moved since it was read; read it again and decide anew.
	ErrConflict = errors.New("the assignments have changed meanwhile; read them again")
	// ErrDigest: the bytes of a model are not those that its name says.
	ErrDigest = errors.New("the model's bytes do not match their SHA-256")
	// ErrImmutable: something is stored already under this name and differs.
	ErrImmutable = errors.New("stored already with other content, and what is stored never changes")
	// ErrInvalid: what was given breaks a rule of the registry; nothing was stored.
	ErrInvalid = errors.New("not valid for the registry")
)

// Feature is a definition that a version needs.
type Feature struct {
	Name      string `json:"name"`
	Hash      string `json:"hash"`      // hex SHA-256 of Canonical
	Canonical string `json:"canonical"` // canonical text of the definition
}

// Span is a half-open span of event time; the zero Span is not known.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Thresholds are raw scores from which on an event is reviewed or declined; nil never fires.
type Thresholds struct {
	Review  *float64 `json:"review,omitempty"`
	Decline *float64 `json:"decline,omitempty"`
}

// Version is one immutable model.
type Version struct {
	Digest        string // hex SHA-256 of the model's bytes
	EventType     string
	Name          string // for people; may be empty
	Source        string // retrain or import
	CreatedBy     string
	CreatedAt     time.Time
	Features      []Feature // the model's columns, in order
	Needs         []Feature // what expressions among them need besides
	Span          Span      // training span
	Parameters    map[string]string
	Thresholds    Thresholds
	EventTypeHash string // of the document that it was trained under
	Verified      string // VerifiedByLightGBM or Unverified
}

// Kinds of evidence that this product writes; others may be added.
const (
	EvidenceGolden = "golden_rows"    // rows with the raw scores that LightGBM's own library gave them
	EvidenceReport = "retrain_report" // the report of the run that trained the version
)

// How the raw scores of a version were checked.
const (
	VerifiedByLightGBM = "lightgbm"
	Unverified         = "unverified by LightGBM"
)

// Evidence is one dated document about a version.
type Evidence struct {
	Version   string // digest
	Kind      string // report, golden_rows, ...; several of one kind may stand side by side
	Body      json.RawMessage
	CreatedAt time.Time
	CreatedBy string
}

// Role is what a version does for an event type.
type Role string

// The roles: one champion, at most one challenger, up to three shadows, the previous champion.
const (
	Champion   Role = "champion"
	Challenger Role = "challenger"
	Shadow     Role = "shadow"
	Previous   Role = "previous"
)

// MaxShadows is how many shadows an event type may have.
const MaxShadows = 3

// Assignment gives a role to a version, or with an empty Version takes the role away from whoever has it.
type Assignment struct {
	EventType  string
	Revision   uint64 // given by the store
	Role       Role
	Version    string    // digest; empty: the role falls vacant
	ValidFrom  time.Time // from when on it is meant to hold
	RecordedAt time.Time // when the store took it; given by the store
	Actor      string
	Reason     string
}

// State is which version plays which role.
type State struct {
	Revision uint64 // 0: nothing was ever assigned
	Roles    map[Role][]Assignment
}

// RunState is how a retrain run stands.
type RunState string

// The states of a run.
const (
	RunPending   RunState = "pending"
	RunRunning   RunState = "running"
	RunDone      RunState = "done"
	RunFailed    RunState = "failed"
	RunHeld      RunState = "held"
	RunCancelled RunState = "cancelled"
)

// Run is one retrain.
type Run struct {
	ID, EventType        string
	State                RunState
	Step                 string
	Config               json.RawMessage
	CreatedAt, UpdatedAt time.Time
	Actor                string
	Error                string // one sentence when it failed
	Version              string // digest of what it published
	Report               json.RawMessage
}

// Versions keeps models. All methods may be called from any goroutine.
type Versions interface {
	// PutVersion stores a version with its model, durable on return. The same version again is no change;
	// ErrImmutable when the digest is stored with anything else, ErrDigest when model does not have the digest.
	PutVersion(ctx context.Context, v Version, model []byte) error
	// Version gives one version; ErrNotFound.
	Version(ctx context.Context, digest string) (Version, error)
	// ListVersions gives the versions of an event type, of all with an empty name, newest first.
	ListVersions(ctx context.Context, eventType string) ([]Version, error)
	// Model gives a version's bytes, checked against its digest: ErrDigest when they were changed, ErrNotFound.
	Model(ctx context.Context, digest string) ([]byte, error)
}

// EvidenceStore keeps what is known about versions.
type EvidenceStore interface {
	// PutEvidence adds evidence to a version that is stored; ErrNotFound when it is not.
	PutEvidence(ctx context.Context, e Evidence) error
	// Evidence gives all evidence of a version, oldest first; none is no error.
	Evidence(ctx context.Context, digest string) ([]Evidence, error)
}

// Assignments keeps who plays which role, append-only.
type Assignments interface {
	// Assign appends changes of one event type as one new revision, if the head is still at expectedHead (0: nothing was
	// assigned yet), and returns it; ErrConflict when it is not, ErrNotFound for a version that is not stored, ErrInvalid
	// when a rule about roles would be broken. A champion replaces the one before, a shadow joins the others.
	Assign(ctx context.Context, expectedHead uint64, changes []Assignment) (uint64, error)
	// Head gives the state in force; the zero State when nothing was ever assigned.
	Head(ctx context.Context, eventType string) (State, error)
	// At gives the state that was in force at a time by ValidFrom, which includes its instant.
	At(ctx context.Context, eventType string, at time.Time) (State, error)
	// History gives every change, oldest first; of all event types with an empty name.
	History(ctx context.Context, eventType string) ([]Assignment, error)
}

// EventTypes keeps every event-type document by its hash.
type EventTypes interface {
	// PutEventType stores a document; the same one again is no change, ErrDigest when hash is not its SHA-256.
	PutEventType(ctx context.Context, hash, name string, document []byte) error
	// EventType gives a document; ErrNotFound.
	EventType(ctx context.Context, hash string) ([]byte, error)
}

// Runs keeps retrain runs.
type Runs interface {
	// PutRun stores a run or its new state.
	PutRun(ctx context.Context, r Run) error
	// Run gives one run; ErrNotFound.
	Run(ctx context.Context, id string) (Run, error)
	// ListRuns gives the runs of an event type, of all with an empty name, newest first.
	ListRuns(ctx context.Context, eventType string) ([]Run, error)
}

// Store is a whole driver. Close may be called once, after all other calls have returned.
type Store interface {
	Versions
	EvidenceStore
	Assignments
	EventTypes
	Runs
	Close() error
}
