package store

import (
	"context"
	"slices"
	"time"
)

// Beat says that a node is alive for the length of a lease, and what its clock
// shows.
func (s *Store) Beat(ctx context.Context, node string, lease time.Duration) error {
	return s.Update(ctx, func(tx *Tx) error {
		until, args := s.dialect.in(lease)
		clock, clockArgs := s.dialect.clock()
		_, err := tx.exec(ctx, `INSERT INTO nodes (id, lease_until, clock_offset) VALUES (?, `+until+`, ? - `+clock+`)
			ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, clock_offset = excluded.clock_offset`,
			slices.Concat([]any{node}, args, []any{time.Now().UnixMicro()}, clockArgs)...)
		return err
	})
}

// Leave says that a node has stopped: others take over at once what it left.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "DELETE FROM nodes WHERE id = ?", node)
		return err
	})
}

// TakeBackJobs queues anew the jobs that nodes had begun which are gone, and those
// that were handed out to this one and never came, for the connection was lost; it
// answers how many there were. A node that was only asleep may still be at
// them: handlers have their own fence.
func (s *Store) TakeBackJobs(ctx context.Context) (int, error) {
	live, err := s.liveNodes(ctx)
	if err != nil {
		return 0, err
	}
	left := 0
	err = s.View(ctx, func(tx *Tx) error {
		left, err = s.queue.CountLeft(ctx, tx.sql, live)
		return err
	})
	if err != nil || left == 0 {
		return 0, err // the usual case costs no write
	}
	err = s.Update(ctx, func(tx *Tx) error {
		left, err = s.queue.TakeBack(ctx, tx.sql, live)
		tx.enqueued = left > 0
		return err
	})
	return left, err
}

func (s *Store) liveNodes(ctx context.Context) (live []string, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		live = []string{}
		lapsed, args := s.dialect.lapsed("lease_until")
		rows, err := tx.query(ctx, "SELECT id FROM nodes WHERE NOT "+lapsed, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			live = append(live, id)
		}
		return rows.Err()
	})
	return live, err
}

// RewindJobs makes jobs due that seem to come from the future, for the clock of
// the database was set back; it answers how many there were.
func (s *Store) RewindJobs(ctx context.Context) (n int, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		n, err = s.queue.CountAhead(ctx, tx.sql)
		return err
	})
	if err != nil || n == 0 {
		return 0, err // the usual case costs no write
	}
	err = s.Update(ctx, func(tx *Tx) error {
		tx.enqueued = true
		return s.queue.Rewind(ctx, tx.sql)
	})
	return n, err
}
