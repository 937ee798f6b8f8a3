package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPolicyExplainSaysWhichStatementDecides(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.json")
	text := `{"Version": "2012-10-17", "Statement": [
  {"Sid": "Web", "Effect": "Allow", "Action": "proton:*", "Resource": "*",
   "Condition": {"ArnLike": {"proton:ServiceTemplate": "arn:aws:proton:*:*:service-template/web"}}},
  {"Sid": "Keep", "Effect": "Deny", "Action": "proton:Delete*", "Resource": "*"}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const web = "--context=proton:ServiceTemplate=arn:aws:proton:eu-west-1:123456789012:service-template/web"
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--action", "proton:CreateService", web}, 0, "allowed by statement 1 (Web) of policy " + file + ", line 2\n"},
		{[]string{"--action", "proton:CreateService"}, 1, "not allowed: no statement allows it\n"},
		{[]string{"--action", "proton:DeleteService", web}, 1, "denied by statement 2 (Keep) of policy " + file + ", line 4\n"},
		{[]string{"--action", "proton:GetService", "--policy", "AWSProtonReadOnlyAccess"}, 0, "allowed by statement 1 (Proton) of policy AWSProtonReadOnlyAccess, line 4\n"},
		{[]string{"--action", "proton:DeleteService", "--output", "json"}, 1, `"decision": "explicitDeny"`},
	} {
		r := hadron(t, nil, append([]string{"policy", "explain", "--policy", file}, tt.args...)...).wantCode(t, tt.code)
		if !strings.Contains(r.stdout, tt.want) {
			t.Errorf("%v: %q, want %q", tt.args, r.stdout, tt.want)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, "ArnLike", "ArnIs", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := hadron(t, nil, "policy", "explain", "--policy", file, "--action", "a:b").wantCode(t, 1)
	if !strings.Contains(r.stderr, "line 3, /Statement/0/Condition/ArnIs") {
		t.Errorf("the refusal names no place: %q", r.stderr)
	}
	hadron(t, nil, "policy", "explain", "--policy", file).wantCode(t, 2)
	r = hadron(t, nil, "policy", "show", "AWSProtonDeveloperAccess").wantCode(t, 0)
	if !strings.Contains(r.stdout, "proton:UpdateServicePipeline") {
		t.Errorf("show prints %q", r.stdout)
	}
	if r := hadron(t, nil, "policy", "list").wantCode(t, 0); !strings.Contains(r.stdout, "AWSProtonFullAccess\n") {
		t.Errorf("list prints %q", r.stdout)
	}
}
