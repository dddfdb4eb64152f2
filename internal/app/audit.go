package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haechi-fraud/haechi/internal/scoring"
)

// audit is the background check that what was decided is what the log gives: now and then a sample of decisions is computed
// again from the log alone and compared to the bit.
type audit struct {
	values, mismatches prometheus.Counter
	finished           prometheus.Gauge
}

func newAudit(r prometheus.Registerer) *audit {
	a := &audit{
		values: prometheus.NewCounter(prometheus.CounterOpts{Name: "haechi_parity_values_total",
			Help: "Logged feature values computed again by the background audit."}),
		mismatches: prometheus.NewCounter(prometheus.CounterOpts{Name: "haechi_parity_mismatches_total",
			Help: "Decisions of the audit's sample that were not equal to the bit."}),
		finished: prometheus.NewGauge(prometheus.GaugeOpts{Name: "haechi_parity_finished_timestamp_seconds",
			Help: "When the background audit last came to its end."}),
	}
	r.MustRegister(a.values, a.mismatches, a.finished)
	return a
}

// auditParity runs audits until the app stops.
func (a *App) auditParity() {
	config := a.project.Config.Audit
	if config.Every == 0 {
		return
	}
	metrics := newAudit(a.base)
	a.every(config.Every, func(c *core) { a.auditOnce(c.ctx, c.scorer, metrics) })
}

// every runs work in the background, beside requests, until the app stops; it is left out while there is no core.
func (a *App) every(interval time.Duration, work func(*core)) {
	a.wg.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-a.ctx.Done():
				return
			case <-ticker.C:
			}
			if c, done := a.holding(); c != nil {
				work(c)
				done()
			}
		}
	})
}

func (a *App) auditOnce(ctx context.Context, s *scoring.Scorer, m *audit) {
	totals, err := s.ReplayAll(ctx, scoring.ReplayOptions{
		OneIn: uint64(a.project.Config.Audit.OneIn), Share: a.project.Config.Audit.Share,
		Visit: func(r *scoring.Replayed) {
			m.mismatches.Inc()
			a.opts.Logger.Error("a decision is not what the log gives: do not trust features until this is understood",
				"event_type", r.Logged.EventType, "event_id", r.Logged.EventID, "differences", r.Differences)
		},
	})
	m.values.Add(float64(totals.Values))
	if err != nil {
		if ctx.Err() == nil {
			a.opts.Logger.Warn("the parity audit could not be finished", "error", err)
		}
		return
	}
	m.finished.SetToCurrentTime()
}
