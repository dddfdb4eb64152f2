package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// view shows the session while it runs: in place on a terminal, a line now and then elsewhere. The function it returns
// ends it with a last look.
func (d *demo) view(s *session) (stop func()) {
	if d.env.json {
		return func() {}
	}
	every := 5 * time.Second
	if d.env.bars {
		every = 250 * time.Millisecond
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		shown, last := 0, time.Now()
		for {
			select {
			case <-done:
				d.draw(s, &shown, time.Since(last))
				return
			case <-tick.C:
				d.draw(s, &shown, time.Since(last))
				last = time.Now()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// draw writes what there is to see; on a terminal over what it wrote before.
func (d *demo) draw(s *session, shown *int, since time.Duration) {
	s.mu.Lock()
	p50, p99 := quantiles(s.recent)
	rate := float64(len(s.recent)) / max(since.Seconds(), 1e-3)
	s.recent = s.recent[:0]
	lines := []string{
		fmt.Sprintf("%s  %6d payments  %5.0f/s  latency p50 %.2f ms  p99 %.2f ms", time.UnixMicro(s.clock).UTC().Format("2006-01-02 15:04"), s.payments, rate, p50, p99),
		"decided     " + s.byKind(),
		fmt.Sprintf("fraud       %d of %d caught, EUR %s of %s; precision at %d customers a day %.2f; %d late labels in", s.caught.count, s.frauds.count,
			major(s.caught.minor), major(s.frauds.minor), d.budget, s.atBudget(d.budget), s.labels),
	}
	s.mu.Unlock()
	if !d.env.bars {
		d.say("%s | %s", lines[0], strings.TrimPrefix(lines[2], "fraud       "))
		return
	}
	if *shown > 0 {
		d.env.printf("\x1b[%dA", *shown)
	}
	for _, line := range lines {
		d.env.printf("\x1b[2K%s\n", line)
	}
	*shown = len(lines)
}

func (s *session) byKind() string {
	var parts []string
	for _, v := range []haechiv1.Verdict{haechiv1.Verdict_VERDICT_APPROVE, haechiv1.Verdict_VERDICT_REVIEW, haechiv1.Verdict_VERDICT_CHALLENGE, haechiv1.Verdict_VERDICT_DECLINE} {
		parts = append(parts, fmt.Sprintf("%s %d", strings.ToLower(strings.TrimPrefix(v.String(), "VERDICT_")), s.decisions[v]))
	}
	return strings.Join(parts, "  ")
}

// precision is the share of fraud among payments that were not approved.
func (s *session) precision() float64 {
	if s.alerts == 0 {
		return 0
	}
	return float64(s.caught.count) / float64(s.alerts)
}

func major(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

// summary says what happened and what to try next.
func (d *demo) summary(a *app.App, s *session) error {
	all := slices.Clone(s.latencies)
	p50, p99 := quantiles(all)
	if d.env.json {
		return d.env.encode(map[string]any{
			"seconds": time.Since(d.began).Seconds(), "model_version": d.version, "payments": s.payments, "labels": s.labels,
			"latency_ms": map[string]float64{"p50": p50, "p99": p99}, "frauds": s.frauds.count, "frauds_caught": s.caught.count,
			"fraud_minor_units": s.frauds.minor, "caught_minor_units": s.caught.minor, "alerts": s.alerts, "precision": s.precision(), "alert_budget": d.budget, "precision_at_budget": s.atBudget(d.budget),
		})
	}
	at := a.Addresses()
	d.env.printf(`
In %d days: %d payments judged, %s
  fraud caught     %d of %d payments, EUR %s of %s (by what the world knows; its labels come days later)
  alerts           %.1f payments a day, precision %.2f; of the %d customers with the highest score of a day %.2f were defrauded
  latency          p50 %.2f ms, p99 %.2f ms with %d callers on this machine, each answer on disk before it is sent
  model            %s
  server log       %s/server.log

Try next:
  grpcurl -plaintext -d '{"event": %s}' %s haechi.v1.Scoring/Score
  curl -s http://%s/v1/score -d '{"event": %s}'
  curl -s http://%s/metrics | grep haechi_scoring
  haechi decisions replay %s/try-1 --project %s
`, d.command.Days, s.payments, s.byKind(), s.caught.count, s.frauds.count, major(s.caught.minor), major(s.frauds.minor),
		float64(s.alerts)/float64(d.command.Days), s.precision(), d.budget, s.atBudget(d.budget), p50, p99, demoCallers, d.version, d.command.Dir,
		d.tryEvent("try-1"), at.GRPC, at.HTTP, d.tryEvent("try-2"), at.HTTP, demoEventType, d.command.Dir)
	return nil
}

// tryEvent is a payment to send by hand, after the last live one.
func (d *demo) tryEvent(id string) string {
	when := time.UnixMicro(d.world.Day(demoHistoryDays + d.command.Days)).UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"type": "%s", "id": "%s", "time": "%s", "entities": {"customer": "1", "terminal": "2"}, "amount": {"currency": "EUR", "minor_units": 25900}}`,
		demoEventType, id, when)
}
