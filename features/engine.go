package features

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// EngineOptions tune an Engine; none of them changes a value.
type EngineOptions struct {
	// Shards is the number of locks over the entities, 0 = 256. A snapshot holds a shard for about a fifth of a microsecond an entity, and a shard whose
	// table grows moves all its slots: beyond some million entities more shards keep requests from waiting a millisecond.
	Shards int

	Seed uint64 // of the hash that gives entities their shard; 0 = a random one

	chunkRows, groupChunks int // tests make chunks small
}

// Placement is what the log says of an event that was just appended.
type Placement struct {
	Sequence  uint64 // below 2^48
	Outcome   Outcome
	Labels    []Label // labels that waited for this event, in sequence order
	Watermark int64   // the event clock after the event (Clock.Watermark): what only events later than allowed could see is gone; 0 = unknown
	Since     int64   // event time of the first event in the log (Clock.Since): windows reaching before it are incomplete; 0 = none does
}

// Commit fixes the event's place in the log. It is called exactly once, with the shards of all the event's entities locked, and must do no I/O.
// ordinals[i] is the event's 1-based ordinal in the history of Entities[i], in order of arrival and with dropped events counted; 0 where the entity
// is absent. The slice is the engine's: copy what must outlive the call. An error leaves no trace in the state.
type Commit func(ordinals []uint64) (Placement, error)

// Result is what Observe tells besides the vector.
type Result struct {
	Placement
	Complete bool // every window reaches back as far as it is long
	Degraded bool // the cap dropped events that a window may have held
	Ahead    bool // an entity had the event already, so nothing was read; only while an engine that was restored catches up

	time int64
	gaps []gap // what Within needs of entities that do not hold all of their history; most do
}

// Engine holds the state of one event type and computes its features. All methods may be called from any goroutine.
type Engine struct {
	schema  *Schema
	defs    []Definition
	layouts []layout // by entity kind
	texts   *interner
	blanks  []history
	derived []derived // what needs no history, in an order in which expressions follow their inputs
	reach   int64     // longest window with its delay, of all definitions
	seed    uint64
	shards  []shard

	restoring sync.Mutex
	behind    atomic.Pointer[catchUp] // while the engine catches up
}

// shard is a share of the entities under one lock.
type shard struct {
	mu       sync.Mutex
	entities []table       // by entity kind
	resting  []resting     // by entity kind
	position atomic.Uint64 // largest sequence of its events and labels; read without the lock
	scratch  scratch       // of whoever holds this shard as the first of its shards
	_        [64]byte      // keeps locks of neighbours on lines of their own
}

// scratch is memory for one call, so that Observe does not allocate.
type scratch struct {
	ordinals  []uint64
	histories []*history
	touched   uint64 // keeps loads that only fetch memory from being left out
	skip      []bool // absent entities, and those that have the event already
	bounds    []bounds
	frauds    []verdicts
	frame     frame
}

// derived is a definition that reads the event itself or other definitions.
type derived struct {
	out   int
	value number
}

// NewEngine builds an engine that computes defs, in their order. What expressions read must be among defs (Needed sees to it). The schema must not
// change afterwards.
func NewEngine(schema *Schema, defs []Definition, opts EngineOptions) (*Engine, error) {
	if err := schema.Check(); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", schema.EventType, err)
	}
	if opts.Shards <= 0 {
		opts.Shards = 256
	}
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	e := &Engine{schema: schema, defs: slices.Clone(defs), layouts: make([]layout, len(schema.Entities)), seed: opts.Seed,
		shards: make([]shard, opts.Shards), texts: newInterner()}
	for i := range e.layouts {
		e.layouts[i].interner, e.layouts[i].seed = e.texts, hashKey(e.seed, "values")
	}
	if err := e.compile(); err != nil {
		return nil, err
	}
	windows, tallies := 0, 0
	e.blanks = make([]history, len(e.layouts))
	for i := range e.layouts {
		e.blanks[i] = *newHistory("")
		e.layouts[i].finish(&opts)
		windows, tallies = max(windows, len(e.layouts[i].windows)), max(tallies, len(e.layouts[i].tallies))
		e.reach = max(e.reach, e.layouts[i].reach)
	}
	for i := range e.shards {
		s := &e.shards[i]
		s.entities = make([]table, len(schema.Entities))
		s.resting = make([]resting, len(schema.Entities))
		s.scratch = scratch{ordinals: make([]uint64, len(schema.Entities)), histories: make([]*history, len(schema.Entities)),
			skip:   make([]bool, len(schema.Entities)),
			bounds: make([]bounds, windows), frauds: make([]verdicts, tallies)}
	}
	return e, nil
}

// Definitions returns the engine's definitions in the order of its vectors. The caller must not change them.
func (e *Engine) Definitions() []Definition { return e.defs }

// Projection tells for each definition hash where it sits in the engine's vectors; the error names the missing ones.
func (e *Engine) Projection(hashes []string) ([]int, error) {
	at := map[string]int{}
	for i := len(e.defs) - 1; i >= 0; i-- {
		at[e.defs[i].hash] = i
	}
	var missing []string
	out := make([]int, len(hashes))
	for i, hash := range hashes {
		position, known := at[hash]
		if !known {
			missing = append(missing, hash)
		}
		out[i] = position
	}
	if missing != nil {
		return nil, fmt.Errorf("the engine of %s does not compute definitions %s", e.schema.EventType, strings.Join(missing, ", "))
	}
	return out, nil
}

// Observe computes the vector of ev, which Validate accepts, from all that was observed before it, then adds it. vector has the length of
// Definitions; nil skips reading, for replay of events whose features nobody asks for, and Result then says nothing of Degraded and late windows. When
// commit fails, nothing has happened and the error is commit's.
func (e *Engine) Observe(ev *Event, vector []float64, commit Commit) (Result, error) {
	return e.observe(ev, vector, 0, commit)
}

// Replay is Observe of an event whose sequence is known before, in an engine that may have been restored from snapshots: what a snapshot has of the
// event is left as it is. commit is given ordinal 0 for an entity that had the event already; Result then says Ahead, and the vector is not read.
func (e *Engine) Replay(ev *Event, vector []float64, sequence uint64, commit Commit) (Result, error) {
	return e.observe(ev, vector, sequence, commit)
}

// observe does it; sequence is 0 where it is not known yet.
func (e *Engine) observe(ev *Event, vector []float64, sequence uint64, commit Commit) (Result, error) {
	if len(ev.Entities) != len(e.schema.Entities) || len(ev.Attributes) != len(e.schema.Attributes) || len(ev.Numbers) != len(e.schema.Numbers) {
		return Result{}, fmt.Errorf("observe %s: the event does not have the fields of %s", ev.ID, e.schema.EventType)
	}
	if vector != nil && len(vector) != len(e.defs) {
		return Result{}, fmt.Errorf("observe %s: the vector has %d places for %d definitions", ev.ID, len(vector), len(e.defs))
	}
	var a [16]spot
	var b [16]int
	at := e.locate(ev, a[:0])
	held := e.lock(at, b[:0])
	defer e.unlock(held)
	s := &e.shards[held[0]].scratch
	ahead := e.meet(ev, s, at, sequence, vector != nil)
	placement, err := commit(s.ordinals)
	if err != nil {
		return Result{}, err
	}
	if placement.Sequence > maxSequence || sequence != 0 && placement.Sequence != sequence {
		return Result{}, fmt.Errorf("observe %s: commit gave sequence %d", ev.ID, placement.Sequence)
	}
	e.reached(held, placement.Sequence)
	result := Result{Placement: placement, Complete: e.reach == 0 || ev.Time-e.reach >= placement.Since, Ahead: ahead, time: ev.Time}
	defer e.add(ev, s, at, &placement) // even if reading panics: the log has the event, and so must the state
	if vector != nil && !ahead {
		e.read(ev, s, vector, &result)
	}
	return result, nil
}

// meet finds the histories and ordinals of an event's entities, and says whether one of them had the event already. With many entities nearly
// every step to one of them waits for memory, so all take the same step before any takes the next, and they wait together.
func (e *Engine) meet(ev *Event, s *scratch, at []spot, sequence uint64, windows bool) (ahead bool) {
	behind := e.behind.Load()
	for i, key := range ev.Entities {
		s.ordinals[i], s.histories[i] = 0, nil
		s.skip[i] = key == ""
		if !s.skip[i] && sequence != 0 && behind.has(i, key, sequence) {
			s.skip[i], ahead = true, true
		}
		if t := &e.shards[at[i].shard].entities[i]; len(t.slots) > 0 {
			s.touched += t.slots[t.home(at[i].hash)].hash
		}
	}
	for i := range s.histories {
		if h := e.shards[at[i].shard].entities[i].first(at[i].hash); h != nil && !s.skip[i] {
			s.histories[i] = h
			s.touched += h.arrivals + h.tail.sequence
		}
	}
	for _, h := range s.histories {
		if h != nil {
			s.touched += uint64(h.entity[0]) + h.tail.touch(windows)
		}
	}
	for i, key := range ev.Entities {
		if s.skip[i] {
			continue
		}
		if h := s.histories[i]; h == nil || h.entity != key {
			s.histories[i] = e.entity(at[i], i, key)
		}
		if s.ordinals[i] = 1; s.histories[i] != nil {
			s.ordinals[i] = s.histories[i].arrivals + 1
		}
	}
	return ahead
}

// reached notes that shards have what the log has up to a sequence.
func (e *Engine) reached(held []int, sequence uint64) {
	for _, i := range held {
		if p := &e.shards[i].position; p.Load() < sequence {
			p.Store(sequence)
		}
	}
	if behind := e.behind.Load(); behind != nil && sequence > behind.largest && len(behind.read) == len(behind.positions) {
		e.behind.Store(nil)
	}
}

// Label attaches a label to an event that was observed before, unless the event was dropped or no window can reach it any more. commit appends the
// label's record with the shards of the event's entities locked, and must do no I/O; when it fails, nothing has happened and the error is commit's.
func (e *Engine) Label(ev *Event, eventSequence uint64, commit func() (Label, error)) error {
	if len(ev.Entities) != len(e.schema.Entities) {
		return fmt.Errorf("label %s: the event does not have the fields of %s", ev.ID, e.schema.EventType)
	}
	var a [16]spot
	var b [16]int
	at := e.locate(ev, a[:0])
	held := e.lock(at, b[:0])
	defer e.unlock(held)
	label, err := commit()
	if err != nil {
		return err
	}
	if label.Sequence > maxSequence {
		return fmt.Errorf("label %s: commit gave sequence %d", ev.ID, label.Sequence)
	}
	behind := e.behind.Load()
	e.reached(held, label.Sequence)
	for i, key := range ev.Entities {
		if h := e.shards[at[i].shard].entities[i].find(at[i].hash, key); h != nil && !behind.has(i, key, label.Sequence) {
			e.attach(i, h, ev.Time, eventSequence, label)
		}
	}
	return nil
}

// spot is where an entity is found.
type spot struct {
	shard int
	hash  uint64
}

// locate finds the spot of each entity; absent ones are given the first shard.
func (e *Engine) locate(ev *Event, at []spot) []spot {
	for i, key := range ev.Entities {
		var x spot
		if key != "" {
			x.hash = hashKey(e.seed, key)
			x.shard = shardOf(x.hash, len(e.shards), i)
		}
		at = append(at, x)
	}
	return at
}

// shardOf is the shard of an entity among so many.
func shardOf(hash uint64, shards, kind int) int {
	return int(uint64(uint32(hash)+uint32(kind)*0x9e3779b9) * uint64(shards) >> 32)
}

// entity finds what is kept of an entity, and wakes it if it rests.
func (e *Engine) entity(at spot, kind int, key string) *history {
	s := &e.shards[at.shard]
	h := s.entities[kind].find(at.hash, key)
	if h == nil && len(s.resting[kind].records) > 0 {
		if h = s.resting[kind].take(key, at.hash, &e.layouts[kind]); h != nil {
			s.entities[kind].add(at.hash, h)
		}
	}
	return h
}

// lock takes the shards in address order, each once, and returns them; there is always one.
func (e *Engine) lock(at []spot, held []int) []int {
	for i := range at {
		held = append(held, at[i].shard)
	}
	if len(held) == 0 {
		held = append(held, 0)
	}
	slices.Sort(held)
	held = slices.Compact(held)
	for _, i := range held {
		e.shards[i].mu.Lock()
	}
	return held
}

func (e *Engine) unlock(held []int) {
	for _, i := range held {
		e.shards[i].mu.Unlock()
	}
}

// add puts a placed event into its entities' histories.
func (e *Engine) add(ev *Event, s *scratch, at []spot, p *Placement) {
	for i, key := range ev.Entities {
		if s.skip[i] {
			continue
		}
		h := s.histories[i]
		if h == nil {
			h = newHistory(strings.Clone(key))
			e.shards[at[i].shard].entities[i].add(at[i].hash, h)
		}
		h.arrivals++
		if p.Outcome == LateDropped {
			continue
		}
		h.insert(&e.layouts[i], ev, p.Sequence)
		h.trim(&e.layouts[i], e.schema.AllowedLateness, e.schema.limit())
		for _, label := range p.Labels {
			e.attach(i, h, ev.Time, p.Sequence, label)
		}
	}
}

// attach adds a label to an entity's entry of an event, if labels matter there and the entry is kept.
func (e *Engine) attach(kind int, h *history, t int64, sequence uint64, label Label) {
	l := &e.layouts[kind]
	if !l.labels {
		return
	}
	if p, kept := h.find(t, sequence); kept {
		h.label(l, p, &label)
	}
}
