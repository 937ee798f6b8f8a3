package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
)

// What operators are given in deploy/ is held against the program here.

func deployFile(t *testing.T, path string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path))))(t))
}

// exported are the labels of each metric that a server can export, by name.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	described := regexp.MustCompile(`fqName: "(\w+)".*constLabels: \{(.*)\}, variableLabels: \{([^}]*)\}`)
	names := map[string][]string{}
	m := newMetrics("test")
	m.watch(nil, nil)
	all := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(all)
	close(all)
	for d := range all {
		found := described.FindStringSubmatch(d.String())
		if found == nil {
			t.Fatalf("what is %s?", d)
		}
		labels := []string{"job", "instance", "le"} // which Prometheus adds
		for _, l := range strings.Split(found[3], ",") {
			labels = append(labels, strings.TrimSpace(l))
		}
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			names[found[1]+suffix] = labels
		}
	}
	return names
}

func TestDashboardAsksForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(deployFile(t, "deploy/grafana/hadron.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	names, asked := exported(t), map[string]bool{}
	selector := regexp.MustCompile(`\b((?:hadron|go|process)_\w+)(?:\{([^}]*)\})?`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	for _, p := range dashboard.Panels {
		if p.Type != "row" && (len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24) {
			t.Errorf("panel %q asks nothing, or is too wide", p.Title)
		}
		for _, target := range p.Targets {
			if strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") {
				t.Errorf("%s: parentheses of %s", p.Title, target.Expr)
			}
			found := selector.FindAllStringSubmatch(target.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s: %s asks for nothing of ours", p.Title, target.Expr)
			}
			for _, f := range found {
				labels, ok := names[f[1]]
				if !ok {
					t.Errorf("%s: there is no metric %s", p.Title, f[1])
				}
				asked[strings.TrimSuffix(strings.TrimSuffix(f[1], "_bucket"), "_count")] = true
				var used []string
				for _, pair := range strings.Split(f[2], ",") {
					name, _, _ := strings.Cut(pair, "=")
					used = append(used, strings.TrimRight(name, "!~"))
				}
				for _, group := range by.FindAllStringSubmatch(target.Expr, -1) {
					used = append(used, strings.Split(strings.ReplaceAll(group[1], " ", ""), ",")...)
				}
				for _, label := range used {
					if label != "" && !slices.Contains(labels, label) {
						t.Errorf("%s: %s has no label %s", p.Title, f[1], label)
					}
				}
			}
		}
	}
	for name := range names {
		if base, found := strings.CutSuffix(name, "_bucket"); found && strings.HasPrefix(base, "hadron_") && base != "hadron_info" && !asked[base] {
			if base == "hadron_event_deliveries_total" || base == "hadron_job_seconds" {
				continue
			}
			t.Errorf("no panel shows %s", base)
		}
	}
}

// serveFlags are the flags and environment variables of "hadron serve".
func serveFlags() (flags *pflag.FlagSet, env map[string]bool) {
	flags, env = pflag.NewFlagSet("", pflag.ContinueOnError), map[string]bool{"HADRON_CONFIG": true}
	AddFlags(flags)
	var c Config
	for _, s := range settings(&c) {
		env[s.env] = true
	}
	return flags, env
}

// knownFlags fails for flags of a command line that "hadron serve" does not have.
func knownFlags(t *testing.T, where string, args []string) {
	t.Helper()
	flags, _ := serveFlags()
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--"); ok {
			name, _, _ = strings.Cut(name, "=")
			if flags.Lookup(name) == nil {
				t.Errorf("%s: there is no flag --%s", where, name)
			}
		}
	}
}

func TestSystemdUnitFitsTheServer(t *testing.T) {
	t.Parallel()
	unit := deployFile(t, "deploy/systemd/hadron.service")
	set := map[string]string{}
	for line := range strings.Lines(unit) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			set[name] = value
		}
	}
	knownFlags(t, "ExecStart", strings.Fields(set["ExecStart"]))
	stop, _ := strconv.Atoi(set["TimeoutStopSec"])
	if least := DefaultConfig().StopGrace + 2*int(stopTime.Seconds()); stop < least {
		t.Errorf("TimeoutStopSec=%d kills a server that may stop for %d s", stop, least)
	}
	for name, want := range map[string]string{
		"KillMode": "mixed", "RestrictNamespaces": "user mnt ipc", "NoNewPrivileges": "yes", "StateDirectoryMode": "0700", "User": "hadron",
	} {
		if set[name] != want {
			t.Errorf("%s=%s, want %s", name, set[name], want)
		}
	}
	if !strings.Contains(set["ExecStart"], "/var/lib/"+set["StateDirectory"]) || !strings.Contains(set["SystemCallFilter"], "@mount") {
		t.Errorf("ExecStart=%s, StateDirectory=%s, SystemCallFilter=%s", set["ExecStart"], set["StateDirectory"], set["SystemCallFilter"])
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: the unit was read, and not verified")
	}
	file := filepath.Join(t.TempDir(), "hadron.service")
	if err := os.WriteFile(file, []byte(strings.Replace(unit, "ExecStart=/usr/local/bin/hadron", "ExecStart="+must(os.Executable())(t), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); strings.Contains(string(out), "hadron.service") { // it may have troubles of its own
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestDockerfileNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`\\\n`).ReplaceAllString(deployFile(t, "deploy/docker/Dockerfile"), " ")
	_, env := serveFlags()
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(deployFile(t, "go.mod"))[1]
	tofuVersion := regexp.MustCompile(`(?m)^version=(\S+)`).FindStringSubmatch(deployFile(t, "scripts/setup-opentofu.sh"))[1]
	stages, user, entry := []string{}, "", ""
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "ARG", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENV", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if !slices.Contains(known, words[0]) {
			t.Errorf("%s is no instruction", words[0])
		}
		switch words[0] {
		case "FROM":
			if !regexp.MustCompile(`^[a-z]+:\d+\.\d+`).MatchString(words[1]) {
				t.Errorf("%s is not pinned to a version", words[1])
			}
			if image, version, _ := strings.Cut(words[1], ":"); image == "golang" && !strings.HasPrefix(version, goVersion+".") {
				t.Errorf("built with Go %s, go.mod says %s", version, goVersion)
			}
			if len(words) == 4 {
				stages = append(stages, words[3])
			}
			user = ""
		case "COPY":
			if from, ok := strings.CutPrefix(words[1], "--from="); ok {
				if !slices.Contains(stages, from) {
					t.Errorf("there is no stage %s", from)
				}
				continue
			}
			for _, path := range words[1 : len(words)-1] {
				if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
					t.Error(err)
				}
			}
		case "ARG":
			if version, ok := strings.CutPrefix(words[1], "TOFU_VERSION="); ok && version != tofuVersion {
				t.Errorf("OpenTofu %s, tests run %s", version, tofuVersion)
			}
		case "ENV":
			for _, pair := range words[1:] {
				if name, _, _ := strings.Cut(pair, "="); !env[name] {
					t.Errorf("there is no setting %s", name)
				}
			}
		case "USER":
			user = words[1]
		case "ENTRYPOINT", "CMD":
			var list []string
			if err := json.Unmarshal([]byte(strings.Join(words[1:], " ")), &list); err != nil {
				t.Errorf("%s: %v", words[0], err)
			}
			entry += strings.Join(list, " ") + " "
		case "HEALTHCHECK":
			if !strings.Contains(line, "/readyz") || json.Unmarshal([]byte(line[strings.Index(line, "["):]), new([]string)) != nil {
				t.Errorf("health check %s", line)
			}
		}
	}
	if n, err := strconv.Atoi(user); err != nil || n == 0 {
		t.Errorf("it runs as %q", user)
	}
	if entry != "/usr/local/bin/hadron serve " {
		t.Errorf("it runs %s", entry)
	}
	if variable := "internal/app.Version="; !strings.Contains(text, variable) || !strings.Contains(deployFile(t, "Makefile"), variable) {
		t.Error("the version is not set as the Makefile sets it")
	}
}

// settingsOf are flags as the chart's values name them.
func settingsOf(values map[string]any) (args []string) {
	set, _ := values["settings"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		args = append(args, fmt.Sprintf("--%s=%v", name, set[name]))
	}
	return args
}
