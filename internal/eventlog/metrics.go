package eventlog

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registerer prometheus.Registerer
	registered []prometheus.Collector

	records, bytes, refused prometheus.Counter
	fsync, batch            prometheus.Histogram
	poisoned, free          prometheus.Gauge
	segments                prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "haechi_eventlog_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "haechi_eventlog_" + name, Help: help})
	}
	m := &metrics{
		registerer: r,
		records:    counter("records_total", "Records made durable."),
		bytes:      counter("bytes_total", "Bytes of frames made durable."),
		refused:    counter("overloaded_total", "Records refused because the buffer was full."),
		fsync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "haechi_eventlog_fsync_seconds", Help: "Time of one write and sync.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "haechi_eventlog_batch_records", Help: "Records made durable by one sync.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 16),
		}),
		poisoned: gauge("poisoned", "1 after a failed write or sync."),
		free:     gauge("free_bytes", "Free disk as last looked at."),
		segments: gauge("segments", "Segment files."),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.records, m.bytes, m.refused, m.fsync, m.batch, m.poisoned, m.free, m.segments} {
		if err := r.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("register the event log's metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
	m.registered = nil
}
