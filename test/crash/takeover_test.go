package crash

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// takeover is how soon after a node's death all that it did must go on.
const takeover = 15 * time.Second

// acknowledged gathers the names of what calls have answered to have made.
type acknowledged struct {
	mu    sync.Mutex
	names []string
}

func (a *acknowledged) add(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names = append(a.names, name)
}

// load creates environments through all nodes until ctx ends, each client its
// own, one after the other.
func (c *cluster) load(ctx context.Context, clients int) (*acknowledged, *sync.WaitGroup) {
	a, group, nodes := &acknowledged{}, &sync.WaitGroup{}, c.nodes
	for client := range clients {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("e-%d-%d", client, n)
				for ctx.Err() == nil { // as SDKs do, the call is repeated until it is answered
					if err := createEnvironment(ctx, nodes[rand.N(len(nodes))].client(), name); err == nil {
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

// settled checks that all that was acknowledged gets deployed, by one deployment
// and one run to the end each.
func (c *cluster) settled(t *testing.T, a *acknowledged, m marks, within time.Duration) {
	t.Helper()
	client := c.nodes[0].client()
	end := time.Now().Add(within)
	for _, name := range a.names {
		if !deployed(t, client, name, max(time.Until(end), time.Second)) {
			continue
		}
		list, err := client.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: &name})
		if err != nil || len(list.Deployments) != 1 {
			t.Errorf("environment %s has deployments %v, %v; want one", name, list, err)
		}
		if n := m.count(name, "end"); n != 1 {
			t.Errorf("the commands of %s ended %d times", name, n)
		}
	}
}

func TestDeadNodesWorkIsTakenOver(t *testing.T) {
	t.Parallel()
	c, m := newCluster(t, postgrestest.URL(t), 3), marks(t.TempDir())
	c.nodes[0].publish(m.commands("1.5")...)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	a, group := c.load(ctx, 6)
	time.Sleep(2 * time.Second)
	victim := c.nodes[2]
	victim.kill()
	killed := time.Now()
	c.nodes = c.nodes[:2]
	group.Wait()
	begun := map[string]bool{} // what was not ended at the kill has to go on by then
	for time.Since(killed) < takeover && len(begun) < len(a.names) {
		for _, name := range a.names {
			if m.count(name, "end") > 0 {
				begun[name] = true
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d environments; all went on within %v of the kill", len(a.names), time.Since(killed).Round(100*time.Millisecond))
	for _, name := range a.names {
		if !begun[name] {
			t.Errorf("%s did not go on within %v", name, takeover)
		}
	}
	repeated := slices.ContainsFunc(a.names, func(name string) bool { return m.count(name, "begin") > 1 })
	if !repeated {
		t.Error("the killed node was deploying nothing; nothing was tested")
	}
	c.settled(t, a, m, 20*time.Second)
}

func TestFrozenNodeWritesNothing(t *testing.T) {
	t.Parallel()
	database := postgrestest.URL(t)
	c, m := newCluster(t, database, 1), marks(t.TempDir())
	sleeper := c.nodes[0]
	sleeper.publish(m.commands("7")...)
	if err := createEnvironment(t.Context(), sleeper.client(), "e"); err != nil {
		t.Fatal(err)
	}
	for m.count("e", "begin") == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	sleeper.signal(syscall.SIGSTOP)
	other := c.add(t, database)
	if !deployed(t, other.client(), "e", 30*time.Second) {
		return
	}
	if told := other.metrics(t); !strings.Contains(told, "hadron_takeovers_total{what=\"deployments\"} 1\n") {
		t.Errorf("the metrics do not tell of the takeover:\n%s", told)
	}
	before := history(t, other.client())
	sleeper.signal(syscall.SIGCONT)
	time.Sleep(5 * time.Second)
	if after := history(t, other.client()); after != before {
		t.Errorf("the sleeper wrote:\nbefore %s\n after %s", before, after)
	}
	if begins, ends := m.count("e", "begin"), m.count("e", "end"); begins != 2 || ends != 1 {
		t.Errorf("the commands began %d times and ended %d times; want 2 and 1: a frozen node's are stopped before another begins", begins, ends)
	}
}

// metrics is what operators read of a node.
func (n *node) metrics(t *testing.T) string {
	t.Helper()
	answer, err := http.Get("http://" + n.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A node that stands still in the middle of an apply: its tool is stopped before
// another node applies, and what both write in the end neither changes the state
// of the other's apply nor its record.
func TestFrozenNodesToolIsFencedOff(t *testing.T) {
	t.Parallel()
	tofu := enginetest.Tofu(t)
	database, gate := postgrestest.URL(t), t.TempDir()
	c := newCluster(t, database, 1, "--tofu", tofu)
	sleeper := c.nodes[0]
	sleeper.publishFiles(map[string]string{
		"infrastructure/manifest.yaml": "infrastructure:\n  templates:\n    - {file: \"*\", rendering_engine: hcl, template_language: terraform}\n",
		"infrastructure/main.tf": fmt.Sprintf(`
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo $$ >> %[1]s/begun; while [ ! -e %[1]s/open ]; do sleep 0.05; done; echo $$ >> %[1]s/ended"
  }
}
output "made" { value = terraform_data.slow.id }
`, gate)})
	lines := func(file string) []string {
		text, _ := os.ReadFile(filepath.Join(gate, file))
		return strings.Fields(string(text))
	}
	begun := func(n int) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); len(lines("begun")) < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the apply was not begun %d times", n)
			}
		}
	}
	if err := createEnvironment(t.Context(), sleeper.client(), "e"); err != nil {
		t.Fatal(err)
	}
	begun(1)
	sleeper.signal(syscall.SIGSTOP)
	other := c.add(t, database, "--tofu", tofu)
	begun(2)
	if pid, _ := strconv.Atoi(lines("begun")[0]); syscall.Kill(pid, 0) == nil {
		t.Error("the frozen node's apply goes on while another one has begun")
	}
	sleeper.signal(syscall.SIGCONT) // its tool gives up now, with a state and a lock of its own
	time.Sleep(3 * time.Second)
	if err := os.WriteFile(filepath.Join(gate, "open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !deployed(t, other.client(), "e", 30*time.Second) {
		return
	}
	before := history(t, other.client())
	time.Sleep(2 * time.Second)
	if after := history(t, other.client()); after != before {
		t.Errorf("the sleeper wrote:\nbefore %s\n after %s", before, after)
	}
	_, err := sleeper.client().UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{Name: api.Ptr("e"),
		Spec: api.Ptr("proton: EnvironmentSpec\nspec: {}\n"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)})
	if err != nil || !deployed(t, other.client(), "e", 30*time.Second) {
		t.Fatal(err)
	}
	if b, e := lines("begun"), lines("ended"); len(b) != 2 || len(e) != 1 || e[0] != b[1] {
		t.Errorf("begun by %v, ended by %v: what the second has made must be all that is in the state", b, e)
	}
}
