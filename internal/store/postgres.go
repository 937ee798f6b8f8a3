package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// IsPostgres reports whether a URL names a PostgreSQL database.
func IsPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// poolSize is how many connections a process keeps for writing, and as many
// for reading; one more waits for notifications.
const poolSize = 10

func openPostgres(ctx context.Context, database string, log *slog.Logger) (*Store, error) {
	config, err := postgresConfig(database)
	if err != nil {
		return nil, err
	}
	// A plan that reads a whole table conflicts with every write to it; small
	// tables would be read so, though all our statements have an index.
	config.RuntimeParams["enable_seqscan"] = "off"
	// Compiling a plan takes hundreds of milliseconds, and none of our statements
	// runs for long; what is estimated to, for lack of statistics, would be compiled.
	config.RuntimeParams["jit"] = "off"
	// A session whose node froze must not hold locks for as long as it likes.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "30s"
	s := &Store{dialect: postgresDialect(), log: log, writer: postgresPool(config), reader: postgresPool(config)}
	if err := s.openShared(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", redactURL(database), err), s.Close())
	}
	return s, nil
}

func postgresPool(config *pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}

func (s *Store) openShared(ctx context.Context, config *pgx.ConnConfig) error {
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return err
	}
	err = s.migrate(ctx)
	unlock()
	if err != nil {
		return err
	}
	if s.queue, err = jobs.NewQueue(s.writer, s.dialect.jobs); err != nil {
		return err
	}
	s.bell, err = newDoorbell(ctx, s.writer, config, s.queue.Wake, s.log)
	return err
}

// checkServer refuses databases that could not keep what is written to them.
func (s *Store) checkServer(ctx context.Context) error {
	var version int
	var encoding, fsync string
	err := s.writer.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('synchronous_commit')`).
		Scan(&version, &encoding, &fsync)
	switch {
	case err != nil:
		return err
	case version < 140000:
		return fmt.Errorf("PostgreSQL 14 or newer is needed, this is %d", version/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s, UTF8 is needed: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	case fsync == "off":
		return errors.New("synchronous_commit is off: acknowledged calls could be lost; set it to on, or to what your replicas need")
	}
	return nil
}

// migrationLock is any number that nothing else in the database locks.
const migrationLock = 0x6861_6472_6f6e // "hadron"

// lockMigrations lets one process at a time bring the tables up to date, also
// when many are started at once.
func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() {
		// The lock goes with the session, however that ends.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}, nil
}

func postgresDialect() dialect {
	return dialect{
		jobs:   jobs.Postgres,
		shared: true,
		rebind: numbered(),
		types: func(migration string) string {
			// Names are ordered by their bytes, as in SQLite, whatever the database's language.
			migration = regexp.MustCompile(`\bTEXT\b`).ReplaceAllString(migration, `TEXT COLLATE "C"`)
			return regexp.MustCompile(`\bBLOB\b`).ReplaceAllString(migration, "BYTEA")
		},
		isUnique: func(err error) bool {
			e, ok := errors.AsType[*pgconn.PgError](err)
			return ok && e.Code == "23505"
		},
		retry:  postgresRetry,
		update: &sql.TxOptions{Isolation: sql.LevelSerializable},
		view:   &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		clock: func() (string, []any) {
			return "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT", nil
		},
	}
}

// postgresRetry judges the failure of a transaction.
func postgresRetry(err error) retry {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01": // serialization failure, deadlock
			return conflict
		case "57P01", "57P02", "57P03", "53300": // shutting down, crashed, starting up, too many connections
			return outage
		case "25006": // read-only: a standby that is not promoted yet
			return outage
		}
		if strings.HasPrefix(e.Code, "08") { // the connection
			return outage
		}
		return never
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	if connect || network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) {
		return outage
	}
	return never
}
