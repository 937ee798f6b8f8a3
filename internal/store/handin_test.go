package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// What is handed in reaches whoever has the deployment next, sealed, and takes
// nothing from who has it now.
func TestEndsOfRunsAreHandedInAndDeploymentsOfTheDeadGivenUp(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		claim := func(attempt int64, owner string) (d proton.Deployment) {
			t.Helper()
			err := s.Update(ctx, func(tx *store.Tx) (err error) {
				var ok bool
				d, ok, err = tx.ClaimDeployment(ctx, "d", attempt, owner, time.Minute)
				if err == nil && !ok {
					err = errors.New("it was not claimed")
				}
				if d.Begun = true; err == nil {
					err = tx.SaveHeldDeployment(ctx, d)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		err := s.Update(ctx, func(tx *store.Tx) error {
			return tx.InsertDeployments(ctx, proton.Deployment{ID: "d", RunID: "run", Goal: proton.GoalApply, Status: proton.InProgress, Ready: true})
		})
		if err != nil {
			t.Fatal(err)
		}
		claim(0, "dead")
		runs, err := s.UnfinishedRuns(ctx)
		if want := map[string]store.Unfinished{"run": {ID: "d", Owner: "dead"}}; err != nil || !cmp.Equal(runs, want) {
			t.Errorf("unfinished: %v, %v; want %v", runs, err, want)
		}
		if err := s.HandIn(ctx, "d", "ended well", []store.LogEvent{{At: time.Now(), Message: "the last line"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Heartbeat(ctx, "d", 1, time.Minute); err != nil {
			t.Errorf("the holder has lost its lease: %v", err)
		}
		for owner, want := range map[string]bool{"another": false, "dead": true} {
			if given, err := s.GiveUp(ctx, "d", owner); given != want || err != nil {
				t.Errorf("given up by %s: %t, %v", owner, given, err)
			}
		}
		d := claim(1, "next")
		if strings.HasPrefix(d.Checkpoint, "ended") {
			t.Errorf("the checkpoint is not sealed: %s", d.Checkpoint)
		}
		if got, err := s.Checkpoint(d); got != "ended well" || err != nil {
			t.Errorf("the checkpoint is %q, %v", got, err)
		}
		if _, err := s.Heartbeat(ctx, "d", 1, time.Minute); !errors.Is(err, jobs.ErrLost) {
			t.Errorf("heartbeat of the dead: %v", err)
		}
		d.CompletedAt, d.Checkpoint = time.Now(), ""
		err = s.Update(ctx, func(tx *store.Tx) error { return tx.SaveHeldDeployment(ctx, d) })
		if err := errors.Join(err, s.HandIn(ctx, "d", "late", nil)); err != nil {
			t.Fatal(err)
		}
		err = s.View(ctx, func(tx *store.Tx) error {
			lines, err := tx.Log(ctx, "d", 0, 10)
			if len(lines) != 1 || lines[0].Message != "the last line" {
				t.Errorf("log: %v", lines)
			}
			d, _, _ = tx.DeploymentByID(ctx, "d")
			return err
		})
		if err != nil || d.Checkpoint != "" {
			t.Errorf("what has ended was changed: %q, %v", d.Checkpoint, err)
		}
		if got, err := s.Checkpoint(proton.Deployment{Checkpoint: "as it is"}); got != "as it is" || err != nil {
			t.Errorf("a checkpoint that was not handed in: %q, %v", got, err)
		}
	})
}
