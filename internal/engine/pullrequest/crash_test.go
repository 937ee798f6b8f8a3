package pullrequest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/pullrequest"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

// site is a Hub with a repository, and drivers that are killed.
type site struct {
	*testing.T
	hub    *forgetest.Hub
	git    *gittest.Repository
	report engine.Report
	log    strings.Builder
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, hub: forgetest.NewHub(t)}
	s.git = s.hub.Repository(t, repository)
	return s
}

// driver is a new one, without anything that an earlier one knew.
func (s *site) driver() *pullrequest.Driver {
	s.Helper()
	clones, err := git.New(git.Config{Folder: s.TempDir()})
	if err != nil {
		s.Skip(err)
	}
	return &pullrequest.Driver{
		Git: clones, Author: "Hadron", Email: "hadron@localhost", Poll: time.Millisecond,
		Access: func(ctx context.Context, _ engine.Run) (pullrequest.Access, error) { return access(ctx, s.hub, nil) },
		Page:   func(r engine.Run) string { return "https://hadron.example.com/" + r.DeploymentID },
	}
}

func (s *site) run(goal engine.Goal, value string) engine.Run {
	r := newRun(goal, value)
	s.report = engine.Report{}
	s.log.Reset()
	r.Log = &s.log
	r.Report = func(context.Context) (engine.Report, error) { return s.report, nil }
	return r
}

// step takes one that must succeed.
func (s *site) step(d *pullrequest.Driver, r engine.Run, checkpoint string) engine.Status {
	s.Helper()
	st, err := d.Step(s.Context(), r, checkpoint)
	if err != nil {
		s.Fatalf("step: %v", err)
	}
	return st
}

// pull is the one pull request of a run.
func (s *site) pull(r engine.Run) forgetest.HubPull {
	s.Helper()
	var found []forgetest.HubPull
	for _, p := range s.hub.Pulls(repository) {
		if strings.HasSuffix(p.Head, r.ID) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		s.Fatalf("the run has %d pull requests: %+v", len(found), found)
	}
	return found[0]
}

// dieAt loses the nth request from now on, and reports whether there was one.
func (s *site) dieAt(n int, after bool) (died func() bool) {
	var mu sync.Mutex
	seen := 0
	s.hub.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		seen++
		mine := seen == n
		mu.Unlock()
		if mine {
			forgetest.Lose(r, next, after)
		}
		next.ServeHTTP(w, r)
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen >= n
	}
}

// end takes a run to its end, with a new driver after each death, each step
// twice if checkpoints are kept, and merges its pull request once it was looked at.
func (s *site) end(r engine.Run, kept bool) engine.Status {
	s.Helper()
	d, checkpoint, looks := s.driver(), "", 0
	for range 50 {
		st, err := d.Step(s.Context(), r, checkpoint)
		if err == nil && kept {
			st, err = d.Step(s.Context(), r, checkpoint)
		}
		switch {
		case err != nil:
			d = s.driver()
			if !kept {
				checkpoint = ""
			}
			continue
		case st.Done:
			return st
		}
		checkpoint = st.Checkpoint
		if looks++; looks == 2 {
			if err := s.hub.Merge(repository, s.pull(r).Number); err != nil {
				s.Fatal(err)
			}
			if r.Goal == engine.Apply {
				s.report = engine.Report{Status: "SUCCEEDED"}
			}
		}
	}
	s.Fatalf("no end: %s", &s.log)
	return engine.Status{}
}

func TestCrashesRepeatNothingThatShows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		goal        engine.Goal
		after, kept bool
	}{
		{engine.Apply, true, true}, {engine.Apply, true, false}, {engine.Apply, false, false}, {engine.Destroy, true, false},
	} {
		t.Run(fmt.Sprintf("%s, after %v, checkpoint kept %v", test.goal, test.after, test.kept), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.git.Commit(t, "main", map[string]string{"dev/.proton/deployment-metadata.json": "{}", "dev/main.tf": "# old"})
			n := 1
			for ; ; n++ {
				r := s.run(test.goal, fmt.Sprint(n))
				died := s.dieAt(n, test.after)
				st := s.end(r, test.kept)
				s.hub.Through(nil)
				pull := s.pull(r)
				if st.Failure != "" || pull.MergedAt.IsZero() {
					t.Errorf("died at request %d: %+v %+v", n, st, pull)
				}
				if branches := s.git.Git(t, nil, "for-each-ref", "--format=%(refname)", "refs/heads/*"+r.ID+"*"); branches != "refs/heads/"+pull.Head {
					t.Errorf("died at request %d: branches %q", n, branches)
				}
				if commits := s.git.Git(t, nil, "rev-list", "--count", pull.Head, "^main^1"); commits != "1" {
					t.Errorf("died at request %d: %s commits on the branch", n, commits)
				}
				if !died() {
					break
				}
			}
			if n < 8 {
				t.Errorf("only %d requests were made", n)
			}
		})
	}
}

func TestCancelThatDiesClosesThePullRequestOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := 1; ; n++ {
		r := s.run(engine.Apply, fmt.Sprint(n))
		checkpoint := s.step(s.driver(), r, "").Checkpoint
		if n%2 == 0 {
			checkpoint = ""
		}
		died := s.dieAt(n, true)
		_, _ = s.driver().Cancel(t.Context(), r, checkpoint) // which may have asked again by itself
		s.hub.Through(nil)
		if st, err := s.driver().Cancel(t.Context(), r, checkpoint); err != nil || st.Done {
			t.Errorf("cancelled again: %+v %v", st, err)
		}
		if p := s.pull(r); p.State != "closed" || !p.MergedAt.IsZero() {
			t.Errorf("after a cancel: %+v", p)
		}
		if !died() {
			return
		}
	}
}

func TestWhatIsMergedCannotBeCancelled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.run(engine.Apply, "a")
	checkpoint := s.step(s.driver(), r, "").Checkpoint
	if err := s.hub.Merge(repository, 1); err != nil {
		t.Fatal(err)
	}
	for _, checkpoint := range []string{checkpoint, ""} {
		if st, err := s.driver().Cancel(t.Context(), r, checkpoint); err == nil || !strings.Contains(err.Error(), "merged already") {
			t.Errorf("cancel: %+v %v", st, err)
		}
	}
	if _, err := s.driver().Cancel(t.Context(), r, "{"); err == nil || engine.Transient(err) {
		t.Errorf("a checkpoint that nobody wrote: %v", err)
	}
}

func TestConflictsAreMadeAnewAndRewrittenBranchesRestored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.driver()
	r := s.run(engine.Apply, "a")
	checkpoint := s.step(d, r, "").Checkpoint
	first := s.git.Head(t, s.pull(r).Head)
	look := func() { t.Helper(); checkpoint = s.step(d, r, checkpoint).Checkpoint }

	s.git.Commit(t, "main", map[string]string{"elsewhere.txt": "1"})
	look()
	if got := s.git.Head(t, s.pull(r).Head); got != first {
		t.Errorf("a base that moved elsewhere moves the branch to %s", got)
	}
	s.git.Commit(t, "main", map[string]string{"dev/main.tf": "# by hand\n"})
	if err := s.hub.Merge(repository, 1); err == nil {
		t.Fatal("there is no conflict to begin with")
	}
	look()
	if got := s.git.Head(t, s.pull(r).Head); got != first {
		t.Error("the branch is made anew at the first look, when the server may not know yet")
	}
	look()
	second := s.git.Head(t, s.pull(r).Head)
	if second == first || !strings.Contains(s.log.String(), "is made anew") {
		t.Errorf("a conflict stays: %s", &s.log)
	}
	look()
	if got := s.git.Head(t, s.pull(r).Head); got != second {
		t.Errorf("without a conflict the branch is made anew")
	}
	s.git.Rewrite(t, s.pull(r).Head, map[string]string{"stranger": "1"}) // which conflicts, without a common commit
	look()
	look()
	if got := s.git.Head(t, s.pull(r).Head); got != second {
		t.Errorf("a rewritten branch is at %s", got)
	}
	s.git.Git(t, nil, "update-ref", "-d", "refs/heads/"+s.pull(r).Head)
	look()
	look()
	if got := s.git.Head(t, s.pull(r).Head); got != second {
		t.Errorf("a removed branch is at %s", got)
	}
	if err := s.hub.Merge(repository, 1); err != nil {
		t.Error(err)
	}
}

func TestServersThatWantToBeLeftAloneAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.driver()
	r := s.run(engine.Apply, "a")
	limit := func() {
		s.hub.Answer(http.StatusTooManyRequests, map[string]string{"Retry-After": "120"}, `{"message": "slow down"}`)
	}
	limit()
	checkpoint := ""
	for range 2 { // before there is a pull request
		st := s.step(d, r, checkpoint)
		if checkpoint = st.Checkpoint; st.Done || st.Wait != 2*time.Minute {
			t.Errorf("limited: %+v", st)
		}
	}
	if n := strings.Count(s.log.String(), "answered 429 Too Many Requests: slow down"); n != 1 {
		t.Errorf("told %d times: %s", n, &s.log)
	}
	s.hub.Through(nil)
	checkpoint = s.step(d, r, checkpoint).Checkpoint
	s.pull(r)
	limit()
	if st := s.step(d, r, checkpoint); st.Wait != 2*time.Minute {
		t.Errorf("limited, with a pull request: %+v", st)
	}
	s.hub.Answer(http.StatusInternalServerError, nil, "")
	st := s.step(d, r, checkpoint)
	if st.Done || !strings.Contains(s.log.String(), "answered 500 Internal Server Error") {
		t.Errorf("in trouble: %+v %s", st, &s.log)
	}
	if _, err := d.Step(t.Context(), s.run(engine.Apply, "b"), ""); err == nil || !engine.Transient(err) {
		t.Errorf("in trouble, without a pull request: %v", err)
	}
	s.hub.Answer(http.StatusUnauthorized, nil, `{"message": "Bad credentials"}`)
	if _, err := d.Step(t.Context(), s.run(engine.Apply, "b"), ""); err == nil || engine.Transient(err) || !strings.Contains(err.Error(), "Bad credentials") {
		t.Errorf("a revoked token, without a pull request: %v", err)
	}
}

func TestUndecidedPullRequestsEndInTimeIfTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, merged := range []bool{false, true} {
		d := s.driver()
		r := s.run(engine.Apply, fmt.Sprint(merged))
		checkpoint := s.step(d, r, "").Checkpoint
		if merged {
			if err := s.hub.Merge(repository, s.pull(r).Number); err != nil {
				t.Fatal(err)
			}
		}
		if st := s.step(d, r, checkpoint); st.Done {
			t.Errorf("without a time-out: %+v", st)
		}
		d.Timeout = time.Nanosecond
		first := s.step(d, r, checkpoint)
		want := map[bool]string{false: "was closed: it was not merged within the time-out", true: "nobody has reported the end of it within the time-out"}[merged]
		if !first.Done || first.Cancelled || !strings.Contains(first.Failure, want) || s.pull(r).State != "closed" {
			t.Errorf("merged %v: %+v", merged, first)
		}
		if second := s.step(d, r, checkpoint); second.Failure != first.Failure {
			t.Errorf("then %+v", second)
		}
	}
}

func TestRemovalsWaitForAReportIfTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.git.Commit(t, "main", map[string]string{"dev/.proton/deployment-metadata.json": "{}"})
	d := s.driver()
	d.ConfirmRemovals = true
	r := s.run(engine.Destroy, "")
	checkpoint := s.step(d, r, "").Checkpoint
	if err := s.hub.Merge(repository, 1); err != nil {
		t.Fatal(err)
	}
	if st := s.step(d, r, checkpoint); st.Done {
		t.Errorf("merged: %+v", st)
	}
	s.report = engine.Report{Status: "SUCCEEDED"}
	if st := s.step(d, r, checkpoint); !st.Done || st.Failure != "" {
		t.Errorf("reported: %+v", st)
	}
}

func TestPullRequestsTellPeopleWhatChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.git.Commit(t, "main", map[string]string{"dev/proton.auto.tfvars.json": `{"environment": {"inputs": {"value": "a|b", "list": [1, 2]}}, "//": "x"}`})
	r := s.run(engine.Apply, "new "+secret)
	s.step(s.driver(), r, "")
	want := "Resource: `" + arn + "`\nTemplate: `arn:t:1.7`\nDeployment: `" + r.DeploymentID + "`\n\nhttps://hadron.example.com/" + r.DeploymentID + "\n\n" +
		"| input | before | after |\n|---|---|---|\n| `list` | `[1,2]` |  |\n| `value` | `\"a\\|b\"` | `\"new " + engine.Redacted + "\"` |\n"
	if got := s.pull(r).Body; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStepsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.driver()
	r := s.run(engine.Apply, "a")
	checkpoint := s.step(d, r, "").Checkpoint
	cause := errors.New("the server goes down")
	for _, checkpoint := range []string{"", checkpoint} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s.hub.Through(func(w http.ResponseWriter, r *http.Request, _ http.Handler) { cancel(cause); <-r.Context().Done() })
		if _, err := d.Step(ctx, r, checkpoint); !errors.Is(err, cause) {
			t.Errorf("step ended with %v", err)
		}
	}
}
