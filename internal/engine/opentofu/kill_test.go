package opentofu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/engine/opentofu"
)

// beServer is a whole server, with its database and its backend, that takes
// one step and is killed by the test.
func beServer(root string) {
	b, err := openBackend(context.Background(), filepath.Join(root, "hadron.db"))
	if err != nil {
		panic(err)
	}
	var r engine.Run
	text, err := os.ReadFile(filepath.Join(root, "run.json"))
	if err == nil {
		var saved struct{ ID, Files, Values string }
		err = json.Unmarshal(text, &saved)
		r, _ = newRun("main.tf", saved.Files, "x.auto.tfvars.json", saved.Values)
		r.ID, r.Log = saved.ID, io.Discard
	}
	if err != nil {
		panic(err)
	}
	d, err := opentofu.New(opentofu.Driver{
		Root: filepath.Join(root, "work"), Binary: os.Getenv("HADRON_TOFU"), URL: b.url, States: b.States,
		Key: func(context.Context, engine.Run) (string, string, error) { return key, password, nil },
	})
	if err != nil {
		panic(err)
	}
	d.Step(context.Background(), r, "")
	select {}
}

const slowFiles = `
variable "world" {}
resource "terraform_data" "first" {
  provisioner "local-exec" { command = "echo x >> ${var.world}/first" }
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "trap '' TERM; echo $$ > ${var.world}/pid; while ! [ -e ${var.world}/go ]; do sleep 0.05; done" }
}
output "done" {
  value      = "yes"
  depends_on = [terraform_data.slow]
}
`

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// killedServer starts a server whose run is in the middle of its apply, and
// kills it by force, or its supervisor and the tool as well.
func killedServer(t *testing.T, supervisorToo bool) (root string, r engine.Run, log *enginetest.Journal, pid int) {
	t.Helper()
	tofu := enginetest.Tofu(t)
	root = t.TempDir()
	values := fmt.Sprintf(`{"world": %q}`, root)
	r, log = newRun("main.tf", slowFiles, "x.auto.tfvars.json", values)
	text, err := json.Marshal(map[string]string{"ID": r.ID, "Files": slowFiles, "Values": values})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "run.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), "OPENTOFU_TEST_SERVER="+root, "HADRON_TOFU="+tofu)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	eventually(t, "the apply is at the slow resource", func() bool {
		pid = readPID(filepath.Join(root, "pid"))
		return pid > 0
	})
	server.Process.Kill()
	if supervisorToo {
		supervisor, err := os.FindProcess(readPID(filepath.Join(root, "work", "runs", r.ID, "lock")))
		if err != nil {
			t.Fatal(err)
		}
		supervisor.Kill()
	}
	server.Wait()
	return root, r, log, pid
}

// restart is the next server on the same data folder.
func restart(t *testing.T, root string) (*backend, *opentofu.Driver) {
	t.Helper()
	b, err := openBackend(t.Context(), filepath.Join(root, "hadron.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	return b, b.driver(t, filepath.Join(root, "work"), nil)
}

func recovers(t *testing.T, root string, r engine.Run, log *enginetest.Journal) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b, d := restart(t, root)
	st := step(t, d, r)
	if !st.Done || st.Failure != "" || len(st.Outputs) != 1 {
		t.Fatalf("got %+v\n%s", st, log)
	}
	if holder, err := b.Holder(t.Context(), opentofu.StateName(arn)); holder != "" || err != nil {
		t.Errorf("the state is still locked by %q, %v", holder, err)
	}
	if !strings.Contains(log.String(), "the run was interrupted") {
		t.Errorf("log: %s", log)
	}
}

func TestApplyGoesOnAfterTheDeathOfTheServer(t *testing.T) {
	t.Parallel()
	root, r, log, pid := killedServer(t, false)
	start := time.Now()
	recovers(t, root, r, log)
	t.Logf("recovered in %s", time.Since(start))
	if alive(pid) {
		t.Error("what the dead server's apply had started is alive")
	}
	// What it had made by then was not lost, although there was no backend to
	// write it to: it is not made again.
	if made, _ := os.ReadFile(filepath.Join(root, "first")); string(made) != "x\n" {
		t.Errorf("the first resource was made %d times", strings.Count(string(made), "x"))
	}
}

func TestNothingRunsUnseenAfterTheDeathOfTheServer(t *testing.T) {
	t.Parallel()
	root, r, _, pid := killedServer(t, false)
	eventually(t, "the apply is gone", func() bool { return !alive(pid) })
	eventually(t, "the supervisor is gone", func() bool {
		return !alive(readPID(filepath.Join(root, "work", "runs", r.ID, "lock")))
	})
}

func TestApplyGoesOnAfterTheDeathOfAll(t *testing.T) {
	t.Parallel()
	root, r, log, pid := killedServer(t, true)
	recovers(t, root, r, log)
	if alive(pid) {
		t.Error("what the dead server's apply had started is alive")
	}
}

func TestCancelWaitsForTheStateToBeWritten(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	root := t.TempDir()
	d := b.driver(t, filepath.Join(root, "work"), nil)
	r, log := newRun("main.tf", slowFiles, "x.auto.tfvars.json", fmt.Sprintf(`{"world": %q}`, root))
	ended := make(chan engine.Status, 1)
	go func() {
		st, err := d.Step(context.Background(), r, "")
		if err != nil {
			t.Errorf("step: %v", err)
		}
		ended <- st
	}()
	eventually(t, "the apply is at the slow resource", func() bool { return readPID(filepath.Join(root, "pid")) > 0 })
	if _, err := b.driver(t, d.Root, nil).Cancel(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	if st := <-ended; !st.Done || !strings.Contains(st.Failure, "was stopped") {
		t.Errorf("got %+v", st)
	}
	state, err := b.Pull(t.Context(), opentofu.StateName(arn))
	if err != nil || !regexp.MustCompile(`"name": ?"first"`).Match(state) {
		t.Errorf("the state lacks what was made: %s %v\n%s", state, err, log)
	}
	if holder, err := b.Holder(t.Context(), opentofu.StateName(arn)); holder != "" || err != nil {
		t.Errorf("the state is still locked by %q, %v", holder, err)
	}
	if alive(readPID(filepath.Join(root, "pid"))) {
		t.Error("the cancelled apply is alive")
	}
}

func TestStopOfTheServerInterruptsAndKeepsTheState(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	root := t.TempDir()
	d := b.driver(t, filepath.Join(root, "work"), nil)
	r, log := newRun("main.tf", slowFiles, "x.auto.tfvars.json", fmt.Sprintf(`{"world": %q}`, root))
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("going down")
	ended := make(chan error, 1)
	go func() {
		_, err := d.Step(ctx, r, "")
		ended <- err
	}()
	eventually(t, "the apply is at the slow resource", func() bool { return readPID(filepath.Join(root, "pid")) > 0 })
	cancel(cause)
	if err := <-ended; !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	if alive(readPID(filepath.Join(root, "pid"))) {
		t.Error("the stopped apply is alive")
	}
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if st := succeed(t, d, r); len(st.Outputs) != 1 {
		t.Errorf("got %+v\n%s", st, log)
	}
	if made, _ := os.ReadFile(filepath.Join(root, "first")); string(made) != "x\n" {
		t.Errorf("the first resource was made %d times", strings.Count(string(made), "x"))
	}
}

func TestStateThatDoesNotFollowIsPutAside(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	d := newBackend(t).driver(t, t.TempDir(), nil)
	r, _ := newRun("main.tf", `output "v" { value = "kept" }`)
	succeed(t, d, r)
	r, log := newRun("main.tf", `output "v" { value = "kept" }`)
	src := filepath.Join(d.Root, "runs", r.ID, "src")
	if err := os.MkdirAll(src, 0o700); err != nil {
		t.Fatal(err)
	}
	const foreign = `{"version": 4, "serial": 9, "lineage": "another"}`
	if err := os.WriteFile(filepath.Join(src, "errored.tfstate"), []byte(foreign), 0o600); err != nil {
		t.Fatal(err)
	}
	if st := succeed(t, d, r); len(st.Outputs) != 1 || st.Outputs[0].Value != "kept" {
		t.Errorf("got %+v\n%s", st, log)
	}
	aside, _ := filepath.Glob(filepath.Join(d.Root, "undelivered", r.ID+"-*.tfstate"))
	if len(aside) != 1 {
		t.Fatalf("put aside: %q, want one state", aside)
	}
	if text, err := os.ReadFile(aside[0]); string(text) != foreign || err != nil {
		t.Errorf("put aside is %q, %v", text, err)
	}
}
