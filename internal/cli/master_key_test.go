package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that runs takes a new key from its file, seals everything anew with
// it, and does without the old one.
func TestMasterKeyRotatesWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	env := toServer(s.wait(t, servesOn), data)
	env["HADRON_DATA"] = data
	policy := write(t, filepath.Join(t.TempDir(), "p.json"), `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
	hadron(t, env, "user", "create", "ann", "--policy", policy).wantCode(t, 0)
	old := strings.TrimSpace(hadron(t, env, "master-key", "list").wantCode(t, 0).stdout)

	hadron(t, env, "master-key", "rotate").wantCode(t, 0)
	if again := hadron(t, env, "master-key", "rotate").wantCode(t, exitFailure); !strings.Contains(again.stderr, "finish the rotation that was begun") {
		t.Errorf("a second rotation: %s", again.stderr)
	}
	both := strings.Fields(hadron(t, env, "master-key", "list").wantCode(t, 0).stdout)
	if len(both) != 2 || both[1] != old {
		t.Fatalf("keys %v, was %s", both, old)
	}
	finished := result{code: -1}
	for deadline := time.Now().Add(30 * time.Second); finished.code != 0 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		finished = hadron(t, env, "master-key", "finish")
	}
	if finished.code != 0 || !strings.Contains(finished.stdout, "Everything is sealed with "+both[0]) {
		t.Fatalf("finish: %s%s", finished.stdout, finished.stderr)
	}
	if got := strings.TrimSpace(hadron(t, env, "master-key", "list").wantCode(t, 0).stdout); got != both[0] {
		t.Errorf("the file has %s", got)
	}
	s.end(t)
	second := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	hadron(t, toServer(second.wait(t, servesOn), data), "user", "list").wantCode(t, 0)
}

// Many servers have a key before one seals with it.
func TestMasterKeysAreAddedAndChosen(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "master.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	keys := func(args ...string) []string {
		t.Helper()
		hadron(t, nil, append([]string{"master-key"}, append(args, "--master-key-file", file)...)...).wantCode(t, 0)
		return strings.Fields(hadron(t, nil, "master-key", "list", "--master-key-file", file).wantCode(t, 0).stdout)
	}
	first := keys("list")
	added := keys("add")
	if len(added) != 2 || added[0] != first[0] {
		t.Fatalf("%v, then %v", first, added)
	}
	if used := keys("use", added[1]); len(used) != 2 || used[0] != added[1] || used[1] != added[0] {
		t.Errorf("%v, then %v", added, used)
	}
	unknown := hadron(t, nil, "master-key", "use", "x", "--master-key-file", file).wantCode(t, exitFailure)
	if !strings.Contains(unknown.stderr, "there is no key x; there are ") {
		t.Errorf("stderr: %s", unknown.stderr)
	}
}
