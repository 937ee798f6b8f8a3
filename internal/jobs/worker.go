package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Handler does one job. Its context is cancelled with cause ErrStopping when
// the process goes down and its time is up. An error, or a panic, is retried
// with growing pauses up to Config.MaxAttempts.
type Handler func(ctx context.Context, j Job) (Next, error)

// Next is what becomes of a job whose handler returned no error.
type Next struct {
	snooze bool
	after  time.Duration
}

// Done ends the job.
func Done() Next { return Next{} }

// Snooze runs the job again after d. It never counts as a failure. Snoozes
// survive a restart.
func Snooze(d time.Duration) Next { return Next{snooze: true, after: max(d, 0)} }

// Config says how a Worker works. Zero values take the defaults named.
type Config struct {
	Logger *slog.Logger // required
	Queue  *Queue       // required: the inserting side of the same process, whose Wake the worker heeds

	// Node names this process among those that share the database, in what
	// TakeBack is told of the living.
	Node string

	Concurrency  int           // jobs run at once, for each kind; 50
	Limits       map[Kind]int  // the same, for kinds that differ
	PollInterval time.Duration // how often to look for jobs without being woken; 1 s
	StopGrace    time.Duration // how long Stop lets handlers finish before cancelling them; 5 s

	MaxAttempts int           // failures before giving up; 10
	RetryMin    time.Duration // pause after the first failure, doubled after each; 1 s
	RetryMax    time.Duration // longest pause; 5 min

	// GiveUp is told of a job that failed MaxAttempts times, before it is
	// dropped. It should record the failure where the user sees it.
	GiveUp func(ctx context.Context, j Job, err error)
}

func (c Config) withDefaults() Config {
	c.Concurrency = cmp.Or(c.Concurrency, 50)
	c.PollInterval = cmp.Or(c.PollInterval, time.Second)
	c.StopGrace = cmp.Or(c.StopGrace, 5*time.Second)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.RetryMin = cmp.Or(c.RetryMin, time.Second)
	c.RetryMax = cmp.Or(c.RetryMax, 5*time.Minute)
	return c
}

const (
	// fetchCooldown is the least time between two fetches of one kind. The
	// first wake-up after a pause is served at once; under load a longer
	// pause makes for fewer, bigger fetches (20 ms was measured fastest).
	fetchCooldown = 20 * time.Millisecond
	// noRescue keeps River from running anew what has been running for long:
	// taking back stands in for that.
	noRescue = 100 * 365 * 24 * time.Hour
	// retention is how long finished jobs stay, for a look when something
	// went wrong; it keeps the table small.
	retention = time.Minute
)

// Worker runs jobs. One Worker at a time works on a SQLite file, many on a
// PostgreSQL database.
type Worker struct {
	cfg      Config
	handlers map[Kind]Handler
	client   *river.Client[*sql.Tx]
	hub      *hub

	stopping context.Context // ends, with cause ErrStopping, when handlers' time is up
	hurry    context.CancelCauseFunc
	events   sync.WaitGroup
}

// NewWorker returns a Worker on its queue's database that runs the kinds in
// handlers. On SQLite that should be the store's single-connection writer: its
// waiting line is fair and never answers SQLITE_BUSY. A second connection makes
// inserts faster while the worker falls behind; jobs done per second differ
// little. Nothing in this package asks for the connection while the caller
// holds it: Insert and Complete use the caller's transaction. But do not call
// Start or Stop inside one.
func NewWorker(cfg Config, handlers map[Kind]Handler) (*Worker, error) {
	if cfg.Logger == nil || cfg.Queue == nil {
		return nil, errors.New("job worker: Config.Logger and Config.Queue must be set")
	}
	if len(handlers) == 0 {
		return nil, errors.New("job worker: at least one handler is needed")
	}
	w := &Worker{cfg: cfg.withDefaults(), handlers: handlers, hub: cfg.Queue.hub}
	driver := &wakingDriver{Driver: cfg.Queue.engine.driver(cfg.Queue.db), hub: w.hub}
	workers := river.NewWorkers()
	queues := make(map[string]river.QueueConfig, len(handlers))
	for kind, h := range handlers {
		if err := kind.check(); err != nil {
			return nil, err
		}
		if h == nil {
			return nil, fmt.Errorf("job kind %q: handler is nil", string(kind))
		}
		driver.queues = append(driver.queues, string(kind))
		queues[string(kind)] = river.QueueConfig{MaxWorkers: cmp.Or(w.cfg.Limits[kind], w.cfg.Concurrency)}
		river.AddWorkerArgs(workers, jobArgs{kind: kind}, &riverWorker{w: w})
	}
	slices.Sort(driver.queues)
	client, err := river.NewClient(driver, &river.Config{
		ID:                          w.cfg.Node,
		Logger:                      slog.New(quiet{cfg.Logger.Handler()}),
		Queues:                      queues,
		Workers:                     workers,
		FetchCooldown:               min(fetchCooldown, w.cfg.PollInterval),
		FetchPollInterval:           w.cfg.PollInterval,
		JobTimeout:                  -1, // deployments take as long as they take
		RescueStuckJobsAfter:        noRescue,
		RetryPolicy:                 w,
		CompletedJobRetentionPeriod: retention,
		CancelledJobRetentionPeriod: retention,
		DiscardedJobRetentionPeriod: retention,
	})
	if err != nil {
		return nil, fmt.Errorf("job worker: %w", err)
	}
	w.client = client
	if cfg.Node != "" {
		cfg.Queue.inHand.join(cfg.Node)
	}
	return w, nil
}

// Start takes back what a dead process left running, if the database is of one
// process, and begins to work. The
// work goes on after ctx ends, until Stop.
func (w *Worker) Start(ctx context.Context) error {
	if w.cfg.Queue.engine == SQLite {
		if err := w.takeBack(ctx); err != nil {
			return fmt.Errorf("start job worker: %w", err)
		}
	}
	w.stopping, w.hurry = context.WithCancelCause(context.Background())
	events, unsubscribe := w.client.Subscribe(river.EventKindJobSnoozed, river.EventKindJobFailed)
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		unsubscribe()
		return fmt.Errorf("start job worker: %w", err)
	}
	// Events come after the new state is stored, so a wake-up at the time
	// they name finds the job.
	w.events.Go(func() {
		for e := range events {
			w.hub.wakeAt(e.Job.ScheduledAt)
		}
	})
	return nil
}

// takeBack returns jobs left running by a dead process to the queue. One file
// has one process, so at start-up nobody runs them. It also clears the dead
// process's leadership, which would hold up scheduled jobs for seconds.
func (w *Worker) takeBack(ctx context.Context) error {
	tx, err := w.cfg.Queue.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM river_leader`); err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err == nil && n > 0 {
		w.cfg.Logger.InfoContext(ctx, "jobs left running were queued again", "jobs", n)
	}
	return tx.Commit()
}

// Stop claims no more jobs, lets handlers finish for Config.StopGrace, then
// cancels their contexts with cause ErrStopping and waits for them. A job that
// was cut short runs again after the next Start. If ctx ends first Stop
// returns its error, and handlers may still be running.
func (w *Worker) Stop(ctx context.Context) error {
	if w.hurry == nil {
		return nil
	}
	timer := time.AfterFunc(w.cfg.StopGrace, func() { w.hurry(ErrStopping) })
	defer timer.Stop()
	if err := w.client.Stop(ctx); err != nil {
		w.hurry(ErrStopping)
		return fmt.Errorf("stop job worker: %w", err)
	}
	w.hurry(ErrStopping)
	w.events.Wait()
	return nil
}

// NextRetry implements river.ClientRetryPolicy: doubling pauses with up to a
// quarter taken off at random, so that failures do not return in step.
func (w *Worker) NextRetry(job *rivertype.JobRow) time.Time {
	pause := w.cfg.RetryMax
	if n := max(job.Attempt-1, 0); w.cfg.RetryMin < pause>>n {
		pause = w.cfg.RetryMin << n
	}
	return time.Now().Add(pause - rand.N(pause/4+1))
}

type jobContextKey struct{}

// riverWorker is the one River worker behind all kinds.
type riverWorker struct {
	river.WorkerDefaults[jobArgs]
	w *Worker
}

// Work runs the kind's handler and turns its answer into River's.
func (r *riverWorker) Work(ctx context.Context, rj *river.Job[jobArgs]) error {
	w := r.w
	defer w.cfg.Queue.inHand.begin(rj.ID)()
	job := Job{Kind: Kind(rj.Kind), Key: rj.Args.Key, Generation: rj.Args.Generation, RunAt: rj.ScheduledAt, Priority: rj.Priority, Origin: originFrom(rj.Metadata)}
	ctx = WithOrigin(context.WithValue(ctx, jobContextKey{}, rj), job.Origin)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unhook := context.AfterFunc(w.stopping, func() { cancel(ErrStopping) })
	defer unhook()

	log := w.cfg.Logger.With("kind", rj.Kind, "key", job.Key, "generation", job.Generation)
	next, err := w.call(ctx, log, job)
	switch {
	case err == nil && next.snooze:
		return river.JobSnooze(next.after)
	case err == nil:
		return nil
	case errors.Is(err, ErrLost):
		log.DebugContext(ctx, "job superseded", "error", err)
		return nil
	case errors.Is(context.Cause(ctx), ErrStopping):
		return river.JobSnooze(0) // cut short, not failed
	case rj.Attempt < w.cfg.MaxAttempts:
		log.WarnContext(ctx, "job failed, will be tried again", "attempt", rj.Attempt, "error", err)
		return err
	}
	log.ErrorContext(ctx, "job given up", "attempts", rj.Attempt, "error", err)
	w.giveUp(ctx, log, job, err)
	return river.JobCancel(err)
}

// call runs the handler and makes an error of a panic.
func (w *Worker) call(ctx context.Context, log *slog.Logger, job Job) (next Next, err error) {
	defer func() {
		if v := recover(); v != nil {
			log.ErrorContext(ctx, "job handler panicked", "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.handlers[job.Kind](ctx, job)
}

func (w *Worker) giveUp(ctx context.Context, log *slog.Logger, job Job, failure error) {
	if w.cfg.GiveUp == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			log.ErrorContext(ctx, "give-up hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	w.cfg.GiveUp(ctx, job, failure)
}

// quiet passes River's warnings and errors on and makes the rest debug lines.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, lowered(l))
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }

func lowered(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return min(l, slog.LevelDebug)
	}
	return l
}
