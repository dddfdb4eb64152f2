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

// joiner puts the rows together again: the main stream says which partition of each pass has the row's features next.
type joiner struct {
	plan    *plan
	words   *words
	main    reader
	results [][]reader // [pass][partition]
	event   features.Event
	deriver *features.Deriver // nil when nothing is derived
	vector  []float64
}

func newJoiner(sp *spread, results [][]stream, w *words) (*joiner, error) {
	j := &joiner{plan: sp.plan, words: w, main: reader{stream: &sp.main}, event: blank(sp.plan.schema), vector: make([]float64, len(sp.plan.definitions))}
	j.event.ID = "row"
	for p := range results {
		readers := make([]reader, len(results[p]))
		for i := range readers {
			readers[i].stream = &results[p][i]
		}
		j.results = append(j.results, readers)
	}
	if sp.plan.derives {
		engine, err := features.NewEngine(sp.plan.schema, sp.plan.definitions, features.EngineOptions{Shards: 1})
		if err != nil {
			return nil, err
		}
		j.deriver = engine.Deriver()
	}
	return j, nil
}

// run writes all rows; told is called now and then with how many were done since.
func (j *joiner) run(ctx context.Context, to *vectors, told func(rows int64)) error {
	free, full := make(chan *group, 2), make(chan *group)
	free <- newGroup(len(j.plan.names))
	free <- newGroup(len(j.plan.names))
	failed := make(chan error, 1)
	go func() {
		defer close(full)
		for g := range free {
			err := j.fill(ctx, g)
			if g.rows > 0 && (err == nil || errors.Is(err, io.EOF)) {
				full <- g
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	var problem error
	for g := range full {
		if problem == nil {
			problem = to.add(g)
			told(int64(g.rows))
			if problem != nil {
				close(free)
				continue
			}
		}
		if problem == nil {
			g.reset()
			free <- g
		}
	}
	if err := <-failed; problem == nil && !errors.Is(err, io.EOF) {
		problem = err
	}
	return problem
}

// fill reads rows until the group is full; io.EOF after the last.
func (j *joiner) fill(ctx context.Context, g *group) error {
	for g.rows < groupRows {
		if g.rows%every == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := j.row(g); err != nil {
			return err
		}
	}
	return nil
}

func (j *joiner) row(g *group) error {
	passes := j.plan.passes
	size := j.plan.fields.size()
	head, err := j.main.take(8 + len(passes) + size + 1)
	if err != nil {
		return err
	}
	id, err := j.main.take(int(head[len(head)-1]))
	if err != nil {
		return err
	}
	for p := range passes {
		places := passes[p].places
		row, err := j.results[p][head[8+p]].take(8 * len(places))
		if err != nil {
			return fmt.Errorf("the features of a row are missing: %w", errShort)
		}
		for i, place := range places {
			j.vector[place] = math.Float64frombits(binary.LittleEndian.Uint64(row[8*i:]))
		}
	}
	t := int64(binary.LittleEndian.Uint64(head))
	if j.deriver != nil {
		j.event.Time = t
		j.plan.fields.get(head[8+len(passes):], &j.event, j.words, true)
		j.deriver.Derive(&j.event, j.vector)
	}
	g.times = append(g.times, t)
	g.ids = append(binary.LittleEndian.AppendUint32(g.ids, uint32(len(id))), id...)
	for c, column := range g.columns {
		column[g.rows] = j.vector[c]
	}
	g.rows++
	return nil
}
