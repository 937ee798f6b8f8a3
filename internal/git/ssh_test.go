package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

func TestRepositoriesAreReadAndWrittenOverSSH(t *testing.T) {
	t.Parallel()
	server := gittest.NewServer(t)
	repository := server.Repository(t, "acme/app")
	want := repository.Commit(t, "main", map[string]string{"a": "1"})
	served := server.SSH(t, "")
	folder := t.TempDir()
	g, err := git.New(git.Config{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	remote := git.Remote{URL: served.URL + "/acme/app.git", Key: auth.Secret(served.Key)}
	heads, err := g.Heads(t.Context(), remote, "main")
	if err != nil || heads["main"] != want {
		t.Fatalf("heads: %v %v", heads, err)
	}
	c := fetch(t, g, remote, "main")
	if text, err := c.ReadFile(t.Context(), "a", 10); err != nil || string(text) != "1" {
		t.Errorf("read %q %v", text, err)
	}
	made, err := c.Push(t.Context(), git.Change{Branch: "work", Message: "m\n", Author: "A", Email: "a@b", When: time.Unix(1700000000, 0), Files: map[string][]byte{"b": []byte("2")}})
	if err != nil || repository.Head(t, "work") != made {
		t.Errorf("pushed %s: %v", made, err)
	}
	c.Close()
	if _, err := g.Fetch(t.Context(), remote, "absent", ""); !errors.Is(err, git.ErrNoBranch) {
		t.Errorf("an absent branch: %v", err)
	}
	if keys, _ := filepath.Glob(filepath.Join(folder, "home", "*")); len(keys) > 0 {
		t.Errorf("keys stay on disk: %s", keys)
	}

	for name, key := range map[string]string{"none": "", "another": newKey(t), "no key": "nonsense"} {
		_, err := g.Heads(t.Context(), git.Remote{URL: remote.URL, Key: auth.Secret(key)}, "main")
		if failed, ok := errors.AsType[*git.Error](err); !ok || !failed.Denied {
			t.Errorf("with the key %q: %v", name, err)
		}
	}
}

func newKey(t *testing.T) string {
	t.Helper()
	key, _ := gittest.NewKey(t)
	return key
}

// A server that has another key than at the first contact may be another one.
func TestHostsAreRememberedFromTheFirstContact(t *testing.T) {
	t.Parallel()
	server := gittest.NewServer(t)
	server.Repository(t, "acme/app").Commit(t, "main", map[string]string{"a": "1"})
	first := server.SSH(t, "")
	g, err := git.New(git.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Heads(t.Context(), git.Remote{URL: first.URL + "/acme/app.git", Key: auth.Secret(first.Key)}, "main"); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	second := server.SSH(t, first.Address())
	_, err = g.Heads(t.Context(), git.Remote{URL: second.URL + "/acme/app.git", Key: auth.Secret(second.Key)}, "main")
	if err == nil || !strings.Contains(err.Error(), "known_hosts") {
		t.Errorf("a server with another key: %v", err)
	}
	if err := os.Remove(filepath.Join(g.Folder, "known_hosts")); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Heads(t.Context(), git.Remote{URL: second.URL + "/acme/app.git", Key: auth.Secret(second.Key)}, "main"); err != nil {
		t.Errorf("once the old key is forgotten: %v", err)
	}
}
