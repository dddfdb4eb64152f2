package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/internal/simulate"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// session counts what came of the live payments, held against what the world knows of them.
type session struct {
	world *simulate.World

	mu        sync.Mutex
	payments  int
	labels    int
	decisions map[haechiv1.Verdict]int
	frauds    tally
	caught    tally // frauds that were not approved
	alerts    int   // payments that were not approved
	latencies []float64
	recent    []float64 // since the last look
	clock     int64     // event time of the latest payment
	days      map[int64]map[int]*suspect
}

// suspect is a customer on one day.
type suspect struct {
	raw   float64 // highest score of the day
	fraud bool
}

// tally is a count and its money.
type tally struct {
	count int
	minor int64
}

func (t *tally) add(minor int64) { t.count++; t.minor += minor }

func newSession(w *simulate.World) *session {
	return &session{world: w, decisions: map[haechiv1.Verdict]int{}, days: map[int64]map[int]*suspect{}}
}

func (s *session) note(ev *simulate.Event, d *haechiv1.Decision, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.payments++
	s.decisions[d.Decision]++
	s.clock = max(s.clock, ev.Time)
	s.latencies = append(s.latencies, took.Seconds())
	s.recent = append(s.recent, took.Seconds())
	alert := d.Decision != haechiv1.Verdict_VERDICT_APPROVE
	if alert {
		s.alerts++
	}
	s.suspect(ev, d.GetRaw())
	if ev.Fraud() {
		s.frauds.add(ev.Amount)
		if alert {
			s.caught.add(ev.Amount)
		}
	}
}

func (s *session) suspect(ev *simulate.Event, raw float64) {
	day := ev.Time / (24 * time.Hour).Microseconds()
	if s.days[day] == nil {
		s.days[day] = map[int]*suspect{}
	}
	c := s.days[day][ev.Customer]
	if c == nil {
		c = &suspect{raw: raw}
		s.days[day][ev.Customer] = c
	}
	c.raw, c.fraud = max(c.raw, raw), c.fraud || ev.Fraud()
}

// atBudget is the share of defrauded customers among the perDay with the highest score of each day.
func (s *session) atBudget(perDay int) float64 {
	looked, found := 0, 0
	for _, customers := range s.days {
		all := slices.SortedFunc(maps.Values(customers), func(a, b *suspect) int { return cmp.Compare(b.raw, a.raw) })
		for _, c := range all[:min(perDay, len(all))] {
			looked++
			if c.fraud {
				found++
			}
		}
	}
	return float64(found) / float64(max(looked, 1))
}

// demoCallers is how many payments are in flight at most.
const demoCallers = 16

// judge sends the live days over gRPC in the order of their times, payments and labels as they become known.
func (d *demo) judge(ctx context.Context, cl *client, s *session) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	steps := make(chan simulate.Step, demoCallers)
	var wg sync.WaitGroup
	for range demoCallers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for step := range steps {
				if err := d.send(ctx, cl, s, step); err != nil {
					cancel(err)
				}
			}
		}()
	}
	stopView := d.view(s)
	d.pace(ctx, steps)
	close(steps)
	wg.Wait()
	stopView()
	return context.Cause(ctx)
}

// pace hands out payments at the asked speed.
func (d *demo) pace(ctx context.Context, steps chan<- simulate.Step) {
	from, to := d.world.Day(demoHistoryDays), d.world.Day(demoHistoryDays+d.command.Days)
	start, sent := time.Now(), 0
	for step := range d.world.Replay(from, to) {
		if step.Event != nil {
			sent++
			due := start.Add(time.Duration(float64(sent) / d.command.Speed * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		steps <- step
	}
}

func (d *demo) send(ctx context.Context, cl *client, s *session, step simulate.Step) error {
	if step.Label != nil {
		return d.label(ctx, cl, s, step.Label)
	}
	start := time.Now()
	out, err := haechiv1.NewScoringClient(cl).Score(ctx, &haechiv1.ScoreRequest{Event: wirePayment(d.world, step.Event)})
	if err != nil {
		return fmt.Errorf("payment %d: %w", step.Event.ID, err)
	}
	s.note(step.Event, out.Decision, time.Since(start))
	return nil
}

func (d *demo) label(ctx context.Context, cl *client, s *session, l *simulate.Label) error {
	_, err := haechiv1.NewLabelsClient(cl).PutLabel(ctx, &haechiv1.PutLabelRequest{Label: &haechiv1.Label{
		EventType: demoEventType, EventId: strconv.FormatInt(l.Event, 10), Verdict: haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD,
		Kind: "chargeback", KnownAt: timestamppb.New(time.UnixMicro(l.KnownAt)), Source: "issuer",
	}})
	if err != nil {
		return fmt.Errorf("label of payment %d: %w", l.Event, err)
	}
	s.mu.Lock()
	s.labels++
	s.mu.Unlock()
	return nil
}

// wirePayment is a simulated payment as a payment backend sends it.
func wirePayment(w *simulate.World, ev *simulate.Event) *haechiv1.Event {
	c := &w.Customers()[ev.Customer]
	return &haechiv1.Event{
		Type: demoEventType, Id: strconv.FormatInt(ev.ID, 10), Time: timestamppb.New(time.UnixMicro(ev.Time)),
		Entities:   map[string]string{"customer": strconv.Itoa(ev.Customer), "terminal": strconv.Itoa(ev.Terminal)},
		Amount:     &haechiv1.Money{Currency: "EUR", MinorUnits: ev.Amount},
		Attributes: map[string]string{"country": c.Country, "age_band": c.AgeBand},
	}
}

// quantiles of seconds, as milliseconds; zeros for none. It sorts its input.
func quantiles(seconds []float64) (p50, p99 float64) {
	if len(seconds) == 0 {
		return 0, 0
	}
	sort.Float64s(seconds)
	at := func(q float64) float64 { return 1000 * seconds[min(len(seconds)-1, int(q*float64(len(seconds))))] }
	return at(.5), at(.99)
}
