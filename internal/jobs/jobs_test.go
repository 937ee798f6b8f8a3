package jobs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// openWriter opens path as Hadron's store does: one connection, durable.
func openWriter(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	dsn := "file:" + path + "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if err := Migrate(tb.Context(), db, SQLite); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// bench is a database, a queue and what the worker logs.
type bench struct {
	tb    testing.TB
	db    *sql.DB
	queue *Queue
	log   *logBuffer
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{tb: tb, db: openWriter(tb, filepath.Join(tb.TempDir(), "jobs.db")), log: &logBuffer{}}
	var err error
	if b.queue, err = NewQueue(b.db, SQLite); err != nil {
		tb.Fatal(err)
	}
	return b
}

// start runs a worker with handler for Deploy and stops it when the test ends.
func (b *bench) start(cfg Config, h Handler) *Worker {
	b.tb.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	cfg.Queue = b.queue
	w, err := NewWorker(cfg, map[Kind]Handler{Deploy: h})
	if err != nil {
		b.tb.Fatal(err)
	}
	if err := w.Start(b.tb.Context()); err != nil {
		b.tb.Fatal(err)
	}
	b.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			b.tb.Error(err)
		}
	})
	return w
}

func (b *bench) insert(jobs ...Job) {
	b.tb.Helper()
	tx, err := b.db.Begin()
	if err != nil {
		b.tb.Fatal(err)
	}
	defer tx.Rollback()
	if err := b.queue.Insert(b.tb.Context(), tx, jobs...); err != nil {
		b.tb.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.tb.Fatal(err)
	}
	b.queue.Wake()
}

func (b *bench) count(where string) int {
	b.tb.Helper()
	var n int
	if err := b.db.QueryRow(`SELECT count(*) FROM river_job WHERE ` + where).Scan(&n); err != nil {
		b.tb.Fatal(err)
	}
	return n
}

// eventually waits up to ten seconds for ok.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("never happened: %s", what)
}

func deploy(key string, generation int64) Job {
	return Job{Kind: Deploy, Key: key, Generation: generation}
}

func TestRolledBackTransactionLeavesNoJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tx, err := b.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.queue.Insert(t.Context(), tx, deploy("a", 1)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := b.count("1"); n != 0 {
		t.Errorf("%d jobs after the rollback, want 0", n)
	}
}

func TestEqualLiveJobsAreOneJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.insert(deploy("a", 1), deploy("a", 1), deploy("b", 1))
	b.insert(deploy("a", 1))
	if n := b.count("1"); n != 2 {
		t.Errorf("%d jobs, want 2: a/1 and b/1", n)
	}
	b.insert(deploy("a", 2), Job{Kind: RegisterTemplateVersion, Key: "a", Generation: 1})
	if n := b.count("1"); n != 4 {
		t.Errorf("%d jobs, want 4: another generation and another kind are other jobs", n)
	}
}

func TestFinishedJobCanBeQueuedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int32
	b.start(Config{}, func(context.Context, Job) (Next, error) { runs.Add(1); return Done(), nil })
	b.insert(deploy("a", 1))
	eventually(t, "first run recorded", func() bool { return b.count("state = 'completed'") == 1 })
	b.insert(deploy("a", 1))
	eventually(t, "second run", func() bool { return runs.Load() == 2 })
}

func TestBadJobsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, j := range map[string]Job{
		"empty kind":                        {Key: "a"},
		"upper-case kind":                   {Kind: "Deploy", Key: "a"},
		"empty key":                         {Kind: Deploy},
		"generation that JSON numbers lose": {Kind: Deploy, Key: "a", Generation: 1<<53 + 1},
	} {
		tx, err := b.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.queue.Insert(t.Context(), tx, j); err == nil {
			t.Errorf("%s: accepted", name)
		}
		tx.Rollback()
	}
}

func TestWakeStartsJobsWithoutPolling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ran := make(chan Job, 1)
	b.start(Config{PollInterval: time.Hour}, func(_ context.Context, j Job) (Next, error) { ran <- j; return Done(), nil })
	time.Sleep(50 * time.Millisecond) // past the first poll
	b.insert(deploy("a", 7))
	select {
	case j := <-ran:
		if j.Kind != Deploy || j.Key != "a" || j.Generation != 7 {
			t.Errorf("handler was given %+v", j)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the job did not start")
	}
}

func TestRunAtSoonIsHonoured(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ran := make(chan time.Time, 1)
	b.start(Config{PollInterval: time.Hour}, func(context.Context, Job) (Next, error) { ran <- time.Now(); return Done(), nil })
	due := time.Now().Add(300 * time.Millisecond)
	b.insert(Job{Kind: Deploy, Key: "a", RunAt: due})
	if late := (<-ran).Sub(due); late < -time.Millisecond || late > time.Second {
		t.Errorf("ran %v after its time", late)
	}
}

func TestShortSnoozesNeverCountAsFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int32
	done := make(chan struct{})
	began := time.Now()
	b.start(Config{PollInterval: time.Hour, MaxAttempts: 2}, func(context.Context, Job) (Next, error) {
		switch n := runs.Add(1); {
		case n <= 6:
			return Snooze(5 * time.Millisecond), nil
		case n == 7:
			return Done(), errors.New("first failure") // would be the last if snoozes counted
		}
		close(done)
		return Done(), nil
	})
	b.insert(deploy("a", 1))
	select {
	case <-done:
	case <-time.After(9 * time.Second):
		t.Fatalf("stuck after %d runs", runs.Load())
	}
	t.Logf("8 runs in %v", time.Since(began))
}

func TestLongSnoozeIsScheduledAndSurvivesRestart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int32
	h := func(context.Context, Job) (Next, error) { runs.Add(1); return Snooze(3 * time.Hour), nil }
	w := b.start(Config{PollInterval: 10 * time.Millisecond}, h)
	b.insert(deploy("a", 1))
	eventually(t, "snooze recorded", func() bool { return b.count("state = 'scheduled'") == 1 })
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start(Config{PollInterval: 10 * time.Millisecond}, h)
	time.Sleep(100 * time.Millisecond)
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times, want once", n)
	}
	if n := b.count("state = 'scheduled' AND scheduled_at > datetime('now', '+179 minutes') AND scheduled_at < datetime('now', '+181 minutes')"); n != 1 {
		t.Error("the job is not scheduled for three hours from now")
	}
}

func TestFailuresAndPanicsAreRetriedThenGivenUpAloud(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int32
	type surrender struct {
		job Job
		err error
	}
	gaveUp := make(chan surrender, 2)
	broken := errors.New("broken")
	b.start(Config{MaxAttempts: 3, RetryMin: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond,
		GiveUp: func(_ context.Context, j Job, err error) { gaveUp <- surrender{j, err} },
	}, func(context.Context, Job) (Next, error) {
		if runs.Add(1) == 2 {
			panic("boom")
		}
		return Done(), broken
	})
	b.insert(deploy("a", 4))
	select {
	case s := <-gaveUp:
		if s.job.Key != "a" || s.job.Generation != 4 || !errors.Is(s.err, broken) {
			t.Errorf("gave up %+v: %v", s.job, s.err)
		}
	case <-time.After(9 * time.Second):
		t.Fatal("never gave up")
	}
	eventually(t, "job dropped", func() bool { return b.count("state = 'cancelled'") == 1 })
	if n := runs.Load(); n != 3 {
		t.Errorf("ran %d times, want 3", n)
	}
	for _, want := range []string{"panic=boom", "jobs_test.go", "job given up"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestLostLeaseEndsTheJobQuietly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(Config{}, func(context.Context, Job) (Next, error) { return Done(), fmt.Errorf("save: %w", ErrLost) })
	b.insert(deploy("a", 1))
	eventually(t, "job ended", func() bool { return b.count("state = 'completed'") == 1 })
	if s := b.log.String(); s != "" {
		t.Errorf("an ordinary life was logged at info or above:\n%s", s)
	}
}

func TestCompleteEndsTheJobInTheHandlersTransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int32
	b.start(Config{}, func(ctx context.Context, j Job) (Next, error) {
		runs.Add(1)
		tx, err := b.db.BeginTx(ctx, nil)
		if err != nil {
			return Done(), err
		}
		defer tx.Rollback()
		if err := Complete(ctx, tx); err != nil {
			return Done(), err
		}
		// The end is recorded, so the same job is free to be queued again.
		if runs.Load() == 1 {
			if err := b.queue.Insert(ctx, tx, j); err != nil {
				return Done(), err
			}
		}
		return Done(), tx.Commit()
	})
	b.insert(deploy("a", 1))
	b.queue.Wake()
	eventually(t, "both runs recorded", func() bool { return b.count("state = 'completed'") == 2 })
	if err := Complete(t.Context(), nil); err == nil {
		t.Error("Complete outside of a handler: accepted")
	}
}

func TestStopCutsHandlersShortAndLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	started, cause := make(chan struct{}), make(chan error, 1)
	w := b.start(Config{StopGrace: 50 * time.Millisecond, MaxAttempts: 1}, func(ctx context.Context, _ Job) (Next, error) {
		close(started)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return Done(), ctx.Err()
	})
	b.insert(deploy("a", 1))
	<-started
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-cause; !errors.Is(err, ErrStopping) {
		t.Errorf("cause %v, want ErrStopping", err)
	}
	if n := b.count("state = 'available' AND attempt = 0"); n != 1 {
		t.Errorf("%d jobs waiting without a failure, want 1", n)
	}
	again := make(chan struct{})
	b.start(Config{}, func(context.Context, Job) (Next, error) { close(again); return Done(), nil })
	select {
	case <-again:
	case <-time.After(5 * time.Second):
		t.Error("the job did not run after the restart")
	}
}

// TestStopLeavesNoGoroutine is not parallel: it counts.
func TestStopLeavesNoGoroutine(t *testing.T) {
	b := newBench(t)
	b.db.Ping()
	before := runtime.NumGoroutine()
	w := b.start(Config{}, func(context.Context, Job) (Next, error) { return Done(), nil })
	b.insert(deploy("a", 1), deploy("b", 1))
	eventually(t, "work done", func() bool { return b.count("state = 'completed'") == 2 })
	t.Logf("%d goroutines while working", runtime.NumGoroutine()-before)
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "goroutines gone", func() bool { return runtime.NumGoroutine() <= before })
}
