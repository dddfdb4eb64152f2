package features

// Deriver computes what an engine reads from the event itself and from other features, given those features. For whoever computes the features of one
// entity kind apart from those of another; one goroutine at a time.
type Deriver struct {
	derived []derived
	frame   frame
}

// Deriver makes one for the engine's definitions.
func (e *Engine) Deriver() *Deriver { return &Deriver{derived: e.derived} }

// Derive fills the places of vector whose definitions have no entity. The other places, in the order of the engine's definitions, hold what Observe
// gives for ev.
func (d *Deriver) Derive(ev *Event, vector []float64) {
	d.frame = frame{vector, ev}
	for i := range d.derived {
		vector[d.derived[i].out] = d.derived[i].value(&d.frame)
	}
	d.frame = frame{}
}
