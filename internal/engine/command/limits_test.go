package command_test

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

func TestLimitsHoldForEachProcess(t *testing.T) {
	t.Parallel()
	if !boxed() {
		t.Skip("no sandbox on this machine")
	}
	limits := sandbox.Limits{Memory: 64 << 20, File: 1 << 20}
	for _, c := range []struct {
		name, command string
		said          []string // by the program and by the driver, in the log
	}{
		{"memory", "dd if=/dev/zero of=/dev/null bs=96M count=1",
			[]string{"memory", "67108864 bytes of memory for a process (run-memory-limit)"}},
		{"file", "head -c 3000000 /dev/zero > big",
			[]string{"File size limit exceeded", "1048576 bytes for a file (run-file-limit)"}},
		{"raised", "ulimit -Hd unlimited", []string{"ulimit", "run-memory-limit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, func(d *command.Driver) { d.Bounds = limits })
			r, log := newRun("ulimit -Hc", "head -c 1000000 /dev/zero > small", c.command)
			st := step(t, d, r)
			if !strings.Contains(st.Failure, c.command) || !strings.HasPrefix(plain(log), "0\n") {
				t.Errorf("failure %q", st.Failure)
			}
			for _, want := range c.said {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		d := newDriver(t, nil)
		r, log := newRun("dd if=/dev/zero of=/dev/null bs=96M count=1", "head -c 3000000 /dev/zero > big", "ulimit -Hc")
		if st := step(t, d, r); st.Failure != "" || !strings.HasSuffix(plain(log), "\n0\n") {
			t.Errorf("got %+v\n%s", st, log)
		}
	})
}
