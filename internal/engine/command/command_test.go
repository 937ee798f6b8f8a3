package command_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

const arn = "arn:aws:proton:us-east-1:123456789012:environment/dev"

func TestMain(m *testing.M) {
	if root := os.Getenv("COMMAND_TEST_SERVER"); root != "" {
		beServer(root)
	}
	os.Setenv("COMMAND_TEST_OF_THE_SERVER", "must not be seen")
	os.Exit(m.Run())
}

// boxed is whether this machine allows sandboxes; where it does, everything
// is tested in one, as a server runs it.
var boxed = sync.OnceValue(func() bool { return sandbox.Available() == nil })

func hidden(root string) []string {
	if !boxed() {
		return nil
	}
	return []string{root}
}

func newDriver(t *testing.T, change func(*command.Driver)) *command.Driver {
	t.Helper()
	d := command.Driver{Root: t.TempDir(), Grace: 300 * time.Millisecond}
	d.Hide = hidden(d.Root)
	if change != nil {
		change(&d)
	}
	driver, err := command.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func newRun(commands ...string) (engine.Run, *enginetest.Journal) {
	j := &enginetest.Journal{}
	return engine.Run{
		ID: uuid.NewString(), Goal: engine.Apply, ResourceARN: arn, StackName: "AWSProton-dev",
		AccountID: "123456789012", Region: "us-east-1", Log: j,
		Build: &engine.Build{Commands: commands},
	}, j
}

func step(t *testing.T, d *command.Driver, r engine.Run) engine.Status {
	t.Helper()
	st, err := d.Step(t.Context(), r, "")
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	if !st.Done {
		t.Fatalf("step: not done: %+v", st)
	}
	return st
}

// plain returns the log without what the driver itself adds.
func plain(log *enginetest.Journal) string {
	var b strings.Builder
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "[hadron] ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestDriverConforms(t *testing.T) {
	t.Parallel()
	enginetest.Conform(t, enginetest.Harness{World: func(t *testing.T) enginetest.World {
		return &world{t: t, root: t.TempDir(), dir: t.TempDir()}
	}})
}

// world is a folder with the files state, changes, pid and go.
type world struct {
	t    *testing.T
	root string
	dir  string
}

func (w *world) Driver() engine.Driver {
	d, err := command.New(command.Driver{Root: w.root, Hide: hidden(w.root), Grace: 300 * time.Millisecond})
	if err != nil {
		w.t.Error(err)
	}
	return d
}

func (w *world) Secret() string { return "hunter22-hunter22" }

func (w *world) Run(p enginetest.Plan) engine.Run {
	r, _ := newRun()
	r.Goal = p.Goal
	r.Secrets = []string{w.Secret()}
	r.Build.Variables = map[string]string{"WORLD": w.dir, "VALUE": p.Value, "SECRET": w.Secret()}
	before := map[enginetest.Behaviour]string{
		enginetest.Fail:    "exit 7",
		enginetest.Hold:    `echo $$ > $WORLD/pid; while ! [ -e $WORLD/go ]; do sleep 0.02; done`,
		enginetest.TimeOut: `echo $$ > $WORLD/pid; sleep 100`,
		enginetest.Hostile: `printf '\033[2J\000\377\302\205\r'; head -c 3000000 /dev/zero | tr '\0' x; head -c 3000000 /dev/zero; echo`,
		enginetest.Leak:    `echo "token=$SECRET"; printf hunter22-; sleep 0.05; printf 'hunter22\n'; printf %s "$SECRET" | base64`,
	}[p.Behaviour]
	if p.Behaviour == enginetest.TimeOut {
		r.Build.Timeout = 200 * time.Millisecond
	}
	change := `echo x >> $WORLD/changes; printf %s "$VALUE" > $WORLD/state; printf '{"Value":"%s"}' "$VALUE" > proton-outputs.json`
	if p.Goal == engine.Destroy {
		change = `rm -f $WORLD/state`
	}
	r.Build.Commands = []string{"echo working", before, change}
	return r
}

func (w *world) State() (string, bool) {
	text, err := os.ReadFile(filepath.Join(w.dir, "state"))
	return string(text), err == nil
}

func (w *world) Changes() int {
	text, _ := os.ReadFile(filepath.Join(w.dir, "changes"))
	return strings.Count(string(text), "x")
}

func (w *world) Started() bool { return readPID(filepath.Join(w.dir, "pid")) > 0 }
func (w *world) Alive() bool   { return alive(readPID(filepath.Join(w.dir, "pid"))) }
func (w *world) Release() {
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		w.t.Error(err)
	}
}

func readPID(name string) int {
	text, _ := os.ReadFile(name)
	line, _, ok := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	if !ok {
		return 0
	}
	return pid
}

// alive tells processes from what is left of them until someone waits for it.
func alive(pid int) bool {
	if pid <= 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	return !strings.Contains(string(stat), ") Z ")
}

func TestCommandsShareOneSession(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, log := newRun(
		"export GREETING='it''s me' && plain=kept",
		"mkdir -p sub/deep && cd sub/deep",
		"echo \"$GREETING $plain ${PWD#$CODEBUILD_SRC_DIR}\"",
		"cd ../",
		". ../lib.sh",
		"greet \"$FROM_LIB\"; echo ${PWD#$CODEBUILD_SRC_DIR}",
		"../run.sh",
	)
	r.Files = []engine.File{
		{Path: "lib.sh", Content: []byte("FROM_LIB=lib\ngreet() { echo \"hello $1\"; }\n")},
		{Path: "run.sh", Mode: 0o755, Content: []byte("#!/bin/sh\necho script\n")},
	}
	st := step(t, d, r)
	if st.Failure != "" {
		t.Fatalf("failed: %s\n%s", st.Failure, log)
	}
	if diff := cmp.Diff("its me kept /sub/deep\nhello lib\n/sub\nscript\n", plain(log)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "[hadron] running command: cd ../\n") {
		t.Errorf("commands are not in the log:\n%s", log)
	}
}

func TestCommandsOfAnySpellingRunExactly(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		commands []string
		want     string // output
		failure  string // its end
	}{
		{"quotes", []string{`echo 'a "b" $c' "d 'e' \$f \` + "`" + `" g\ h %s \n`}, "a \"b\" $c d 'e' $f ` g h %s n\n", ""},
		{"several lines", []string{"for i in 1 2; do\n  echo $i\ndone\ncat <<'END'\n  'here\nEND"}, "  echo $i\ndone\ncat <<'END'\n  'here\nEND\n1\n2\n  'here\n", ""},
		{"comment at the end", []string{"echo a # b", "echo c"}, "a\nc\n", ""},
		{"trailing backslash", []string{"echo a \\", "echo c"}, "a\nc\n", ""},
		{"empty", []string{"", "  ", "echo a"}, "a\n", ""},
		{"exit", []string{"echo a", "exit 3", "echo b"}, "a\n", `command "exit 3" exited with 3`},
		{"exit 0", []string{"echo a", "exit 0", "echo b"}, "a\n", ""},
		{"return", []string{"return 4", "echo b"}, "", `command "return 4" exited with 4`},
		{"false", []string{"echo a", "false", "echo b"}, "a\n", `command "false" exited with 1`},
		{"only the last of a line counts", []string{"false; true", "echo b"}, "b\n", ""},
		{"not found", []string{"no-such-command-here 2>/dev/null"}, "", `exited with 127`},
		{"unbalanced quote", []string{"echo a", "echo 'b 2>/dev/null", "echo c'"}, "a\n", `command "echo 'b 2>/dev/null" exited with`},
		{"set -e", []string{"set -e", "false; echo not here", "echo b"}, "", `command "false; echo not here" exited with 1`},
		{"set -u", []string{"set -u", "echo $unset_variable 2>/dev/null", "echo b"}, "", `command "echo $unset_variable 2>/dev/null" exited with`},
		{"noclobber", []string{"set -C", "echo a", "echo b"}, "a\nb\n", ""},
		{"trap", []string{"trap 'echo bye' EXIT", "echo a", "exit 5"}, "a\nbye\n", `command "exit 5" exited with 5`},
		{"killed", []string{"kill -KILL $$"}, "", `command "kill -KILL $$" was killed by a signal (killed)`},
		{"standard input is empty", []string{"cat; read x || echo end; [ -t 0 ] || echo no terminal"}, "end\nno terminal\n", ""},
		{"standard error", []string{"echo a >&2; echo b"}, "a\nb\n", ""},
		{"no newline", []string{"printf a", "printf b"}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, nil)
			r, log := newRun(c.commands...)
			st := step(t, d, r)
			got := plain(log)
			if c.name == "unbalanced quote" || c.name == "set -u" { // the shell's own words come after
				got = got[:min(len(got), len(c.want))]
			}
			if c.name != "no newline" && got != c.want {
				t.Errorf("output %q, want %q", got, c.want)
			}
			if c.failure == "" && st.Failure != "" || !strings.Contains(st.Failure, c.failure) {
				t.Errorf("failure %q, want %q", st.Failure, c.failure)
			}
			if st.Failure != "" && !strings.HasPrefix(st.Failure, "CodeBuild build hadron:"+r.ID+" failed: command \"") {
				t.Errorf("failure %q does not begin as it should", st.Failure)
			}
		})
	}
}

func TestEnvironmentIsScrubbedAndFilled(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(d *command.Driver) {
		d.Credentials = func(context.Context, engine.Run) (map[string]string, error) {
			return map[string]string{"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-of-the-key"}, nil
		}
		d.Environment = func(context.Context, engine.Run) (map[string]string, error) {
			return map[string]string{"AWS_ENDPOINT_URL_PROTON": "http://127.0.0.1:1"}, nil
		}
		d.Secret = func(_ context.Context, _ engine.Run, source command.SecretSource, reference string) (string, error) {
			return fmt.Sprintf("%s=%s", source, reference), nil
		}
	})
	r, log := newRun(`env | sort > "$CODEBUILD_SRC_DIR/env.txt"`, `env | sort`, `echo "$TOKEN"; echo "$AWS_SECRET_ACCESS_KEY"`)
	r.Build.Variables = map[string]string{"LEVEL": "debug 'x'\n$HOME", "RESOURCE_ARN": "mine"}
	r.Build.SecretsManager = map[string]string{"TOKEN": "path/name:Key"}
	r.Build.ParameterStore = map[string]string{"PARAMETER": "/a/b"}
	if st := step(t, d, r); st.Failure != "" {
		t.Fatalf("failed: %s\n%s", st.Failure, log)
	}
	text, err := os.ReadFile(filepath.Join(d.Root, r.ID, "job", "src", "env.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, want := range []string{
		"RESOURCE_ARN=" + arn + "\n", "STACK_NAME=AWSProton-dev\n", "AWS_REGION=us-east-1\n", "AWS_DEFAULT_REGION=us-east-1\n",
		"CODEBUILD_SRC_DIR=" + filepath.Join(d.Root, r.ID, "job", "src") + "\n", "CODEBUILD_BUILD_ID=hadron:" + r.ID + "\n",
		"LEVEL=debug 'x'\n", "TOKEN=secrets manager=path/name:Key\n", "PARAMETER=parameter store=/a/b\n",
		"AWS_ACCESS_KEY_ID=AKIAEXAMPLE\n", "AWS_SECRET_ACCESS_KEY=secret-of-the-key\n", "AWS_ENDPOINT_URL_PROTON=http://127.0.0.1:1\n",
		"HOME=" + filepath.Join(d.Root, r.ID, "job", "home") + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the environment lacks %q:\n%s", want, got)
		}
	}
	for _, secret := range []string{"COMMAND_TEST_OF_THE_SERVER", "HADRON_"} {
		if strings.Contains(got, secret) {
			t.Errorf("the environment has %s", secret)
		}
	}
	for _, secret := range []string{"secret-of-the-key", "path/name:Key", "=/a/b"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestWhatCannotRunFailsPrecisely(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*engine.Run)
		want   string
	}{
		{"no resolver", func(r *engine.Run) { r.Build.SecretsManager = map[string]string{"TOKEN": "a/b:c"} }, `variable TOKEN: secrets manager reference "a/b:c" cannot be resolved`},
		{"bad name", func(r *engine.Run) { r.Build.Variables = map[string]string{"a-b": "x"} }, `environment variable "a-b"`},
		{"file outside", func(r *engine.Run) { r.Files = []engine.File{{Path: "../x"}} }, `file "../x"`},
		{"NUL in a command", func(r *engine.Run) { r.Build.Commands = []string{"echo", "a\x00b"} }, "command 2: must not contain a NUL"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, log := newRun("echo ran")
			c.change(&r)
			st := step(t, newDriver(t, nil), r)
			if !strings.Contains(st.Failure, c.want) {
				t.Errorf("failure %q, want %q in it", st.Failure, c.want)
			}
			if strings.Contains(log.String(), "\nran\n") || !strings.Contains(log.String(), st.Failure) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestNoCredentialsAreSaidInTheLog(t *testing.T) {
	t.Parallel()
	r, log := newRun("true")
	step(t, newDriver(t, nil), r)
	if !strings.Contains(log.String(), "no AWS credentials are configured") {
		t.Errorf("log: %s", log)
	}
}

func TestNoCommandsSucceed(t *testing.T) {
	t.Parallel()
	r, _ := newRun()
	r.Goal = engine.Destroy
	if st := step(t, newDriver(t, nil), r); st.Failure != "" {
		t.Errorf("failed: %s", st.Failure)
	}
}

func TestForgetAndSweepRemoveFolders(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, _ := newRun("mkdir locked && touch locked/x && chmod 500 locked")
	step(t, d, r)
	for range 2 {
		if err := d.Forget(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Forget(t.Context(), "../x"); err == nil {
		t.Error("a path was taken for a run")
	}
	old, _ := newRun("true")
	young, _ := newRun("true")
	step(t, d, old)
	step(t, d, young)
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(d.Root, old.ID), past, past); err != nil {
		t.Fatal(err)
	}
	if err := d.Sweep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(d.Root)
	if err != nil || len(entries) != 1 || entries[0].Name() != young.ID {
		t.Errorf("left are %v (%v), want %s", entries, err, young.ID)
	}
}

func TestPreviewShowsInputsAndCommands(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, _ := newRun("npm install", "cdk deploy")
	r.Secrets = []string{"hunter22"}
	r.Files = []engine.File{{Path: "proton-inputs.json", Content: []byte(`{"a":"hunter22"}`)}, {Path: "other"}}
	got, err := d.Preview(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Changes{
		Summary: "run 2 commands to provision",
		Details: []string{"command 1: npm install", "command 2: cdk deploy", `proton-inputs.json: {"a":"[secret]"}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
