package features

// Outcome is how an event was placed in time.
type Outcome uint8

// The outcomes.
const (
	InOrder      Outcome = iota + 1 // not older than the watermark
	LateInserted                    // older, within allowed lateness: inserted in place
	LateDropped                     // older than that: answered, added nowhere
)

func (o Outcome) String() string {
	switch o {
	case InOrder:
		return "in_order"
	case LateInserted:
		return "late_inserted"
	case LateDropped:
		return "late_dropped"
	}
	return "unknown"
}

// Clock is the event clock of one event type. Its zero value has seen nothing. It is not locked: the lock under which the caller's log gives
// sequences protects it, so that events are judged in sequence order.
type Clock struct {
	watermark, since int64
	started          bool
}

// Admit judges an event of time t against the watermark, once and for ever, then advances the watermark.
func (c *Clock) Admit(t, allowedLateness int64) Outcome {
	outcome := InOrder
	if c.started && t < c.watermark {
		outcome = LateInserted
		if t < c.watermark-allowedLateness {
			outcome = LateDropped
		}
	}
	c.Advance(t)
	return outcome
}

// Advance moves the clock over an event that was judged before, in replay.
func (c *Clock) Advance(t int64) {
	if !c.started {
		c.started, c.since, c.watermark = true, t, t
	}
	c.watermark = max(c.watermark, t)
}

// Watermark is the largest event time so far, 0 before the first event.
func (c *Clock) Watermark() int64 { return c.watermark }

// Since is the time of the first event in the log, from which on windows are complete (Placement.Since), 0 before the first event.
func (c *Clock) Since() int64 { return c.since }
