package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// Commands whose last act is to kill their own server have ended, and only what
// outlives the server knows it. No other node runs them again.
func TestWhatHadEndedOnADeadNodeIsNotRunAgain(t *testing.T) {
	t.Parallel()
	const dies, stands, restarts = "the server dies", "it stands still", "it dies with its heir and is started again"
	for _, what := range []string{dies, stands, restarts} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			database, m := postgrestest.URL(t), marks(t.TempDir())
			c := newCluster(t, database, 1)
			victim, server, gate := c.nodes[0], filepath.Join(t.TempDir(), "server"), filepath.Join(t.TempDir(), "gate")
			file := string(m) + "/${RESOURCE_ARN##*/}"
			victim.publish("echo begin >> "+file, "until [ -e "+gate+" ]; do sleep 0.02; done",
				`printf '{\"made\":\"once\"}' > proton-outputs.json`, "echo end >> "+file+"; kill $(cat "+server+")")
			switch what {
			case dies:
				write(t, server, fmt.Sprint("-KILL ", victim.pid()))
			case stands:
				write(t, server, fmt.Sprint("-STOP ", victim.pid()))
			case restarts:
				write(t, server, "-KILL "+strings.Trim(fmt.Sprint(append(children(victim.pid(), "heir"), victim.pid())), "[]"))
			}
			if err := createEnvironment(t.Context(), victim.client(), "e"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the commands run", func() bool { return m.count("e", "begin") == 1 })
			other := c.add(t, database)
			write(t, gate, "")
			eventually(t, "the server is dead or stands still", func() bool { return contains(state(victim.pid()), "Z", "T") })
			died := time.Now()
			if what == restarts {
				victim.kill()
				victim.start()
			}
			if !deployed(t, other.client(), "e", time.Minute) {
				return
			}
			t.Logf("carried on %v after the death", time.Since(died).Round(10*time.Millisecond))
			if begins, ends := m.count("e", "begin"), m.count("e", "end"); begins != 1 || ends != 1 {
				t.Errorf("the commands began %d times and ended %d times; want once", begins, ends)
			}
			if what == stands {
				before := history(t, other.client())
				victim.signal(syscall.SIGCONT)
				eventually(t, "it answers again", func() bool {
					_, err := victim.client().ListEnvironments(t.Context(), &api.ListEnvironmentsInput{})
					return err == nil
				})
				if after := history(t, other.client()); after != before {
					t.Errorf("it wrote:\nbefore %s\n after %s", before, after)
				}
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// stat are the fields of a process behind its name; none if it is not there.
func stat(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

// state is the letter of a process's state; Z of one that has ended.
func state(pid int) string {
	if fields := stat(pid); len(fields) > 0 {
		return fields[0]
	}
	return "Z"
}

// children are the processes that a process has started as a kind of supervisor.
func children(pid int, kind string) (found []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		p, _ := strconv.Atoi(filepath.Base(dir))
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if fields := stat(p); len(fields) > 1 && fields[1] == strconv.Itoa(pid) && strings.HasPrefix(string(environ), "HADRON_SUPERVISOR="+kind+"\x00") {
			found = append(found, p)
		}
	}
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func contains(text string, any ...string) bool {
	return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(text, s) })
}
