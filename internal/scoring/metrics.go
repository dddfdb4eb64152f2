package scoring

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	decisions     *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	fallbacks     *prometheus.CounterVec
	repeated      *prometheus.CounterVec
	labels        *prometheus.CounterVec
	labelsWaiting prometheus.GaugeFunc
	imported      *prometheus.CounterVec
	refused       *prometheus.CounterVec
	ruleErrors    *prometheus.CounterVec
	cardNumbers   *prometheus.CounterVec
	panics        prometheus.Counter

	snapshotSequence, snapshotSeconds prometheus.Gauge
}

// newMetrics registers what this package counts; waiting gives the labels that wait for their event.
func newMetrics(r prometheus.Registerer, waiting func() float64) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "haechi", Subsystem: "scoring", Name: name, Help: help}, labels)
	}
	m := &metrics{
		decisions: counter("decisions_total", "Decisions made, durable.", "event_type", "decision"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "haechi", Subsystem: "scoring", Name: "duration_seconds", Help: "From validation to the durable decision.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 1.6, 24),
		}, []string{"event_type"}),
		fallbacks:     counter("fallbacks_total", "Decisions that the declared fallback made, because no model could answer.", "event_type"),
		repeated:      counter("repeated_ids_total", "Requests whose id was known already.", "event_type"),
		labels:        counter("labels_total", "Label records appended.", "event_type"),
		labelsWaiting: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "haechi", Subsystem: "scoring", Name: "labels_waiting", Help: "Labels that wait for an event nobody has seen."}, waiting),
		imported:      counter("imported_events_total", "Events of imported history appended.", "event_type"),
		refused:       counter("refused_champions_total", "Champions that could not be served; the one before stays.", "event_type"),
		ruleErrors:    counter("rule_errors_total", "Decisions in which a rule of the policy failed.", "event_type"),
		cardNumbers:   counter("card_numbers_total", "Values that look like a card number in clear.", "event_type", "field"),
		panics:        prometheus.NewCounter(prometheus.CounterOpts{Namespace: "haechi", Subsystem: "scoring", Name: "panics_total", Help: "Panics caught on the decision path."}),
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "haechi", Subsystem: "scoring", Name: name, Help: help})
	}
	m.snapshotSequence = gauge("snapshot_sequence", "Record as of which the newest snapshot of this process is.")
	m.snapshotSeconds = gauge("snapshot_seconds", "How long the newest snapshot took to write.")
	if r != nil {
		r.MustRegister(m.snapshotSequence, m.snapshotSeconds, m.decisions, m.duration, m.fallbacks, m.repeated, m.labels, m.labelsWaiting, m.imported, m.refused, m.ruleErrors, m.cardNumbers, m.panics)
	}
	return m
}

func (m *metrics) decided(eventType string, d *Decision, took time.Duration) {
	m.decisions.WithLabelValues(eventType, d.Verdict.String()).Inc()
	m.duration.WithLabelValues(eventType).Observe(took.Seconds())
	if slices.Contains(d.Flags, FlagFallback) {
		m.fallbacks.WithLabelValues(eventType).Inc()
	}
}
