package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
)

// leftBehind selects the jobs that seem to run, and that nobody does: of workers
// which are not among the living ($1), and of this process's own workers ($2)
// those that it knows nothing of ($3): the database has handed them out, and the
// connection was lost before they came. PostgreSQL only, for its arrays.
const leftBehind = `state = 'running' AND (attempted_by[array_upper(attempted_by, 1)] <> ALL ($1)
	OR attempted_by[array_upper(attempted_by, 1)] = ANY ($2) AND attempted_at < now() - interval '10 seconds' AND id <> ALL ($3))`

// inHand is what the workers of this process are at.
type inHand struct {
	mu    sync.Mutex
	nodes []string
	jobs  map[int64]bool
}

// begin notes a job until the returned function is called.
func (h *inHand) begin(id int64) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = map[int64]bool{}
	}
	h.jobs[id] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.jobs, id)
	}
}

func (h *inHand) join(node string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nodes = append(h.nodes, node)
}

func (h *inHand) args(live []string) []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	nodes, ids := append([]string{}, h.nodes...), []int64{}
	for id := range h.jobs {
		ids = append(ids, id)
	}
	return []any{live, nodes, ids}
}

// CountLeft counts the jobs that are left behind, of workers which are not live
// or of which this process knows nothing.
func (q *Queue) CountLeft(ctx context.Context, tx *sql.Tx, live []string) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM river_job WHERE "+leftBehind, q.inHand.args(live)...).Scan(&n)
	return n, err
}

// TakeBack queues anew the jobs that are left behind. They are new jobs: a worker
// that was only asleep can end the old one, and that changes nothing; and one that
// has ended without a note of it is done again, which its handler's fence finds.
// Call Wake after the commit.
func (q *Queue) TakeBack(ctx context.Context, tx *sql.Tx, live []string) (int, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = now()
		WHERE `+leftBehind+` RETURNING kind, args, metadata`, q.inHand.args(live)...)
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
