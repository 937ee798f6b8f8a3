package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/jackc/pgx/v5"
)

// Look opens a database that is there to be read, by View alone: it makes no
// table, writes nothing, and minds no server that runs on it.
func Look(ctx context.Context, database string) (*Store, error) {
	s := &Store{log: slog.New(slog.DiscardHandler)}
	path, ok := strings.CutPrefix(database, "sqlite:")
	if IsPostgres(database) {
		config, err := postgresConfig(database)
		if err != nil {
			return nil, err
		}
		config.RuntimeParams["default_transaction_read_only"] = "on"
		s.dialect, s.reader = postgresDialect(), postgresPool(config)
	} else if !ok {
		return nil, fmt.Errorf("database %q: must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE", redactURL(database))
	} else if err := s.lookSQLite(path); err != nil {
		return nil, err
	}
	err := s.reader.PingContext(ctx)
	if err == nil {
		s.queue, err = jobs.NewQueue(s.reader, s.dialect.jobs)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", redactURL(database), err), s.Close())
	}
	return s, nil
}

// Served reports whether a server holds the SQLite file that a URL names.
func Served(database string) bool {
	path, ok := strings.CutPrefix(database, "sqlite:")
	return ok && held(path+".lock")
}

func (s *Store) lookSQLite(path string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	file := &url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	s.dialect = sqliteDialect()
	s.reader, err = openPool(file.String()+"?_pragma=busy_timeout(10000)&_pragma=query_only(ON)", 2)
	return err
}

// Schema answers which migrations a database has had, and which this program
// knows.
func (s *Store) Schema(ctx context.Context) (has, knows int64, err error) {
	if knows, err = latestMigration(); err != nil {
		return 0, 0, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		return tx.queryRow(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_migrations", nil, []any{&has})
	})
	return has, knows, err
}

// Unfinished lists, the oldest first, deployments that have not ended, without
// their long columns.
func (tx *Tx) Unfinished(ctx context.Context, limit int) ([]proton.Deployment, error) {
	return deployments.listBriefly(ctx, tx, "WHERE completed_at = 0 ORDER BY created_at, id LIMIT ?", limit)
}

// ActiveBlockers lists, the oldest first, blockers of syncs of any account.
func (tx *Tx) ActiveBlockers(ctx context.Context, limit int) ([]proton.SyncBlocker, error) {
	return syncBlockers.list(ctx, tx, "WHERE resolved = 0 ORDER BY created_at, id LIMIT ?", limit)
}

// LiveJobs answers which jobs of a kind are not done: by key, whether one of
// them can run without waiting for its time.
func (tx *Tx) LiveJobs(ctx context.Context, kind jobs.Kind) (map[string]bool, error) {
	return tx.store.queue.Live(ctx, tx.sql, kind)
}

// Remembered reads what Remember has kept; empty without it.
func (tx *Tx) Remembered(ctx context.Context, name string) (value string, err error) {
	err = tx.queryRow(ctx, "SELECT value FROM meta WHERE name = ?", []any{name}, []any{&value})
	return value, ignoreNoRows(err)
}

// Clock reads the leases' clock.
func (tx *Tx) Clock(ctx context.Context) (time.Time, error) { return tx.clock(ctx) }

// Node is a server that shares the database.
type Node struct {
	ID     string
	Offset time.Duration // of its clock from the database's
}

// Nodes lists the servers that are alive.
func (tx *Tx) Nodes(ctx context.Context) (nodes []Node, err error) {
	lapsed, args := tx.store.dialect.lapsed("lease_until")
	rows, err := tx.query(ctx, "SELECT id, clock_offset FROM nodes WHERE NOT "+lapsed+" ORDER BY id", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n Node
		var micros int64
		if err := rows.Scan(&n.ID, &micros); err != nil {
			return nil, err
		}
		n.Offset = time.Duration(micros) * time.Microsecond
		nodes = append(nodes, n)
	}
	return nodes, rows.Err()
}

// postgresConfig reads a database's URL. Its errors do not hold the password.
func postgresConfig(database string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, fmt.Errorf("database %s: not a PostgreSQL URL, as in postgres://USER:PASSWORD@HOST:5432/DATABASE", redactURL(database))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "hadron"
	}
	return config, nil
}
