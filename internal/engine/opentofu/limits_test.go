package opentofu_test

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/engine/opentofu"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

// The tool works within the least limits that a server takes, and what it starts
// is held to them.
func TestApplyWithinLimits(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	if err := sandbox.Available(); err != nil {
		t.Skip("no sandbox on this machine: ", err)
	}
	d := newBackend(t).driver(t, t.TempDir(), func(d *opentofu.Driver) {
		d.Bounds = sandbox.Limits{Memory: 128 << 20, File: 1 << 20}
	})
	r, _ := newRun("main.tf", "resource \"terraform_data\" \"a\" {\n  input = \"x\"\n}\noutput \"a\" { value = terraform_data.a.output }")
	if st := succeed(t, d, r); len(st.Outputs) != 1 || st.Outputs[0].Value != "x" {
		t.Errorf("got %+v", st)
	}
	r, log := newRun("main.tf", "resource \"terraform_data\" \"b\" {\n  provisioner \"local-exec\" { command = \"dd if=/dev/zero of=/dev/null bs=200M count=1\" }\n}")
	if st := step(t, d, r); !strings.Contains(st.Failure, "terraform_data.b") || !strings.Contains(log.String(), "134217728 bytes of memory for a process (run-memory-limit)") {
		t.Errorf("failure %q\n%s", st.Failure, log)
	}
}
