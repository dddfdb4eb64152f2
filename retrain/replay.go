package retrain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/haechi-fraud/haechi/features"
)

// Rows are the events of the training and test spans with the vectors that serving saw and what became of them, in log order.
type Rows struct {
	Columns  int
	Values   []float64 // row-major, the plan's inputs in order
	ID       []string
	Time     []int64
	Amount   []float64          // major units
	Entity   [][]int            // [kind][row], numbered from 0 within the kind, -1 absent
	Known    []features.Verdict // by Plan.LabelsBy; 0: none
	Fraud    []bool             // by Plan.AsOf
	Train    []int              // rows of the training span whose label would be in by LabelsBy
	Test     []int
	Immature int     // rows of the training span left out: too young for all their labels to be in
	Early    int     // rows of the test span that count as legitimate although no label could be known by AsOf
	History  History // frauds of all times, for the rule of known entities
}

// History is every event that was fraud as of the plan's as_of.
type History struct {
	Time   []int64
	Entity [][]int // [kind][row]
}

// claim is the current label as of some time: the latest by known_at, then by sequence.
type claim struct {
	verdict features.Verdict
	knownAt int64
}

func (c *claim) take(l features.Label, by int64) {
	if l.KnownAt <= by && (c.verdict == 0 || l.KnownAt >= c.knownAt) {
		*c = claim{l.Verdict, l.KnownAt}
	}
}

// replayer feeds pulled rows through the engine that serves.
type replayer struct {
	plan    *Plan
	engine  *features.Engine
	clock   features.Clock
	inputs  []int // positions of the inputs in the engine's vector
	out     *Rows
	vector  []float64
	numbers []map[string]int // entity key -> number, by kind

	// Of every event, in log order: what a label needs to find it.
	sequences []uint64
	times     []int64
	keys      [][]string // [kind][event]
	byStart   []claim    // label by LabelsBy
	byEnd     []claim    // label by AsOf
	row       []int32    // row of out, -1 when the event is in neither span
	waiting   map[string][]features.Label
}

// Replay computes the vectors of the plan's spans. total is the number of events, for progress.
func Replay(ctx context.Context, p *Plan, in io.Reader, total uint64, progress func(Progress)) (*Rows, error) {
	r, err := newReplayer(p)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	reader := newRowReader(in, &p.Schema)
	var x row
	for {
		err := reader.next(&x)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && x.kind == rowEvent {
			err = r.event(&x)
		} else if err == nil {
			err = r.label(&x)
		}
		if err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		if n := len(r.sequences); n%50_000 == 0 && x.kind == rowEvent {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			progress(Progress{Step: "replay", Done: uint64(n), Total: total})
		}
	}
	progress(Progress{Step: "replay", Done: uint64(len(r.sequences)), Total: total})
	return r.finish()
}

func newReplayer(p *Plan) (*replayer, error) {
	defs := make([]features.Definition, 0, len(p.Definitions))
	position := map[string]int{}
	for i, d := range p.Definitions {
		parsed, err := features.ParseCanonical(d.Name, d.Canonical)
		if err != nil {
			return nil, fmt.Errorf("definition of %s: %w", d.Name, err)
		}
		if parsed.Hash() != d.Hash {
			return nil, fmt.Errorf("definition of %s has hash %s, planned was %s", d.Name, parsed.Hash(), d.Hash)
		}
		defs = append(defs, parsed)
		position[d.Name] = i
	}
	engine, err := features.NewEngine(&p.Schema, defs, features.EngineOptions{})
	if err != nil {
		return nil, err
	}
	r := &replayer{plan: p, engine: engine, vector: make([]float64, len(defs)), waiting: map[string][]features.Label{}}
	r.out = &Rows{Columns: len(p.Inputs), Entity: make([][]int, len(p.Schema.Entities))}
	r.keys = make([][]string, len(p.Schema.Entities))
	r.numbers = make([]map[string]int, len(p.Schema.Entities))
	for i := range r.numbers {
		r.numbers[i] = map[string]int{}
	}
	for _, name := range p.Inputs {
		r.inputs = append(r.inputs, position[name])
	}
	return r, nil
}

func (r *replayer) event(x *row) error {
	ev := &x.event
	labels := r.waiting[ev.ID]
	delete(r.waiting, ev.ID)
	r.clock.Advance(ev.Time)
	wanted := r.plan.Train.has(ev.Time) || r.plan.Test.has(ev.Time)
	var vector []float64
	if wanted {
		vector = r.vector
	}
	_, err := r.engine.Observe(ev, vector, func([]uint64) (features.Placement, error) {
		return features.Placement{Sequence: x.sequence, Outcome: x.outcome, Labels: labels, Since: r.clock.Since(), Watermark: r.clock.Watermark()}, nil
	})
	if err != nil {
		return fmt.Errorf("event %s: %w", ev.ID, err)
	}
	r.sequences, r.times = append(r.sequences, x.sequence), append(r.times, ev.Time)
	for i, key := range ev.Entities {
		r.keys[i] = append(r.keys[i], key)
	}
	r.byStart, r.byEnd = append(r.byStart, claim{}), append(r.byEnd, claim{})
	for _, l := range labels {
		r.claim(len(r.sequences)-1, l)
	}
	at := int32(-1)
	if wanted {
		at = int32(len(r.out.Time))
		r.keep(ev)
	}
	r.row = append(r.row, at)
	return nil
}

// keep adds the event's row to what the run works on.
func (r *replayer) keep(ev *features.Event) {
	for _, at := range r.inputs {
		r.out.Values = append(r.out.Values, r.vector[at])
	}
	r.out.ID = append(r.out.ID, ev.ID)
	r.out.Time = append(r.out.Time, ev.Time)
	r.out.Amount = append(r.out.Amount, float64(ev.Amount)/math.Pow10(r.plan.Schema.MinorDigits))
	for i, key := range ev.Entities {
		r.out.Entity[i] = append(r.out.Entity[i], r.number(i, key))
	}
}

func (r *replayer) number(kind int, key string) int {
	if key == "" {
		return -1
	}
	n, ok := r.numbers[kind][key]
	if !ok {
		n = len(r.numbers[kind])
		r.numbers[kind][key] = n
	}
	return n
}

func (r *replayer) claim(event int, l features.Label) {
	r.byStart[event].take(l, r.plan.LabelsBy)
	r.byEnd[event].take(l, r.plan.AsOf)
}

func (r *replayer) label(x *row) error {
	if x.eventSequence == 0 {
		r.waiting[x.eventID] = append(r.waiting[x.eventID], x.label)
		return nil
	}
	at := sort.Search(len(r.sequences), func(i int) bool { return r.sequences[i] >= x.eventSequence })
	if at == len(r.sequences) || r.sequences[at] != x.eventSequence {
		return nil // its event lies outside of what was pulled
	}
	ev := features.Event{ID: x.eventID, Time: r.times[at]}
	for i := range r.keys {
		ev.Entities = append(ev.Entities, r.keys[i][at])
	}
	r.claim(at, x.label)
	return r.engine.Label(&ev, x.eventSequence, func() (features.Label, error) { return x.label, nil })
}

// finish settles labels and splits the rows.
func (r *replayer) finish() (*Rows, error) {
	out, delay := r.out, r.plan.Schema.LabelDelay
	out.Known = make([]features.Verdict, len(out.Time))
	out.Fraud = make([]bool, len(out.Time))
	out.History.Entity = make([][]int, len(r.keys))
	for i, at := range r.row {
		if r.byEnd[i].verdict == features.Fraud {
			out.History.Time = append(out.History.Time, r.times[i])
			for k := range r.keys {
				out.History.Entity[k] = append(out.History.Entity[k], r.number(k, r.keys[k][i]))
			}
		}
		if at >= 0 {
			out.Known[at] = r.byStart[i].verdict
			out.Fraud[at] = r.byEnd[i].verdict == features.Fraud
			if r.byEnd[i].verdict == 0 && r.plan.Test.has(r.times[i]) && r.times[i]+delay > r.plan.AsOf {
				out.Early++
			}
		}
	}
	for i, t := range out.Time {
		switch {
		case r.plan.Test.has(t):
			out.Test = append(out.Test, i)
		case t+delay > r.plan.LabelsBy: // frauds known early too: never frauds without their negatives
			out.Immature++
		default:
			out.Train = append(out.Train, i)
		}
	}
	if len(out.Train) == 0 || len(out.Test) == 0 {
		return nil, fmt.Errorf("%w: %d events with labels to train on and %d to test on; choose spans in which there are events", ErrRequest, len(out.Train), len(out.Test))
	}
	return out, nil
}
