package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Backlog is how many jobs of a kind are in a state: waiting for a worker, put
// off to a later time (snoozed, or to be tried again), or running.
type Backlog struct {
	Kind  Kind
	State string // waiting, later or running
	Jobs  int
	// Since is when the oldest of them was due or, if running, was begun.
	Since time.Time
}

// Backlogs counts the jobs that are not done. It reads one row of an index for
// each of them.
func (q *Queue) Backlogs(ctx context.Context, tx *sql.Tx) ([]Backlog, error) {
	micros, now := "CAST(EXTRACT(EPOCH FROM %s) * 1000000 AS BIGINT)", "CURRENT_TIMESTAMP"
	if q.engine == SQLite {
		micros, now = "CAST((julianday(%s) - 2440587.5) * 86400000000.0 AS INTEGER)", "'now'"
	}
	due := fmt.Sprintf(micros, "MIN(CASE WHEN state = 'running' THEN attempted_at ELSE scheduled_at END)")
	now = fmt.Sprintf(micros, now)
	rows, err := tx.QueryContext(ctx, `SELECT kind, state, COUNT(*), `+due+`, `+now+`
		FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled') GROUP BY kind, state ORDER BY kind, state`)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	defer rows.Close()
	var all []Backlog
	for rows.Next() {
		var b Backlog
		var since, now int64
		if err := rows.Scan(&b.Kind, &b.State, &b.Jobs, &since, &now); err != nil {
			return nil, err
		}
		switch b.State {
		case "available":
			b.State = "waiting"
		case "retryable", "scheduled":
			b.State = "later"
		}
		// By this process's clock, which need not be the database's.
		b.Since = time.Now().Add(time.Duration(since-now) * time.Microsecond)
		all = append(all, b)
	}
	return all, rows.Err()
}
