package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
)

// Backlog is what waits to be done, and what is being done, by all servers of
// the database.
type Backlog struct {
	Jobs    []jobs.Backlog
	Leases  int // deployments that a worker holds
	Expired int // deployments whose worker has not been heard of for a lease
	Nodes   int // servers that share the database and are alive; 0 if it is not shared
	Events  []EventBacklog
}

// EventBacklog is what a target of events has not been told.
type EventBacklog struct {
	Target string
	Events int
	Since  time.Time // of the oldest
}

// Backlog counts what is not done.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		b = Backlog{}
		if b.Jobs, err = s.queue.Backlogs(ctx, tx.sql); err != nil {
			return err
		}
		lapsed, args := s.dialect.lapsed("lease_until")
		held := "deployments WHERE completed_at = 0 AND lease_until > 0 AND "
		if b.Leases, err = tx.count(ctx, held+"NOT "+lapsed, args...); err != nil {
			return err
		}
		if b.Expired, err = tx.count(ctx, held+lapsed, args...); err != nil {
			return err
		}
		if b.Nodes, err = tx.count(ctx, "nodes WHERE NOT "+lapsed, args...); err != nil {
			return err
		}
		b.Events, err = tx.eventBacklogs(ctx)
		return err
	})
	return b, err
}

func (tx *Tx) eventBacklogs(ctx context.Context) (all []EventBacklog, err error) {
	rows, err := tx.query(ctx, "SELECT target, COUNT(*), MIN(at) FROM events GROUP BY target ORDER BY target")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e EventBacklog
		if err := rows.Scan(&e.Target, &e.Events, (*instant)(&e.Since)); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// Connections says how busy the connections to the database are: those that
// write, and those that read.
func (s *Store) Connections() map[string]sql.DBStats {
	write := s.writer.Stats()
	s.line.waitsIn(&write)
	return map[string]sql.DBStats{"write": write, "read": s.reader.Stats()}
}
