package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func processCPU() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInsertAndComplete queues each job in a transaction of its own, as
// an API call does, and runs a handler with one small durable transaction.
func BenchmarkInsertAndComplete(b *testing.B) {
	bb := newBench(b)
	if _, err := bb.db.Exec(`CREATE TABLE effect (key TEXT, generation INTEGER, PRIMARY KEY (key, generation)) STRICT`); err != nil {
		b.Fatal(err)
	}
	var runs atomic.Int64
	bb.start(Config{}, func(ctx context.Context, j Job) (Next, error) {
		err := record(ctx, bb.db, j)
		runs.Add(1)
		return Done(), err
	})
	b.ResetTimer()
	for i := range b.N {
		bb.insert(deploy(fmt.Sprint(i), 1))
	}
	inserted := b.Elapsed()
	for runs.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/inserted.Seconds(), "inserts/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkDrain works off jobs that are already queued.
func BenchmarkDrain(b *testing.B) {
	bb := newBench(b)
	if _, err := bb.db.Exec(`CREATE TABLE effect (key TEXT, generation INTEGER, PRIMARY KEY (key, generation)) STRICT`); err != nil {
		b.Fatal(err)
	}
	var all []Job
	for i := range b.N {
		all = append(all, deploy(fmt.Sprint(i), 1))
	}
	bb.insert(all...)
	var runs atomic.Int64
	b.ResetTimer()
	bb.start(Config{}, func(ctx context.Context, j Job) (Next, error) {
		err := record(ctx, bb.db, j)
		runs.Add(1)
		return Done(), err
	})
	for runs.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkWakeLatency measures commit to handler start, one job at a time.
func BenchmarkWakeLatency(b *testing.B) {
	bb := newBench(b)
	started := make(chan time.Time, 1)
	bb.start(Config{}, func(context.Context, Job) (Next, error) { started <- time.Now(); return Done(), nil })
	time.Sleep(100 * time.Millisecond)
	var all []time.Duration
	for i := range b.N {
		bb.insert(deploy(fmt.Sprint(i), 1))
		committed := time.Now()
		all = append(all, (<-started).Sub(committed))
		time.Sleep(3 * time.Millisecond)
	}
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}

// BenchmarkIdle measures what a worker with two kinds costs while it waits.
func BenchmarkIdle(b *testing.B) {
	bb := newBench(b)
	bb.start(Config{}, func(context.Context, Job) (Next, error) { return Done(), nil })
	time.Sleep(time.Second)
	for b.Loop() {
		cpu, began := processCPU(), time.Now()
		time.Sleep(3 * time.Second)
		b.ReportMetric(100*float64(processCPU()-cpu)/float64(time.Since(began)), "%core")
	}
}
