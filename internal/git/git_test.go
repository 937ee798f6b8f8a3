package git_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

const (
	user     = "robot"
	password = "correct-horse-battery"
)

// serve makes a repository behind a password, and a Git that reads it.
func serve(t *testing.T, change ...func(*git.Config)) (*git.Git, *gittest.Repository, git.Remote) {
	t.Helper()
	server := gittest.NewServer(t)
	r := server.Repository(t, "acme/app")
	c := git.Config{Folder: t.TempDir()}
	for _, f := range change {
		f(&c)
	}
	g, err := git.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g, r, git.Remote{URL: server.HTTP(t, user, password).URL + "/acme/app.git", User: user, Password: password}
}

func fetch(t *testing.T, g *git.Git, r git.Remote, branch string) *git.Commit {
	t.Helper()
	c, err := g.Fetch(t.Context(), r, branch, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCommitIsReadOverHTTPWithAuthentication(t *testing.T) {
	t.Parallel()
	g, r, remote := serve(t)
	r.Commit(t, "main", map[string]string{"old": "x"})
	want := r.Commit(t, "main", map[string]string{"a/b.txt": "hello", "run!": "#!/bin/sh\n"})
	r.Commit(t, "other", map[string]string{"c": "1"})
	heads, err := g.Heads(t.Context(), remote, "main", "absent")
	if diff := cmp.Diff(map[string]string{"main": want}, heads); err != nil || diff != "" {
		t.Fatalf("heads: %v %s", err, diff)
	}
	c := fetch(t, g, remote, "main")
	if c.SHA != want {
		t.Errorf("fetched %s, want %s", c.SHA, want)
	}
	entries, err := c.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Path+" "+e.Mode.String())
	}
	if diff := cmp.Diff([]string{"a -rw-r--r--", "a/b.txt -rw-r--r--", "old -rw-r--r--", "run -rwxr-xr-x"}, got); diff != "" {
		t.Error(diff)
	}
	content, err := c.ReadFile(t.Context(), "a/b.txt", 100)
	if err != nil || string(content) != "hello" {
		t.Errorf("read %q, %v", content, err)
	}
	if _, err := c.ReadFile(t.Context(), "absent", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := c.ReadFile(t.Context(), "a/b.txt", 4); !errors.Is(err, git.ErrTooLarge) {
		t.Errorf("a file larger than allowed: %v", err)
	}
}

func TestCredentialsAreInNoErrorAndNoFile(t *testing.T) {
	t.Parallel()
	var folder string
	g, r, remote := serve(t, func(c *git.Config) { folder = c.Folder })
	r.Commit(t, "main", map[string]string{"a": "1"})
	fetch(t, g, remote, "main")
	wrong := remote
	wrong.Password = "wrong-horse-battery"
	_, err := g.Heads(t.Context(), wrong, "main")
	failed, ok := errors.AsType[*git.Error](err)
	if !ok || !failed.Denied || strings.Contains(err.Error(), "horse") {
		t.Errorf("a wrong password: %v", err)
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("horse")) || bytes.Contains(text, []byte("Basic ")) {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMissingBranchAndEmptyRepositoryAreToldApart(t *testing.T) {
	t.Parallel()
	g, r, remote := serve(t)
	if heads, err := g.Heads(t.Context(), remote, "main"); err != nil || len(heads) > 0 {
		t.Errorf("heads of an empty repository: %v %v", heads, err)
	}
	if _, err := g.Fetch(t.Context(), remote, "main", ""); !errors.Is(err, git.ErrNoBranch) {
		t.Errorf("an empty repository: %v", err)
	}
	r.Commit(t, "main", map[string]string{"a": "1"})
	for _, branch := range []string{"absent", "--upload-pack=id", "a..b", "main:x"} {
		if _, err := g.Fetch(t.Context(), remote, branch, ""); !errors.Is(err, git.ErrNoBranch) {
			t.Errorf("branch %q: %v", branch, err)
		}
	}
	remote.URL = strings.Replace(remote.URL, "app.git", "absent.git", 1)
	if _, err := g.Heads(t.Context(), remote, "main"); err == nil || errors.Is(err, git.ErrNoBranch) {
		t.Errorf("an absent repository: %v", err)
	}
}

func TestRepositoriesAreBounded(t *testing.T) {
	t.Parallel()
	var folder string
	g, r, remote := serve(t, func(c *git.Config) { c.MaxRepository, folder = 300<<10, c.Folder })
	r.Commit(t, "main", map[string]string{"a": "1"})
	r.Commit(t, "big", map[string]string{"noise": noise(400 << 10)})
	if _, err := g.Fetch(t.Context(), remote, "big", ""); !errors.Is(err, git.ErrTooLarge) {
		t.Fatalf("a repository larger than allowed: %v", err)
	}
	if clones, _ := filepath.Glob(filepath.Join(folder, "clones", "*")); len(clones) > 0 {
		t.Errorf("it is kept: %s", clones)
	}
	// Many commits that fit, one after the other, do not add up.
	for n := range 4 {
		r.Commit(t, "main", map[string]string{"noise": noise(150<<10 + n)})
		c, err := g.Fetch(t.Context(), remote, "main", "")
		if err != nil {
			t.Fatalf("commit %d: %v", n, err)
		}
		c.Close()
	}
}

// A file may be large and its pack small: git must not need the memory of it.
func TestHugeFilesNeedLittleMemory(t *testing.T) {
	t.Parallel()
	poor := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(poor, []byte("#!/bin/sh\nulimit -v 78000 && exec git \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	g, r, remote := serve(t, func(c *git.Config) { c.Program = poor })
	r.Commit(t, "main", map[string]string{"huge": strings.Repeat("0", 80<<20), "small": "1"})
	c := fetch(t, g, remote, "main")
	entries, err := c.Tree(t.Context())
	if err != nil || len(entries) != 2 || entries[0].Size != 80<<20 {
		t.Fatalf("entries: %+v %v", entries, err)
	}
	if _, err := c.Read(t.Context(), 50<<20, entries...); !errors.Is(err, git.ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	if text, err := c.ReadFile(t.Context(), "small", 10); err != nil || string(text) != "1" {
		t.Errorf("beside it: %q %v", text, err)
	}
}

// noise is text that does not compress, different for each length.
func noise(n int) string {
	var b strings.Builder
	x := uint64(n)*0x9E3779B97F4A7C15 + 1
	for b.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteByte(byte(x))
	}
	return b.String()
}

func TestHostileRepositoriesRunNothingAndLeadNowhere(t *testing.T) {
	t.Parallel()
	g, r, remote := serve(t)
	r.Commit(t, "main", map[string]string{
		".gitattributes": "* filter=evil diff=evil export-subst\n",
		".gitmodules":    "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c 'touch /tmp/owned'\n",
		".lfsconfig":     "[lfs]\n\turl = http://127.0.0.1:1/\n",
		"link@":          "/etc/passwd",
		"up@":            "../../..",
		"a.txt":          "$Format:%H$",
	})
	c := fetch(t, g, remote, "main")
	for _, link := range []string{"link", "up"} {
		if _, err := c.ReadFile(t.Context(), link, 1<<20); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the link %s was followed or not seen: %v", link, err)
		}
	}
	if content, err := c.ReadFile(t.Context(), "a.txt", 100); err != nil || string(content) != "$Format:%H$" {
		t.Errorf("content was changed on its way: %q %v", content, err)
	}
	if _, err := g.Heads(t.Context(), git.Remote{URL: "ext::sh -c 'touch /tmp/owned'"}, "main"); err == nil {
		t.Error("a command ran as a transport")
	}
	if _, err := c.Push(t.Context(), git.Change{Branch: "x", Files: map[string][]byte{"../out": nil}}); err == nil {
		t.Error("a path outside was written")
	}
	if _, err := c.Push(t.Context(), git.Change{Branch: "x", Files: map[string][]byte{".GIT/config": []byte("x")}}); err == nil {
		t.Error("git's own folder was written")
	}
}

func TestPushMakesTheSameCommitAgainOverWhateverTheBranchHas(t *testing.T) {
	t.Parallel()
	g, r, remote := serve(t)
	r.Commit(t, "main", map[string]string{"keep": "1", "gone": "2"})
	change := git.Change{
		Branch: "work/1", Message: "Change it", Author: "Hadron", Email: "hadron@localhost", When: time.Unix(1700000000, 0),
		Files: map[string][]byte{"dir/new.txt": []byte("new\n"), "gone": nil, "absent": nil},
	}
	push := func() string {
		t.Helper()
		c, err := g.Fetch(t.Context(), remote, "main", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sha, err := c.Push(t.Context(), change)
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	first := push()
	if got := r.Git(t, nil, "ls-tree", "-r", "--name-only", "work/1"); got != "dir/new.txt\nkeep" {
		t.Errorf("the branch has %q", got)
	}
	if again := push(); again != first {
		t.Errorf("the same change is %s, then %s", first, again)
	}
	r.Rewrite(t, "work/1", map[string]string{"stranger": "1"})
	if again := push(); again != first || r.Head(t, "work/1") != first {
		t.Errorf("a branch that was rewritten is at %s, want %s", r.Head(t, "work/1"), first)
	}
	if got := r.Git(t, nil, "log", "-1", "--format=%an <%ae> %s", "work/1"); got != "Hadron <hadron@localhost> Change it" {
		t.Errorf("commit: %s", got)
	}
}

func TestFilesOfTheServerAreReadWhoeverOwnsThem(t *testing.T) {
	t.Parallel()
	server := gittest.NewServer(t)
	want := server.Repository(t, "acme/app").Commit(t, "main", map[string]string{"a": "1"})
	g, err := git.New(git.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if c := fetch(t, g, git.Remote{URL: "file://" + server.Root + "/acme/app.git"}, "main"); c.SHA != want {
		t.Errorf("fetched %s", c.SHA)
	}
}

func TestGitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	g, _, remote := serve(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := g.Heads(ctx, remote, "main"); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
}
