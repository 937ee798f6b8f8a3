package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/bundle"
)

const (
	localNetwork = "../../library/environment-templates/local-network"
	webService   = "../../library/service-templates/web-service"
)

// bundleFiles is a small CloudFormation environment template; tests change it.
func bundleFiles(t *testing.T, change map[string]string) string {
	t.Helper()
	files := map[string]string{
		"schema/schema.yaml": `schema:
  format: { openapi: "3.0.0" }
  environment_input_type: In
  types:
    In:
      type: object
      properties:
        cidr: { type: string, default: 10.0.0.0/16 }
        count: { type: number, default: 2 }
`,
		"infrastructure/manifest.yaml": `infrastructure:
  templates:
    - file: cloudformation.yaml
      rendering_engine: jinja
      template_language: cloudformation
`,
		"infrastructure/cloudformation.yaml": `Description: {{ environment.name }}
Resources:
{%- for n in range(environment.inputs.count) %}
  N{{ n }}: { Type: "AWS::EC2::VPC", Properties: { CidrBlock: {{ environment.inputs.cidr }} } }
{%- endfor %}
`,
	}
	dir := t.TempDir()
	for name, text := range change {
		files[name] = text
	}
	for name, text := range files {
		if text != "" {
			write(t, filepath.Join(dir, name), text)
		}
	}
	return dir
}

func TestValidateAcceptsTheLibrary(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		localNetwork + "/v1": "valid environment template\n",
		webService + "/v1":   "valid service template with pipeline\n",
	} {
		got := hadron(t, nil, "template", "validate", path).wantCode(t, 0)
		if got.stdout != path+": "+want || got.stderr != "" {
			t.Errorf("validate %s: %q, %q", path, got.stdout, got.stderr)
		}
	}
}

func TestValidateSaysWhereProblemsAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string
		want   string // of stdout, with DIR for the folder
		code   int
	}{
		"a template that does not parse": {
			map[string]string{"infrastructure/cloudformation.yaml": "A: 1\nB: {{ environment.name }\n"},
			"DIR/infrastructure/cloudformation.yaml:2:", 1,
		},
		"a schema with a bad type": {
			map[string]string{"schema/schema.yaml": "schema:\n  format: { openapi: \"3.0.0\" }\n  environment_input_type: In\n  types:\n    In:\n      type: object\n      properties:\n        a: { type: text }\n"},
			"DIR/schema/schema.yaml:8:", 1,
		},
		"a manifest whose file is missing": {
			map[string]string{"infrastructure/cloudformation.yaml": ""},
			"DIR/infrastructure/manifest.yaml:", 1,
		},
		"an unknown key, which is a warning": {
			map[string]string{"infrastructure/manifest.yaml": "infrastructure:\n  templates:\n    - file: cloudformation.yaml\n      rendering_engine: jinja\n      template_language: cloudformation\n      colour: red\n"},
			"DIR/infrastructure/manifest.yaml:6:7: warning: ", 0,
		},
		"a service template without pipeline": {
			map[string]string{
				"schema/schema.yaml":                          "schema:\n  format: { openapi: \"3.0.0\" }\n  service_input_type: In\n  types:\n    In:\n      type: object\n",
				"infrastructure/manifest.yaml":                "",
				"infrastructure/cloudformation.yaml":          "",
				"instance_infrastructure/manifest.yaml":       "infrastructure:\n  templates:\n    - file: cloudformation.yaml\n      rendering_engine: jinja\n      template_language: cloudformation\n",
				"instance_infrastructure/cloudformation.yaml": "Resources: { A: { Type: \"AWS::SNS::Topic\" } }\n",
			},
			"DIR: valid service template without pipeline (pipelineProvisioning CUSTOMER_MANAGED)\n", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := bundleFiles(t, c.change)
			got := hadron(t, nil, "template", "validate", dir).wantCode(t, c.code)
			if want := strings.ReplaceAll(c.want, "DIR", dir); !strings.HasPrefix(got.stdout, want) {
				t.Errorf("stdout: %s\nwant at its beginning: %s", got.stdout, want)
			}
			if c.code == 1 && !strings.Contains(got.stderr, ": not a valid environment template: 1 problem\n") {
				t.Errorf("stderr: %s", got.stderr)
			}
			var report jsonReport
			asJSON := hadron(t, nil, "template", "validate", "--output", "json", dir).wantCode(t, c.code)
			if err := json.Unmarshal([]byte(asJSON.stdout), &report); err != nil || report.Valid != (c.code == 0) {
				t.Errorf("--output json: %s (%v)", asJSON.stdout, err)
			}
		})
	}
}

func TestValidateReadsArchives(t *testing.T) {
	t.Parallel()
	archive, err := bundle.Pack(os.DirFS(bundleFiles(t, nil)), bundle.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(t.TempDir(), "bundle.tar.gz"), string(archive))
	if got := hadron(t, nil, "template", "validate", file).wantCode(t, 0); got.stdout != file+": valid environment template\n" {
		t.Errorf("validate of an archive: %s", got.stdout)
	}
	broken := write(t, filepath.Join(t.TempDir(), "bundle.tar.gz"), string(archive[:40]))
	if got := hadron(t, nil, "template", "validate", broken).wantCode(t, 1); !strings.HasPrefix(got.stdout, broken+": ") {
		t.Errorf("validate of a broken archive: %s", got.stdout)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRenderWritesWhatCloudFormationGets(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "a", "b")
	spec := write(t, filepath.Join(t.TempDir(), "spec.yaml"), "{proton: EnvironmentSpec, spec: {count: 1, cdir: 1.2.3.4}}")
	names := write(t, filepath.Join(t.TempDir(), "names.json"), `{"environment": {"name": "dev"}}`)
	got := hadron(t, nil, "template", "render", bundleFiles(t, nil), "--spec", spec, "--out", out, "--parameters", names).wantCode(t, 0)
	want := "Description: dev\nResources:\n  N0: { Type: \"AWS::EC2::VPC\", Properties: { CidrBlock: 10.0.0.0/16 } }"
	if diff := cmp.Diff(want, read(t, filepath.Join(out, "cloudformation.yaml"))); diff != "" {
		t.Errorf("cloudformation.yaml (-want +got):\n%s", diff)
	}
	if got.stdout != filepath.Join(out, "cloudformation.yaml")+"\n" {
		t.Errorf("stdout: %s", got.stdout)
	}
	if !strings.Contains(got.stderr, "spec.yaml:1:44: warning: spec.cdir") {
		t.Errorf("no warning of the unknown input: %s", got.stderr)
	}
}

// The library's bundles are examples of tests too.
func TestTestsOfTheLibraryPass(t *testing.T) {
	t.Parallel()
	got := hadron(t, nil, "template", "test", "../../library").wantCode(t, 0)
	if want := "2 tests: 2 passed\n"; !strings.HasSuffix(got.stdout, want) {
		t.Errorf("stdout: %s\nwant at its end: %s", got.stdout, want)
	}
}

// The examples beside the library's templates show each part of a service.
func TestRenderOfTheLibrary(t *testing.T) {
	t.Parallel()
	render := func(t *testing.T, template string, more ...string) (map[string]any, result) {
		out := t.TempDir()
		args := append([]string{"template", "render", template + "/v1", "--spec", template + "/spec/spec.yaml", "--out", out}, more...)
		got := hadron(t, nil, args...).wantCode(t, 0)
		var inputs map[string]any
		if err := json.Unmarshal([]byte(read(t, filepath.Join(out, "proton-inputs.json"))), &inputs); err != nil {
			t.Fatal(err)
		}
		return inputs, got
	}
	known := write(t, filepath.Join(t.TempDir(), "known.json"), `{
		"environment": {"account_id": "111122223333", "outputs": {"NetworkDir": "/n", "Ports": [1, 2]}},
		"service": {"name": "hello", "branch_name": "main"},
		"service_instances": [{"name": "hello-prod", "outputs": {"Url": "u"}, "environment": {"account_id": "444455556666", "outputs": {}}}]}`)

	environment, got := render(t, localNetwork)
	want := map[string]any{"environment": map[string]any{"name": "example", "inputs": map[string]any{
		"state_dir": "/tmp/hadron-example", "stage": "staging", "first_port": 21000.0, "port_count": 20.0,
		"reachable": false, "search_domains": []any{"example.test", "localhost"},
	}}}
	if diff := cmp.Diff(want, environment); diff != "" {
		t.Errorf("inputs of the environment (-want +got):\n%s", diff)
	}
	if !strings.HasSuffix(got.stdout, "A deployment runs there, in one shell:\n  sh ./provision.sh\n") {
		t.Errorf("stdout: %s", got.stdout)
	}

	instance, _ := render(t, webService, "--instance", "hello-dev", "--parameters", known)
	want = map[string]any{
		"environment": map[string]any{"name": "local", "account_id": "111122223333", "outputs": map[string]any{"NetworkDir": "/n", "Ports": "[1,2]"}},
		"service":     map[string]any{"name": "hello", "branch_name": "main", "repository_id": "", "repository_connection_arn": ""},
		"service_instance": map[string]any{"name": "hello-dev", "inputs": map[string]any{
			"greeting": "Hello from the development instance", "theme": "light", "cache_seconds": 0.0, "maintenance": false, "links": []any{},
		}},
	}
	if diff := cmp.Diff(want, instance); diff != "" {
		t.Errorf("inputs of the instance (-want +got):\n%s", diff)
	}

	pipeline, _ := render(t, webService, "--pipeline", "--parameters", known)
	instances := pipeline["service_instances"].([]any)
	prod := instances[1].(map[string]any)
	if diff := cmp.Diff(map[string]any{"Url": "u"}, prod["outputs"]); len(instances) != 2 || diff != "" {
		t.Errorf("the pipeline's second instance: %v", prod)
	}
	if account := prod["environment"].(map[string]any)["account_id"]; account != "444455556666" {
		t.Errorf("account of the second instance's environment: %v", account)
	}
}

func TestRenderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := bundleFiles(t, nil)
	undefined := bundleFiles(t, map[string]string{"infrastructure/cloudformation.yaml": "A: 1\nB: {{ environment.inputs.nothing }}\n"})
	invalid := bundleFiles(t, map[string]string{"schema/schema.yaml": "schema: [\n"})
	spec := write(t, filepath.Join(t.TempDir(), "spec.yaml"), "{proton: EnvironmentSpec}")
	bad := write(t, filepath.Join(t.TempDir(), "bad.yaml"), "{proton: EnvironmentSpec, spec: {count: many}}")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an undefined name":     {[]string{undefined, "--spec", spec}, 1, undefined + "/infrastructure/cloudformation.yaml:2:7: 'environment.inputs.nothing' is undefined\n  2 | B: {{ environment.inputs.nothing }}\n    |       ^\n"},
		"an invalid bundle":     {[]string{invalid, "--spec", spec}, 1, "is not a valid bundle; \"hadron template validate " + invalid + "\" says more"},
		"a spec that is wrong":  {[]string{good, "--spec", bad}, 1, bad + ":1:41: spec.count: \"many\" is not a number\n  1 | {proton: EnvironmentSpec, spec: {count: many}}\n    |                                         ^\n"},
		"a spec of nothing":     {[]string{good, "--spec", "/none"}, 1, "no such file"},
		"pipeline of an env":    {[]string{good, "--spec", spec, "--pipeline"}, 2, "this is an environment template"},
		"parameters not JSON":   {[]string{good, "--spec", spec, "--parameters", bad}, 1, bad + ":1: invalid character"},
		"no instance chosen":    {[]string{webService + "/v1", "--spec", webService + "/spec/spec.yaml"}, 2, "choose one with --instance (hello-dev, hello-prod), or --pipeline"},
		"no such instance":      {[]string{webService + "/v1", "--spec", webService + "/spec/spec.yaml", "--instance", "x"}, 2, `no instance "x"; it has: hello-dev, hello-prod`},
		"the other kind's spec": {[]string{good, "--spec", webService + "/spec/spec.yaml"}, 1, `proton must be EnvironmentSpec, not "ServiceSpec"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"template", "render", "--out", t.TempDir()}, c.args...)
			if got := hadron(t, nil, args...).wantCode(t, c.code); !strings.Contains(got.stderr, c.want) {
				t.Errorf("stderr: %s\nwant in it: %s", got.stderr, c.want)
			}
		})
	}
}

func TestRenderOfOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	template := write(t, filepath.Join(dir, "t.txt"), "{{ a.b }}|{{ n }}|{{ x }}|{{ list }}\n\n")
	names := write(t, filepath.Join(dir, "n.json"), `{"a": {"b": "ü"}, "n": 1.0, "x": 10000000000000000000000, "list": ["a", true, null]}`+"\n")
	got := hadron(t, nil, "template", "render", "--file", template, "--parameters", names).wantCode(t, 0)
	if want := "ü|1.0|10000000000000000000000|['a', True, None]\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
	none := hadron(t, nil, "template", "render", "--file", template).wantCode(t, 1)
	if want := template + ":1:4: 'a' is undefined\n  1 | {{ a.b }}|{{ n }}|{{ x }}|{{ list }}\n    |    ^\n"; none.stderr != want {
		t.Errorf("got %q, want %q", none.stderr, want)
	}
	list := write(t, filepath.Join(dir, "list.json"), "[1]")
	if got := hadron(t, nil, "template", "render", "--file", template, "--parameters", list).wantCode(t, 1); !strings.Contains(got.stderr, list+": parameters: want a JSON object") {
		t.Errorf("parameters that are no object: %s", got.stderr)
	}
}

// Terraform files come with a notice of the resource they belong to.
func TestRenderOfTerraformNamesTheResource(t *testing.T) {
	t.Parallel()
	dir := bundleFiles(t, map[string]string{
		"infrastructure/manifest.yaml":       "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n",
		"infrastructure/cloudformation.yaml": "",
		"infrastructure/main.tf":             "output \"name\" { value = var.environment.name }\n",
	})
	spec := write(t, filepath.Join(t.TempDir(), "spec.yaml"), "{proton: EnvironmentSpec}")
	out := t.TempDir()
	hadron(t, nil, "template", "render", dir, "--spec", spec, "--out", out).wantCode(t, 0)
	text := read(t, filepath.Join(out, "main.tf"))
	if !strings.Contains(text, "arn:aws:proton:us-east-1:000000000000:environment/example") || !strings.Contains(text, "value = var.environment.name") {
		t.Errorf("main.tf: %s", text)
	}
}
