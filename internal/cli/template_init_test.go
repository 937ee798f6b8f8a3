package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// starterKinds are all bundles that can be started, and what is to be seen in
// what each renders to.
var starterKinds = map[string]struct {
	kind   string
	seen   string            // by validate
	render []string          // flags
	files  map[string]string // a text that each expected file holds
}{
	"environment --engine cloudformation": {
		"environment", "environment template", nil, map[string]string{
			"environment/cloudformation.yaml": "      RetentionInDays: 7\n",
		}},
	"environment --engine terraform": {
		"environment", "environment template", nil, map[string]string{
			"environment/main.tf":                         `resource "aws_sns_topic" "alarms"`,
			"environment/outputs.tf":                      `output "LogGroup"`,
			"environment/proton.environment.variables.tf": `variable "environment"`,
			"environment/proton.auto.tfvars.json":         `"alarm_email" : "operators@example.com"`,
		}},
	"environment --engine codebuild": {
		"environment", "environment template", nil, map[string]string{
			"environment/proton-inputs.json": `"stage": "development"`,
			"environment.build.json":         `"sh ./provision.sh"`,
		}},
	"environment --customer-managed": {
		"environment", "environment template without infrastructure (provisioning CUSTOMER_MANAGED)", nil, map[string]string{
			"environment/outputs.json": `"VpcId": "vpc-0123456789abcdef0"`,
		}},
	"service --engine cloudformation": {
		"service", "service template without pipeline (pipelineProvisioning CUSTOMER_MANAGED)", []string{"--instance", "orders-dev"}, map[string]string{
			"orders-dev/cloudformation.yaml":  "Threshold: 1000\n",
			"orders-prod/cloudformation.yaml": "VisibilityTimeout: 120\n",
		}},
	"service --engine cloudformation --pipeline": {
		"service", "service template with pipeline", []string{"--pipeline"}, map[string]string{
			"orders-prod/cloudformation.yaml": "VisibilityTimeout: 120\n",
			"pipeline/cloudformation.yaml":    "111122223333/prod",
		}},
	"service --engine terraform": {
		"service", "service template without pipeline (pipelineProvisioning CUSTOMER_MANAGED)", []string{"--instance", "orders-prod"}, map[string]string{
			"orders-dev/proton.auto.tfvars.json":  `"alarm_at_messages" : 1000`,
			"orders-prod/proton.auto.tfvars.json": `"AlarmTopic" : "arn:aws:sns:eu-central-1:111122223333:alarms"`,
		}},
	"service --engine terraform --pipeline": {
		"service", "service template with pipeline", []string{"--pipeline"}, map[string]string{
			"pipeline/proton.auto.tfvars.json": `"buildspec" : "ci/build.yaml"`,
		}},
	"service --engine codebuild": {
		"service", "service template without pipeline (pipelineProvisioning CUSTOMER_MANAGED)", []string{"--instance", "shop-dev"}, map[string]string{
			"shop-prod/proton-inputs.json": "Welcome to our shop",
			"shop-prod.build.json":         `"sh ./deprovision.sh"`,
		}},
	"service --engine codebuild --pipeline": {
		"service", "service template with pipeline", []string{"--pipeline"}, map[string]string{
			"pipeline/proton-inputs.json": `"Page": "/srv/shop/shop-prod/index.html"`,
			"pipeline.build.json":         "aws/codebuild/standard:7.0",
		}},
}

// The way of an author: start a bundle, check it, look at what it renders to,
// run its tests, change it, see what that changes, and accept that.
func TestTheWayOfAnAuthor(t *testing.T) {
	t.Parallel()
	for flags, c := range starterKinds {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "my-template")
			args := strings.Fields(flags)
			args = append([]string{"template", "init", args[0], dir}, args[1:]...)
			made := hadron(t, nil, args...).wantCode(t, 0)
			for name := range strings.Lines(made.stdout) {
				if name = strings.TrimSpace(name); strings.HasPrefix(name, dir) && !exists(name) {
					t.Errorf("init names %s, which is not there", name)
				}
			}

			valid := hadron(t, nil, "template", "validate", "--strict", dir).wantCode(t, 0)
			if want := dir + ": valid " + c.seen + "\n"; valid.stdout != want {
				t.Errorf("validate: %q, want %q", valid.stdout, want)
			}

			out := t.TempDir()
			spec := filepath.Join(dir, "tests", "default", "spec.yaml")
			render := append([]string{"template", "render", dir, "--spec", spec, "--out", out}, c.render...)
			if names := filepath.Join(dir, "tests", "default", "parameters.json"); exists(names) {
				render = append(render, "--parameters", names)
			}
			if got := hadron(t, nil, render...).wantCode(t, 0); got.stderr != "" {
				t.Errorf("render: %s", got.stderr)
			}
			if entries, err := os.ReadDir(out); err != nil || len(entries) == 0 {
				t.Errorf("render wrote %v (%v)", entries, err)
			}

			expected := filepath.Join(dir, "tests", "default", "expected")
			for name, text := range c.files {
				if got := read(t, filepath.Join(expected, name)); !strings.Contains(got, text) {
					t.Errorf("expected/%s has no %q:\n%s", name, text, got)
				}
				if strings.Contains(read(t, filepath.Join(expected, name)), "@NAME@") {
					t.Errorf("expected/%s has no name", name)
				}
			}
			passed := hadron(t, nil, "template", "test", dir).wantCode(t, 0)
			if want := "✓ " + dir + "/tests/default\n1 test: 1 passed\n"; passed.stdout != want || passed.stderr != "" {
				t.Errorf("test: %q, %q", passed.stdout, passed.stderr)
			}

			changeSpec(t, spec)
			failed := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
			if !strings.Contains(failed.stdout, "is different (- expected, + rendered)\n    @@ ") || !strings.Contains(failed.stderr, "hadron template test "+dir+" --update\n") {
				t.Errorf("test after a change: %s%s", failed.stdout, failed.stderr)
			}
			hadron(t, nil, "template", "test", "--update", dir).wantCode(t, 0)
			hadron(t, nil, "template", "test", dir).wantCode(t, 0)
		})
	}
}

// changeSpec gives an input another value.
func changeSpec(t *testing.T, file string) {
	t.Helper()
	text := read(t, file)
	changed := strings.NewReplacer("log_retention_days: 7", "log_retention_days: 90", "/srv/shop", "/srv/other", "vpc-0", "vpc-1",
		"alarm_at_messages: 1000", "alarm_at_messages: 2000", "Welcome", "Hi").Replace(text)
	if changed == text {
		t.Fatalf("nothing to change in %s", text)
	}
	write(t, file, changed)
}

func TestInitNamesTheTemplateAndOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "v1")
	hadron(t, nil, "template", "init", "service", dir, "--name", "web-shop").wantCode(t, 0)
	schema := filepath.Join(dir, "schema", "schema.yaml")
	if !strings.Contains(read(t, schema), "Inputs of an instance of web-shop") {
		t.Errorf("the schema does not name the template: %s", read(t, schema))
	}
	write(t, schema, "mine")
	if err := os.RemoveAll(filepath.Join(dir, "tests")); err != nil {
		t.Fatal(err)
	}
	again := hadron(t, nil, "template", "init", "service", dir, "--name", "web-shop").wantCode(t, 1)
	if !strings.Contains(again.stderr, "is there already and is not overwritten; nothing was written") || read(t, schema) != "mine" {
		t.Errorf("init over a bundle: %s", again.stderr)
	}
	if exists(filepath.Join(dir, "tests")) {
		t.Error("init wrote files beside those of somebody else")
	}
	bad := hadron(t, nil, "template", "init", "service", filepath.Join(t.TempDir(), "my template")).wantCode(t, 2)
	if !strings.Contains(bad.stderr, `DIR: "my template" cannot name a template; give --name`) {
		t.Errorf("a folder that cannot name a template: %s", bad.stderr)
	}
}

// A template's folder holds its tests when it is packed and registered.
func TestAPackedStarterIsValid(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "legacy")
	hadron(t, nil, "template", "init", "environment", dir, "--customer-managed").wantCode(t, 0)
	var report jsonReport
	got := hadron(t, nil, "template", "validate", "--output", "json", dir).wantCode(t, 0)
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || !report.CustomerManaged || report.Kind != "environment" || len(report.Warnings) > 0 {
		t.Errorf("validate --output json: %s (%v)", got.stdout, err)
	}
}
