package app

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var initialized = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, \d+ allocs$`)

// What a deployment waits for is started before most of this program is
// initialized, which takes longer than all the rest of its start.
func TestSupervisorsDoNotWaitForTheProgramToBeInitialized(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"HADRON_SUPERVISOR=programs", "HADRON_SUPERVISOR=commands", "HADRON_SUPERVISOR=heir", "HADRON_SANDBOX=1"} {
		cmd := exec.Command(self)
		cmd.Env = []string{"GODEBUG=inittrace=1", role}
		out, _ := cmd.CombinedOutput() // it has no orders, and ends
		if strings.Contains(string(out), "PASS") {
			t.Fatalf("%s: it ran the tests", role)
		}
		packages, bytes := initialized.FindAllStringSubmatch(string(out), -1), 0
		for _, p := range packages {
			n, _ := strconv.Atoi(p[2])
			bytes += n
			if p[1] == module+"internal/api" || p[1] == module+"internal/store" || p[1] == "net/http" {
				t.Errorf("%s: %s is initialized first", role, p[1])
			}
		}
		if len(packages) < 10 || bytes > 2<<20 {
			t.Errorf("%s: %d packages were initialized first, for which %d bytes were allocated", role, len(packages), bytes)
		}
	}
}

const module = "github.com/hadronhq/hadron/"
