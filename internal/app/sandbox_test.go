package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

// A template whose commands try to get at what is not theirs: the test of the
// default configuration, with the real engine.
func TestCommandsDoNotReachWhatIsTheServers(t *testing.T) {
	t.Parallel()
	if err := sandbox.Available(); err != nil {
		t.Skip("this machine allows no sandbox:", err)
	}
	f := startReal(t, func(*Config) {})
	c, s := f.config, f.server
	const canary = "canary-of-another-deployment"
	other := filepath.Join(c.Data, "work", "0f0e0d0c-1111-2222-3333-444455556666", "job", "src", "secret")
	if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte(canary), 0o644); err != nil {
		t.Fatal(err)
	}
	// Each writes what it got to standard output, and must get nothing.
	data := c.Data
	tries := map[string]string{
		"the database":           "cat " + data + "/hadron.db",
		"the master key":         "cat " + data + "/master.key",
		"the root key":           "cat " + data + "/credentials",
		"another's folder":       "cat " + other,
		"the list of folders":    "ls " + data + "/work | grep -v $(basename $(dirname $(dirname $CODEBUILD_SRC_DIR)))",
		"the environment":        fmt.Sprintf("cat /proc/%d/environ", os.Getpid()),
		"the supervisor's":       "cat /proc/$PPID/environ",
		"the memory":             fmt.Sprintf("head -c 1 /proc/%d/mem", os.Getpid()),
		"the server's root":      fmt.Sprintf("cat /proc/%d/root%s/master.key", os.Getpid(), data),
		"the server's files":     fmt.Sprintf("for f in /proc/%d/fd/*; do readlink $f; timeout 1 head -c 9 $f; done", os.Getpid()),
		"under the cover":        "umount " + data + " && cat " + data + "/master.key",
		"under it as new root":   "unshare -Urm sh -c 'umount " + data + "; cat " + data + "/master.key'",
		"what it may not create": "echo x > " + data + "/planted && echo planted",
	}
	// The port is open, but nothing answers there without a signature.
	address := strings.Replace(strings.TrimPrefix(s.URL, "http://"), ":", "/", 1)
	tries["the API without a key"] = "bash -c 'exec 3<>/dev/tcp/" + address + `; printf "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AwsProton20200720.ListServices\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" >&3; cat <&3' | grep '"services"'`
	var script strings.Builder
	script.WriteString("infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        image: any\n        deprovision: [\"true\"]\n        provision:\n")
	n := 0
	names := map[string]string{}
	for name, try := range tries {
		n++
		names[fmt.Sprint(n)] = name
		fmt.Fprintf(&script, "          - |\n            got=$( { %s; } 2>/dev/null | head -c 200 | tr -d '\\000' ) || true; if [ -n \"$got\" ]; then echo \"GOT-%d $got\"; else echo \"NONE-%d\"; fi\n", try, n, n)
	}
	script.WriteString("          - echo mine > $HOME/x && cat $HOME/x && pwd && echo OWN-FOLDER-WORKS\n")
	status, log := f.deployCommands(t, script.String())
	said := map[string]bool{}
	var all strings.Builder
	for _, line := range log {
		fmt.Fprintln(&all, line)
		kind, rest, _ := strings.Cut(line, "-")
		number, what, _ := strings.Cut(rest, " ")
		switch {
		case kind == "GOT":
			t.Errorf("the commands got %s: %.60q", names[number], what)
			fallthrough
		case kind == "NONE":
			said[number] = true
		}
	}
	for number, name := range names {
		if !said[number] {
			t.Errorf("nothing is known of %s", name)
		}
	}
	if status != api.DeploymentStatusSucceeded || !strings.Contains(all.String(), "OWN-FOLDER-WORKS") {
		t.Errorf("the run ended %s: %s", status, all.String())
	}
	if _, err := os.Stat(filepath.Join(data, "planted")); err == nil {
		t.Error("the commands have written into the server's folder")
	}
}

// What limits are set hold for the commands of a server's deployments, and its
// log says what they are.
func TestLimitsHoldForWhatTemplatesRun(t *testing.T) {
	t.Parallel()
	if err := sandbox.Available(); err != nil {
		t.Skip("this machine allows no sandbox:", err)
	}
	f := startReal(t, func(c *Config) { c.RunMemoryLimit, c.RunFileLimit = leastRunMemory, leastRunFile })
	status, log := f.deployCommands(t, `infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        deprovision: ["true"]
        provision:
          - if head -c 2000000 /dev/zero > file; then echo WRITTEN-$((1+1)); fi
          - dd if=/dev/zero of=/dev/null bs=200M count=1
`)
	all := strings.Join(log, "\n")
	if status != api.DeploymentStatusFailed || strings.Contains(all, "WRITTEN-2") {
		t.Errorf("the run ended %s:\n%s", status, all)
	}
	if want := "134217728 bytes of memory for a process (run-memory-limit), 1048576 bytes for a file (run-file-limit)"; !strings.Contains(all, want) {
		t.Errorf("the log does not say %q:\n%s", want, all)
	}
}

// Limits that cannot hold are not let pass in silence.
func TestLimitsThatCannotHoldAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"run-memory-limit: holds in the sandbox only": func(c *Config) { c.Sandbox, c.RunMemoryLimit = "off", 1<<30 },
		"run-file-limit: holds in the sandbox only":   func(c *Config) { c.Sandbox, c.RunFileLimit = "off", 1<<30 },
		"run-memory-limit: 1 is less than the":        func(c *Config) { c.RunMemoryLimit = 1 },
		"run-file-limit: -1 is less than the":         func(c *Config) { c.RunFileLimit = -1 },
	} {
		c := DefaultConfig()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s …", err, want)
		}
	}
}

// realFixture is a server with its own engines.
type realFixture struct {
	*fixture
	config Config
}

func startReal(t *testing.T, change func(*Config)) *realFixture {
	t.Helper()
	c := DefaultConfig()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	change(&c)
	s, err := Start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &realFixture{&fixture{server: s, account: c.AccountID, Client: client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)}, c}
}

// deployCommands creates an environment of a manifest and returns how that ended
// and the lines of its log.
func (f *realFixture) deployCommands(t *testing.T, manifest string) (api.DeploymentStatus, []string) {
	t.Helper()
	ctx := t.Context()
	f.put(t, "/templates", nil)
	f.put(t, "/templates/net.tar.gz", pack(t, map[string]string{"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": manifest}))
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), Source: s3("net.tar.gz")}))(t)
	eventually(t, "the version is registered", func() bool {
		v := must(f.GetEnvironmentTemplateVersion(ctx, &api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")}))(t)
		if *v.EnvironmentTemplateVersion.Status == api.TemplateVersionStatusRegistrationFailed {
			t.Fatal(*v.EnvironmentTemplateVersion.StatusMessage)
		}
		return *v.EnvironmentTemplateVersion.Status == api.TemplateVersionStatusDraft
	})
	must(f.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{
		TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
	e := must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {}\n")}))(t).Environment
	eventually(t, "the environment is deployed", func() bool {
		e = must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
		return *e.DeploymentStatus != api.DeploymentStatusInProgress
	})
	var lines []string
	for _, event := range must(f.ListDeploymentLogEvents(ctx, &api.ListDeploymentLogEventsInput{DeploymentId: e.LastAttemptedDeploymentId}))(t).Events {
		lines = append(lines, strings.TrimSpace(*event.Message))
	}
	return *e.DeploymentStatus, lines
}
