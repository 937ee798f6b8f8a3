package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/store"
	"github.com/prometheus/client_golang/prometheus"
)

// backlogAge is how long what was read from the database is answered again:
// anybody may scrape, and that must not become the database's load.
const backlogAge = 2 * time.Second

// backlog tells of what waits in the database, whenever metrics are read.
type backlog struct {
	metrics *metrics
	store   *store.Store
	log     *slog.Logger

	mu     sync.Mutex
	readAt time.Time
	last   store.Backlog
	err    error
}

// What is told of; {…} are the labels.
var (
	databaseUp   = description("hadron_database_up", "Whether the database answered.")
	connections  = description("hadron_database_connections", "Connections to the database that this server uses.", "pool")
	connLimit    = description("hadron_database_connections_limit", "Connections to the database that this server may use.", "pool")
	connWaited   = description("hadron_database_wait_seconds_total", "Time that was waited for a connection.", "pool")
	queueJobs    = description("hadron_queue_jobs", "Jobs of all servers: waiting for a worker, put off until later, or running.", "kind", "state")
	queueOldest  = description("hadron_queue_oldest_seconds", "For how long the oldest of them has been due or, if running, worked on.", "kind", "state")
	leasesHeld   = description("hadron_leases_held", "Deployments that a worker of any server holds.")
	leasesLapsed = description("hadron_leases_expired", "Deployments whose worker was not heard of for the time of a lease, and which nobody has taken over yet.")
	nodesAlive   = description("hadron_nodes", "Servers that share the database and are alive; 0 if one server has it to itself.")
	eventsKept   = description("hadron_events_waiting", "Events that a target has not been told yet.", "target")
	eventsOldest = description("hadron_events_oldest_seconds", "For how long the oldest of them has waited.", "target")
)

var backlogDescriptions = []*prometheus.Desc{
	databaseUp, connections, connLimit, connWaited, queueJobs, queueOldest, leasesHeld, leasesLapsed, nodesAlive, eventsKept, eventsOldest,
}

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// watch adds what is in the database to the metrics.
func (m *metrics) watch(s *store.Store, log *slog.Logger) {
	m.registry.MustRegister(&backlog{metrics: m, store: s, log: log})
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(all chan<- *prometheus.Desc) {
	for _, d := range backlogDescriptions {
		all <- d
	}
}

// Collect implements prometheus.Collector.
func (b *backlog) Collect(all chan<- prometheus.Metric) {
	is := func(d *prometheus.Desc, value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	age := func(since time.Time) float64 { return max(0, time.Since(since).Seconds()) }
	for pool, s := range b.store.Connections() {
		is(connections, float64(s.InUse), pool)
		is(connLimit, float64(s.MaxOpenConnections), pool)
		all <- prometheus.MustNewConstMetric(connWaited, prometheus.CounterValue, s.WaitDuration.Seconds(), pool)
	}
	now, err := b.read()
	if err != nil {
		is(databaseUp, 0)
		return
	}
	is(databaseUp, 1)
	idle := slices.Clone(b.metrics.kinds)
	for _, j := range now.Jobs {
		if j.State == "waiting" {
			idle = slices.DeleteFunc(idle, func(kind string) bool { return kind == string(j.Kind) })
		}
		is(queueJobs, float64(j.Jobs), string(j.Kind), j.State)
		is(queueOldest, age(j.Since), string(j.Kind), j.State)
	}
	for _, kind := range idle {
		is(queueJobs, 0, kind, "waiting")
		is(queueOldest, 0, kind, "waiting")
	}
	is(leasesHeld, float64(now.Leases))
	is(leasesLapsed, float64(now.Expired))
	is(nodesAlive, float64(now.Nodes))
	for _, e := range now.Events {
		is(eventsKept, float64(e.Events), e.Target)
		is(eventsOldest, age(e.Since), e.Target)
	}
}

func (b *backlog) read() (store.Backlog, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.readAt) < backlogAge {
		return b.last, b.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if b.last, b.err = b.store.Backlog(ctx); b.err != nil {
		b.log.Warn("read the backlog for metrics", "err", b.err)
	}
	b.readAt = time.Now()
	return b.last, b.err
}
