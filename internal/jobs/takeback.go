package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// leftBehind selects the jobs that run on workers which are not among the
// living; PostgreSQL only, as $1 is an array.
const leftBehind = `state = 'running' AND attempted_by[array_upper(attempted_by, 1)] <> ALL ($1)`

// CountLeft counts the jobs that were begun by workers which are not live.
func CountLeft(ctx context.Context, tx *sql.Tx, live []string) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM river_job WHERE "+leftBehind, live).Scan(&n)
	return n, err
}

// TakeBack queues anew the jobs that were begun by workers which are not live.
// They are new jobs: a worker that was only asleep can end the old one, and
// that changes nothing. Call Wake after the commit.
func (q *Queue) TakeBack(ctx context.Context, tx *sql.Tx, live []string) (int, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = now()
		WHERE `+leftBehind+` RETURNING kind, args, metadata`, live)
	if err != nil {
		return 0, fmt.Errorf("take back jobs: %w", err)
	}
	defer rows.Close()
	var left []Job
	for rows.Next() {
		var job Job
		var text, metadata []byte
		if err := rows.Scan(&job.Kind, &text, &metadata); err != nil {
			return 0, err
		}
		var args jobArgs
		if err := json.Unmarshal(text, &args); err != nil {
			return 0, fmt.Errorf("arguments of a job of kind %q: %w", string(job.Kind), err)
		}
		job.Key, job.Generation, job.Origin = args.Key, args.Generation, originFrom(metadata)
		left = append(left, job)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	rows.Close()
	return len(left), q.Insert(ctx, tx, left...)
}
