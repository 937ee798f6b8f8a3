package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies, in order and each in its own transaction, the migrations
// that the database has not had. A database made by a newer Hadron is refused.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)`
	if _, err := db.ExecContext(ctx, table); err != nil {
		return err
	}
	var have int64
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&have); err != nil {
		return err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no migrations found: %w", err)
	}
	latest := int64(0)
	for _, file := range files { // Glob sorts
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		if latest, err = strconv.ParseInt(number, 10, 64); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
		if latest <= have {
			continue
		}
		if err := apply(ctx, db, file, latest); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
		log.Debug("database migrated", "migration", file)
	}
	if have > latest {
		return fmt.Errorf("the database is of a newer Hadron: its schema is %d, this binary knows %d", have, latest)
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, file string, version int64) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (version, applied_at) VALUES (?, ?)`, version, time.Now().UnixMicro()); err != nil {
		return err
	}
	return tx.Commit()
}
