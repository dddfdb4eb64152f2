package offline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/haechi-fraud/haechi/features"
)

// every is how many rows pass between looks at the context and calls of Progress.
const every = 4096

// feeder feeds the rows of one partition to an engine of its own.
type feeder struct {
	pass     *pass
	words    *words
	engine   *features.Engine
	event    features.Event
	labels   []features.Label
	vector   []float64
	last     uint64 // sequence
	place    features.Placement
	degraded int64
}

// feed computes the pass's features for the wanted rows of a partition and appends them, row by row, to out. told is
// called now and then with how many rows were done since.
func (ps *pass) feed(ctx context.Context, rows *stream, w *words, out *stream, told func(rows int64)) (degraded int64, err error) {
	engine, err := features.NewEngine(&ps.schema, ps.definitions, features.EngineOptions{Shards: 1})
	if err != nil {
		return 0, err
	}
	f := &feeder{pass: ps, words: w, engine: engine, event: blank(&ps.schema), vector: make([]float64, len(ps.definitions))}
	f.event.ID = "row"
	commit := func([]uint64) (features.Placement, error) { return f.place, nil }
	r := reader{stream: rows}
	for n := int64(0); ; n++ {
		if n%every == every-1 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			told(every)
		}
		wanted, err := f.next(&r)
		if errors.Is(err, io.EOF) {
			told(n % every)
			return f.degraded, out.seal()
		}
		if err != nil {
			return 0, err
		}
		if err := f.observe(wanted, commit, out); err != nil {
			return 0, fmt.Errorf("features of %s: %w", ps.schema.EventType, err)
		}
	}
}

// next reads a row into the feeder's event and placement.
func (f *feeder) next(r *reader) (wanted bool, err error) {
	ps := f.pass
	row, err := r.take(rowHead + ps.fields.size())
	if err != nil {
		return false, err
	}
	flags := binary.LittleEndian.Uint32(row[8:])
	f.event.Time = int64(binary.LittleEndian.Uint64(row))
	ps.fields.get(row[rowHead:], &f.event, f.words, false)
	f.last++
	f.place = features.Placement{Sequence: f.last, Outcome: features.InOrder}
	own := int(flags &^ wantedFlag)
	if own == 0 {
		return flags&wantedFlag != 0, nil
	}
	said, err := r.take(9 * own)
	if err != nil {
		return false, err
	}
	f.labels = f.labels[:0]
	for ; len(said) > 0; said = said[9:] {
		f.last++
		f.labels = append(f.labels, features.Label{Sequence: f.last, Verdict: features.Verdict(said[0]), KnownAt: int64(binary.LittleEndian.Uint64(said[1:]))})
	}
	f.place.Labels = f.labels
	return flags&wantedFlag != 0, nil
}

// observe adds the event to the engine and its features, if wanted, to out.
func (f *feeder) observe(wanted bool, commit features.Commit, out *stream) error {
	if !wanted {
		_, err := f.engine.Observe(&f.event, nil, commit)
		return err
	}
	result, err := f.engine.Observe(&f.event, f.vector, commit)
	if err != nil {
		return err
	}
	if result.Degraded {
		f.degraded++
	}
	if err := out.room(8 * len(f.vector)); err != nil {
		return err
	}
	t := out.tail
	for _, x := range f.vector {
		t = binary.LittleEndian.AppendUint64(t, math.Float64bits(x))
	}
	out.tail = t
	return nil
}
