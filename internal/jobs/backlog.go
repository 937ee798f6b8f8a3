package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
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

// Live answers which jobs of a kind are not done: by key, whether one of them is
// running or can run without waiting for its time.
func (q *Queue) Live(ctx context.Context, tx *sql.Tx, kind Kind) (map[string]bool, error) {
	args := "args"
	if q.engine == SQLite {
		args = "json(args)" // kept in a form of its own
	}
	statement := `SELECT ` + args + `, CASE WHEN state = 'running' OR state = 'available' THEN 1 ELSE 0 END
		FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled') AND kind = $1`
	rows, err := tx.QueryContext(ctx, statement, string(kind))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	defer rows.Close()
	live := map[string]bool{}
	for rows.Next() {
		var text []byte
		var due int
		if err := rows.Scan(&text, &due); err != nil {
			return nil, err
		}
		var args jobArgs
		if err := json.Unmarshal(text, &args); err != nil {
			return nil, fmt.Errorf("arguments of a job of kind %q: %w", string(kind), err)
		}
		live[args.Key] = live[args.Key] || due == 1
	}
	return live, rows.Err()
}
