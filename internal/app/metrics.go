package app

import (
	"context"
	"net/http"
	"time"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what operators scrape. They name operations, engines and kinds of
// jobs, and no resource. What is counted here is of this process; what is read
// from the database (metrics_backlog.go) is of all that share it.
type metrics struct {
	registry *prometheus.Registry
	kinds    []string // of jobs that this server does

	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	open     prometheus.Gauge

	engineTook *prometheus.HistogramVec
	engineBusy *prometheus.GaugeVec
	ended      *prometheus.CounterVec
	took       *prometheus.HistogramVec

	jobTook   *prometheus.HistogramVec
	jobsBusy  *prometheus.GaugeVec
	jobsLimit *prometheus.GaugeVec
	takeovers *prometheus.CounterVec
	events    *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls:    counter("hadron_api_calls_total", "API calls answered, by operation and error code (empty for success).", "operation", "code"),
		// From half a millisecond to four seconds.
		duration: histogram("hadron_api_call_seconds", "Time to answer an API call.", prometheus.ExponentialBuckets(0.0005, 2, 14), "operation"),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hadron_api_calls_in_flight", Help: "API calls over HTTP that are being answered.",
		}),
		// From 10 ms to three hours.
		engineTook: histogram("hadron_engine_seconds", "Time that an engine took for what it was asked (step, preview, cancel), by result: ok, failed (the run has failed) or error (it could not be done, and is tried again).",
			prometheus.ExponentialBuckets(0.01, 4, 11), "engine", "what", "result"),
		engineBusy: gauge("hadron_engine_busy", "What this server's engines are at work on.", "engine"),
		ended:      counter("hadron_deployments_ended_total", "Deployments whose end this server recorded, by status.", "engine", "goal", "status"),
		took: histogram("hadron_deployment_seconds", "Time from the call that asked for a deployment to its end.",
			prometheus.ExponentialBuckets(0.05, 4, 10), "engine", "goal"),
		jobTook: histogram("hadron_job_seconds", "Time that a job was worked on, by result: ok or error (tried again).",
			prometheus.ExponentialBuckets(0.001, 4, 12), "kind", "result"),
		jobsBusy:  gauge("hadron_jobs_busy", "Jobs that this server works on.", "kind"),
		jobsLimit: gauge("hadron_jobs_limit", "How many jobs this server works on at once.", "kind"),
		takeovers: counter("hadron_takeovers_total", "What this server queued anew because its worker was gone: deployments, jobs.", "what"),
		events:    counter("hadron_event_deliveries_total", "Attempts to deliver an event, by target and result (ok, failed).", "target", "result"),
	}
	for _, what := range []string{"deployments", "jobs"} {
		m.takeovers.WithLabelValues(what) // that it is there before the first
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hadron_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.calls, m.duration, m.open, m.engineTook, m.engineBusy, m.ended, m.took, m.jobTook, m.jobsBusy, m.jobsLimit,
		m.takeovers, m.events, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(_ context.Context, c awsjson.Finished) {
	m.calls.WithLabelValues(c.Operation, c.Code).Inc()
	m.duration.WithLabelValues(c.Operation).Observe(c.Duration.Seconds())
}

// inFlight counts the calls that h is at.
func (m *metrics) inFlight(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.open.Inc()
		defer m.open.Dec()
		h.ServeHTTP(w, r)
	})
}

// around counts the jobs that a handler is at, of limit.
func (m *metrics) around(kind jobs.Kind, limit int, handle jobs.Handler) jobs.Handler {
	m.kinds = append(m.kinds, string(kind))
	m.jobsLimit.WithLabelValues(string(kind)).Set(float64(limit))
	busy := m.jobsBusy.WithLabelValues(string(kind))
	return func(ctx context.Context, j jobs.Job) (jobs.Next, error) {
		busy.Inc()
		began, result := time.Now(), "error" // also if it panics
		defer func() {
			busy.Dec()
			m.jobTook.WithLabelValues(string(kind), result).Observe(time.Since(began).Seconds())
		}()
		next, err := handle(ctx, j)
		if err == nil {
			result = "ok"
		}
		return next, err
	}
}

// Begins, Ended and TookOver make metrics a provision.Observer.
func (m *metrics) Begins(method engine.Method, what string) func(string) {
	busy, began := m.engineBusy.WithLabelValues(string(method)), time.Now()
	busy.Inc()
	return func(result string) {
		busy.Dec()
		m.engineTook.WithLabelValues(string(method), what, result).Observe(time.Since(began).Seconds())
	}
}

func (m *metrics) Ended(d proton.Deployment) {
	m.ended.WithLabelValues(d.Engine, string(d.Goal), string(d.Status)).Inc()
	m.took.WithLabelValues(d.Engine, string(d.Goal)).Observe(d.CompletedAt.Sub(d.CreatedAt).Seconds())
}

func (m *metrics) TookOver(what string, n int) { m.takeovers.WithLabelValues(what).Add(float64(n)) }

func (m *metrics) told(target string, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.events.WithLabelValues(target, result).Inc()
}
