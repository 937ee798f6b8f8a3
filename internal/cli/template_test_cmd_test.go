package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testedBundle is the small bundle with a test that passes.
func testedBundle(t *testing.T) string {
	t.Helper()
	return bundleFiles(t, map[string]string{
		"tests/one/spec.yaml":       "{proton: EnvironmentSpec, spec: {count: 1}}",
		"tests/one/parameters.json": `{"environment": {"name": "dev"}}`,
		"tests/one/expected/environment/cloudformation.yaml": "Description: dev\nResources:\n" +
			"  N0: { Type: \"AWS::EC2::VPC\", Properties: { CidrBlock: 10.0.0.0/16 } }",
	})
}

const vpcFile = "tests/one/expected/environment/cloudformation.yaml"

func TestATestFailsForEveryKindOfDifference(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string
		want   string // of stdout, with DIR for the folder
		update bool   // whether --update makes it pass
	}{
		"a changed file": {
			map[string]string{vpcFile: "Description: prod\nResources:\n  N0: { Type: \"AWS::EC2::VPC\", Properties: { CidrBlock: 10.0.0.0/16 } }"},
			`  expected/environment/cloudformation.yaml is different (- expected, + rendered)
    @@ -1,3 +1,3 @@
    -Description: prod
    +Description: dev
     Resources:
       N0: { Type: "AWS::EC2::VPC", Properties: { CidrBlock: 10.0.0.0/16 } }
    \ No newline at end of file
`, true},
		"a file that nothing renders": {
			map[string]string{"tests/one/expected/dev/old.yaml": "a"},
			"  expected/dev/old.yaml is expected, but nothing like it is rendered\n", true},
		"a file that is not expected": {
			map[string]string{"infrastructure/manifest.yaml": "infrastructure: {templates: [{file: new.yaml, rendering_engine: jinja, template_language: cloudformation}]}",
				"infrastructure/new.yaml": "Resources: {A: {Type: 'AWS::SNS::Topic'}}"},
			"  expected/environment/new.yaml is not there, but it is rendered\n    @@ -0,0 +1 @@\n    +Resources: {A: {Type: 'AWS::SNS::Topic'}}\n", true},
		"a spec that is refused": {
			map[string]string{"tests/one/spec.yaml": "{proton: EnvironmentSpec, spec: {count: many}}"},
			"DIR/tests/one/spec.yaml:1:41: spec.count: \"many\" is not a number\n  1 | {proton: EnvironmentSpec, spec: {count: many}}\n    |                                         ^\n", false},
		"a template that stops": {
			map[string]string{"infrastructure/cloudformation.yaml": "A:\n  B: {{ environment.inputs.name }}\n"},
			"DIR/infrastructure/cloudformation.yaml:2:9: 'environment.inputs.name' is undefined (test one, environment)\n  2 |   B: {{ environment.inputs.name }}\n    |         ^\n", false},
		"a template that CloudFormation refuses": {
			map[string]string{"infrastructure/cloudformation.yaml": "Resources:\n  A: {Tpe: 'AWS::SNS::Topic'}\n"},
			"DIR/" + vpcFile + ":2:3: the resource A has no Type\n  2 |   A: {Tpe: 'AWS::SNS::Topic'}\n    |   ^\n", false},
		"parameters that nothing reads": {
			map[string]string{"tests/one/parameters.json": `{"enviroment": {}}`},
			`unknown field "enviroment"`, false},
		"an error that does not come": {
			map[string]string{"tests/one/expected-error.txt": "is greater"},
			"DIR/tests/one/expected-error.txt: an error is expected, but the spec renders", false},
		"a bundle that does not open": {
			map[string]string{"schema/schema.yaml": "schema: ["},
			"DIR/schema/schema.yaml", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := testedBundle(t)
			hadron(t, nil, "template", "test", dir).wantCode(t, 0)
			for file, text := range c.change {
				write(t, filepath.Join(dir, file), text)
			}
			got := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
			if want := strings.ReplaceAll(c.want, "DIR", dir); !strings.HasPrefix(got.stdout, "✗ "+dir+"/tests/one\n") || !strings.Contains(got.stdout, want) {
				t.Errorf("stdout: %s\nwant in it: %s", got.stdout, want)
			}
			if hint := "--update\n"; strings.HasSuffix(got.stderr, hint) != c.update {
				t.Errorf("stderr: %q; a hint of --update is wanted: %t", got.stderr, c.update)
			}
			before := read(t, filepath.Join(dir, vpcFile))
			updated := hadron(t, nil, "template", "test", "--update", dir)
			if !c.update {
				if updated.wantCode(t, 1); read(t, filepath.Join(dir, vpcFile)) != before {
					t.Error("--update took over the result of an error")
				}
				return
			}
			updated.wantCode(t, 0)
			if !strings.Contains(updated.stdout, "1 test: 0 passed, 1 updated\n") {
				t.Errorf("--update: %s", updated.stdout)
			}
			hadron(t, nil, "template", "test", dir).wantCode(t, 0)
		})
	}
}

// What is no longer rendered goes with its folder, and nothing else does.
func TestUpdateRemovesWhatIsNoLongerRendered(t *testing.T) {
	t.Parallel()
	dir := testedBundle(t)
	write(t, filepath.Join(dir, "tests/one/expected/old/deep/file"), "x")
	write(t, filepath.Join(dir, "tests/one/notes.txt"), "kept")
	got := hadron(t, nil, "template", "test", "--update", dir).wantCode(t, 0)
	if !strings.Contains(got.stdout, "  expected/old/deep/file: removed\n") || exists(filepath.Join(dir, "tests/one/expected/old")) {
		t.Errorf("--update: %s", got.stdout)
	}
	if read(t, filepath.Join(dir, "tests/one/notes.txt")) != "kept" {
		t.Error("--update touched what it does not own")
	}
}

func TestASpecCanBeExpectedToBeRefused(t *testing.T) {
	t.Parallel()
	dir := bundleFiles(t, map[string]string{
		"tests/bad/spec.yaml":          "{proton: EnvironmentSpec, spec: {count: many}}",
		"tests/bad/expected-error.txt": "spec.count\n",
	})
	hadron(t, nil, "template", "test", dir).wantCode(t, 0)
	hadron(t, nil, "template", "validate", "--strict", dir).wantCode(t, 0)

	file := write(t, filepath.Join(dir, "tests/bad/expected-error.txt"), "spec.count\nspec.cidr\n")
	got := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
	if !strings.Contains(got.stdout, "-spec.cidr\n") || !strings.Contains(got.stdout, "+spec.yaml: spec.count: ") {
		t.Errorf("another error than is expected: %s", got.stdout)
	}
	hadron(t, nil, "template", "test", "--update", dir).wantCode(t, 0)
	if !strings.HasPrefix(read(t, file), "spec.yaml: spec.count: ") {
		t.Errorf("--update wrote %q", read(t, file))
	}
	write(t, filepath.Join(dir, "tests/bad/expected/environment/a"), "")
	both := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
	if !strings.Contains(both.stdout, "a test expects either an error or files") {
		t.Errorf("an error and files: %s", both.stdout)
	}
}

func TestTestsOfSeveralBundlesAndSomeOfThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a/v1", "b/v1"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(testedBundle(t))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "b/v1", vpcFile), "other")
	write(t, filepath.Join(dir, "b/v1/tests/two/spec.yaml"), "{proton: EnvironmentSpec, spec: {count: x}}")
	write(t, filepath.Join(dir, "b/v1/tests/two/expected-error.txt"), "spec.count")

	var all jsonTests
	got := hadron(t, nil, "template", "test", "--output", "json", dir).wantCode(t, 1)
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	var status []string
	for _, test := range all.Tests {
		name, err := filepath.Rel(dir, test.Bundle)
		if err != nil {
			t.Fatal(err)
		}
		status = append(status, name+" "+test.Name+" "+test.Status)
	}
	if diff := cmp.Diff([]string{"a/v1 one passed", "b/v1 one failed", "b/v1 two passed"}, status); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	if all.Passed != 2 || all.Failed != 1 || all.Updated != 0 {
		t.Errorf("counts: %+v", all)
	}
	d := all.Tests[1].Differences
	if len(d) != 1 || d[0].File != "environment/cloudformation.yaml" || d[0].Kind != "changed" || !strings.Contains(d[0].Diff, "\n-other\n") {
		t.Errorf("differences: %+v", d)
	}

	some := hadron(t, nil, "template", "test", "--run", "t*", dir).wantCode(t, 0)
	if want := "✓ " + dir + "/b/v1/tests/two\n1 test: 1 passed\n"; some.stdout != want {
		t.Errorf("--run: %q, want %q", some.stdout, want)
	}
	none := hadron(t, nil, "template", "test", "--run", "three", dir).wantCode(t, 1)
	if !strings.Contains(none.stderr, `--run: none of 3 tests is called "three"`) {
		t.Errorf("--run of nothing: %s", none.stderr)
	}
}

func TestABundleWithoutTestsFails(t *testing.T) {
	t.Parallel()
	dir := bundleFiles(t, map[string]string{"tests/unit/test_it.py": "pass"})
	got := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
	if !strings.Contains(got.stderr, "there are no tests: write a spec to "+dir+"/tests/default/spec.yaml") {
		t.Errorf("stderr: %s", got.stderr)
	}
	write(t, filepath.Join(dir, "tests/half/parameters.json"), "{}")
	half := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
	if !strings.Contains(half.stderr, "tests/half has no spec.yaml: a test needs the spec that is rendered") {
		t.Errorf("a test without spec: %s", half.stderr)
	}
}

// Scripts of commands are the bundle's own; expecting them again would only
// repeat each change to them.
func TestCopiedFilesOfCommandsAreNotExpected(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shared")
	hadron(t, nil, "template", "init", "environment", dir, "--engine", "codebuild").wantCode(t, 0)
	entries, err := os.ReadDir(filepath.Join(dir, "tests/default/expected/environment"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "proton-inputs.json" {
		t.Errorf("expected files: %v (%v)", entries, err)
	}
	write(t, filepath.Join(dir, "infrastructure/provision.sh"), "echo other")
	hadron(t, nil, "template", "test", dir).wantCode(t, 0)
}

// An instance may have the name of the pipeline; a test of it cannot.
func TestAnInstanceCalledPipelineHasNoPlace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "web")
	hadron(t, nil, "template", "init", "service", dir, "--pipeline").wantCode(t, 0)
	write(t, filepath.Join(dir, "tests/default/spec.yaml"), "{proton: ServiceSpec, instances: [{name: pipeline, environment: e}]}")
	got := hadron(t, nil, "template", "test", dir).wantCode(t, 1)
	if !strings.Contains(got.stdout, `the instance "pipeline" would share its folder with the pipeline`) {
		t.Errorf("stdout: %s", got.stdout)
	}
}

func TestValidateHoldsAgainstThePreviousVersion(t *testing.T) {
	t.Parallel()
	before, next := bundleFiles(t, nil), bundleFiles(t, nil)
	hadron(t, nil, "template", "validate", next, "--previous", before).wantCode(t, 0)
	schema := filepath.Join(next, "schema", "schema.yaml")
	write(t, schema, strings.Replace(read(t, schema), "type: number, default: 2", "type: boolean, default: true", 1))
	got := hadron(t, nil, "template", "validate", next, "--previous", before).wantCode(t, 1)
	if !strings.Contains(got.stdout, schema+":9:") || !strings.Contains(got.stdout, "not compatible with the previous minor version: In.count: ") || !strings.Contains(got.stdout, "  9 |         count: {") {
		t.Errorf("stdout: %s", got.stdout)
	}
	none := hadron(t, nil, "template", "validate", next, "--previous", next+"/none").wantCode(t, 1)
	if !strings.Contains(none.stderr, "--previous "+next+"/none: ") || !strings.Contains(none.stderr, "does not exist") {
		t.Errorf("stderr: %s", none.stderr)
	}
}

func TestStrictTakesWarningsForProblems(t *testing.T) {
	t.Parallel()
	dir := bundleFiles(t, map[string]string{"infrastructure/cloudformation.yaml": "Resources: { A: { Type: 'AWS::SNS::Topic' } }\n"})
	hadron(t, nil, "template", "validate", dir).wantCode(t, 0)
	got := hadron(t, nil, "template", "validate", "--strict", dir).wantCode(t, 1)
	if !strings.Contains(got.stderr, "valid environment template, but --strict accepts no warnings: 2 warnings\n") {
		t.Errorf("stderr: %s", got.stderr)
	}
}

// A schema whose defaults do not render is found although no spec is given.
func TestValidateRendersTheDefaults(t *testing.T) {
	t.Parallel()
	dir := bundleFiles(t, map[string]string{
		"schema/schema.yaml":                 "schema:\n  format: { openapi: \"3.0.0\" }\n  environment_input_type: In\n  types:\n    In:\n      type: object\n      properties:\n        topic: { type: string }\n",
		"infrastructure/cloudformation.yaml": "Resources:\n  A: { Type: 'AWS::SNS::Topic', Properties: { TopicName: {{ environment.inputs.topic }} } }\n",
	})
	got := hadron(t, nil, "template", "validate", dir).wantCode(t, 0)
	if !strings.Contains(got.stdout, "cloudformation.yaml:2:61: warning: rendered for a spec without inputs: 'environment.inputs.topic' is undefined\n  2 |   A: {") {
		t.Errorf("stdout: %s", got.stdout)
	}
}

func TestUnifiedDiff(t *testing.T) {
	t.Parallel()
	lines := func(from, to int) string {
		var b strings.Builder
		for n := from; n <= to; n++ {
			b.WriteString(strings.Repeat("x", n) + "\n")
		}
		return b.String()
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"equal":            {"a\n", "a\n", ""},
		"from nothing":     {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b"},
		"to nothing":       {"a\n", "", "@@ -1 +0,0 @@\n-a"},
		"the line end":     {"a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a"},
		"a moved line":     {"a\nb\nc\n", "b\nc\na\n", "@@ -1,3 +1,3 @@\n-a\n b\n c\n+a"},
		"two hunks":        {lines(1, 12), "new\n" + lines(1, 11) + "end\n", "@@ -1,3 +1,4 @@\n+new\n x\n xx\n xxx\n@@ -9,4 +10,4 @@\n xxxxxxxxx\n xxxxxxxxxx\n xxxxxxxxxxx\n-xxxxxxxxxxxx\n+end"},
		"hunks that touch": {lines(1, 6), "new\n" + lines(1, 6) + "end\n", "@@ -1,6 +1,8 @@\n+new\n x\n xx\n xxx\n xxxx\n xxxxx\n xxxxxx\n+end"},
	} {
		if diff := cmp.Diff(c.want, strings.Join(unifiedDiff(c.from, c.to), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// Texts too long for the table are still told apart, only less finely.
	from, to := strings.Repeat("a\nb\n", 1500), strings.Repeat("b\nc\n", 1500)
	if got := unifiedDiff(from, to); len(got) != 1+6000 || got[0] != "@@ -1,3000 +1,3000 @@" {
		t.Errorf("a long diff has %d lines and begins with %q", len(got), got[0])
	}
}

func TestExcerptsFitALine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 80) + "HERE" + strings.Repeat("b", 80)
	for name, c := range map[string]struct {
		text         string
		line, column int
		at           string // what the mark is under
	}{
		"tabs":                  {"\tx: y", 1, 2, "x"},
		"the second line":       {"a\nbc\r\nd", 2, 2, "c"},
		"a long line":           {long, 1, 81, "H"},
		"the end of a line":     {"ab", 1, 9, ""},
		"letters of many bytes": {"äöü: é", 1, 6, "é"},
	} {
		line, column, ok := excerpt(c.text, c.line, c.column)
		runes := []rune(line)
		if !ok || column < 1 || column > len(runes)+1 || strings.ContainsAny(line, "\t\r") || len(runes) > widest+2 {
			t.Errorf("%s: %q, column %d, %t", name, line, column, ok)
			continue
		}
		if under := string(runes[column-1 : min(column, len(runes))]); under != c.at {
			t.Errorf("%s: the mark is under %q, want %q", name, under, c.at)
		}
	}
	if _, _, ok := excerpt("a\n", 5, 1); ok {
		t.Error("an excerpt of a line that is not there")
	}
}
