package tofustate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/store"
)

// lock takes the lock of a state. Taking it again with the same ID succeeds,
// for the answer to the first call may have been lost. A lock that the same run
// holds is taken over: a run works in one place at a time, so the holder is
// dead, and should he not be, his writes are refused from now on.
func (s *States) lock(ctx context.Context, name string, l Lock) error {
	if err := checkName(name); err != nil {
		return err
	}
	dead, err := s.deadLock(ctx, name)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		st, err := stateFor(ctx, tx, name)
		if err != nil {
			return err
		}
		switch {
		case st.LockID == "", same(st.LockID, l.ID), st.LockID == dead:
		case l.Run != "" && st.LockRun == l.Run:
		default:
			return &LockedError{lockOf(st)}
		}
		st.LockID, st.LockRun, st.LockUser, st.LockInfo, st.LockedAt = l.ID, l.Run, l.User, string(l.Info), time.Now().UTC()
		return tx.SaveTofuState(ctx, st)
	})
}

// deadLock returns the ID of the lock of a state if its holder has ended.
func (s *States) deadLock(ctx context.Context, name string) (string, error) {
	if s.Ended == nil {
		return "", nil
	}
	l, held, err := s.Locked(ctx, name)
	if err != nil || !held || l.User == "" {
		return "", err
	}
	ended, err := s.Ended(ctx, l.User)
	if err != nil {
		return "", fmt.Errorf("holder of the lock of state %s: %w", name, err)
	}
	if !ended {
		return "", nil
	}
	return l.ID, nil
}

// Locked returns the lock of a state; held is false without one.
func (s *States) Locked(ctx context.Context, name string) (l Lock, held bool, err error) {
	if err := checkName(name); err != nil {
		return Lock{}, false, err
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		st, _, err := tx.TofuState(ctx, name)
		l, held = lockOf(st), st.LockID != ""
		return err
	})
	return l, held, err
}

// Holder describes who holds the lock of a state; empty: nobody.
func (s *States) Holder(ctx context.Context, name string) (string, error) {
	l, held, err := s.Locked(ctx, name)
	if err != nil || !held {
		return "", err
	}
	return l.String(), nil
}

// Unlock gives up the lock of a state that has this ID, whoever holds it; with
// an empty ID any lock. Without a lock there is nothing to do; another lock
// than the one named is a LockedError.
func (s *States) Unlock(ctx context.Context, name, id string) error {
	return s.unlock(ctx, name, func(st store.TofuState) error {
		if id == "" || same(id, st.LockID) {
			return nil
		}
		return &LockedError{lockOf(st)}
	})
}

// Release gives up the lock that a run has left, if it has left one.
func (s *States) Release(ctx context.Context, name, run string) error {
	return s.unlock(ctx, name, func(st store.TofuState) error {
		if st.LockRun == run {
			return nil
		}
		return errNotOurs
	})
}

var errNotOurs = errors.New("not the run's lock")

func (s *States) unlock(ctx context.Context, name string, may func(store.TofuState) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		st, _, err := tx.TofuState(ctx, name)
		if err != nil || st.LockID == "" {
			return err
		}
		if err := may(st); err != nil {
			return err
		}
		st.LockID, st.LockRun, st.LockUser, st.LockInfo, st.LockedAt = "", "", "", "", time.Time{}
		return tx.SaveTofuState(ctx, st)
	})
	if errors.Is(err, errNotOurs) {
		return nil
	}
	return err
}
