package store

import (
	"context"
	"fmt"
	"time"
)

// TofuState is one state of OpenTofu or Terraform: its name, its lock, and how
// many versions of it were written. The versions have rows of their own.
type TofuState struct {
	ID         string
	Name       string
	CreatedAt  time.Time
	ArchivedAt time.Time // zero while the state is in use
	Latest     int64     // number of the newest version; 0: never written
	LockID     string    // empty: not locked
	LockRun    string    // run that took the lock
	LockUser   string    // access key it was taken with
	LockInfo   string    // JSON, as the holder sent it
	LockedAt   time.Time
	Revision   int64
}

// TofuStateVersion is what one write left. Content is sealed: the database
// alone does not tell it.
type TofuStateVersion struct {
	StateID   string
	Number    int64
	Serial    int64
	Lineage   string
	MD5       string
	Size      int64 // bytes as the tool wrote it
	RunID     string
	WrittenAt time.Time
	Content   string
}

var tofuStates = newTable("tofu_states", 1, func(s *TofuState) []column {
	return []column{
		{"id", &s.ID}, {"name", &s.Name},
		{"created_at", (*instant)(&s.CreatedAt)}, {"archived_at", (*instant)(&s.ArchivedAt)}, {"latest", &s.Latest},
		{"lock_id", &s.LockID}, {"lock_run", &s.LockRun}, {"lock_user", &s.LockUser},
		{"lock_info", &s.LockInfo}, {"locked_at", (*instant)(&s.LockedAt)}, {"revision", &s.Revision},
	}
}, func(s *TofuState) *int64 { return &s.Revision })

func tofuVersionColumns(v *TofuStateVersion) []column {
	return []column{
		{"state_id", &v.StateID}, {"number", &v.Number}, {"serial", &v.Serial}, {"lineage", &v.Lineage},
		{"md5", &v.MD5}, {"size", &v.Size}, {"run_id", &v.RunID}, {"written_at", (*instant)(&v.WrittenAt)},
	}
}

// tofuVersionHeads reads versions without their content.
var tofuVersionHeads = newTable("tofu_state_versions", 2, tofuVersionColumns, nil)

var tofuVersions = newTable("tofu_state_versions", 2, func(v *TofuStateVersion) []column {
	return append(tofuVersionColumns(v), column{"content", &v.Content})
}, nil)

// TofuState reads the state that uses a name; ok is false without one.
func (tx *Tx) TofuState(ctx context.Context, name string) (TofuState, bool, error) {
	return tofuStates.one(ctx, tx, "WHERE name = ? AND archived_at = 0", name)
}

// TofuStates lists the states whose names begin with prefix, archived ones
// too, by name and age.
func (tx *Tx) TofuStates(ctx context.Context, prefix string) ([]TofuState, error) {
	if prefix == "" {
		return tofuStates.list(ctx, tx, "ORDER BY name, created_at, id")
	}
	// Not LIKE: names may hold its wildcards. U+10FFFF sorts after all of them.
	return tofuStates.list(ctx, tx, "WHERE name >= ? AND name < ? ORDER BY name, created_at, id", prefix, prefix+"\U0010FFFF")
}

// SaveTofuState writes a state, new (its Revision is 0) or read before.
// Conflict if it was changed meanwhile, or another state uses the name.
func (tx *Tx) SaveTofuState(ctx context.Context, s TofuState) error {
	if s.Revision == 0 {
		s.Revision = 1
		return tofuStates.add(ctx, tx, s)
	}
	return tofuStates.save(ctx, tx, s)
}

// TofuStateVersion reads a version with its content; ok is false without it.
func (tx *Tx) TofuStateVersion(ctx context.Context, stateID string, number int64) (TofuStateVersion, bool, error) {
	return tofuVersions.get(ctx, tx, stateID, number)
}

// TofuStateVersionHead reads a version without its content.
func (tx *Tx) TofuStateVersionHead(ctx context.Context, stateID string, number int64) (TofuStateVersion, bool, error) {
	return tofuVersionHeads.get(ctx, tx, stateID, number)
}

// TofuStateVersions lists the versions of a state that are kept, newest first,
// without their content.
func (tx *Tx) TofuStateVersions(ctx context.Context, stateID string) ([]TofuStateVersion, error) {
	return tofuVersionHeads.list(ctx, tx, "WHERE state_id = ? ORDER BY number DESC", stateID)
}

// InsertTofuStateVersion adds a version. Conflict if its number is taken.
func (tx *Tx) InsertTofuStateVersion(ctx context.Context, v TofuStateVersion) error {
	return tofuVersions.add(ctx, tx, v)
}

// DeleteTofuStateVersions removes the versions up to a number.
func (tx *Tx) DeleteTofuStateVersions(ctx context.Context, stateID string, upTo int64) error {
	if _, err := tx.exec(ctx, "DELETE FROM tofu_state_versions WHERE state_id = ? AND number <= ?", stateID, upTo); err != nil {
		return fmt.Errorf("delete from tofu_state_versions: %w", err)
	}
	return nil
}
