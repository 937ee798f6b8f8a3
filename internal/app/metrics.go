package app

import (
	"context"
	"net/http"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what operators scrape. They name operations and no resource.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hadron_api_calls_total", Help: "API calls answered, by operation and error code (empty for success).",
		}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hadron_api_call_seconds", Help: "Time to answer an API call.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"operation"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hadron_event_deliveries_total", Help: "Attempts to deliver an event, by target and result (ok, failed).",
		}, []string{"target", "result"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hadron_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.calls, m.duration, m.events, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(_ context.Context, c awsjson.Finished) {
	m.calls.WithLabelValues(c.Operation, c.Code).Inc()
	m.duration.WithLabelValues(c.Operation).Observe(c.Duration.Seconds())
}

func (m *metrics) told(target string, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.events.WithLabelValues(target, result).Inc()
}
