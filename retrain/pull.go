package retrain

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Pulled says what the pull step wrote.
type Pulled struct {
	Events uint64 `json:"events"`
	Labels uint64 `json:"labels"`
}

// Pull writes the events of the plan's log up to its position, with their labels, to a file. All history before the
// training span comes along, since windows and ages reach back into it, and what came after the test too: an event that
// came late was judged against it.
func Pull(ctx context.Context, source warehouse.Source, p *Plan, path string, progress func(Progress)) (out Pulled, err error) {
	part := path + ".part"
	w, err := createRows(part, &p.Schema)
	if err != nil {
		return out, fmt.Errorf("pull: %w", err)
	}
	q := warehouse.Query{EventType: p.EventType, LogID: p.LogID, Through: p.Through}
	err = source.Pull(ctx, q, func(r warehouse.Row) error {
		if r.Event != nil {
			if out.Events++; out.Events%100_000 == 0 {
				progress(Progress{Step: "pull", Done: out.Events})
			}
			return w.event(r.Event)
		}
		out.Labels++
		return w.label(r.Label)
	})
	if err = errors.Join(err, w.close()); err != nil {
		return out, fmt.Errorf("pull: %w", err)
	}
	progress(Progress{Step: "pull", Done: out.Events, Total: out.Events})
	return out, os.Rename(part, path)
}
