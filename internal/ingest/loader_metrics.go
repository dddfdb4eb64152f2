package ingest

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

type loaderMetrics struct {
	rows     *prometheus.CounterVec
	failures prometheus.Counter
	seconds  prometheus.Histogram
	lag      prometheus.GaugeFunc
}

func newLoaderMetrics(r prometheus.Registerer, lag func() uint64) (*loaderMetrics, error) {
	m := &loaderMetrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "haechi_warehouse_rows_total", Help: "Rows loaded into the warehouse, by table.",
		}, []string{"table"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "haechi_warehouse_load_failures_total", Help: "Times that loading the warehouse failed and was put off.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "haechi_warehouse_load_seconds", Help: "Time of one transaction.", Buckets: prometheus.ExponentialBuckets(.001, 2, 14),
		}),
		lag: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "haechi_warehouse_lag_records", Help: "Durable log records that the warehouse does not have yet.",
		}, func() float64 { return float64(lag()) }),
	}
	for i, c := range m.all() {
		if err := r.Register(c); err != nil {
			for _, registered := range m.all()[:i] {
				r.Unregister(registered)
			}
			return nil, fmt.Errorf("register the loader's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *loaderMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.rows, m.failures, m.seconds, m.lag}
}

func (m *loaderMetrics) unregister(r prometheus.Registerer) {
	for _, c := range m.all() {
		r.Unregister(c)
	}
}

func (m *loaderMetrics) loaded(b *warehouse.Batch, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	m.rows.WithLabelValues("events").Add(float64(len(b.Events)))
	m.rows.WithLabelValues("decisions").Add(float64(len(b.Decisions)))
	m.rows.WithLabelValues("labels").Add(float64(len(b.Labels)))
}
