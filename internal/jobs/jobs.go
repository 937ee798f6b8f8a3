// Package jobs runs durable background work: a thin layer over River on
// Hadron's own database, so that a job is written in the same transaction as
// the state change that asks for it.
//
// It hides River entirely: its schema, its polling, its completion states and
// its log lines. It adds what River has not got: waking workers at once on a
// database without LISTEN, taking back a dead process's jobs at start-up, and
// the lease that a long handler holds (Hold).
//
// It never decides whether a job is still wanted. A handler may run a job more
// than once, or one whose Generation has been superseded, and has to look at
// its own rows, under their fence, before it acts.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// Kind names what a job does: lower-case words joined by hyphens, at most 128
// bytes. The set is open; a kind is known when a Worker has a handler for it.
type Kind string

// The kinds that Hadron itself queues.
const (
	Deploy                  Kind = "deploy"
	RegisterTemplateVersion Kind = "register-template-version"
	SyncRepository          Kind = "sync-repository"
)

// DeployWith is Deploy for what an engine carries out that has places of its own.
func DeployWith(engine string) Kind {
	return Deploy + "-" + Kind(strings.ToLower(strings.ReplaceAll(engine, "_", "-")))
}

// Job is one piece of work on one resource.
type Job struct {
	Kind Kind
	Key  string // the resource's id; not empty

	// Generation tells successive jobs for one resource apart, for example
	// the attempt number that a deployment had when the job was queued. At
	// most 2^53: it is kept as a JSON number.
	Generation int64

	// RunAt is when the job may first run; zero means at once.
	RunAt time.Time

	// Priority orders the jobs of a kind that wait: 1 (or zero) is first, 4 last.
	Priority int

	// Origin is the call that the job comes from, if it is known.
	Origin Origin
}

// jobArgs is a Job as River stores it. The kind is River's own column.
type jobArgs struct {
	kind       Kind
	Key        string `json:"key"`
	Generation int64  `json:"generation"`
}

func (a jobArgs) Kind() string { return string(a.kind) }

// liveStates are those in which a job still has work to do. A finished job
// never stands in the way of a new one.
var liveStates = []rivertype.JobState{
	rivertype.JobStateAvailable,
	rivertype.JobStatePending,
	rivertype.JobStateRetryable,
	rivertype.JobStateRunning,
	rivertype.JobStateScheduled,
}

// kindPattern is River's rule for queue names; every kind has its own queue.
var kindPattern = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

func (k Kind) check() error {
	if len(k) > 128 || !kindPattern.MatchString(string(k)) {
		return fmt.Errorf("job kind %q: must be lower-case letters and digits joined by hyphens, at most 128 bytes", string(k))
	}
	return nil
}

// Engine is the kind of database that jobs are kept in.
type Engine int

const (
	SQLite   Engine = iota // of one process
	Postgres               // of many
)

func (e Engine) driver(db *sql.DB) riverdriver.Driver[*sql.Tx] {
	if e == Postgres {
		return riverdatabasesql.New(db)
	}
	return riversqlite.New(db)
}

// Migrate brings the job tables to the version this binary needs. It may be
// called on every start, but not by two processes at once.
func Migrate(ctx context.Context, db *sql.DB, e Engine) error {
	m, err := rivermigrate.New(e.driver(db), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	return nil
}

// Queue is the inserting side. It is safe for concurrent use.
type Queue struct {
	db     *sql.DB
	engine Engine
	client *river.Client[*sql.Tx]
	hub    *hub
	inHand inHand
}

// NewQueue returns a Queue on db, whose tables Migrate has made.
func NewQueue(db *sql.DB, e Engine) (*Queue, error) {
	h := newHub()
	client, err := river.NewClient(&wakingDriver{Driver: e.driver(db), hub: h}, &river.Config{
		Logger: slog.New(slog.DiscardHandler),
		Hooks:  []rivertype.Hook{river.HookInsertBeginFunc(soonIsAvailable)},
	})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return &Queue{db: db, engine: e, client: client, hub: h}, nil
}

// Insert adds jobs in the caller's transaction, all in one statement. A job
// equal in Kind, Key and Generation to a live one (or to another of jobs) is
// already there and is left alone; a job whose handler has returned is live
// until its end is recorded, a fraction of a second later, so a follow-up job
// needs a Generation of its own. Call Wake after the commit.
func (q *Queue) Insert(ctx context.Context, tx *sql.Tx, jobs ...Job) error {
	params := make([]river.InsertManyParams, 0, len(jobs))
	seen := make(map[jobArgs]bool, len(jobs))
	for _, j := range jobs {
		if err := j.Kind.check(); err != nil {
			return err
		}
		if j.Key == "" {
			return fmt.Errorf("job of kind %q: key must not be empty", string(j.Kind))
		}
		if j.Generation < 0 || j.Generation > 1<<53 {
			return fmt.Errorf("job of kind %q: generation %d must be between 0 and 2^53", string(j.Kind), j.Generation)
		}
		args := jobArgs{kind: j.Kind, Key: j.Key, Generation: j.Generation}
		if seen[args] {
			continue
		}
		seen[args] = true
		params = append(params, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{
			// The Worker counts failures and gives up; River must never
			// discard a job silently.
			MaxAttempts: math.MaxInt16,
			Queue:       string(j.Kind),
			Priority:    j.Priority,
			Metadata:    j.Origin.metadata(),
			ScheduledAt: j.RunAt,
			UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: liveStates},
		}})
	}
	if len(params) == 0 {
		return nil
	}
	// It returns no rows, which nobody here looks at. That a job which is there
	// already fails it is true of River's other driver for PostgreSQL alone.
	if _, err := q.client.InsertManyFastTx(ctx, tx, params); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	for _, p := range params {
		if at := p.InsertOpts.ScheduledAt; time.Until(at) > 0 {
			q.hub.wakeAt(at)
		}
	}
	return nil
}

// Wake makes this process's workers fetch now instead of at their next poll.
// It never blocks; calls in quick succession become one.
func (q *Queue) Wake() { q.hub.wake() }

// schedulerInterval is how often River makes scheduled jobs available.
const schedulerInterval = 5 * time.Second

// soonIsAvailable spares a job that is due before the scheduler's next round
// the wait for it: an available job is still not fetched before its time.
func soonIsAvailable(_ context.Context, p *rivertype.JobInsertParams) error {
	if p.State == rivertype.JobStateScheduled && p.ScheduledAt != nil && time.Until(*p.ScheduledAt) <= schedulerInterval {
		p.State = rivertype.JobStateAvailable
	}
	return nil
}

// Complete records, in the handler's own transaction, that the job whose
// handler was given ctx is done: result and end are then one commit. The
// handler returns Done after committing; if the transaction is rolled back,
// what the handler returns counts as usual.
func Complete(ctx context.Context, tx *sql.Tx) error {
	job, ok := ctx.Value(jobContextKey{}).(*river.Job[jobArgs])
	if !ok {
		return errors.New("complete job: the context is not a job handler's")
	}
	_, err := river.JobCompleteTx[*wakingDriver](ctx, tx, job)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil // it was taken back, and has ended since; the handler's own fence decides
	}
	if err != nil {
		return fmt.Errorf("complete job: %w", err)
	}
	return nil
}
