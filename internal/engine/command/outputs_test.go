package command_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/command"
)

func TestOutputsFile(t *testing.T) {
	t.Parallel()
	out := func(pairs ...string) (all []engine.Output) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, engine.Output{Key: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	cases := []struct {
		name, file string
		want       []engine.Output
		failure    string
	}{
		{"list", `[{"key":"b","valueString":"1"},{"key":"a","valueString":"2"}]`, out("b", "1", "a", "2"), ""},
		{"flat", `{"b":"x","n":8080,"f":1.50,"t":true,"none":null,"l":[ "a", 1 ],"m":{"k": 1}}`, out("b", "x", "n", "8080", "f", "1.50", "t", "true", "l", `["a",1]`, "m", `{"k":1}`), ""},
		{"nested", `{"Stack":{"Vpc":"vpc-1","Ports":[1, 2]},"Other":{"Url":"u","Deep":{"a": {}}}}`, out("Vpc", "vpc-1", "Ports", "[1,2]", "Url", "u", "Deep", `{"a":{}}`), ""},
		{"terraform output", `{"vpc":{"sensitive":false,"type":"string","value":"vpc-1"},"n":{"sensitive":false,"type":"number","value":3}}`, out("vpc", "vpc-1", "n", "3"), ""},
		{"byte order mark", "\ufeff{\"a\":\"b\"}", out("a", "b"), ""},
		{"empty map", `{}`, nil, ""},
		{"empty list", `[]`, nil, ""},
		{"empty file", ``, nil, "proton-outputs.json:1: not JSON"},
		{"broken", "{\n\"a\": \"b\",\n}", nil, "proton-outputs.json:3: not JSON"},
		{"cut off", "{\n\"a\": \"b\"\n", nil, "proton-outputs.json:3: not JSON"},
		{"text", `"a"`, nil, "proton-outputs.json:1: neither a list nor a map"},
		{"list of texts", "[\n\"a\"]", nil, `proton-outputs.json:2: entry 1 must have a "key" and a "valueString"; right would be [{"key"`},
		{"empty value", "{\"a\":\"x\",\n\"b\":\"\"}", nil, `proton-outputs.json:2: output "b": the value has 0 characters; allowed are 1 to 1024`},
		{"long value", `{"a":"` + strings.Repeat("é", 1025) + `"}`, nil, `proton-outputs.json:1: output "a": the value has 1025 characters`},
		{"longest value", `{"a":"` + strings.Repeat("é", 1024) + `"}`, out("a", strings.Repeat("é", 1024)), ""},
		{"long key", `{"` + strings.Repeat("k", 1025) + `":"a"}`, nil, "the key has 1025 characters"},
		{"twice the same", `{"A":{"k":"1"},"B":{"k":"1"}}`, out("k", "1"), ""},
		{"twice different", "{\"A\":{\"k\":\"1\"},\n\"B\":{\n\"k\":\"2\"}}", nil, `proton-outputs.json:3: output "k" is there twice with different values`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, log := newRun("cat source > proton-outputs.json")
			r.Files = []engine.File{{Path: "source", Content: []byte(c.file)}}
			st := step(t, newDriver(t, nil), r)
			if diff := cmp.Diff(c.want, st.Outputs); diff != "" {
				t.Error(diff)
			}
			if c.failure == "" && st.Failure != "" || !strings.Contains(st.Failure, c.failure) {
				t.Errorf("failure %q, want %q in it", st.Failure, c.failure)
			}
			if !strings.Contains(log.String(), c.failure) {
				t.Errorf("the failure is not in the log:\n%s", log)
			}
		})
	}
}

func TestWhatIsNotifiedDecides(t *testing.T) {
	t.Parallel()
	mine := []engine.Output{{Key: "file", Value: "x"}}
	told := []engine.Output{{Key: "told", Value: "y"}}
	cases := []struct {
		name    string
		goal    engine.Goal
		last    string
		report  engine.Report
		want    []engine.Output
		failure string
	}{
		{"nothing", engine.Apply, "true", engine.Report{}, mine, ""},
		{"outputs without a status", engine.Apply, "true", engine.Report{HasOutputs: true, Outputs: told}, told, ""},
		{"outputs in progress", engine.Apply, "true", engine.Report{Status: "IN_PROGRESS", HasOutputs: true, Outputs: told}, told, ""},
		{"success with outputs", engine.Apply, "true", engine.Report{Status: "SUCCEEDED", HasOutputs: true, Outputs: told}, told, ""},
		{"no outputs on purpose", engine.Apply, "true", engine.Report{HasOutputs: true}, nil, ""},
		{"success, then exit 1", engine.Apply, "exit 1", engine.Report{Status: "SUCCEEDED", HasOutputs: true, Outputs: told}, nil, `command "exit 1" exited with 1`},
		{"failure, then exit 0", engine.Apply, "true", engine.Report{Status: "FAILED", Message: "no quota"}, nil, "no quota"},
		{"failure without a word", engine.Apply, "true", engine.Report{Status: "FAILED"}, nil, "notified the status FAILED"},
		{"failure and exit 1", engine.Apply, "exit 1", engine.Report{Status: "FAILED", Message: "no quota"}, nil, "exited with 1 (notified: no quota)"},
		{"destroy has no outputs", engine.Destroy, "true", engine.Report{HasOutputs: true, Outputs: told}, nil, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := newRun(`echo '{"file":"x"}' > proton-outputs.json`, c.last)
			r.Goal = c.goal
			r.Report = func(context.Context) (engine.Report, error) { return c.report, nil }
			st := step(t, newDriver(t, nil), r)
			if diff := cmp.Diff(c.want, st.Outputs); diff != "" {
				t.Error(diff)
			}
			if c.failure == "" && st.Failure != "" || !strings.Contains(st.Failure, c.failure) {
				t.Errorf("failure %q, want %q in it", st.Failure, c.failure)
			}
		})
	}
}

func TestSecretOutputsAreSensitive(t *testing.T) {
	t.Parallel()
	r, _ := newRun(`echo '{"url":"db://u:hunter22@host","plain":"x"}' > proton-outputs.json`)
	r.Secrets = []string{"hunter22"}
	st := step(t, newDriver(t, nil), r)
	want := []engine.Output{{Key: "url", Value: "db://u:hunter22@host", Sensitive: true}, {Key: "plain", Value: "x"}}
	if diff := cmp.Diff(want, st.Outputs); diff != "" {
		t.Error(diff)
	}
}

func TestLogComesWhileTheCommandsRun(t *testing.T) {
	t.Parallel()
	d := newDriver(t, nil)
	r, log := newRun("echo early; sleep 100")
	ended := make(chan error, 1)
	go func() {
		_, err := d.Step(context.Background(), r, "")
		ended <- err
	}()
	eventually(t, "the first line is in the log", func() bool { return strings.Contains(log.String(), "\nearly\n") })
	if _, err := d.Cancel(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestEndlessOutputIsCut(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(d *command.Driver) {
		d.Limits = engine.LogLimits{Line: 1000, Head: 50_000, Tail: 10_000}
	})
	r, log := newRun("head -c 50000000 /dev/zero | tr '\\0' x; echo", "yes line | head -100000", "echo the end")
	if st := step(t, d, r); st.Failure != "" {
		t.Errorf("failed: %s", st.Failure)
	}
	text := log.String()
	if len(text) > 75_000 || !strings.Contains(text, "bytes left out here]") || !strings.HasSuffix(text, "\nline\n[hadron] running command: echo the end\nthe end\n") {
		t.Errorf("log of %d bytes, ends %q", len(text), text[max(0, len(text)-100):])
	}
	if info, err := os.Stat(filepath.Join(d.Root, r.ID, "log")); err != nil || info.Size() > 75_000 {
		t.Errorf("log file: %v, %v", info.Size(), err)
	}
}

// standIns writes programs that append their name and arguments to a file.
func standIns(t *testing.T, record string, names ...string) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for _, name := range names {
		script := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" >> %s\n[ \"$1\" = sts ] && echo 123456789012\nexit 0\n", name, record)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// recorded runs commands with stand-ins for the usual tools.
func recorded(t *testing.T, r engine.Run) []string {
	t.Helper()
	record := filepath.Join(t.TempDir(), "record")
	bin := standIns(t, record, "aws", "npm", "cdk", "terraform")
	d := newDriver(t, func(d *command.Driver) {
		d.Path = bin + ":" + os.Getenv("PATH")
		d.Environment = func(context.Context, engine.Run) (map[string]string, error) {
			return map[string]string{"AWS_ENDPOINT_URL_PROTON": "http://127.0.0.1:8080"}, nil
		}
	})
	if st := step(t, d, r); st.Failure != "" {
		t.Fatalf("failed: %s\n%s", st.Failure, r.Log)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestWrapperSendsOnlyProtonToTheServer(t *testing.T) {
	t.Parallel()
	r, _ := newRun(
		"aws s3 cp proton x",
		"aws proton list-services",
		"aws --region eu-west-1 --debug proton list-services",
		"aws --profile proton s3 ls",
		"aws proton list-services --endpoint-url https://proton.$AWS_DEFAULT_REGION.amazonaws.com",
		"aws proton list-services --endpoint-url=http://my.own",
		"export PATH=/nowhere:$PATH:; aws proton get-service --name 'a  *'",
	)
	const mine = " --endpoint-url http://127.0.0.1:8080"
	want := []string{
		"aws s3 cp proton x",
		"aws proton list-services" + mine,
		"aws --region eu-west-1 --debug proton list-services" + mine,
		"aws --profile proton s3 ls",
		"aws proton list-services --endpoint-url https://proton.us-east-1.amazonaws.com" + mine,
		"aws proton list-services --endpoint-url=http://my.own",
		"aws proton get-service --name a  *" + mine,
	}
	if diff := cmp.Diff(want, recorded(t, r)); diff != "" {
		t.Error(diff)
	}
}

// manifestCommands reads a real manifest, skipping where the corpus is absent.
func manifestCommands(t *testing.T, name string) (provision []string, variables map[string]string) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "..", "shared", "corpus", "manifests", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the corpus of real manifests is not beside the project: %v", err)
	}
	var manifest struct {
		Infrastructure struct {
			Templates []struct {
				Settings struct {
					Provision []string
					Env       struct{ Variables map[string]string }
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	settings := manifest.Infrastructure.Templates[0].Settings
	if len(settings.Provision) == 0 {
		t.Fatal("the manifest has no commands")
	}
	return settings.Provision, settings.Env.Variables
}

func TestRealManifestOfCDK(t *testing.T) {
	t.Parallel()
	commands, _ := manifestCommands(t, "cdk/manifest.yaml")
	r, _ := newRun(commands...)
	r.Files = []engine.File{
		{Path: "cdk-to-proton.sh", Content: []byte("#!/bin/sh\ncat\n")},
		{Path: "proton-outputs.json", Content: []byte(`{"Stack":{"Vpc":"vpc-1"}}`)},
	}
	want := []string{
		"npm install",
		"cdk deploy --require-approval never",
		"aws proton notify-resource-deployment-status-change --resource-arn " + arn + " --outputs file://./outputs.json --endpoint-url http://127.0.0.1:8080",
	}
	if diff := cmp.Diff(want, recorded(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestRealManifestOfTerraform(t *testing.T) {
	t.Parallel()
	commands, variables := manifestCommands(t, "terraform/environment-templates/tf-vpc-ecs-cluster/v1/infrastructure/manifest.yaml")
	r, log := newRun(commands...)
	r.Build.Variables = variables
	jq := "#!/bin/sh\nsed -n 's/.*\"name\": *\"\\([a-z]*\\)\".*/\\1/p'\n"
	r.Files = []engine.File{
		{Path: "proton-inputs.json", Content: []byte(`{"environment": {"name": "dev", "inputs": {}}}`)},
		{Path: "install-terraform.sh", Content: []byte("#!/bin/sh\necho installed $1\n")},
		{Path: "s3-bucket/main.tf"},
		{Path: "output.sh", Content: []byte("#!/bin/sh\naws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --status IN_PROGRESS\n")},
		{Path: "tools/jq", Mode: 0o755, Content: []byte(jq)},
	}
	r.Build.Commands = append([]string{"PATH=$PATH:$PWD/tools"}, commands...) // for machines without jq
	bucket := "terrform-remote-state-123456789012-dev"
	want := []string{
		"aws sts get-caller-identity --query Account --output text",
		"terraform init",
		"terraform apply -auto-approve -var=name=" + bucket,
		"terraform init -backend-config=bucket=" + bucket + " -backend-config=key=env.tfstate",
		"terraform apply -var-file=proton-inputs.json -var=tf_state_bucket=" + bucket + " -auto-approve",
		"aws proton notify-resource-deployment-status-change --resource-arn " + arn + " --status IN_PROGRESS --endpoint-url http://127.0.0.1:8080",
	}
	if diff := cmp.Diff(want, recorded(t, r)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "\ninstalled 1.3.9\n") {
		t.Errorf("log: %s", log)
	}
}

func TestShOnly(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(d *command.Driver) { d.Shell = "/bin/sh"; d.Timeout = 20 * time.Second })
	r, log := newRun("cd /; export A='b c'", "echo $A $PWD", "echo 'unbalanced", "echo never")
	st := step(t, d, r)
	if !strings.Contains(st.Failure, `command "echo 'unbalanced" exited with`) {
		t.Errorf("failure %q", st.Failure)
	}
	if !strings.Contains(log.String(), "\nb c /\n") {
		t.Errorf("log: %s", log)
	}
}
