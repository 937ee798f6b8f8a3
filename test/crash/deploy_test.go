package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// marks are where commands note, in a file for each environment, when they
// begin and end.
type marks string

// commands take a while between the two notes.
func (m marks) commands(pause string) []string { return notes(string(m)+"/${RESOURCE_ARN##*/}", pause) }

// perRun are commands that note the same in a file for each run.
func (m marks) perRun(pause string) []string {
	return notes(string(m)+"/${RESOURCE_ARN##*/}.${CODEBUILD_BUILD_ID##*:}", pause)
}

func notes(file, pause string) []string {
	return []string{"echo begin >> " + file, "sleep " + pause, "echo end >> " + file}
}

// count counts the notes in a file.
func (m marks) count(name, note string) int {
	text, _ := os.ReadFile(filepath.Join(string(m), name))
	return strings.Count(string(text), note+"\n")
}

// tally is what a crash test counts.
type tally struct {
	kills, atCommits    atomic.Int64 // the latter among the former
	calls, acknowledged atomic.Int64
	runs, begun         atomic.Int64 // that came to their end; and how often they were begun
	lost, doubled       atomic.Int64
}

func (c *tally) String() string {
	return fmt.Sprintf("%d kills (%d at a commit), %d calls, %d acknowledged, %d runs begun %d times, %d lost, %d doubled",
		c.kills.Load(), c.atCommits.Load(), c.calls.Load(), c.acknowledged.Load(), c.runs.Load(), c.begun.Load(), c.lost.Load(), c.doubled.Load())
}

// user makes, changes and removes environments through the nodes, one after
// another, and finds out what became of each.
type user struct {
	t     *testing.T
	c     *cluster
	marks marks
	count *tally
	until time.Time // what was acknowledged must have been carried out
}

// call makes a call again, as SDKs do, until it is answered, and reports whether
// it is acknowledged. These refusals say that it had been carried out, though
// that answer was lost.
func (u *user) call(do func(*api.Client) error, doneSays ...string) bool {
	for again := false; time.Now().Before(u.until); again = true {
		u.count.calls.Add(1)
		err := do(u.c.nodes[rand.N(len(u.c.nodes))].client())
		if err == nil {
			u.count.acknowledged.Add(1)
			return true
		}
		if refusal, ok := errors.AsType[*awsjson.Error](err); ok && refusal.Code != "InternalServerException" {
			for _, code := range doneSays {
				if again && refusal.Code == code {
					return true
				}
			}
			u.t.Errorf("a call was refused: %v", err)
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	u.t.Error("a call was not answered")
	return false
}

// becomes waits until an environment is deployed, or gone.
func (u *user) becomes(name, want string) bool {
	return u.comesTo("environment "+name, want, func(c *api.Client) (string, error) {
		out, err := c.GetEnvironment(u.t.Context(), &api.GetEnvironmentInput{Name: &name})
		if err != nil {
			return "", err
		}
		return string(*out.Environment.DeploymentStatus), nil
	})
}

// comesTo waits until what is read has a status, or is refused with that code.
func (u *user) comesTo(what, want string, read func(*api.Client) (string, error)) bool {
	last := "IN_PROGRESS"
	for time.Now().Before(u.until) {
		status, err := read(u.c.nodes[rand.N(len(u.c.nodes))].client())
		refusal, refused := errors.AsType[*awsjson.Error](err)
		switch {
		case err == nil:
			last = status
		case refused:
			last = refusal.Code
		}
		if last == want {
			return true
		}
		if !strings.HasSuffix(last, "IN_PROGRESS") && last != "SUCCEEDED" && last != "ACTIVE" && last != "InternalServerException" {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	u.t.Errorf("%s is %s; want %s", what, last, want)
	u.count.lost.Add(1)
	return false
}

// live is the life of one environment. It reports whether all went well.
func (u *user) live(name string) bool {
	ctx := u.t.Context()
	ok := u.call(func(c *api.Client) error { return createEnvironment(ctx, c, name) }) &&
		u.becomes(name, "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: &name, Spec: api.Ptr("proton: EnvironmentSpec\nspec: {size: l}\n"),
				DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)})
			return err
		}, "ConflictException") &&
		u.becomes(name, "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: &name})
			return err
		}, "ConflictException", "ResourceNotFoundException") &&
		u.becomes(name, "ResourceNotFoundException")
	if ok {
		u.countRuns(name, name+".*", 3)
	}
	return ok
}

// countRuns looks at the notes of all runs of something, of which there must be as
// many as it was deployed, or more: an update whose answer was lost is made again.
func (u *user) countRuns(what, pattern string, atLeast int) {
	files, _ := filepath.Glob(filepath.Join(string(u.marks), pattern))
	if len(files) < atLeast {
		u.t.Errorf("%s was made, changed and removed by %d runs", what, len(files))
		u.count.lost.Add(1)
	}
	for _, file := range files {
		file = filepath.Base(file)
		u.count.runs.Add(1)
		u.count.begun.Add(int64(u.marks.count(file, "begin")))
		switch n := u.marks.count(file, "end"); {
		case n == 0:
			u.count.lost.Add(1)
			u.t.Errorf("the commands of %s never ended", file)
		case n > 1: // one that was killed before its end may be begun again, not one that had ended
			u.count.doubled.Add(1)
			u.t.Errorf("the commands of %s ended %d times", file, n)
		}
	}
}

// mortal has a node die and start again until ctx ends: after some time, also
// while it starts, or right before or after one of its first commits.
func (s *node) mortal(ctx context.Context, longest time.Duration, count *tally) {
	for ctx.Err() == nil {
		life, at := rand.N(longest), ""
		if rand.N(2) == 0 {
			life, at = 2*longest, "HADRON_CRASH_AT="+strconv.Itoa(1+rand.N(50))
		}
		if !s.launch(at) {
			return
		}
		died := make(chan struct{})
		go func() { defer close(died); s.wait() }()
		select {
		case <-died:
			count.atCommits.Add(1)
		case <-time.After(life):
			s.signal(os.Kill)
			<-died
		}
		count.kills.Add(1)
	}
	s.start()
}

func TestKilledServersLoseNothingTheyAcknowledged(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, database string, nodes int) {
		count, m := &tally{}, marks(t.TempDir())
		// In seconds it is the kills that count: a busy machine takes longer for them.
		lasts, enough := lasting(t, 2*time.Minute), count.reaches(20, 4, 6)
		if wanted := killsWanted(t); wanted > 0 {
			enough = count.reaches(int64(wanted), 0, 0)
		}
		ctx, stop := context.WithTimeout(t.Context(), lasts)
		defer stop()
		until := time.Now().Add(lasts + time.Minute)
		var group sync.WaitGroup
		installations, longest := 1, 700*time.Millisecond
		switch {
		case database != "":
			longest *= 2 // it takes longer to start
		case killsWanted(t) > 0:
			installations = 3 // as many nodes as the other has
		}
		for n := range installations {
			c := newCluster(t, database, nodes)
			c.nodes[0].publish(m.perRun("0.1")...)
			c.nodes[0].publishService(m.perService("0.1")...)
			for _, node := range c.nodes {
				node.kill()
				group.Go(func() { node.mortal(ctx, longest, count) })
			}
			for client := range 3 {
				group.Go(func() {
					u := &user{t, c, m, count, until}
					live := u.live
					if client == 2 && long() { // a life of a quarter of a minute
						live = u.liveService
					}
					for life := 0; ctx.Err() == nil && live(fmt.Sprintf("e-%d-%d-%d", n, client, life)); life++ {
					}
				})
			}
		}
		group.Go(func() { count.report(ctx, t, enough, stop) })
		group.Wait()
		t.Log(count)
		if !count.reaches(20, 4, 6)() {
			t.Error("not enough was tested")
		}
	})
}

// killsWanted is after how many kills a long run may end before its time is up.
func killsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HADRON_CRASH_KILLS")
	n, err := strconv.Atoi(text)
	if text != "" && err != nil {
		t.Fatalf("HADRON_CRASH_KILLS: %v", err)
	}
	return n
}

// reaches is whether so many kills, so many of them at commits, and so many runs
// have been counted.
func (c *tally) reaches(kills, atCommits, runs int64) func() bool {
	return func() bool {
		return c.kills.Load() >= kills && c.atCommits.Load() >= atCommits && c.runs.Load() >= runs
	}
}

// report says every minute how things stand, and stops the run when enough has
// been counted.
func (c *tally) report(ctx context.Context, t *testing.T, enough func() bool, stop func()) {
	said := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			t.Log(c)
		}
		if enough() {
			stop()
		}
	}
}

// history is all that can be read of the environment "e".
func history(t *testing.T, c *api.Client) string {
	t.Helper()
	environment, err := c.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: api.Ptr("e")})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: api.Ptr("e")})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent([]any{environment, list}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
