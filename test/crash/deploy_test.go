package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

// marks are where commands note, in a file for each environment, when they
// begin and end.
type marks string

// commands take a while between the two notes.
func (m marks) commands(pause string) []string {
	file := string(m) + "/${RESOURCE_ARN##*/}"
	return []string{"echo begin >> " + file, "sleep " + pause, "echo end >> " + file}
}

// ends counts the notes of an environment.
func (m marks) count(name, note string) int {
	text, _ := os.ReadFile(filepath.Join(string(m), name))
	return strings.Count(string(text), note+"\n")
}

// acknowledged gathers the names of what calls have answered to have made.
type acknowledged struct {
	mu    sync.Mutex
	names []string
	calls atomic.Int64
}

func (a *acknowledged) add(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names = append(a.names, name)
}

// load creates environments through all nodes until ctx ends, each client its
// own, one after the other.
func (c *cluster) load(ctx context.Context, clients int) (*acknowledged, *sync.WaitGroup) {
	a, group := &acknowledged{}, &sync.WaitGroup{}
	for client := range clients {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("e-%d-%d", client, n)
				for ctx.Err() == nil { // as SDKs do, the call is repeated until it is answered
					a.calls.Add(1)
					if err := createEnvironment(ctx, c.nodes[rand.N(len(c.nodes))].client(), name); err == nil {
						a.add(name)
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	return a, group
}

// settled checks that all that was acknowledged gets deployed, by one deployment each.
func (c *cluster) settled(t *testing.T, a *acknowledged, m marks, within time.Duration) (lost, doubled int) {
	t.Helper()
	client := c.nodes[0].client()
	end := time.Now().Add(within)
	for _, name := range a.names {
		if !deployed(t, client, name, max(time.Until(end), time.Second)) {
			lost++
			continue
		}
		list, err := client.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: &name})
		if err != nil || len(list.Deployments) != 1 {
			t.Errorf("environment %s has deployments %v, %v; want one", name, list, err)
		}
		if n := m.count(name, "end"); n != 1 {
			doubled++
			if n == 0 || !c.postgres { // on another node commands that had just ended are run again
				t.Errorf("the commands of %s ended %d times", name, n)
			}
		}
	}
	return lost, doubled
}

func TestKilledServersLoseNothingTheyAcknowledged(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, database string, nodes int) {
		c, m := newCluster(t, database, nodes), marks(t.TempDir())
		c.nodes[0].publish(m.commands("0.2")...)
		ctx, stop := context.WithTimeout(t.Context(), lasting(t, 6*time.Second))
		defer stop()
		a, group := c.load(ctx, 4)
		kills := 0
		for ctx.Err() == nil {
			time.Sleep(rand.N(time.Second))
			n := c.nodes[rand.N(len(c.nodes))]
			n.kill()
			kills++
			n.start()
		}
		group.Wait()
		lost, doubled := c.settled(t, a, m, 60*time.Second)
		t.Logf("%d kills, %d calls, %d acknowledged, %d lost, %d doubled", kills, a.calls.Load(), len(a.names), lost, doubled)
		if len(a.names) == 0 || kills == 0 {
			t.Error("nothing was tested")
		}
	})
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
