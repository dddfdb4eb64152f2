package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type scoreCommand struct {
	target
	Features bool `help:"Also write the model's row."`
	InFlight int  `default:"64" placeholder:"N" help:"Events under way at once, 64 when not given. Two that share an entity are judged in the order of the lines."`
}

// Run reads events, a JSON object a line, and writes a decision or an error for each, in the order of the lines.
func (c *scoreCommand) Run(ctx context.Context, e *env) error {
	if c.InFlight < 1 || c.InFlight > 4096 {
		return &usageError{fmt.Errorf("--in-flight is %d; give 1 to 4096", c.InFlight)}
	}
	cl, err := e.connect(ctx, c.target, app.Options{Command: "score"})
	if err != nil {
		return err
	}
	if !cl.remote {
		return errors.Join(fmt.Errorf("no server runs on %s, and only a server keeps the history that judging needs; start it: haechi serve %s", c.Project, c.Project), cl.stop())
	}
	s := &scoreStream{client: haechiv1.NewScoringClient(cl), options: &haechiv1.ScoreOptions{Features: c.Features}, last: map[string]*scoreItem{}}
	if cl.project != nil {
		if t, one := cl.project.EventType(""); one {
			s.onlyType = t.Name
		}
	}
	return errors.Join(s.run(ctx, e.stdin, e.stdout, c.InFlight), cl.stop())
}

// scoreItem is one line under way.
type scoreItem struct {
	decision *haechiv1.Decision
	err      error
	done     chan struct{}
}

// scoreStream judges lines, many at once.
type scoreStream struct {
	client   haechiv1.ScoringClient
	options  *haechiv1.ScoreOptions
	onlyType string // for events that name no type

	mu   sync.Mutex
	last map[string]*scoreItem // entity -> the line under way that had it last
}

// run ends when the lines do, or ctx; a read that waits for a next line is left to end with the process.
func (s *scoreStream) run(ctx context.Context, from io.Reader, to io.Writer, inFlight int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *scoreItem, inFlight) // in the order of the lines; its length bounds what is under way
	var reading error
	go func() {
		defer close(queue)
		reading = s.read(ctx, bufio.NewReaderSize(from, 1<<16), queue)
	}()
	failed, lines, err := write(ctx, to, queue)
	switch {
	case err != nil:
		return err
	case reading != nil:
		return fmt.Errorf("read events: %w", reading)
	case failed > 0:
		return fmt.Errorf("%d of %d events were not judged; their lines say why", failed, lines)
	}
	return nil
}

// write writes what became of each line, in order.
func write(ctx context.Context, to io.Writer, queue <-chan *scoreItem) (failed, lines int, err error) {
	out := bufio.NewWriterSize(to, 1<<16)
	for {
		var item *scoreItem
		select {
		case <-ctx.Done():
			return failed, lines, errors.Join(ctx.Err(), out.Flush())
		case item = <-queue:
		}
		if item == nil {
			return failed, lines, out.Flush()
		}
		<-item.done
		lines++
		if item.err != nil {
			failed++
		}
		err := writeItem(out, item)
		if len(queue) == 0 {
			err = errors.Join(err, out.Flush())
		}
		if err != nil {
			return failed, lines, fmt.Errorf("write decisions: %w", err)
		}
	}
}

// read begins every line, in order.
func (s *scoreStream) read(ctx context.Context, in *bufio.Reader, queue chan<- *scoreItem) error {
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if !blank(line) {
			item := &scoreItem{done: make(chan struct{})}
			select {
			case queue <- item:
			case <-ctx.Done():
				return ctx.Err()
			}
			s.begin(ctx, item, line, n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

func (s *scoreStream) begin(ctx context.Context, item *scoreItem, line []byte, n int) {
	ev := &haechiv1.Event{}
	if err := protojson.Unmarshal(line, ev); err != nil {
		item.err = status.Errorf(codes.InvalidArgument, "line %d is not an event: %v", n, err)
		close(item.done)
		return
	}
	if ev.Type == "" {
		ev.Type = s.onlyType
	}
	keys, before := s.claim(ev, item)
	go func() {
		defer s.release(keys, item)
		for _, other := range before {
			<-other.done
		}
		out, err := s.client.Score(ctx, &haechiv1.ScoreRequest{Event: ev, Options: s.options})
		item.decision, item.err = out.GetDecision(), err
	}()
}

// claim notes what an event's entities and id are, and finds the lines under way that share one.
func (s *scoreStream) claim(ev *haechiv1.Event, item *scoreItem) (keys []string, before []*scoreItem) {
	keys = append(keys, ev.Type+"\x00"+ev.Id)
	for kind, key := range ev.Entities {
		keys = append(keys, ev.Type+"\x00"+kind+"\x00"+key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if other := s.last[key]; other != nil && other != item {
			before = append(before, other)
		}
		s.last[key] = item
	}
	return keys, before
}

func (s *scoreStream) release(keys []string, item *scoreItem) {
	s.mu.Lock()
	for _, key := range keys {
		if s.last[key] == item {
			delete(s.last, key)
		}
	}
	s.mu.Unlock()
	close(item.done)
}

func writeItem(out *bufio.Writer, item *scoreItem) error {
	if item.err == nil {
		return printLine(out, item.decision)
	}
	return json.NewEncoder(out).Encode(map[string]any{"error": map[string]string{
		"code": status.Code(item.err).String(), "message": sentence(item.err),
	}})
}
