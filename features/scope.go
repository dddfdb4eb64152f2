package features

// Scope is some definitions of one schema. Result.Within says of them what Result says of all that an engine computes, so that it does not depend on
// what else the engine computes.
type Scope struct {
	reach int64 // longest window with its delay
	kinds []scopeKind
}

// scopeKind is what a scope reads of the entities of one kind.
type scopeKind struct {
	rows  bool // their events, not only when they were first seen
	reach int64
}

// gap is what an event's entity does not hold any more.
type gap struct {
	kind  int
	late  bool  // the event is older than what is kept
	last  bool  // the cap dropped whatever came before the event
	reach int64 // windows that reach back further, delay included, miss events that the cap dropped
}

// NewScope makes a scope of definitions that an engine of that schema computes.
func NewScope(schema *Schema, definitions ...Definition) *Scope {
	s := &Scope{kinds: make([]scopeKind, len(schema.Entities))}
	for i := range definitions {
		f := &definitions[i].form
		kind := schema.entity(f.By)
		if f.By == "" || kind < 0 {
			continue
		}
		k := &s.kinds[kind]
		k.rows = k.rows || f.Kind != "first_seen_age" || f.Window > 0
		if f.Window > 0 {
			k.reach = max(k.reach, f.reach())
			s.reach = max(s.reach, k.reach)
		}
	}
	return s
}

// Within is Complete and Degraded of the scope's definitions alone.
func (r *Result) Within(s *Scope) (complete, degraded bool) {
	complete = s.reach == 0 || r.time-s.reach >= r.Since
	for i := range r.gaps {
		g := &r.gaps[i]
		k := &s.kinds[g.kind]
		if !k.rows {
			continue
		}
		complete = complete && !g.late
		degraded = degraded || g.last || k.reach > 0 && k.reach > g.reach
	}
	return complete, degraded
}
