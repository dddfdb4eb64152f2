package registry

import (
	"context"
	"time"
)

// Versions keeps models. All methods may be called from any goroutine, here and in the interfaces below.
type Versions interface {
	// PutVersion stores a version with its model, durable on return; a process that dies in the middle leaves all or
	// nothing. The same version again is no change, whoever puts it and when: CreatedBy and CreatedAt of the first stand.
	// ErrInvalid when it breaks Version.Check, ErrDigest when model does not have the digest, ErrImmutable when the digest
	// is stored with anything else.
	PutVersion(ctx context.Context, v Version, model []byte) error
	// Version gives one version; ErrNotFound.
	Version(ctx context.Context, digest string) (Version, error)
	// ListVersions gives the versions of an event type, of all with an empty name, newest first.
	ListVersions(ctx context.Context, eventType string) ([]Version, error)
	// Model gives a version's bytes, checked against its digest at every call: ErrDigest, which says where they lie, when
	// they were changed or are gone, ErrNotFound when there is no such version.
	Model(ctx context.Context, digest string) ([]byte, error)
}

// EvidenceStore keeps what is known about versions.
type EvidenceStore interface {
	// PutEvidence adds evidence to a version that is stored; ErrNotFound when it is not, ErrInvalid without a kind or with a
	// body that is not JSON. The same body of the same kind again is no change.
	PutEvidence(ctx context.Context, e Evidence) error
	// Evidence gives all evidence of a version, oldest first, bodies byte for byte; none is no error.
	Evidence(ctx context.Context, digest string) ([]Evidence, error)
}

// Assignments keeps who plays which role, append-only.
type Assignments interface {
	// Assign appends changes of one event type as one new revision, if the head is still at expectedHead (0: nothing was
	// assigned yet), and returns it; revisions count 1, 2, 3, .... ErrConflict when it is not, ErrNotFound for a version that
	// is not stored for this event type, ErrInvalid when CheckChanges refuses; then nothing was changed. A champion replaces
	// the one before, a shadow joins the others.
	Assign(ctx context.Context, expectedHead uint64, changes []Assignment) (uint64, error)
	// Head gives the state after the last revision, whatever its ValidFrom; Revision is 0 when nothing was ever assigned.
	Head(ctx context.Context, eventType string) (State, error)
	// At gives the state that was in force at a time: the changes whose ValidFrom is not after it, in the order of their
	// revisions, so that a later revision has the last word about all times from its ValidFrom on.
	At(ctx context.Context, eventType string, at time.Time) (State, error)
	// History gives every change in the order in which the store took it, within a revision as given to Assign; of all
	// event types with an empty name.
	History(ctx context.Context, eventType string) ([]Assignment, error)
	// Await returns the head's revision as soon as it is above after: at once for a change made through this Store, within
	// poll (0: a second) for one of another process. It returns early with the error of ctx or of reading.
	Await(ctx context.Context, eventType string, after uint64, poll time.Duration) (uint64, error)
}

// EventTypes keeps every event-type document by its hash.
type EventTypes interface {
	// PutEventType stores a document; the same one again is no change, ErrDigest when hash is not its SHA-256, ErrImmutable
	// when it is stored under another name.
	PutEventType(ctx context.Context, hash, name string, document []byte) error
	// EventType gives a document; ErrNotFound.
	EventType(ctx context.Context, hash string) ([]byte, error)
}

// Runs keeps retrain runs and what their steps gave. JSON of a run is kept by meaning, of a step byte for byte.
type Runs interface {
	// PutRun stores a run or its new state, whatever state is stored. ErrInvalid without an id, an event type or a known
	// state; ErrImmutable when the run is stored with another event type, config or time of creation.
	PutRun(ctx context.Context, r Run) error
	// UpdateRun stores a run's new state if its stored state is still was: ErrConflict when it is not, ErrNotFound; else as
	// PutRun.
	UpdateRun(ctx context.Context, was RunState, r Run) error
	// Run gives one run; ErrNotFound.
	Run(ctx context.Context, id string) (Run, error)
	// ListRuns gives the runs of an event type, of all with an empty name, newest first.
	ListRuns(ctx context.Context, eventType string) ([]Run, error)
	// PutStep stores what a finished step gave. The same output again is no change, the times of the first stand;
	// ErrImmutable for another output, ErrNotFound without the run, ErrInvalid without a name or with an output that is not
	// JSON.
	PutStep(ctx context.Context, s Step) error
	// Steps gives a run's finished steps in the order in which they were stored; none is no error.
	Steps(ctx context.Context, run string) ([]Step, error)
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
