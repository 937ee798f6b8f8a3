package opentofu_test

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/engine/opentofu"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/tofustate"
)

const arn = "arn:aws:proton:us-east-1:123456789012:environment/dev"

func TestMain(m *testing.M) {
	if root := os.Getenv("OPENTOFU_TEST_SERVER"); root != "" {
		beServer(root)
	}
	os.Exit(m.Run())
}

// backend is a real state backend in this process.
type backend struct {
	*tofustate.States
	store *store.Store
	url   string
}

const key, password = "key-of-the-run", "password-of-the-run"

type gate struct{}

func (gate) Authorize(_ context.Context, user, secret, _ string) error {
	if user == key && subtle.ConstantTimeCompare([]byte(secret), []byte(password)) == 1 {
		return nil
	}
	return tofustate.ErrDenied
}

func openBackend(ctx context.Context, file string) (*backend, error) {
	db, err := store.Open(ctx, "sqlite:"+file, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	sealer, err := auth.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		return nil, err
	}
	states, err := tofustate.New(tofustate.Config{Store: db, Sealer: sealer, Authorizer: gate{}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(tofustate.Prefix, states.Handler())
	server := httptest.NewServer(mux)
	return &backend{states, db, server.URL + tofustate.Prefix}, nil
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b, err := openBackend(t.Context(), filepath.Join(t.TempDir(), "hadron.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *backend) driver(t testing.TB, root string, change func(*opentofu.Driver)) *opentofu.Driver {
	t.Helper()
	d := opentofu.Driver{
		Root: root, Binary: enginetest.Tofu(t), URL: b.url, States: b.States, Grace: 30 * time.Second, LockPoll: 100 * time.Millisecond,
		Key: func(context.Context, engine.Run) (string, string, error) { return key, password, nil },
	}
	if sandbox.Available() == nil { // as a server runs it
		d.Hide = []string{root}
	}
	if change != nil {
		change(&d)
	}
	driver, err := opentofu.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

// newRun returns a run of files, given as name and content.
func newRun(files ...string) (engine.Run, *enginetest.Journal) {
	j := &enginetest.Journal{}
	r := engine.Run{
		ID: uuid.NewString(), Goal: engine.Apply, ResourceARN: arn, StackName: "AWSProton-dev",
		AccountID: "123456789012", Region: "us-east-1", Log: j,
	}
	for n := 0; n < len(files); n += 2 {
		r.Files = append(r.Files, engine.File{Path: files[n], Content: []byte(files[n+1])})
	}
	return r, j
}

func step(t testing.TB, d *opentofu.Driver, r engine.Run) engine.Status {
	t.Helper()
	st, err := d.Step(t.Context(), r, "")
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	return st
}

func succeed(t testing.TB, d *opentofu.Driver, r engine.Run) engine.Status {
	t.Helper()
	st := step(t, d, r)
	if !st.Done || st.Failure != "" {
		t.Fatalf("got %+v\n%s", st, r.Log)
	}
	return st
}

func TestDriverConforms(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	enginetest.Conform(t, enginetest.Harness{
		Patience: 40 * time.Second, // the tool starts several times in each run
		World: func(t *testing.T) enginetest.World {
			return &world{t: t, root: t.TempDir(), dir: t.TempDir(), backend: newBackend(t)}
		},
	})
}

// world is a folder with the files state, changes, pid and go, which a real
// apply changes by provisioners.
type world struct {
	t         *testing.T
	root, dir string
	backend   *backend
	mu        sync.Mutex
	timeout   time.Duration
}

func (w *world) Driver() engine.Driver {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backend.driver(w.t, w.root, func(d *opentofu.Driver) { d.Timeout = w.timeout })
}

func (w *world) Secret() string { return "hunter22-hunter22" }

const worldFiles = `
terraform {
  backend "s3" {}
}
variable "value" {}
variable "before" {}
variable "world" {}
resource "terraform_data" "before" {
  count            = var.before == "" ? 0 : 1
  triggers_replace = var.value
  provisioner "local-exec" {
    command     = var.before
    environment = { WORLD = var.world }
  }
}
resource "terraform_data" "it" {
  depends_on       = [terraform_data.before]
  input            = var.world
  triggers_replace = var.value
  provisioner "local-exec" {
    command     = "echo x >> $WORLD/changes; printf %s \"$VALUE\" > $WORLD/state"
    environment = { WORLD = var.world, VALUE = var.value }
  }
  provisioner "local-exec" {
    when    = destroy
    command = "rm -f '${self.input}/state'"
  }
}
output "Value" {
  value = var.value
  depends_on = [terraform_data.it]
}
`

func (w *world) Run(p enginetest.Plan) engine.Run {
	before := map[enginetest.Behaviour]string{
		enginetest.Fail:    "exit 7",
		enginetest.Hold:    `echo $$ > $WORLD/pid; while ! [ -e $WORLD/go ]; do sleep 0.02; done`,
		enginetest.TimeOut: `echo $$ > $WORLD/pid; sleep 100`,
		enginetest.Hostile: `printf '\033[2J\000\377\302\205\r'; head -c 300000 /dev/zero | tr '\0' x; head -c 300000 /dev/zero; echo`,
		enginetest.Leak:    `echo 'token=` + w.Secret() + `'; printf %s '` + w.Secret() + `' | base64`,
	}[p.Behaviour]
	w.mu.Lock()
	w.timeout = 0
	if p.Behaviour == enginetest.TimeOut {
		w.timeout = 3 * time.Second
	}
	w.mu.Unlock()
	r, _ := newRun("main.tf", worldFiles, "proton.auto.tfvars.json",
		fmt.Sprintf(`{"value": %q, "before": %q, "world": %q}`, p.Value, before, w.dir))
	r.Goal = p.Goal
	r.Secrets = []string{w.Secret()}
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

func TestOutputsAreTexts(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	d := b.driver(t, t.TempDir(), nil)
	const files = `
terraform {
  cloud {
    organization = "replaced too"
    workspaces { name = "x" }
  }
}
resource "terraform_data" "it" { input = "ok" }
output "text" { value = terraform_data.it.output }
output "empty" { value = "" }
output "number" { value = 8080 }
output "truth" { value = true }
output "list" { value = ["subnet-1", "subnet-2"] }
output "object" { value = { b = 1, a = "<x>" } }
output "null" { value = null }
output "secret" {
  value     = "hunter22-hunter22"
  sensitive = true
}
`
	r, log := newRun("main.tf", files)
	r.Report = func(context.Context) (engine.Report, error) {
		return engine.Report{Status: "FAILED", HasOutputs: true, Outputs: []engine.Output{{Key: "notified", Value: "n"}}}, nil
	}
	want := engine.Status{
		Done: true, Checkpoint: "finished",
		Outputs: []engine.Output{
			{Key: "empty"}, {Key: "list", Value: `["subnet-1","subnet-2"]`}, {Key: "notified", Value: "n"},
			{Key: "number", Value: "8080"}, {Key: "object", Value: `{"a":"<x>","b":1}`},
			{Key: "secret", Value: "hunter22-hunter22", Sensitive: true}, {Key: "text", Value: "ok"}, {Key: "truth", Value: "true"},
		},
		Resources: []engine.Resource{{Name: "dev", Identifier: "dev"}},
	}
	if diff := cmp.Diff(want, succeed(t, d, r)); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"terraform_data.it: Plan to create\n", "Plan: 1 to add, 0 to change, 0 to destroy.\n", "terraform_data.it: Creation complete", "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "hunter22") || strings.Contains(log.String(), password) {
		t.Errorf("secrets in the log:\n%s", log)
	}
	result, err := os.ReadFile(filepath.Join(d.Root, "runs", r.ID, "result.json"))
	if err != nil || strings.Contains(string(result), "hunter22") {
		t.Errorf("result: %s %v", result, err)
	}
	if err := d.Forget(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d.Root, "runs", r.ID)); err == nil {
		t.Error("the run's folder is still there")
	}
	versions, err := b.Versions(t.Context(), "123456789012/us-east-1/environment/dev")
	if err != nil || len(versions) == 0 || versions[0].Run != r.ID {
		t.Errorf("versions of the state: %+v, %v; want one of the run", versions, err)
	}
}

func TestTheToolsCommandsAreSpansOfTheTrace(t *testing.T) {
	t.Parallel()
	d := newBackend(t).driver(t, t.TempDir(), nil)
	ctx, spans := enginetest.Traced(t.Context())
	r, _ := newRun("main.tf", "output \"a\" {\n  value = 1\n}\n")
	if st, err := d.Step(ctx, r, ""); err != nil || st.Failure != "" {
		t.Fatalf("%+v, %v\n%s", st, err, r.Log)
	}
	if got := spans(); !slices.Contains(got, "tofu init") || !slices.Contains(got, "tofu apply") {
		t.Errorf("spans: %q", got)
	}
}

func TestDestroyArchivesTheState(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	d := b.driver(t, t.TempDir(), nil)
	files := []string{"main.tf", `resource "terraform_data" "it" {}`}
	r, _ := newRun(files...)
	succeed(t, d, r)
	r, log := newRun(files...)
	r.Goal = engine.Destroy
	if st := succeed(t, d, r); st.Outputs != nil || st.Resources != nil {
		t.Errorf("got %+v", st)
	}
	if !strings.Contains(log.String(), "1 destroyed") {
		t.Errorf("log: %s", log)
	}
	list, err := b.List(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].ArchivedAt.IsZero() || list[0].Latest < 2 {
		t.Errorf("states: %+v, %v; want one, archived", list, err)
	}
}

func TestPreviewTellsChangesAndTakesNoLock(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	d := b.driver(t, t.TempDir(), func(d *opentofu.Driver) {
		d.Key = func(context.Context, engine.Run) (string, string, error) {
			return "", "", fmt.Errorf("no access key for a preview")
		}
	})
	r, _ := newRun("main.tf", `
resource "terraform_data" "a" {}
resource "terraform_data" "b" { input = 1 }`)
	got, err := d.Preview(t.Context(), r)
	want := engine.Changes{Summary: "Plan: 2 to add, 0 to change, 0 to destroy.", Details: []string{"terraform_data.a: Plan to create", "terraform_data.b: Plan to create"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	succeed(t, b.driver(t, d.Root, nil), r)
	r, _ = newRun("main.tf", `resource "terraform_data" "b" { input = 2 }`)
	if got, err = d.Preview(t.Context(), r); got.Summary != "Plan: 0 to add, 1 to change, 1 to destroy." || err != nil {
		t.Errorf("of a change: %+v, %v", got, err)
	}
	r.Goal = engine.Destroy
	if got, err = d.Preview(t.Context(), r); got.Summary != "Plan: 0 to add, 0 to change, 2 to destroy." || err != nil {
		t.Errorf("of a destroy: %+v, %v", got, err)
	}
	left, _ := os.ReadDir(filepath.Join(d.Root, "previews"))
	if len(left) > 0 {
		t.Error("the preview has left its folder")
	}
}

func TestFailuresSayWhatAndWhere(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	for _, c := range []struct {
		name   string
		files  []string
		change func(*opentofu.Driver)
		want   []string
	}{
		{"reference", []string{"main.tf", `output "x" { value = var.nope }`}, nil, []string{"apply failed: Reference to undeclared input variable (main.tf:1)"}},
		{"provisioner", []string{"main.tf", "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" { command = \"exit 3\" }\n}"}, nil,
			[]string{"apply failed: local-exec provisioner error (main.tf:2", "terraform_data.a", "exit status 3"}},
		{"syntax", []string{"main.tf", `output "x" {`}, nil, []string{"init failed: "}},
		{"file outside", []string{"../x.tf", ""}, nil, []string{`file "../x.tf"`}},
		{"no such tool", []string{"main.tf", ""}, func(d *opentofu.Driver) { d.Binary = "/no/such/tofu" }, []string{`"/no/such/tofu"`, "HADRON_TOFU"}},
		{"no tool", []string{"main.tf", ""}, func(d *opentofu.Driver) { d.Binary, d.Environ = "", []string{"PATH=/nowhere"} }, []string{"install OpenTofu", "HADRON_TOFU"}},
		{"wrong key", []string{"main.tf", ""}, func(d *opentofu.Driver) {
			d.Key = func(context.Context, engine.Run) (string, string, error) { return "x", "y", nil }
		}, []string{"init failed: "}},
		{"download refused", []string{"main.tf", `terraform {
  required_providers { x = { source = "127.0.0.1:1/acme/x" } }
}`}, nil, []string{"init failed: Failed to resolve provider packages", "127.0.0.1:1", "TF_CLI_CONFIG_FILE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newBackend(t).driver(t, t.TempDir(), c.change)
			r, log := newRun(c.files...)
			st := step(t, d, r)
			for _, want := range c.want {
				if !st.Done || !strings.Contains(st.Failure, want) {
					t.Errorf("failure %q lacks %q\n%s", st.Failure, want, log)
				}
			}
		})
	}
}

func TestRunWaitsForSomeoneElsesLock(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	b := newBackend(t)
	d := b.driver(t, t.TempDir(), nil)
	r, log := newRun("main.tf", `resource "terraform_data" "a" {}`)
	lock, err := http.NewRequest("LOCK", b.url+opentofu.StateName(arn), strings.NewReader(`{"ID": "L", "Who": "ann@laptop"}`))
	if err != nil {
		t.Fatal(err)
	}
	lock.SetBasicAuth(key, password)
	if resp, err := http.DefaultClient.Do(lock); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	st := step(t, d, r)
	if st.Done || st.Wait != 100*time.Millisecond {
		t.Fatalf("got %+v, want to wait", st)
	}
	if st, err = d.Step(t.Context(), r, st.Checkpoint); err != nil || st.Done {
		t.Fatalf("got %+v, %v, want to wait", st, err)
	}
	if n := strings.Count(log.String(), "the state is locked by lock L (ann@laptop)"); n != 1 {
		t.Errorf("the log names the holder %d times, want once:\n%s", n, log)
	}
	impatient := b.driver(t, d.Root, func(d *opentofu.Driver) { d.Timeout = time.Hour })
	late, err := impatient.Step(t.Context(), r, `{"waitingSince": "2020-01-01T00:00:00Z"}`)
	if err != nil || !late.Done || !strings.Contains(late.Failure, "ann@laptop") || !strings.Contains(late.Failure, "time-out") {
		t.Errorf("after the time-out: %+v, %v", late, err)
	}
	if err := b.Unlock(t.Context(), opentofu.StateName(arn), "L"); err != nil {
		t.Fatal(err)
	}
	if st, err = d.Step(t.Context(), r, st.Checkpoint); err != nil || !st.Done || st.Failure != "" {
		t.Errorf("after the lock was given up: %+v, %v", st, err)
	}
}

func TestInitIsSharedByFoldersThatNeedTheSame(t *testing.T) {
	enginetest.Tofu(t)
	t.Parallel()
	d := newBackend(t).driver(t, t.TempDir(), nil)
	run := func(resource string, files ...string) {
		t.Helper()
		r, _ := newRun(files...)
		r.ResourceARN = "arn:aws:proton:us-east-1:123456789012:environment/" + resource
		succeed(t, d, r)
	}
	inits := func() int {
		list, _ := os.ReadDir(filepath.Join(d.Root, "inits"))
		return len(list)
	}
	run("a", "main.tf", "/* of a */\n\nresource \"terraform_data\" \"a\" {}")
	run("a", "main.tf", "/* of a */\n\nresource \"terraform_data\" \"a\" { input = 1 }")
	run("b", "main.tf", "/* of b */\n\nresource \"terraform_data\" \"other\" {}")
	if n := inits(); n != 1 {
		t.Errorf("%d inits, want 1", n)
	}
	run("b", "main.tf", `module "m" { source = "./m" }`, "m/main.tf", `resource "terraform_data" "in_module" {}`)
	if n := inits(); n != 2 {
		t.Errorf("%d inits after a module was added, want 2", n)
	}
	if err := os.RemoveAll(filepath.Join(d.Root, "inits")); err != nil {
		t.Fatal(err)
	}
	run("b", "main.tf", `module "m" { source = "./m" }`, "m/main.tf", `resource "terraform_data" "in_module" { input = 1 }`)
}

func TestReadyMakesTheInitOfWhatAsksForNothing(t *testing.T) {
	tofu := enginetest.Tofu(t)
	t.Parallel()
	d := newBackend(t).driver(t, t.TempDir(), nil)
	for range 2 { // a server that is started again
		d.Ready(t.Context())
	}
	defer d.Close()
	inits := func() int {
		list, _ := os.ReadDir(filepath.Join(d.Root, "inits"))
		return len(list)
	}
	if n := inits(); n != 1 {
		t.Fatalf("%d inits, want 1", n)
	}
	r, log := newRun("main.tf", "terraform {\n  required_version = \">= 1.0\"\n}\nresource \"terraform_data\" \"a\" {}\noutput \"o\" { value = \"x\" }")
	if st := succeed(t, d, r); len(st.Outputs) != 1 {
		t.Errorf("got %+v\n%s", st, log)
	}
	if n := inits(); n != 1 || strings.Contains(log.String(), "builtin") {
		t.Errorf("%d inits, want the one that was there\n%s", n, log)
	}
	if filepath.Base(tofu) == "tofu" { // which heeds it in such a file alone
		r, log = newRun("main.tofu", "terraform {\n  required_version = \">= 99\"\n}")
		if st := step(t, d, r); !strings.Contains(st.Failure, "apply failed: ") || !strings.Contains(st.Failure, "main.tofu:2") {
			t.Errorf("got %+v\n%s", st, log)
		}
	}
	left, _ := os.ReadDir(filepath.Join(d.Root, "previews"))
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// A run may be of a template that means harm to others.
func TestRunsCannotChangeWhatOtherRunsUse(t *testing.T) {
	tofu := enginetest.Tofu(t)
	t.Parallel()
	if err := sandbox.Available(); err != nil {
		t.Skip("no sandbox on this machine: ", err)
	}
	d := newBackend(t).driver(t, t.TempDir(), nil)
	const harm = `touch %[1]s/plugins/harm %[1]s/inits/harm; for d in %[1]s/inits/*; do touch "$d/harm"; rm -rf "$d/data"; done; touch "$PWD/tried"`
	script := fmt.Sprintf(harm, d.Root)
	files := map[string]string{
		"apply": fmt.Sprintf("resource \"terraform_data\" \"it\" {\n  provisioner \"local-exec\" { command = %q }\n}", script),
		"init": fmt.Sprintf(`terraform {
  encryption {
    key_provider "external" "it" { command = ["/bin/sh", "-c", %q] }
    method "aes_gcm" "it" { keys = key_provider.external.it }
    state { method = method.aes_gcm.it }
  }
}`, script),
	}
	r, _ := newRun("main.tf", `resource "terraform_data" "it" {}`)
	succeed(t, d, r) // which has made an init
	for _, command := range []string{"apply", "init"} {
		if command == "init" && !strings.HasSuffix(tofu, "tofu") {
			continue // Terraform encrypts no states
		}
		r, log := newRun("main.tf", files[command])
		r.ResourceARN += "-" + command
		st := step(t, d, r)
		if _, err := os.Stat(filepath.Join(d.Root, "runs", r.ID, "src", "tried")); err != nil {
			t.Errorf("%s: the commands did not run: %+v\n%s", command, st, log)
		}
	}
	harmed, _ := filepath.Glob(filepath.Join(d.Root, "*", "harm"))
	deeper, _ := filepath.Glob(filepath.Join(d.Root, "inits", "*", "harm"))
	whole, _ := filepath.Glob(filepath.Join(d.Root, "inits", "*", "data"))
	if len(harmed)+len(deeper) > 0 || len(whole) != 1 {
		t.Errorf("changed: %v %v, left of the inits: %v", harmed, deeper, whole)
	}
	r, log := newRun("main.tf", `resource "terraform_data" "it" {}`)
	succeed(t, d, r)
	if strings.Contains(log.String(), "builtin") {
		t.Errorf("the shared init was made anew: %s", log)
	}
}
