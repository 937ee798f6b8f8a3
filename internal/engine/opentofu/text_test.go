package opentofu

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

func newLog() (*engine.Log, *strings.Builder) {
	var text strings.Builder
	return engine.NewLog(&text, nil, engine.LogLimits{}), &text
}

func TestEventsBecomeLines(t *testing.T) {
	t.Parallel()
	const printed = `{"@level":"info","@message":"Terraform 1.11.4","type":"version"}
{"@message":"a.b: Refreshing state...","type":"refresh_start"}
{"@message":"a.b: Plan to create","type":"planned_change"}
{"@message":"Plan: 1 to add, 0 to change, 0 to destroy.","type":"change_summary"}
{"@message":"a.b: Creating...","type":"apply_start"}
{"@message":"a.b: (local-exec): hello","type":"provision_progress","hook":{"resource":{"addr":"a.b"},"provisioner":"local-exec","output":"hello"}}
{"@message":"Warning: old","type":"diagnostic","diagnostic":{"severity":"warning","summary":"Old","detail":"Use new."}}
{"@message":"Error: bad","type":"diagnostic","diagnostic":{"severity":"error","summary":"Bad","detail":"Very\n  bad.","address":"a.b","range":{"filename":"main.tf","start":{"line":3}}}}
not JSON at all
{"@message":"Outputs: 1","type":"outputs","outputs":{"x":{"value":"kept out"}}}
`
	const want = `a.b: Plan to create
Plan: 1 to add, 0 to change, 0 to destroy.
a.b: Creating...
a.b (local-exec): hello
Warning: Old:
Use new.
Error: Bad (main.tf:3, a.b):
Very
  bad.
not JSON at all
`
	for _, size := range []int{1, 7, len(printed)} {
		log, text := newLog()
		e := &events{log: log}
		for rest := []byte(printed); len(rest) > 0; {
			n := min(size, len(rest))
			e.Write(rest[:n])
			rest = rest[n:]
		}
		e.flush()
		log.Close()
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("in pieces of %d: %s", size, diff)
		}
		if got, want := e.failure(1), "Bad (main.tf:3, a.b): Very bad."; got != want {
			t.Errorf("failure %q, want %q", got, want)
		}
		if len(e.planned) != 1 || e.summary != "Plan: 1 to add, 0 to change, 0 to destroy." {
			t.Errorf("planned %q, summary %q", e.planned, e.summary)
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	log, _ := newLog()
	e := &events{log: log}
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 20 {
		e.Write(chunk)
	}
	if len(e.line) > maxEvent {
		t.Errorf("a line of %d bytes is kept", len(e.line))
	}
	e.Write([]byte("\n"))
	for n := range 5000 {
		fmt.Fprintf(e, `{"@message":"r%d: Plan to create","type":"planned_change"}`+"\n", n)
		fmt.Fprintf(e, `{"@message":"x","type":"diagnostic","diagnostic":{"severity":"error","summary":"é%s"}}`+"\n", strings.Repeat("y", 500))
	}
	if len(e.planned) != maxPlanned || len(e.errors) != maxErrors || len(e.failure(1)) > maxFailure+10 {
		t.Errorf("%d changes, %d errors, a failure of %d bytes", len(e.planned), len(e.errors), len(e.failure(1)))
	}
}

func TestInitFailureIsWordedWithoutFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, printed, want string }{
		{"framed", "Initializing...\n╷\n│ Error: Bad thing\n│ \n│   on main.tf line 1:\n│ It is bad.\n╵\n", "Bad thing on main.tf line 1: It is bad."},
		{"warning after", "Error: One\n\nText.\n\nWarning: Two\n\nOther.\n", "One Text."},
		{"nothing said", "\n", "it exited with 1"},
	} {
		log, _ := newLog()
		o := &initOutput{log: log}
		o.Write([]byte(c.printed))
		if got := o.failure(1); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	log, text := newLog()
	o := &initOutput{log: log}
	o.Write([]byte("Initializing\n- Installing acme/x v1"))
	o.Write([]byte(".0...\n"))
	log.Close()
	if text.String() != "Installing acme/x v1.0...\n" {
		t.Errorf("log %q", text)
	}
}

func TestValuesBecomeTexts(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"plain"`: "plain", `""`: "", `8080`: "8080", `1.50`: "1.50", `12345678901234567890`: "12345678901234567890", `true`: "true",
		`[ "a", null ]`: `["a",null]`, `{"b": 1, "a": "<&>"}`: `{"a":"<&>","b":1}`, `"null"`: "null",
	} {
		if got, ok := valueText(json.RawMessage(raw)); got != want || !ok {
			t.Errorf("%s: got %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"null", "", " "} {
		if got, ok := valueText(json.RawMessage(raw)); ok {
			t.Errorf("%q: got %q, want it left out", raw, got)
		}
	}
}

func TestNotifiedOutputsWin(t *testing.T) {
	t.Parallel()
	got := addOutputs([]engine.Output{{Key: "a", Value: "1"}, {Key: "c", Value: "3"}}, []engine.Output{{Key: "c", Value: "4"}, {Key: "b", Value: "2"}})
	if diff := cmp.Diff([]engine.Output{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "c", Value: "4"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsReadOfAState(t *testing.T) {
	t.Parallel()
	state := []byte(`{"version": 4, "outputs": {
		"open": {"value": "seen"}, "list": {"value": ["inner-secret"], "sensitive": true}, "s": {"value": "top-secret", "sensitive": true}},
		"resources": [
			{"provider": "provider[\"registry.opentofu.org/acme/x\"]"}, {"provider": "module.m.provider[\"registry.opentofu.org/acme/x\"].west"},
			{"provider": "provider[\"terraform.io/builtin/terraform\"]"}]}`)
	providers, ok := stateProviders(state)
	if diff := cmp.Diff([]string{"registry.opentofu.org/acme/x"}, providers); diff != "" || !ok {
		t.Error(diff, ok)
	}
	secrets := strings.Join(stateSecrets(state), " ")
	if !strings.Contains(secrets, "top-secret") || !strings.Contains(secrets, "inner-secret") || strings.Contains(secrets, "seen") {
		t.Errorf("secrets: %s", secrets)
	}
	if _, ok := stateProviders([]byte(`{"serial": 1, "encrypted_data": "xx"}`)); ok {
		t.Error("an encrypted state counts as read")
	}
	if _, ok := stateProviders(nil); !ok {
		t.Error("no state counts as unreadable")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]struct{ state, folder string }{
		"environment/dev":                        {"1/us-east-1/environment/dev", "dev"},
		"service/shop/service-instance/shop-dev": {"1/us-east-1/service/shop/service-instance/shop-dev", "dev/shop-shop-dev"},
		"service/shop/pipeline":                  {"1/us-east-1/service/shop/pipeline", "shop/pipeline"},
		"service/shop/pipeline/0f5b":             {"1/us-east-1/service/shop/pipeline/0f5b", "shop/pipeline"},
		"component/bucket":                       {"1/us-east-1/component/bucket", "dev/bucket"},
	} {
		r := engine.Run{ResourceARN: "arn:aws:proton:us-east-1:1:" + resource, Files: []engine.File{
			{Path: "proton.auto.tfvars.json", Content: []byte(`{"environment" : {"name" : "dev"}}`)}}}
		if got := StateName(r.ResourceARN); got != want.state {
			t.Errorf("state of %s is %q, want %q", resource, got, want.state)
		}
		if got := FolderName(r); got != want.folder {
			t.Errorf("folder of %s is %q, want %q", resource, got, want.folder)
		}
	}
	// As folders these two are one.
	if StateName("arn:aws:proton:r:1:service/a/service-instance/b-c") == StateName("arn:aws:proton:r:1:service/a-b/service-instance/c") {
		t.Error("two resources have one state")
	}
}

func TestOnlyWhatAnInitNeedsCounts(t *testing.T) {
	t.Parallel()
	const base = "terraform {\n  required_providers {\n    x = { source = \"acme/x\" }\n  }\n}\nresource \"x_thing\" \"a\" { size = 1 }\n"
	key := func(files ...string) string {
		var list []engine.File
		for n := 0; n < len(files); n += 2 {
			list = append(list, engine.File{Path: files[n], Content: []byte(files[n+1])})
		}
		s := &session{Driver: &Driver{}, binary: "/bin/true", needs: needsOf(list)}
		return s.initKey(nil)
	}
	first := key("main.tf", base)
	for name, files := range map[string][]string{
		"comment":            {"main.tf", "/* Managed by Proton */\n\n" + base},
		"setting":            {"main.tf", strings.Replace(base, "size = 1", "size = 2", 1)},
		"more of the kind":   {"main.tf", base + "resource \"x_other\" \"b\" {}"},
		"variables":          {"main.tf", base, "more.tf", "variable \"v\" {}\noutput \"o\" { value = var.v }", "a.auto.tfvars.json", "{}"},
		"moved to two files": {"a.tf", base[:strings.Index(base, "resource")], "b.tf", base[strings.Index(base, "resource"):]},
	} {
		if key(files...) != first {
			t.Errorf("%s: another init is asked for", name)
		}
	}
	for name, files := range map[string][]string{
		"constraint":       {"main.tf", strings.Replace(base, `"acme/x"`, `"acme/x", version = "2"`, 1)},
		"another provider": {"main.tf", base + "data \"y_thing\" \"b\" {}"},
		"module":           {"main.tf", base + "module \"m\" { source = \"./m\" }"},
		"in a module":      {"main.tf", base, "m/main.tf", "resource \"x_thing\" \"a\" {}"},
		"lock file":        {"main.tf", base, dependencyLock, "x"},
		"JSON":             {"main.tf", base, "b.tf.json", "{}"},
		"unreadable":       {"main.tf", base + "}"},
	} {
		if key(files...) == first {
			t.Errorf("%s: the same init is used", name)
		}
	}
}

func TestWhatAsksForNothingIsKnown(t *testing.T) {
	t.Parallel()
	const data = "resource \"terraform_data\" \"a\" { input = 1 }\n"
	const provisioner = "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" { command = \"true\" }\n}"
	for _, c := range []struct {
		content           string
		nothing, solitary bool
	}{
		{data, true, true},
		{"terraform {\n  required_version = \">= 1.0\"\n}\n" + data, true, true},
		{data + "data \"terraform_remote_state\" \"b\" { backend = \"local\" }", true, true},
		{provisioner, true, false},
		{"terraform {\n  backend \"local\" {}\n}\n" + data, false, false},
		{"terraform {\n  experiments = [x]\n}\n" + data, false, false},
		{"resource \"terraform_data\" \"a\" {\n  provider = acme.other\n}", false, false},
		{"resource \"null_resource\" \"a\" {}", false, false},
		{"provider \"acme\" {}\n" + data, false, false},
		{"import {\n  to = terraform_data.a\n  id = \"x\"\n}\n" + data, false, false},
		{"module \"m\" { source = \"./m\" }\n", false, false},
		{"output \"x\" {", false, false},
	} {
		s := &session{needs: needsOf([]engine.File{{Path: "main.tf", Content: []byte(c.content)}}), legible: true}
		if s.needs.nothing() != c.nothing || s.solitary() != c.solitary {
			t.Errorf("asks for nothing: %v, starts no programs: %v; want %v, %v, of\n%s", s.needs.nothing(), s.solitary(), c.nothing, c.solitary, c.content)
		}
	}
	for name, s := range map[string]session{
		"a state of another provider": {legible: true, providers: []string{"registry.opentofu.org/acme/x"}},
		"a state that is not legible": {},
	} {
		s.needs = needsOf([]engine.File{{Path: "main.tf", Content: []byte(data)}})
		if s.solitary() {
			t.Errorf("%s: taken to start no programs", name)
		}
	}
}

func TestInitsThatMayRunCommandsAreKnown(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{
		"terraform {\n  encryption {}\n}": true, "terraform {\n  encryption {": true,
		`{"terraform": {"encryption": {}}}`: true, `{"terraform": {"\u0065ncryption": {}}}`: true,
		"terraform {\n  required_providers {}\n}": false, "# encryption": false, `{"output": {}}`: false,
	} {
		name := "main.tf"
		if strings.HasPrefix(content, "{") {
			name = "main.tofu.json"
		}
		if n := needsOf([]engine.File{{Path: name, Content: []byte(content)}}); n.commands != want {
			t.Errorf("%s: commands is %v, want %v", content, n.commands, want)
		}
	}
}

func TestRemoteModulesAreFetchedForEachRun(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`"./m"`: false, `"../m"`: false, `"acme/m/aws"`: true, `"git::https://example.com/m.git?ref=main"`: true, `var.where`: true,
	} {
		n := needsOf([]engine.File{{Path: "main.tf", Content: []byte("module \"m\" {\n  source = " + source + "\n}")}})
		if n.remote != want {
			t.Errorf("%s: remote is %v, want %v", source, n.remote, want)
		}
	}
}

func TestStateThatNobodyHasTakenOutlivesItsRun(t *testing.T) {
	t.Parallel()
	d := &Driver{Root: t.TempDir()}
	src := filepath.Join(d.Root, "runs", "one", "src")
	if err := os.MkdirAll(src, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(src, "errored.tfstate"), []byte("a state"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Forget(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
	}
	aside, _ := filepath.Glob(filepath.Join(d.Root, "undelivered", "one-*.tfstate"))
	left, _ := filepath.Glob(filepath.Join(d.Root, "runs", "*"))
	if len(aside) != 1 || len(left) != 0 {
		t.Errorf("put aside: %q; left: %q", aside, left)
	}
}

func TestSweepRemovesWhatIsOldAndUnused(t *testing.T) {
	t.Parallel()
	d := &Driver{Root: t.TempDir()}
	old := time.Now().Add(-time.Hour)
	make := func(name string, at time.Time) {
		dir := filepath.Join(d.Root, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"runs/old", "runs/held", "previews/old", "inits/old"} {
		make(name, old)
	}
	make("runs/new", time.Now())
	held, err := supervisor.TryLock(filepath.Join(d.Root, "runs", "held"), false)
	if err != nil || held == nil {
		t.Fatal(held, err)
	}
	defer held.Release()
	if err := d.Sweep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(d.Root, "*", "*"))
	for n := range left {
		left[n], _ = filepath.Rel(d.Root, left[n])
	}
	if diff := cmp.Diff([]string{"runs/held", "runs/new"}, left); diff != "" {
		t.Error(diff)
	}
}
