package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

const (
	// maxConflicts is how often a transaction is run again that met others.
	maxConflicts = 50
	// outagePatience is how long a transaction waits for a database that is
	// not reachable: a restart, or the promotion of a standby.
	outagePatience = 8 * time.Second
)

// again runs a transaction until it is through, fails for good, or has been
// patient for long enough.
func (s *Store) again(ctx context.Context, run func() error) error {
	var began time.Time
	for conflicts := 0; ; {
		err := run()
		if err == nil || ctx.Err() != nil {
			return err
		}
		var pause time.Duration
		kind := s.dialect.retry(err)
		if errors.Is(err, errUndone) {
			kind = conflict
		}
		switch kind {
		case conflict:
			if conflicts++; conflicts > maxConflicts {
				return &proton.Error{Kind: proton.Conflict, Message: "The resource is being changed by too many other requests. Try again.", Err: err}
			}
			pause = time.Duration(min(conflicts, 20)) * time.Millisecond
		case outage:
			if _, unknown := errors.AsType[*commitError](err); unknown {
				return fmt.Errorf("the database was lost while it committed, and may have: %w", err)
			}
			if began.IsZero() {
				began = time.Now()
				s.log.WarnContext(ctx, "the database is not reachable", "err", err)
			}
			if time.Since(began) > outagePatience {
				return fmt.Errorf("the database is not reachable: %w", err)
			}
			pause = 200 * time.Millisecond
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
