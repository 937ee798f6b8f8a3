package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// inputOf is the input that a command line of an operation makes.
func inputOf(t *testing.T, stdin string, args ...string) (any, error) {
	t.Helper()
	tool := &tool{stdin: strings.NewReader(stdin), lookupEnv: variables(nil).lookup}
	i := slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return kebab(op.Name) == args[0] || op.Name == args[0] })
	op := &api.Operations[i]
	cmd := tool.operationCommand(op)
	text := ""
	members := []*memberFlag{}
	cmd.ResetFlags()
	cmd.Flags().StringVar(&text, "input-json", "", "")
	members = append(members, addMemberFlags(cmd, op.Input)...)
	if err := cmd.ParseFlags(args[1:]); err != nil {
		return nil, err
	}
	body, err := tool.input(op, text, members)
	if err != nil {
		return nil, err
	}
	if err := awsjson.Decode(body, op.Input, op.Method.New()); err != nil {
		t.Errorf("%v: the server would not read %s: %v", args, body, err)
	}
	var v any
	return v, json.Unmarshal(body, &v)
}

func TestInputsAreMadeOfFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spec := write(t, filepath.Join(dir, "spec.yaml"), "proton: ServiceSpec\n")
	file := write(t, filepath.Join(dir, "input.json"), `{"name": "a", "description": "from the file"}`)
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"get-service", "--name", "hello"}, "", `{"name": "hello"}`},
		{[]string{"list-services", "--max-results", "7"}, "", `{"maxResults": 7}`},
		{[]string{"update-account-settings", "--delete-pipeline-provisioning-repository"}, "", `{"deletePipelineProvisioningRepository": true}`},
		{[]string{"update-account-settings", "--delete-pipeline-provisioning-repository=false", "--pipeline-service-role-arn", ""}, "",
			`{"deletePipelineProvisioningRepository": false, "pipelineServiceRoleArn": ""}`},
		{[]string{"update-service", "--name", "a", "--spec", "file://" + spec}, "", `{"name": "a", "spec": "proton: ServiceSpec\n"}`},
		{[]string{"tag-resource", "--resource-arn", "r", "--tags", "key=team,value=a b", "--tags", `{"key": "k", "value": "x,y"}`, "--tags", `key=c,value="1,2"`, "--tags", `key=d,value=3\,4`}, "",
			`{"resourceArn": "r", "tags": [{"key": "team", "value": "a b"}, {"key": "k", "value": "x,y"}, {"key": "c", "value": "1,2"}, {"key": "d", "value": "3,4"}]}`},
		{[]string{"tag-resource", "--resource-arn", "r", "--tags", `[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]`}, "",
			`{"resourceArn": "r", "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]}`},
		{[]string{"untag-resource", "--resource-arn", "r", "--tag-keys", "a", "--tag-keys", "b"}, "", `{"resourceArn": "r", "tagKeys": ["a", "b"]}`},
		{[]string{"create-environment-template-version", "--template-name", "n", "--source", "s3={bucket=b,key=k.tar.gz}"}, "",
			`{"templateName": "n", "source": {"s3": {"bucket": "b", "key": "k.tar.gz"}}}`},
		{[]string{"UpdateService", "--input-json", file}, "", `{"name": "a", "description": "from the file"}`},
		{[]string{"UpdateService", "--input-json", "@" + file, "--description", "from the flag"}, "", `{"name": "a", "description": "from the flag"}`},
		{[]string{"UpdateService", "--input-json", "-", "--name", "b"}, `{"description": "from stdin"}`, `{"name": "b", "description": "from stdin"}`},
		{[]string{"UpdateService", "--input-json", ` {"name": "c"}`}, "", `{"name": "c"}`},
	} {
		got, err := inputOf(t, c.stdin, c.args...)
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
			continue
		}
		var want any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
}

// Every member of every operation has a flag that says what it takes.
func TestEveryMemberHasAFlag(t *testing.T) {
	t.Parallel()
	for n := range api.Operations {
		op := &api.Operations[n]
		cmd := (&tool{}).operationCommand(op)
		for _, m := range op.Input.Members {
			f := cmd.Flags().Lookup(kebab(m.Name))
			switch {
			case f == nil:
				t.Errorf("%s has no flag for %s", op.Name, m.Name)
			case m.Required && !strings.HasPrefix(f.Usage, "required"):
				t.Errorf("%s --%s: %q does not say that it is required", op.Name, f.Name, f.Usage)
			}
		}
	}
	usage := (&tool{}).operationCommand(&api.Operations[slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return op.Name == "CreateService" })]).Flags().FlagUsages()
	for _, want := range []string{
		"--name string ", "required; 1 to 100 characters; matching ^[0-9A-Za-z]+", "--tags list", "may be given several times, at most 50 elements; JSON or key=…,value=…",
		"required; 1 to 51200 characters; file://PATH reads a file",
	} {
		if !strings.Contains(usage, want) {
			t.Errorf("the help lacks %q:\n%s", want, usage)
		}
	}
}

func TestListsArePrintedAsTables(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	tool := &tool{stdout: &stdout, stderr: &stderr}
	op := &api.Operations[slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return op.Name == "ListEnvironments" })]
	answer := `{"environments": [{"name": "prod", "templateName": "net", "deploymentStatus": "SUCCEEDED", "createdAt": 1795422600.214, "arn": "a"},
		{"name": "a-longer-name", "templateName": "net", "templateMajorVersion": "1", "deploymentStatus": "FAILED", "createdAt": 1795422600}], "nextToken": "abc="}`
	if err := tool.printAnswer(op, []byte(answer), false); err != nil {
		t.Fatal(err)
	}
	want := "NAME           TEMPLATE NAME  TEMPLATE MAJOR VERSION  DEPLOYMENT STATUS  CREATED AT\n" +
		"prod           net            -                       SUCCEEDED          2026-11-23T08:30:00Z\n" +
		"a-longer-name  net            1                       FAILED             2026-11-23T08:30:00Z\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Error(diff)
	}
	if got := stderr.String(); got != "There is more: --starting-token abc=\n" {
		t.Errorf("stderr: %s", got)
	}
}
