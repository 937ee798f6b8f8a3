// Package store is Hadron's memory: one SQL database, and the only truth.
//
// It offers View and Update, which run a function in a transaction, and on
// the transaction one method for each thing to read or write. It hides SQL,
// the engine's dialect, migrations, prepared statements and the job tables;
// a job enqueued in a transaction exists exactly if the transaction commits.
//
// It knows keys and pages. It holds no rules, no authorization and no wire
// shapes: those are decided by proton and control before they are written.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hadronhq/hadron/internal/jobs"
	"modernc.org/sqlite"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	dialect dialect
	writer  *sql.DB
	reader  *sql.DB
	queue   *jobs.Queue
	shares  shares
	sealer  Sealer
	log     *slog.Logger
	lock    *os.File  // of a SQLite file
	flusher *flusher  // of a SQLite file
	line    *line     // of a SQLite file
	bell    *doorbell // of a PostgreSQL database
	looks   int       // lookedAt, if not that
	closed  sync.Once

	limited map[string]bool // engines that have places of their own

	targets  []string // of events
	happened func()   // called after a transaction with events
}

// Commits are flushed by a flusher, checkpoints by SQLite. Where that costs no
// further writes, what was replaced is overwritten: copies of the file need not
// tell it.
const sqlitePragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(ON)&_pragma=cache_size(-16000)&_pragma=secure_delete(FAST)"

// Open opens the database that a URL names ("sqlite:PATH" or
// "postgres://USER:PASSWORD@HOST/DATABASE"), makes its tables if they are not
// there, and brings them up to date. A SQLite file serves one process at a
// time: a second Open of it is refused. A PostgreSQL database serves many.
func Open(ctx context.Context, database string, log *slog.Logger) (*Store, error) {
	if IsPostgres(database) {
		return openPostgres(ctx, database, log)
	}
	path, ok := strings.CutPrefix(database, "sqlite:")
	if !ok {
		return nil, fmt.Errorf("database %q: must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE", redactURL(database))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	s := &Store{dialect: sqliteDialect(), lock: lock, log: log}
	if err := s.openSQLite(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) openSQLite(ctx context.Context, path string) error {
	if err := ownersAlone(path); err != nil {
		return err
	}
	var err error
	file := &url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	// One writing connection: SQLite has one writer, and the pool's line is fair.
	if s.writer, err = openPool(file.String()+sqlitePragmas+"&_txlock=immediate", 1); err != nil {
		return err
	}
	if s.reader, err = openPool(file.String()+sqlitePragmas, 8); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.flusher, s.line = newFlusher(flushLog(path)), newLine()
	s.queue, err = jobs.NewQueue(s.writer, s.dialect.jobs)
	return err
}

// ownersAlone makes the database file, which its companions take their mode
// from, so that only its owner can read it.
func ownersAlone(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func openPool(dsn string, connections int) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(preparing{connector})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close ends all use of the database. Closing it twice does no harm.
func (s *Store) Close() error {
	var errs []error
	s.closed.Do(func() {
		if s.bell != nil {
			s.bell.close()
		}
		for _, db := range []*sql.DB{s.reader, s.writer} {
			if db != nil {
				errs = append(errs, db.Close())
			}
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Close())
		}
	})
	return errors.Join(errs...)
}

// Ping reports whether the database answers, and can be written to.
func (s *Store) Ping(ctx context.Context) error {
	return errors.Join(s.reader.PingContext(ctx), s.flusher.broken())
}

// Shared reports whether other processes may use the same database.
func (s *Store) Shared() bool { return s.dialect.shared }

// NewWorker makes the side of the job queue that runs handlers.
func (s *Store) NewWorker(cfg jobs.Config, handlers map[jobs.Kind]jobs.Handler) (*jobs.Worker, error) {
	cfg.Queue = s.queue
	return jobs.NewWorker(cfg, handlers)
}

// Tx is a transaction. It must not be used after its function has returned.
type Tx struct {
	store    *Store
	sql      *sql.Tx
	writes   bool // not a View
	enqueued bool
	after    []func()
	tallies  map[group]int64 // what this transaction changes of how many there are
	changes  []change        // of statuses
}

// View runs f with a consistent, read-only view. It may run f again, like Update.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	return s.again(ctx, func() error { return s.run(ctx, s.reader, s.dialect.view, f) })
}

// Settled returns when all that Views have read so far is durable: call it
// before telling anyone of it. An Update that succeeds settles all before it.
func (s *Store) Settled() error { return s.flusher.settled() }

// Update runs f in a transaction that is durable once Update returns nil, and
// leaves no trace if f or the commit fails. It is as if no other transaction
// ran meanwhile.
//
// Where several processes share the database, f is run again if the
// transaction met another one, or if the connection was lost before the
// commit: f must not build on what a run before has left outside of it.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	return s.again(ctx, func() error {
		if s.line != nil {
			return s.runInBatch(ctx, f)
		}
		return s.run(ctx, s.writer, s.dialect.update, f)
	})
}

func (s *Store) run(ctx context.Context, db *sql.DB, opts *sql.TxOptions, f func(*Tx) error) error {
	sqlTx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &Tx{store: s, sql: sqlTx, writes: opts == nil || !opts.ReadOnly}
	defer sqlTx.Rollback() // also when f panics
	if err := tx.do(ctx, f); err != nil {
		return err
	}
	if !tx.writes {
		return sqlTx.Commit()
	}
	crashPoint()
	if err := s.flusher.commit(sqlTx.Commit); err != nil {
		return &commitError{err}
	}
	tx.committed()
	return nil
}

// runInBatch runs f in a transaction that others may share.
func (s *Store) runInBatch(ctx context.Context, f func(*Tx) error) error {
	if err := s.line.enter(ctx); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	own := context.WithoutCancel(ctx) // the batch does not end with one of those who share it
	b, err := s.line.join(own, s.writer)
	if b == nil {
		s.line.leave()
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err != nil {
		s.line.settle(b, s.commit)
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &Tx{store: s, sql: b.sql, writes: true}
	err = s.takePart(own, b, func() error { return tx.do(ctx, f) })
	<-b.ended // a refusal, too, may come of what others in the batch have written
	switch {
	case b.err != nil && !errors.Is(b.err, errUndone):
		return &commitError{b.err}
	case err != nil:
		return err
	case b.err != nil:
		return b.err
	}
	tx.committed()
	return nil
}

// takePart does a member's part of a batch, and then hands the batch on.
func (s *Store) takePart(ctx context.Context, b *batch, f func() error) error {
	defer s.line.settle(b, s.commit) // also when f panics
	return b.do(ctx, f)
}

func (s *Store) commit(commit func() error) error {
	crashPoint()
	return s.flusher.commit(commit)
}

// do does all that comes before the commit.
func (tx *Tx) do(ctx context.Context, f func(*Tx) error) error {
	if err := f(tx); err != nil {
		return err
	}
	if last, ok := ctx.Value(beforeCommitKey{}).(func(context.Context, *Tx) error); ok && last != nil && tx.writes {
		if err := last(ctx, tx); err != nil {
			return err
		}
	}
	return errors.Join(tx.writeTallies(ctx), tx.writeEvents(ctx))
}

// committed does what follows the commit.
func (tx *Tx) committed() {
	crashPoint()
	if tx.enqueued {
		tx.store.queue.Wake()
		tx.store.bell.ring()
	}
	for _, f := range tx.after {
		f()
	}
}

// After has f called once the transaction is durable.
func (tx *Tx) After(f func()) { tx.after = append(tx.after, f) }

// commitError is the failure of a commit. Unless the database refused it, the
// transaction may have been committed.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

type beforeCommitKey struct{}

// BeforeCommit is ctx with a function that every Update runs last, before it
// commits; nil: none. Its error undoes the transaction.
func BeforeCommit(ctx context.Context, last func(context.Context, *Tx) error) context.Context {
	return context.WithValue(ctx, beforeCommitKey{}, last)
}

// Enqueue adds jobs that exist exactly if the transaction commits.
func (tx *Tx) Enqueue(ctx context.Context, js ...jobs.Job) error {
	if len(js) == 0 {
		return nil
	}
	tx.enqueued = true
	ctx, err := tx.statement(ctx)
	if err != nil {
		return err
	}
	if err := tx.store.queue.Insert(ctx, tx.sql, js...); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// statement is the context of one statement. On SQLite it can't be cancelled
// while it runs, which is for microseconds: what watches a context for it
// would cost more than the statement.
func (tx *Tx) statement(ctx context.Context) (context.Context, error) {
	if tx.store.dialect.shared {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

func (tx *Tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, err := tx.statement(ctx)
	if err != nil {
		return nil, err
	}
	return tx.sql.QueryContext(ctx, tx.store.dialect.rebind(query), args...)
}

func (tx *Tx) queryRow(ctx context.Context, query string, args, dest []any) error {
	ctx, err := tx.statement(ctx)
	if err != nil {
		return err
	}
	return tx.sql.QueryRowContext(ctx, tx.store.dialect.rebind(query), args...).Scan(dest...)
}

func (tx *Tx) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, err := tx.statement(ctx)
	if err != nil {
		return nil, err
	}
	return tx.sql.ExecContext(ctx, tx.store.dialect.rebind(query), args...)
}

func (tx *Tx) execCount(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := tx.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// redactURL cuts the password out of a database URL.
func redactURL(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		return scheme + "://…" + rest[at:]
	}
	return url
}

// CompleteJob records, in the transaction of the handler that ctx was given
// to, that its job is done. Without a job in ctx it does nothing.
func (tx *Tx) CompleteJob(ctx context.Context) error {
	ctx, err := tx.statement(ctx)
	if err != nil {
		return err
	}
	return jobs.Complete(ctx, tx.sql)
}
