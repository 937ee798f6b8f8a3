package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditLogIsListedExportedAndVerified(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	env := toServer(server.wait(t, servesOn), data)
	defer server.end(t)
	hadron(t, env, "user", "create", "ann", "--policy", "AWSProtonReadOnlyAccess").wantCode(t, 0)
	hadron(t, env, "role", "list").wantCode(t, 0)
	hadron(t, env, "key", "rotate", "ann", "--grace", "1h").wantCode(t, 0)
	hadron(t, env, "user", "update", "ann", "--policy", "AWSProtonDeveloperAccess").wantCode(t, 0)
	list := hadron(t, env, "audit", "list", "--since", "1h").wantCode(t, 0)
	for _, want := range []string{"CreateUser", "RotateAccessKey", "UpdateUser", ":user/ann"} {
		if !strings.Contains(list.stdout, want) {
			t.Errorf("the list has no %s:\n%s", want, list.stdout)
		}
	}
	if r := hadron(t, env, "audit", "list", "--event", "DeleteUser").wantCode(t, 0); strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("what never happened is listed:\n%s", r.stdout)
	}
	if r := hadron(t, env, "audit", "verify").wantCode(t, 0); !strings.Contains(r.stdout, "whole: 3 records") {
		t.Errorf("verify prints %q", r.stdout)
	}
	export := hadron(t, env, "audit", "export").wantCode(t, 0).stdout
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	verify := func(text string) result {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return hadron(t, nil, "audit", "verify", file)
	}
	verify(export).wantCode(t, 0)
	lines := strings.SplitAfter(export, "\n")
	if r := verify(lines[0]+lines[2]).wantCode(t, 1); !strings.Contains(r.stderr, "Record 2 is missing") {
		t.Errorf("a missing record: %q", r.stderr)
	}
	if r := verify(strings.Replace(export, `"readOnly":false`, `"readOnly":true`, 1)).wantCode(t, 1); !strings.Contains(r.stderr, "Record 1 is not as it was written") {
		t.Errorf("a changed record: %q", r.stderr)
	}
	if r := verify(lines[1]+lines[2]).wantCode(t, 0); !strings.Contains(r.stdout, "The first 1 of them were pruned") {
		t.Errorf("a log without its beginning: %q", r.stdout)
	}
	if r := verify(strings.Replace(lines[1], `"previousHash":"`, `"previousHash":"0`, 1)+lines[2]).wantCode(t, 1); !strings.Contains(r.stderr, "Record 2 is not as it was written") {
		t.Errorf("a log with another beginning: %q", r.stderr)
	}
	hadron(t, nil, "audit", "list", "--since", "yesterday").wantCode(t, 2)
}
