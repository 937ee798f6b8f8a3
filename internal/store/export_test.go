package store

import (
	"context"
	"fmt"
	"time"
)

// SetClock sets the leases' clock forward or, with less than nothing, back.
func SetClock(s *Store, by time.Duration) {
	clock := s.dialect.clock
	s.dialect.clock = func() (string, []any) {
		now, args := clock()
		return fmt.Sprintf("(%s + (%d))", now, by.Microseconds()), args
	}
}

// Exec runs a statement that the store has no method for.
func Exec(ctx context.Context, s *Store, statement string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, statement)
		return err
	})
}

// LookAt bounds how many rows the lists of a store look at for one page.
func LookAt(s *Store, rows int) *Store {
	s.looks = rows
	return s
}

// Compiled reports whether PostgreSQL may compile a store's plans.
func Compiled(ctx context.Context, s *Store) (on bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		return tx.queryRow(ctx, "SELECT current_setting('jit') = 'on'", nil, []any{&on})
	})
	return on, err
}
