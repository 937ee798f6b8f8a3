package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

// Unfinished is a deployment that has not ended.
type Unfinished struct {
	ID    string
	Owner string // of its lease; empty without one
}

// UnfinishedRuns are the deployments that have begun and not ended, by their
// runs' ids.
func (s *Store) UnfinishedRuns(ctx context.Context) (runs map[string]Unfinished, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		runs = map[string]Unfinished{}
		rows, err := tx.query(ctx, "SELECT run_id, id, lease_owner FROM deployments WHERE completed_at = 0 AND begun = 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var run string
			var u Unfinished
			if err := rows.Scan(&run, &u.ID, &u.Owner); err != nil {
				return err
			}
			runs[run] = u
		}
		return rows.Err()
	})
	return runs, err
}

// HandIn leaves with a deployment that has not ended what its worker found out
// and could not record: the checkpoint of its run's end, empty if there is none,
// and lines of its log. The fence does not hold it off, for it is of the outside
// world and true whoever has the deployment now; it takes nothing from them.
func (s *Store) HandIn(ctx context.Context, id, checkpoint string, lines []LogEvent) error {
	return s.Update(ctx, func(tx *Tx) error {
		d, ok, err := tx.DeploymentByID(ctx, id)
		if err != nil || !ok || !d.CompletedAt.IsZero() {
			return err
		}
		if err := tx.appendLines(ctx, id, lines); err != nil || checkpoint == "" {
			return err
		}
		if s.sealer.Seal == nil {
			return errNoSealer
		}
		d.Checkpoint = s.sealCheckpoint(d, checkpoint)
		return tx.SaveHeldDeployment(ctx, d)
	})
}

// GiveUp queues a deployment anew that is held by an owner who is dead.
func (s *Store) GiveUp(ctx context.Context, id, owner string) (given bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		d, ok, err := tx.DeploymentByID(ctx, id)
		if given = ok && d.CompletedAt.IsZero() && d.LeaseOwner == owner; err != nil || !given {
			return err
		}
		return tx.RequeueHeldDeployment(ctx, d, time.Time{})
	})
	return given, err
}

// Checkpoint is where a deployment's driver stands. One that was handed in is
// kept sealed, for it may hold outputs.
func (s *Store) Checkpoint(d proton.Deployment) (string, error) {
	text, sealed := strings.CutPrefix(d.Checkpoint, sealedMark)
	if !sealed {
		return d.Checkpoint, nil
	}
	if s.sealer.Open == nil {
		return "", errNoSealer
	}
	text, err := s.sealer.Open(text, checkpointName(d))
	if err != nil {
		err = errors.Join(errors.New("the checkpoint of deployment "+d.ID), err)
	}
	return text, err
}

func (s *Store) sealCheckpoint(d proton.Deployment, checkpoint string) string {
	return sealedMark + s.sealer.Seal(checkpoint, checkpointName(d))
}

func checkpointName(d proton.Deployment) string { return "deployment " + d.ID + " checkpoint" }
