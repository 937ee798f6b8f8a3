package jobs

import (
	"context"
	"database/sql"
	"fmt"
)

// ahead selects what was written by a clock that has been set back since.
func (q *Queue) ahead(column string, seconds int) string {
	if q.engine == SQLite {
		return fmt.Sprintf("%s > strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+%d seconds')", column, seconds)
	}
	return fmt.Sprintf("%s > now() + interval '%d seconds'", column, seconds)
}

const (
	unborn    = 30 // seconds that a job may be younger than now
	leadsLong = 60 // seconds, more than a leader is elected for
)

func (q *Queue) aheadOfClock() string {
	return "state IN ('available', 'scheduled', 'retryable') AND " + q.ahead("created_at", unborn)
}

// CountAhead counts the jobs that seem to come from the future, and leaders that
// seem to lead for long: the database's clock has been set back, and they would
// stand in the way for as long as it was.
func (q *Queue) CountAhead(ctx context.Context, tx *sql.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM river_job WHERE "+q.aheadOfClock()+
		") + (SELECT COUNT(*) FROM river_leader WHERE "+q.ahead("expires_at", leadsLong)+")").Scan(&n)
	return n, err
}

// Rewind makes these jobs due now, and has a leader elected.
func (q *Queue) Rewind(ctx context.Context, tx *sql.Tx) error {
	now := "now()"
	if q.engine == SQLite {
		now = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
	}
	_, err := tx.ExecContext(ctx, "UPDATE river_job SET scheduled_at = "+now+", created_at = "+now+" WHERE "+q.aheadOfClock())
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM river_leader WHERE "+q.ahead("expires_at", leadsLong))
	}
	if err != nil {
		err = fmt.Errorf("jobs from before the clock was set back: %w", err)
	}
	return err
}
