package crash

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// takeover is how soon after a node's death all that it did must go on.
const takeover = 15 * time.Second

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
