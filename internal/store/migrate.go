package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies, in order and each in its own transaction, the migrations
// that the database has not had. A database made by a newer Hadron is refused.
// Nodes of the version before may be running on it: a migration may add tables,
// indexes and columns with a default, and may not take away or rename any.
func (s *Store) migrate(ctx context.Context) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)`
	if _, err := s.writer.ExecContext(ctx, table); err != nil {
		return err
	}
	var have int64
	if err := s.writer.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&have); err != nil {
		return err
	}
	files, err := migrationFiles()
	if err != nil {
		return err
	}
	latest := int64(0)
	for _, file := range files {
		if latest, err = migrationNumber(file); err != nil {
			return err
		}
		if latest <= have {
			continue
		}
		if err := s.apply(ctx, file, latest); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
		s.log.Debug("database migrated", "migration", file)
	}
	if have > latest {
		return fmt.Errorf("the database is of a newer Hadron: its schema is %d, this binary knows %d", have, latest)
	}
	return jobs.Migrate(ctx, s.writer, s.dialect.jobs)
}

// migrationFiles are the migrations in order.
func migrationFiles() ([]string, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // which sorts
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no migrations found: %w", err)
	}
	return files, nil
}

func migrationNumber(file string) (int64, error) {
	number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("migration %s: %w", file, err)
	}
	return n, nil
}

// latestMigration is the newest that this program knows.
func latestMigration() (int64, error) {
	files, err := migrationFiles()
	if err != nil {
		return 0, err
	}
	return migrationNumber(files[len(files)-1])
}

func (s *Store) apply(ctx context.Context, file string, version int64) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, s.dialect.types(string(text))); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, s.dialect.rebind(`INSERT INTO schema_migrations (version, applied_at) VALUES (?, ?)`), version, time.Now().UnixMicro()); err != nil {
		return err
	}
	return tx.Commit()
}
