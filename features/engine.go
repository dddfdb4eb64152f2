package features

import "errors"

// EngineOptions tune an Engine; none of them changes a value.
type EngineOptions struct {
	Shards int // locks over the entities; 0 = 256
}

// Placement is what the log says of an event that was just appended.
type Placement struct {
	Sequence uint64
	Outcome  Outcome
	Labels   []Label // labels that waited for this event, in sequence order
	Since    int64   // event time of the first event in the log (Clock.Since): windows reaching before it are incomplete; 0 = none does
}

// Commit fixes the event's place in the log. It is called exactly once, with the shards of all the event's entities locked, and must do no I/O.
// ordinals[i] is the event's 1-based ordinal in the history of Entities[i], in order of arrival and with dropped events counted; 0 where the entity
// is absent. The slice is the engine's: copy what must outlive the call. An error leaves no trace in the state.
type Commit func(ordinals []uint64) (Placement, error)

// Result is what Observe tells besides the vector.
type Result struct {
	Placement
	Complete bool // every window reaches back as far as it is long
	Degraded bool // the cap dropped events that a window would have held
}

// Engine holds the state of one event type and computes its features. All methods may be called from any goroutine.
type Engine struct{ defs []Definition }

var errUnbuilt = errors.New("not built yet")

// NewEngine builds an engine that computes defs, in their order. What expressions read must be among defs (Needed sees to it).
func NewEngine(schema *Schema, defs []Definition, opts EngineOptions) (*Engine, error) {
	return nil, errUnbuilt
}

// Definitions returns the engine's definitions in the order of its vectors.
func (e *Engine) Definitions() []Definition { return e.defs }

// Projection tells for each definition hash where it sits in the engine's vectors; the error names the missing ones.
func (e *Engine) Projection(hashes []string) ([]int, error) { return nil, errUnbuilt }

// Observe computes the vector of ev from all that was observed before it, then adds it.
func (e *Engine) Observe(ev *Event, vector []float64, commit Commit) (Result, error) {
	return Result{}, errUnbuilt
}

// Label attaches a label to an event that was observed before.
func (e *Engine) Label(ev *Event, eventSequence uint64, commit func() (Label, error)) error {
	return errUnbuilt
}

// Checksum is a digest of the whole state, equal for engines that hold the same.
func (e *Engine) Checksum() [32]byte { return [32]byte{} }
