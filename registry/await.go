package registry

import (
	"context"
	"sync"
	"time"
)

// Bell tells all who wait in one process that something changed. The zero Bell is ready.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// Next gives a channel that the next Ring closes.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// Ring wakes everyone who waits now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// Await is how drivers implement Assignments.Await: it reads the revision at once, at every ring and every poll.
func Await(ctx context.Context, bell *Bell, poll time.Duration, after uint64, revision func(context.Context) (uint64, error)) (uint64, error) {
	if poll <= 0 {
		poll = time.Second
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		next := bell.Next() // before reading, so that no change falls in between
		now, err := revision(ctx)
		if err != nil || now > after {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-next:
		case <-ticker.C:
		}
	}
}
