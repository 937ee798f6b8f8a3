package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// tree starts, below the shell, children that make themselves hard to find: in
// the background, in a session of their own, orphaned, deaf to SIGTERM. Each
// leaves its pid in a file in $PIDS.
const tree = `
trap '' TERM
echo $$ > $PIDS/shell
(trap '' TERM; echo $BASHPID > $PIDS/background; sleep 100) &
setsid sh -c 'echo $$ > $PIDS/session; sleep 100' &
(setsid sh -c 'trap "" TERM; echo $$ > $PIDS/orphan; while :; do sleep 0.1; done' &) 
(env -i setsid sh -c 'echo $$ > "$0"; exec sleep 100' $PIDS/bare &)
sleep 100
`

var treeNames = []string{"shell", "background", "session", "orphan", "bare"}

func treeRun(t *testing.T) (engine.Run, *enginetest.Journal, string) {
	pids := t.TempDir()
	r, log := newRun("true", tree)
	r.Build.Variables = map[string]string{"PIDS": pids}
	return r, log, pids
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func waitForTree(t *testing.T, pids string) []int {
	t.Helper()
	var found []int
	eventually(t, "the tree of processes is up", func() bool {
		found = found[:0]
		for _, name := range treeNames {
			if pid := readPID(filepath.Join(pids, name)); pid > 0 {
				found = append(found, pid)
			}
		}
		return len(found) == len(treeNames)
	})
	return found
}

func wantGone(t *testing.T, pids []int) {
	t.Helper()
	for i, pid := range pids {
		if alive(pid) {
			t.Errorf("process %q is alive", treeNames[i])
		}
	}
}

func TestEndOfContextKillsTheTree(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, _, pids := treeRun(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("going down")
	ended := make(chan error, 1)
	go func() {
		_, err := d.Step(ctx, r, "")
		ended <- err
	}()
	found := waitForTree(t, pids)
	cancel(cause)
	if err := <-ended; !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	wantGone(t, found)
}

func TestCancelKillsTheTreeAndIsFinal(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, log, pids := treeRun(t)
	ended := make(chan engine.Status, 1)
	go func() {
		st, err := d.Step(context.Background(), r, "")
		if err != nil {
			t.Errorf("step: %v", err)
		}
		ended <- st
	}()
	found := waitForTree(t, pids)
	if _, err := d.Cancel(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	wantGone(t, found)
	for _, st := range []engine.Status{<-ended, step(t, d, r)} {
		if !st.Done || !strings.Contains(st.Failure, "was stopped") {
			t.Errorf("got %+v", st)
		}
	}
	if n := strings.Count(log.String(), "running command: true"); n != 1 {
		t.Errorf("the run was started %d times", n)
	}
}

func TestTimeOutKillsTheTree(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, _, pids := treeRun(t)
	r.Build.Timeout = 700 * time.Millisecond
	st := step(t, d, r)
	if !strings.HasSuffix(st.Failure, "was still running at the time-out of 700ms") {
		t.Errorf("failure %q", st.Failure)
	}
	wantGone(t, waitForTree(t, pids))
}

func TestChildrenLeftBehindDoNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, log := newRun("sleep 100 & echo $! > pid", "setsid sh -c 'trap \"\" TERM; sleep 100; sleep 100' & echo end")
	start := time.Now()
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("failed: %s", st.Failure)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if !strings.HasSuffix(log.String(), "end\n") {
		t.Errorf("log: %s", log)
	}
	if pid := readPID(filepath.Join(d.Root, r.ID, "job", "src", "pid")); alive(pid) {
		t.Errorf("the child %d is alive", pid)
	}
}

func TestDeadSupervisorLeavesNothing(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, _ := newRun("sleep 100 & echo $! > $CODEBUILD_SRC_DIR/pid; kill -KILL $PPID; sleep 100")
	_, err := d.Step(t.Context(), r, "")
	if err == nil || !strings.Contains(err.Error(), "without a result") {
		t.Errorf("got error %v", err)
	}
	if pid := readPID(filepath.Join(d.Root, r.ID, "job", "src", "pid")); alive(pid) {
		t.Errorf("the child %d is alive", pid)
	}
}

// beServer is a server that dies by force: it takes one step and is killed by
// the test.
func beServer(root string) {
	var r engine.Run
	text, err := os.ReadFile(filepath.Join(root, "run.json"))
	if err == nil {
		var build struct{ ID, PIDS, Command string }
		err = json.Unmarshal(text, &build)
		r, _ = newRun(build.Command)
		r.ID = build.ID
		r.Log = io.Discard
		r.Build.Variables = map[string]string{"PIDS": build.PIDS}
	}
	if err != nil {
		panic(err)
	}
	d, err := command.New(command.Driver{Root: filepath.Join(root, "work"), Hide: hidden(root), Grace: 5 * time.Second})
	if err != nil {
		panic(err)
	}
	d.Step(context.Background(), r, "")
	select {}
}

func startServer(t *testing.T, r engine.Run, pids, script string) (*exec.Cmd, *command.Driver) {
	t.Helper()
	root := t.TempDir()
	text, err := json.Marshal(map[string]string{"ID": r.ID, "PIDS": pids, "Command": script})
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
	server.Env = append(os.Environ(), "COMMAND_TEST_SERVER="+root)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	return server, newDriver(t, func(d *command.Driver) { d.Root = filepath.Join(root, "work") })
}

func TestDeathOfTheServerKillsTheTree(t *testing.T) {
	t.Parallel()
	r, log, pids := treeRun(t)
	server, d := startServer(t, r, pids, tree)
	found := waitForTree(t, pids)
	server.Process.Kill()
	server.Wait()
	start := time.Now()
	eventually(t, "all descendants are gone", func() bool {
		for _, pid := range found {
			if alive(pid) {
				return false
			}
		}
		return true
	})
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("the tree took %s to die", took)
	}
	// The next server finds no result and starts from the first command.
	r.Build.Commands = []string{"echo first", "echo second"}
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("failed: %s", st.Failure)
	}
	if text := log.String(); !strings.Contains(text, "starts again from the first command") || !strings.Contains(text, "\nfirst\n") {
		t.Errorf("log: %s", text)
	}
}

func TestNextServerKillsWhatIsStillAlive(t *testing.T) {
	t.Parallel()
	r, _, pids := treeRun(t)
	_, d := startServer(t, r, pids, tree) // goes on living
	found := waitForTree(t, pids)
	r.Build.Commands = []string{"true"}
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("failed: %s", st.Failure)
	}
	wantGone(t, found)
}

func TestResultOutlivesTheServer(t *testing.T) {
	t.Parallel()
	r, log, pids := treeRun(t)
	script := `echo ran; echo '{"A":"b"}' > proton-outputs.json; echo $$ > $PIDS/done`
	server, d := startServer(t, r, pids, script)
	eventually(t, "there is a result", func() bool {
		_, err := os.Stat(filepath.Join(d.Root, r.ID, "result.json"))
		return err == nil
	})
	server.Process.Kill()
	server.Wait()
	os.Remove(filepath.Join(d.Root, r.ID, "delivered")) // as if the server had died before it read the log
	r.Build.Commands = []string{"touch $PIDS/again"}
	st := step(t, d, r)
	if st.Failure != "" || len(st.Outputs) != 1 || st.Outputs[0] != (engine.Output{Key: "A", Value: "b"}) {
		t.Errorf("got %+v", st)
	}
	if _, err := os.Stat(filepath.Join(pids, "again")); err == nil {
		t.Error("the commands ran again")
	}
	if !strings.Contains(log.String(), "\nran\n") {
		t.Errorf("log: %s", log)
	}
}

// Commands that come to their end in the moment that the server's death leaves
// them have ended, and are not run again.
func TestCommandsThatEndWhileTheyAreStoppedHaveEnded(t *testing.T) {
	t.Parallel()
	r, _, pids := treeRun(t)
	script := `trap '' TERM; echo '{"A":"b"}' > proton-outputs.json; touch $PIDS/started; sleep 0.4; echo end >> $PIDS/ends`
	server, d := startServer(t, r, pids, script)
	eventually(t, "the commands run", func() bool {
		_, err := os.Stat(filepath.Join(pids, "started"))
		return err == nil
	})
	server.Process.Kill()
	server.Wait()
	r.Build.Commands = []string{"echo again >> $PIDS/ends"}
	st := step(t, d, r)
	if st.Failure != "" || len(st.Outputs) != 1 || st.Outputs[0] != (engine.Output{Key: "A", Value: "b"}) {
		t.Errorf("got %+v", st)
	}
	if text, _ := os.ReadFile(filepath.Join(pids, "ends")); string(text) != "end\n" {
		t.Errorf("the commands ended and ran again: %q", text)
	}
}

// A server's death between the last command and the note of its end: here there
// is much of that, as the last command is the shell's own and takes a while.
func TestShellThatIsAboutToEndIsNotStopped(t *testing.T) {
	t.Parallel()
	r, _, pids := treeRun(t)
	script := `touch $PIDS/started; until [ -e $PIDS/go ]; do :; done; echo end >> $PIDS/ends`
	server, d := startServer(t, r, pids, script)
	eventually(t, "the last command runs", func() bool {
		_, err := os.Stat(filepath.Join(pids, "started"))
		return err == nil
	})
	server.Process.Kill()
	time.Sleep(60 * time.Millisecond) // in which the shell would be stopped
	if err := os.WriteFile(filepath.Join(pids, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server.Wait()
	r.Build.Commands = []string{"echo again >> $PIDS/ends"}
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("got %+v", st)
	}
	if text, _ := os.ReadFile(filepath.Join(pids, "ends")); string(text) != "end\n" {
		t.Errorf("the commands ended and ran again: %q", text)
	}
}

// What follows a program that was stopped is not run.
func TestNothingFollowsWhatWasStopped(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	for _, script := range []string{
		"touch $PIDS/started; sleep 100; echo followed >> $PIDS/followed",
		"touch $PIDS/started; sleep 100 | cat; echo followed >> $PIDS/followed",
		"sleep 100 & touch $PIDS/started; wait; echo followed >> $PIDS/followed",
		"touch $PIDS/started; if ! sleep 100; then echo followed >> $PIDS/followed; fi",
	} {
		r, _, pids := treeRun(t)
		r.Build.Commands = []string{script}
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("going down")
		ended := make(chan error, 1)
		go func() {
			_, err := d.Step(ctx, r, "")
			ended <- err
		}()
		eventually(t, "the commands run", func() bool {
			_, err := os.Stat(filepath.Join(pids, "started"))
			return err == nil
		})
		cancel(cause)
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("%s: got %v, want the cause", script, err)
		}
		if _, err := os.Stat(filepath.Join(pids, "followed")); err == nil {
			t.Errorf("%s: it went on after what was stopped", script)
		}
	}
}

// A result goes to another machine as a checkpoint, and there nothing is run.
func TestEndIsHandedOnToAnotherMachine(t *testing.T) {
	t.Parallel()
	r, _, pids := treeRun(t)
	script := `echo ran; echo '{"A":"b"}' > proton-outputs.json; echo $$ > $PIDS/done; kill -KILL $(cat $PIDS/server)`
	server, d := startServer(t, r, pids, `until [ -e $PIDS/server ]; do sleep 0.01; done; `+script)
	if err := os.WriteFile(filepath.Join(pids, "server"), []byte(strconv.Itoa(server.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Wait()
	if left, err := d.Left(); err != nil || len(left) != 1 || left[0] != r.ID {
		t.Errorf("left: %v, %v", left, err)
	}
	os.Remove(filepath.Join(d.Root, r.ID, "delivered")) // as if the server had died before it read the log
	rest := &enginetest.Journal{}
	checkpoint, err := d.Ended(t.Context(), r.ID, rest)
	if err != nil || checkpoint == "" {
		t.Fatalf("checkpoint %q, %v", checkpoint, err)
	}
	if aside, err := d.EndedAside(r.ID, io.Discard); aside != checkpoint || err != nil {
		t.Errorf("with the server there: %q, %v", aside, err)
	}
	if !strings.HasSuffix(rest.String(), "ran\n") {
		t.Errorf("the rest of the log: %q", rest)
	}
	elsewhere := newDriver(t, nil)
	r.Build.Commands = []string{"touch $PIDS/again"}
	for range 2 {
		st, err := elsewhere.Step(t.Context(), r, checkpoint)
		if err != nil || !st.Done || st.Failure != "" || len(st.Outputs) != 1 || st.Checkpoint != checkpoint {
			t.Errorf("got %+v, %v", st, err)
		}
		if st, err := elsewhere.Cancel(t.Context(), r, checkpoint); err != nil || !st.Done {
			t.Errorf("cancelled after its end: %+v, %v", st, err)
		}
	}
	if _, err := os.Stat(filepath.Join(pids, "again")); err == nil {
		t.Error("the commands ran again")
	}
	if _, err := elsewhere.Step(t.Context(), r, "ended {"); err == nil {
		t.Error("a damaged checkpoint was taken for none")
	}
}
