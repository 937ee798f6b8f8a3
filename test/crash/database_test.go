package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/store/postgrestest"
	"github.com/jackc/pgx/v5"
)

// use has users live through what happen does to the installation, and holds
// what was acknowledged against what became of it.
func use(t *testing.T, c *cluster, lasts time.Duration, happen func(ctx context.Context, count *tally)) {
	t.Helper()
	count, m := &tally{}, marks(t.TempDir())
	c.nodes[0].publish(m.perRun("0.1")...)
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var group sync.WaitGroup
	for client := range 3 {
		group.Go(func() {
			u := &user{t, c, m, count, time.Now().Add(lasts + time.Minute)}
			for life := 0; ctx.Err() == nil && u.live(fmt.Sprintf("e-%d-%d", client, life)); life++ {
			}
		})
	}
	happen(ctx, count)
	group.Wait()
	t.Log(count)
	if count.runs.Load() == 0 || count.kills.Load() == 0 {
		t.Error("nothing was tested")
	}
}

// PostgreSQL is shut down and killed under load, for moments and for longer than
// a lease: then the leases of nodes that are well have run out when it is back.
func TestPostgresIsRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	server := postgrestest.Own(t)
	c := newCluster(t, server.URL, 2)
	use(t, c, lasting(t, 4*time.Second), func(ctx context.Context, count *tally) {
		for n := 0; ctx.Err() == nil; n++ {
			down := []time.Duration{0, time.Second, 0, 0, 12 * time.Second}[n%5]
			if err := server.Restart([]string{"immediate", "fast"}[n%2], down); err != nil {
				t.Error(err)
				return
			}
			count.kills.Add(1)
			time.Sleep(500*time.Millisecond + rand.N(time.Second))
		}
	})
}

// Connections to the database are cut at any time, also while it commits.
func TestConnectionsToTheDatabaseAreCut(t *testing.T) {
	t.Parallel()
	p, database := newProxy(t, postgrestest.URL(t))
	c := newCluster(t, database, 2)
	use(t, c, lasting(t, 4*time.Second), func(ctx context.Context, count *tally) {
		for ctx.Err() == nil {
			time.Sleep(rand.N(200 * time.Millisecond))
			p.cut()
			count.kills.Add(1)
		}
	})
}

// A node whose way to the database goes dead stops what it does before another
// node takes it over, and changes nothing when the way is back.
func TestNodeWithoutItsDatabaseStopsItsWork(t *testing.T) {
	t.Parallel()
	if lasting(t, 0) == 0 {
		t.Skip("skipped: TestNodeWithoutItsDatabaseStopsItsWork, because it takes half a minute; see make crash")
	}
	database, m := postgrestest.URL(t), marks(t.TempDir())
	p, through := newProxy(t, database)
	c := newCluster(t, through, 1)
	c.nodes[0].publish(m.commands("14")...)
	if err := createEnvironment(t.Context(), c.nodes[0].client(), "e"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the commands run", func() bool { return m.count("e", "begin") == 1 })
	other := c.add(t, database)
	p.set(true)
	if !deployed(t, other.client(), "e", 90*time.Second) {
		return
	}
	before := history(t, other.client())
	p.set(false)
	time.Sleep(5 * time.Second)
	if after := history(t, other.client()); after != before {
		t.Errorf("the node that was cut off wrote:\nbefore %s\n after %s", before, after)
	}
	if begins, ends := m.count("e", "begin"), m.count("e", "end"); begins != 2 || ends != 1 {
		t.Errorf("the commands began %d times and ended %d times; want 2 and 1", begins, ends)
	}
}

// jumpy makes a schema whose clock can be set, and answers its URL.
func jumpy(t *testing.T) (database string, set func(by time.Duration)) {
	t.Helper()
	database = postgrestest.URL(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), database)
		if err == nil {
			_, err = conn.Exec(t.Context(), statement, args...)
			_ = conn.Close(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE clock (ahead interval NOT NULL)")
	exec("INSERT INTO clock VALUES ('0')")
	for name, as := range map[string]string{"clock_timestamp": "VOLATILE", "now": "STABLE"} {
		exec("CREATE FUNCTION " + name + "() RETURNS timestamptz LANGUAGE sql " + as +
			" AS 'SELECT pg_catalog." + name + "() + ahead FROM " + u.Query().Get("search_path") + ".clock'")
	}
	query := u.Query()
	query.Set("search_path", query.Get("search_path")+",pg_catalog") // ours hide those of the system
	u.RawQuery = query.Encode()
	return u.String(), func(by time.Duration) { exec("UPDATE clock SET ahead = $1", by) }
}

// The database's clock, which leases are measured by, is set by an hour: nobody
// living is taken for dead, and nobody dead for living.
func TestClockOfTheDatabaseIsSet(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, set := jumpy(t)
			m := marks(t.TempDir())
			c := newCluster(t, database, 1)
			c.nodes[0].publish(m.commands("5")...)
			if err := createEnvironment(t.Context(), c.nodes[0].client(), "e"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the commands run", func() bool { return m.count("e", "begin") == 1 })
			other := c.add(t, database)
			time.Sleep(2 * time.Second) // it has looked at the leases
			set(by)
			if !deployed(t, other.client(), "e", time.Minute) {
				return
			}
			if begins, ends := m.count("e", "begin"), m.count("e", "end"); begins != 1 || ends != 1 {
				t.Errorf("the commands began %d times and ended %d times; want once", begins, ends)
			}
			if err := createEnvironment(t.Context(), c.nodes[0].client(), "f"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the commands of another run", func() bool { return m.count("f", "begin") == 1 })
			first, second := c.nodes[0], other
			if len(children(first.pid(), "commands")) == 0 {
				first, second = other, first
			}
			for _, heir := range children(first.pid(), "heir") {
				_ = syscall.Kill(heir, syscall.SIGKILL)
			}
			first.kill()
			set(2 * by) // its lease is from before
			if deployed(t, second.client(), "f", time.Minute) && (m.count("f", "begin") != 2 || m.count("f", "end") != 1) {
				t.Errorf("the commands of a dead node began %d times and ended %d times", m.count("f", "begin"), m.count("f", "end"))
			}
		})
	}
}

// Two nodes on one SQLite file: the second does not start, and disturbs nothing.
func TestSecondNodeOnASQLiteFileIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 1)
	first := c.nodes[0]
	second := &node{t: t, address: "127.0.0.1:0", args: append([]string{}, first.args...), env: first.env, log: first.log + "2"}
	second.args[2] = second.address
	if !second.launch() {
		return
	}
	ended := make(chan struct{})
	go func() { defer close(ended); second.wait() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		second.signal(syscall.SIGKILL)
		t.Error("a second node runs on the data folder of another one")
	}
	if said := read(t, second.log); !contains(said, "in use", "another process", "lock") {
		t.Errorf("it says: %s", said)
	}
	m := marks(t.TempDir())
	first.publish(m.commands("0.01")...)
	if err := createEnvironment(t.Context(), first.client(), "e"); err != nil || !deployed(t, first.client(), "e", 20*time.Second) {
		t.Error(err)
	}
}
