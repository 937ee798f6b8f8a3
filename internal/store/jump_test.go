package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// on runs a test on a database of each kind.
func on(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "hadron.db")))
	})
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, open(t, postgrestest.URL(t))) })
}

// A clock that is set back must not make leases of the dead last for longer.
func TestLeasesFromBeforeTheClockWasSetBackHaveRunOut(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		err := s.Update(ctx, func(tx *store.Tx) error {
			var ds []proton.Deployment
			for _, id := range []string{"dead", "living"} {
				ds = append(ds, proton.Deployment{Scope: proton.Scope{Account: "000000000000", Region: "eu-west-1"}, ID: id, RunID: id, Goal: proton.GoalApply,
					Status: proton.InProgress, TargetType: proton.TargetEnvironment, EnvironmentName: id, Ready: true})
			}
			if err := tx.InsertDeployments(ctx, ds...); err != nil {
				return err
			}
			for _, d := range ds {
				if _, ok, err := tx.ClaimDeployment(ctx, d.ID, 0, d.ID, 10*time.Second); err != nil || !ok {
					t.Errorf("claim: %t, %v", ok, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		store.SetClock(s, -time.Hour)
		if _, err := s.Heartbeat(ctx, "living", 1, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if n, err := s.RequeueExpired(ctx); n != 1 || err != nil {
			t.Errorf("queued %d, %v; want the one of the dead", n, err)
		}
		if _, err := s.Heartbeat(ctx, "living", 1, 10*time.Second); err != nil {
			t.Errorf("the living has lost its lease: %v", err)
		}
	})
}

func TestJobsFromBeforeTheClockWasSetBackAreDue(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		err := s.Update(ctx, func(tx *store.Tx) error {
			return tx.Enqueue(ctx, jobs.Job{Kind: jobs.Deploy, Key: "now"}, jobs.Job{Kind: jobs.Deploy, Key: "later", RunAt: time.Now().Add(3 * time.Hour)})
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.RewindJobs(ctx); n != 0 || err != nil {
			t.Errorf("%d jobs were rewound, %v; the clock is right", n, err)
		}
		ahead := "UPDATE river_job SET created_at = created_at + interval '1 hour', scheduled_at = scheduled_at + interval '1 hour'"
		if !s.Shared() {
			ahead = "UPDATE river_job SET created_at = datetime(created_at, '+1 hour'), scheduled_at = datetime(scheduled_at, '+1 hour')"
		}
		if err := store.Exec(ctx, s, ahead); err != nil { // as if they came from before
			t.Fatal(err)
		}
		for _, want := range []int{2, 0} {
			if n, err := s.RewindJobs(ctx); n != want || err != nil {
				t.Errorf("%d jobs were rewound, %v; want %d", n, err, want)
			}
		}
		backlog, err := s.Backlog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range backlog.Jobs {
			if late := time.Since(b.Since); late < -time.Second {
				t.Errorf("jobs that are %s are due in %v", b.State, -late)
			}
		}
	})
}
