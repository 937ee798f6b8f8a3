package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/proton"
)

// Status changes are noticed where rows are written. If there is anyone to
// tell, they are kept in the transaction that makes them, once for each
// target, until that has been told.

// deleted is the status of what is gone, in events.
const deleted = "DELETED"

// Event is a status change that a target has not been told yet.
type Event struct {
	Target   string
	At       time.Time
	Position int64 // among those of one transaction
	ID       string
	Resource proton.ARN
	Status   string
	Previous string // empty for what is new

	Attempts  int64 // that failed
	NotBefore time.Time
}

var events = newTable("events", 4, func(e *Event) []column {
	return []column{
		{"target", &e.Target}, {"at", (*instant)(&e.At)}, {"position", &e.Position}, {"id", &e.ID}, {"resource", &e.Resource},
		{"status", &e.Status}, {"previous_status", &e.Previous}, {"attempts", &e.Attempts}, {"not_before", (*instant)(&e.NotBefore)},
	}
}, nil)

// TellEvents has status changes from now on kept for the named targets, and
// happened called after a transaction with some. Call it before the store is
// used by others.
func (s *Store) TellEvents(targets []string, happened func()) {
	s.targets, s.happened = targets, happened
}

// change is what happens to a resource's status in one transaction.
type change struct {
	resource         proton.ARN
	previous, status string
}

// announce notes a status change. Several of one resource become one: nobody
// else sees what is between them.
func (tx *Tx) announce(resource proton.ARN, previous, status string) {
	if len(tx.store.targets) == 0 {
		return
	}
	at := slices.IndexFunc(tx.changes, func(c change) bool { return c.resource == resource })
	if at < 0 {
		tx.changes = append(tx.changes, change{resource, previous, status})
		return
	}
	tx.changes[at].status = status
}

// writeEvents keeps what has been announced.
func (tx *Tx) writeEvents(ctx context.Context) error {
	now, nowArgs := tx.store.dialect.clock()
	kept := false
	for n, c := range tx.changes {
		if c.previous == c.status || c.previous == "" && c.status == deleted {
			continue
		}
		kept = true
		id := uuid.NewString() // the same for all targets
		for _, target := range tx.store.targets {
			_, err := tx.exec(ctx, `INSERT INTO events (target, at, position, id, resource, status, previous_status, attempts, not_before)
				VALUES (?, `+now+`, ?, ?, ?, ?, ?, 0, 0)`, slices.Concat([]any{target}, nowArgs, []any{n, id, string(c.resource), c.status, c.previous})...)
			if err != nil {
				return fmt.Errorf("keep an event: %w", err)
			}
		}
	}
	if kept {
		tx.After(tx.store.happened)
	}
	return nil
}

// HoldEventTarget makes owner the one that tells a target, for the length of a
// lease. False if another one is. A database of one process has one owner.
func (s *Store) HoldEventTarget(ctx context.Context, target, owner string, lease time.Duration) (held bool, err error) {
	if !s.dialect.shared {
		return true, nil
	}
	until, untilArgs := s.dialect.in(lease)
	lapsed, lapsedArgs := s.dialect.lapsed("event_targets.lease_until")
	err = s.Update(ctx, func(tx *Tx) error {
		n, err := tx.execCount(ctx, `INSERT INTO event_targets (target, owner, lease_until) VALUES (?, ?, `+until+`)
			ON CONFLICT (target) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
			WHERE event_targets.owner = excluded.owner OR `+lapsed,
			slices.Concat([]any{target, owner}, untilArgs, lapsedArgs)...)
		held = n > 0
		return err
	})
	return held, err
}

// Events lists the first limit events that a target waits for, in order.
func (tx *Tx) Events(ctx context.Context, target string, limit int) ([]Event, error) {
	return events.list(ctx, tx, "WHERE target = ? ORDER BY at, position, id LIMIT ?", target, limit)
}

// SaveEvent writes back how often an event could not be delivered.
func (tx *Tx) SaveEvent(ctx context.Context, e Event) error { return events.save(ctx, tx, e) }

// DeleteEvent forgets an event: its target has been told.
func (tx *Tx) DeleteEvent(ctx context.Context, e Event) error {
	return events.delete(ctx, tx, e.Target, micros(e.At), e.Position, e.ID)
}

// DropEvents forgets all events from before an instant, and answers how many
// there were: of targets that could not be told, or that are no longer told.
func (s *Store) DropEvents(ctx context.Context, before time.Time) (n int64, err error) {
	any := 0
	err = s.View(ctx, func(tx *Tx) (err error) {
		any, err = tx.count(ctx, "events WHERE at < ?", micros(before))
		return err
	})
	if err != nil || any == 0 {
		return 0, err // the usual case costs no write
	}
	err = s.Update(ctx, func(tx *Tx) (err error) {
		n, err = tx.execCount(ctx, "DELETE FROM events WHERE at < ?", micros(before))
		return err
	})
	return n, err
}
