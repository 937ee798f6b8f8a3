package gosdk

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
	"go.yaml.in/yaml/v4"
)

// leftOut stands for the programs of the real bundles, which are not part of
// the data: each says that it was called.
var leftOut = files{
	"install-terraform.sh":          "#!/bin/sh\nrecord install-terraform.sh \"$@\"\n",
	"output.sh":                     "#!/bin/sh -e\nrecord output.sh\nmake-outputs list > outputs.json\naws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --outputs file://outputs.json\n",
	"tf-state.sh":                   "record tf-state.sh\nexport TF_STATE_BUCKET=state-bucket KEY=state-key\n",
	"cdk-to-proton.sh":              "#!/bin/sh\nrecord cdk-to-proton.sh\nmake-outputs list\n",
	"cdk_deploy.sh":                 "#!/bin/sh\nrecord cdk_deploy.sh\nmake-outputs nested > proton-outputs.json\n",
	"scripts/install-terraform.sh":  "#!/bin/sh\nrecord scripts/install-terraform.sh \"$@\"\n",
	"scripts/tf-state.sh":           "record scripts/tf-state.sh\nexport TF_STATE_BUCKET=state-bucket KEY=state-key\n",
	"scripts/oidc.sh":               "#!/bin/sh\nrecord scripts/oidc.sh\n",
	"scripts/install-github-cli.sh": "#!/bin/sh\nrecord scripts/install-github-cli.sh\n",
	"scripts/submit-pr.sh":          "#!/bin/sh\nrecord scripts/submit-pr.sh \"$@\"\n",
	"s3-bucket/main.tf":             "# made for the test\n",
}

// npm stands for "npm run cdk -- deploy" too, which writes the stack's outputs.
func npm(args []string) error {
	line := strings.Join(args, " ")
	if err := record("npm " + line); err != nil || !strings.HasPrefix(line, "run cdk -- deploy") {
		return err
	}
	return os.WriteFile("proton-outputs.json", []byte(`{"Stack": {"Made": "yes"}}`), 0o600)
}

// makeOutputs prints what a run of the name of its resource is to report.
func makeOutputs(args []string) error {
	list := []map[string]string{{"key": "Made", "valueString": "by " + filepath.Base(os.Getenv("RESOURCE_ARN"))}, {"key": "tf_state_bucket", "valueString": "state-bucket"}}
	if args[0] == "nested" {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"Stack": map[string]string{"Made": "yes"}})
	}
	return json.NewEncoder(os.Stdout).Encode(list)
}

// bundleOfCorpus is a real bundle and what its author committed beside it.
type bundleOfCorpus struct {
	dir, name   string
	environment string // the environment template it goes with; empty: it is one
	pipeline    bool
}

// Real bundles for CodeBuild run unedited: what each command of theirs does
// arrives in order, in one session, as a plain shell would have it; and they
// find the inputs file that their authors got from Proton.
func TestRealCodeBuildBundles(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "manifests")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the real manifests are not here: shared/corpus/manifests beside the project")
	}
	s := &server{data: t.TempDir(), tools: filepath.Join(t.TempDir(), "tools")}
	if err := writeTools(s.tools, "record", "terraform", "npm", "aws", "jq", "make-outputs"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.tools, "calls"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.up(t)
	c := clientOf(t, s)
	bundles := bundlesIn(t, root)
	for _, b := range bundles {
		if b.environment == "" {
			c.environmentTemplate(t, b.name, pack(t, b.files(t)))
			c.deployEnvironment(t, b)
		}
	}
	for _, b := range bundles {
		if b.environment != "" {
			t.Run(b.name, func(t *testing.T) {
				c.serviceTemplate(t, b.name, b.pipeline, pack(t, b.files(t)), b.environment)
				c.deployService(t, b)
			})
		}
	}
	provisioned := readCalls(t, s.tools)
	checked := 0
	for _, b := range bundles {
		for part, arn := range b.runs(c) {
			t.Run(b.name+"/"+part, func(t *testing.T) { b.checkRun(t, c, part, arn, false, provisioned[arn]) })
			checked++
		}
	}
	if checked < 13 {
		t.Errorf("only %d runs of real bundles", checked)
	}
	c.removeRealBundles(t, bundles)
	all := readCalls(t, s.tools)
	for _, b := range bundles {
		for part, arn := range b.runs(c) {
			t.Run(b.name+"/"+part+"/removed", func(t *testing.T) { b.checkRun(t, c, part, arn, true, all[arn][len(provisioned[arn]):]) })
		}
	}
}

// removeRealBundles deletes the services, then the environments.
func (c *client) removeRealBundles(t *testing.T, bundles []bundleOfCorpus) {
	t.Helper()
	for _, b := range bundles {
		if b.environment == "" {
			continue
		}
		name := aws.String("s-" + b.name)
		must(t)(c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: name}))
		if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: name}, fast); err != nil {
			t.Fatalf("%s: %v", *name, err)
		}
	}
	for _, b := range bundles {
		if b.environment == "" {
			c.deleteEnvironment(t, b.name)
		}
	}
}

func bundlesIn(t *testing.T, root string) []bundleOfCorpus {
	t.Helper()
	var list []bundleOfCorpus
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "schema" {
			return err
		}
		b := bundleOfCorpus{dir: filepath.Dir(path), name: filepath.Base(filepath.Dir(filepath.Dir(path)))}
		if text, err := os.ReadFile(filepath.Join(b.dir, ".template-registration.yaml")); err == nil {
			_, entry, _ := strings.Cut(string(text), "- ") // one author misspelt the key
			b.environment, _, _ = strings.Cut(strings.TrimSpace(entry), ":")
		}
		_, err = os.Stat(filepath.Join(b.dir, "pipeline_infrastructure"))
		b.pipeline = err == nil
		list = append(list, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// parts are the folders of the bundle that are deployed.
func (b bundleOfCorpus) parts() []string {
	switch {
	case b.environment == "":
		return []string{"infrastructure"}
	case b.pipeline:
		return []string{"instance_infrastructure", "pipeline_infrastructure"}
	}
	return []string{"instance_infrastructure"}
}

// runs are the resources that each part was deployed for.
func (b bundleOfCorpus) runs(c *client) map[string]string {
	service := c.arn("service/s-" + b.name)
	arns := map[string]string{"infrastructure": c.arn("environment/" + b.name), "instance_infrastructure": service + "/service-instance/test", "pipeline_infrastructure": service + "/pipeline"}
	maps.DeleteFunc(arns, func(part, _ string) bool { return !slices.Contains(b.parts(), part) })
	return arns
}

// files are the bundle as it is, with its programs stood for.
func (b bundleOfCorpus) files(t *testing.T) files {
	t.Helper()
	all := files{}
	for _, part := range b.parts() {
		for name, text := range leftOut {
			all[part+"/"+name] = text
		}
	}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, b.dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// committed is the inputs file beside a part's manifest, nil if there is none.
func (b bundleOfCorpus) committed(t *testing.T, part string) map[string]any {
	t.Helper()
	file := filepath.Join(b.dir, part, "proton-inputs.json")
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	return readJSON(t, file).(map[string]any)
}

// inputs are those of a committed file that the schema lets through: two
// authors left empty texts where the schema wants more.
func inputs(file map[string]any, group string) map[string]any {
	g, _ := file[group].(map[string]any)
	in, _ := g["inputs"].(map[string]any)
	in = maps.Clone(in)
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == "" })
	return in
}

func flow(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (c *client) deployEnvironment(t *testing.T, b bundleOfCorpus) {
	t.Helper()
	spec := "proton: EnvironmentSpec\nspec: " + flow(t, nonNil(inputs(b.committed(t, "infrastructure"), "environment"))) + "\n"
	must(t)(c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: &b.name, TemplateName: &b.name, TemplateMajorVersion: aws.String("1"), Spec: &spec,
	}))
	if err := c.WaitUntilEnvironmentDeployedWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &b.name}, fast); err != nil {
		out, _ := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &b.name})
		t.Fatalf("%s: %v: %s", b.name, err, aws.StringValue(out.Environment.DeploymentStatusMessage))
	}
}

func (c *client) deployService(t *testing.T, b bundleOfCorpus) {
	t.Helper()
	spec := "proton: ServiceSpec\n"
	if b.pipeline {
		spec += "pipeline: " + flow(t, nonNil(inputs(b.committed(t, "pipeline_infrastructure"), "pipeline"))) + "\n"
	}
	spec += "instances:\n- name: test\n  environment: " + b.environment + "\n  spec: " +
		flow(t, nonNil(inputs(b.committed(t, "instance_infrastructure"), "service_instance"))) + "\n"
	in := serviceRequest("s-"+b.name, b.name, spec)
	if !b.pipeline {
		in.RepositoryConnectionArn, in.RepositoryId, in.BranchName = nil, nil, nil
	}
	must(t)(c.CreateServiceWithContext(c.ctx, in))
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: in.Name}, fast); err != nil {
		for _, arn := range b.runs(c) {
			t.Log(arn, strings.Join(c.log(t, arn), "\n"))
		}
		t.Fatal(err)
	}
}

func nonNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// log is what the last deployment of a resource has written.
func (c *client) log(t *testing.T, arn string) []string {
	t.Helper()
	list, err := c.ListDeploymentsWithContext(c.ctx, &proton.ListDeploymentsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range list.Deployments {
		if *d.TargetArn != arn {
			continue
		}
		a := c.send(t, raw{target: "Hadron20261123.ListDeploymentLogEvents", body: `{"deploymentId":"` + *d.Id + `"}`})
		events, _ := a.body["events"].([]any)
		for _, e := range events {
			message, _ := e.(map[string]any)["message"].(string)
			lines = append(lines, message)
		}
		break // they are listed newest first
	}
	return lines
}

type realManifest struct {
	Infrastructure struct {
		Templates []struct {
			Settings struct {
				Env struct {
					Variables map[string]string `yaml:"variables"`
				} `yaml:"env"`
				Provision   []string `yaml:"provision"`
				Deprovision []string `yaml:"deprovision"`
			} `yaml:"settings"`
		} `yaml:"templates"`
	} `yaml:"infrastructure"`
}

// checkRun holds what a run did against what a plain shell does with the same
// commands, files and variables.
func (b bundleOfCorpus) checkRun(t *testing.T, c *client, part, arn string, removed bool, got []call) {
	text, err := os.ReadFile(filepath.Join(b.dir, part, "manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m realManifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	settings := m.Infrastructure.Templates[0].Settings
	commands := settings.Provision
	if removed {
		commands = settings.Deprovision
	}
	var announced []string
	for _, line := range c.log(t, arn) {
		if command, ok := strings.CutPrefix(line, "[hadron] running command: "); ok {
			announced = append(announced, command)
		}
	}
	diff(t, "commands in the log", commands, announced)

	var inputsFile string
	for _, one := range got {
		if one.Inputs != "" {
			inputsFile = one.Inputs
			break
		}
	}
	if inputsFile == "" {
		t.Fatal("no program found a proton-inputs.json")
	}
	want := b.shell(t, part, arn, inputsFile, commands, settings.Env.Variables)
	diff(t, "what its programs were called with", lines(want), lines(got))

	if committed := b.committed(t, part); committed != nil {
		var written any
		if err := json.Unmarshal([]byte(inputsFile), &written); err != nil {
			t.Fatal(err)
		}
		compareShape(t, part, committed, written)
	}
}

func lines(calls []call) []string {
	var list []string
	for _, one := range calls {
		line, _, _ := strings.Cut(one.Line, " --endpoint-url ") // Hadron's wrapper adds it
		list = append(list, line)
	}
	return list
}

// shell runs the commands as one script and answers what it recorded.
func (b bundleOfCorpus) shell(t *testing.T, part, arn, inputsFile string, commands []string, variables map[string]string) []call {
	t.Helper()
	dir, tools := filepath.Join(t.TempDir(), "src"), filepath.Join(t.TempDir(), "tools")
	if err := writeTools(tools, "record", "terraform", "npm", "aws", "jq", "make-outputs"); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{filepath.Join(tools, "calls"): "", filepath.Join(tools, "dry"): ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range b.files(t) {
		rest, ok := strings.CutPrefix(name, part+"/")
		if !ok {
			continue
		}
		if rest == "proton-inputs.json" {
			continue
		}
		full := filepath.Join(dir, rest)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "proton-inputs.json"), []byte(inputsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-ec", strings.Join(commands, "\n"))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "RESOURCE_ARN=" + arn, "AWS_REGION=eu-west-1"}
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("a plain shell: %v\n%s", err, out)
	}
	return readCalls(t, tools)[arn]
}

// readCalls reads what stand-ins recorded, by resource.
func readCalls(t *testing.T, tools string) map[string][]call {
	t.Helper()
	file, err := os.Open(filepath.Join(tools, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	calls := map[string][]call{}
	for s := bufio.NewScanner(file); s.Scan(); {
		var one call
		if err := json.Unmarshal(s.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		calls[one.Run] = append(calls[one.Run], one)
	}
	return calls
}

// compareShape wants every key that the author's file has, with a value of the
// same JSON type. Names and outputs are of another deployment, and inputs
// whose committed value the schema refuses take their default.
func compareShape(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: got %T, want an object", path, got)
			return
		}
		for key, member := range want {
			switch value, ok := object[key]; {
			case key == "outputs":
				compareShape(t, path+".outputs", map[string]any{}, value)
			case !ok && member == "" && strings.HasSuffix(path, ".inputs"):
			case !ok:
				t.Errorf("%s.%s is missing", path, key)
			default:
				compareShape(t, path+"."+key, member, value)
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) == 0 {
			t.Errorf("%s: got %v, want a list", path, got)
			return
		}
		compareShape(t, path+"[0]", want[0], list[0])
	default:
		if g, w := jsonType(got), jsonType(want); g != w {
			t.Errorf("%s: got a %s, want a %s", path, g, w)
		}
	}
}

func jsonType(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	}
	return "other"
}
