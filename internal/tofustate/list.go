package tofustate

import (
	"context"
	"time"

	"github.com/hadronhq/hadron/internal/store"
)

// State is a line of List.
type State struct {
	Name       string
	CreatedAt  time.Time
	ArchivedAt time.Time // zero while the state is in use
	Latest     int64     // number of the newest version; 0: never written
	Lock       *Lock     // nil: not locked
}

// Version is what one write left, without the state itself.
type Version struct {
	Number    int64 // 1, 2, 3 …
	Serial    int64 // the tool's own count
	Lineage   string
	MD5       string // hexadecimal
	Size      int64  // bytes
	Run       string
	WrittenAt time.Time
}

// List returns the states whose names begin with prefix, archived ones too, by
// name and age.
func (s *States) List(ctx context.Context, prefix string) ([]State, error) {
	var list []State
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.TofuStates(ctx, prefix)
		for _, st := range rows {
			line := State{Name: st.Name, CreatedAt: st.CreatedAt, ArchivedAt: st.ArchivedAt, Latest: st.Latest}
			if st.LockID != "" {
				l := lockOf(st)
				line.Lock = &l
			}
			list = append(list, line)
		}
		return err
	})
	return list, err
}

// Versions returns the versions of a state that are kept, newest first.
func (s *States) Versions(ctx context.Context, name string) ([]Version, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var list []Version
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		st, ok, err := tx.TofuState(ctx, name)
		if err != nil || !ok {
			return err
		}
		rows, err := tx.TofuStateVersions(ctx, st.ID)
		for _, v := range rows {
			list = append(list, Version{v.Number, v.Serial, v.Lineage, v.MD5, v.Size, v.RunID, v.WrittenAt})
		}
		return err
	})
	return list, err
}

// Archive takes a state out of use, with its versions, and frees its name. The
// lock goes with it. Without a state of that name there is nothing to do.
func (s *States) Archive(ctx context.Context, name string) error {
	return s.archive(ctx, name, func(store.TofuState) error { return nil })
}

func (s *States) archive(ctx context.Context, name string, may func(store.TofuState) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		st, ok, err := tx.TofuState(ctx, name)
		if err != nil || !ok {
			return err
		}
		if err := may(st); err != nil {
			return err
		}
		st.ArchivedAt = time.Now().UTC()
		st.LockID, st.LockRun, st.LockUser, st.LockInfo, st.LockedAt = "", "", "", "", time.Time{}
		return tx.SaveTofuState(ctx, st)
	})
}
