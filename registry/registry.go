// Package registry says what is kept about models: immutable versions named by the SHA-256 of their bytes, the evidence on
// which they were judged, append-only assignments of roles, every event-type document, and retrain runs. It holds the
// types and the contract that every driver keeps (registrytest holds them to it); it stores nothing itself.
package registry

import (
	"encoding/json"
	"errors"
	"time"
)

// Errors of every driver, wrapped with what happened.
var (
	// ErrNotFound: no such version, run, document or assignment.
	ErrNotFound = errors.New("not found in the registry")
	// ErrConflict: what is to be changed has moved since it was read; read it again and decide anew.
	ErrConflict = errors.New("changed by someone else meanwhile; read it again and decide anew")
	// ErrDigest: bytes are not those that their name says, or are gone.
	ErrDigest = errors.New("the bytes do not match their SHA-256")
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
	Chosen  string   `json:"chosen,omitempty"` // how they were chosen, for people; may be empty
}

// Version is one immutable model. Times are kept to the microsecond, in UTC.
type Version struct {
	Digest        string // hex SHA-256 of the model's bytes
	EventType     string
	Name          string // for people; may be empty
	Source        string // SourceRetrain or SourceImport
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

// Where versions come from.
const (
	SourceRetrain = "retrain"
	SourceImport  = "import"
)

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

// Assignment gives a role to a version, which leaves the role that it had, or with an empty Version takes the role away
// from whoever has it (from all shadows; those that stay are named again in the same revision).
type Assignment struct {
	EventType  string
	Revision   uint64 // given by the store
	Role       Role
	Version    string    // digest; empty: the role falls vacant
	ValidFrom  time.Time // from when on it is meant to hold; the zero time: from when it is recorded
	RecordedAt time.Time // when the store took it; given by the store, never runs backwards within an event type
	Actor      string
	Reason     string
}

// State is which version plays which role.
type State struct {
	Revision uint64 // 0: nothing was ever assigned
	Roles    map[Role][]Assignment
}
