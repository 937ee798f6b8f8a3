// Package gittest makes real git repositories for tests and serves them over
// smart HTTP, with authentication, by git's own backend.
package gittest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Server is a folder of repositories: owner/name.git below it.
type Server struct{ Root string }

// NewServer makes an empty one.
func NewServer(t testing.TB) *Server {
	t.Helper()
	return &Server{t.TempDir()}
}

// Repository makes an empty repository that may be pushed to.
func (s *Server) Repository(t testing.TB, name string) *Repository {
	t.Helper()
	r := &Repository{filepath.Join(s.Root, name+".git")}
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Git(t, nil, "init", "--quiet", "--bare", "--initial-branch=main", ".")
	r.Git(t, nil, "config", "http.receivepack", "true")
	return r
}

// HTTP serves the repositories to who knows a password.
func (s *Server) HTTP(t testing.TB, user, password string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(s.Handler(t, user, password))
	t.Cleanup(server.Close)
	return server
}

// Handler serves the repositories to who knows a password.
func (s *Server) Handler(t testing.TB, user, password string) http.Handler {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Skipf("git is not installed: %v", err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + s.Root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + s.Root, "REMOTE_USER=" + user},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	})
}

// Repository is one bare repository.
type Repository struct{ Folder string }

// Git runs git in the repository and answers what it prints.
func (r *Repository) Git(t testing.TB, input []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+r.Folder)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Remove is the content of a file that a commit removes.
const Remove = "\x00remove"

// Commit puts files over those of a branch, which is made if it is not there,
// and answers the new commit. The content of a name that ends in "@" is where a
// symbolic link leads, of one that ends in "!" a program's.
func (r *Repository) Commit(t testing.TB, branch string, files map[string]string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter Dev <dev@example.com> 1700000000 +0000\ndata 4\nwork\n", branch)
	if exec.Command("git", "-C", r.Folder, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch).Run() == nil {
		fmt.Fprintf(&b, "from refs/heads/%s^0\n", branch)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, mode := files[name], "100644"
		if text == Remove {
			fmt.Fprintf(&b, "D %s\n", name)
			continue
		}
		switch {
		case strings.HasSuffix(name, "@"):
			mode = "120000"
		case strings.HasSuffix(name, "!"):
			mode = "100755"
		}
		fmt.Fprintf(&b, "M %s inline %s\ndata %d\n%s\n", mode, strings.TrimRight(name, "@!"), len(text), text)
	}
	r.Git(t, []byte(b.String()), "fast-import", "--quiet", "--force")
	return r.Head(t, branch)
}

// Rewrite replaces a branch by one commit without history.
func (r *Repository) Rewrite(t testing.TB, branch string, files map[string]string) string {
	t.Helper()
	r.Git(t, nil, "update-ref", "-d", "refs/heads/"+branch)
	return r.Commit(t, branch, files)
}

// Head is the commit that a branch is at.
func (r *Repository) Head(t testing.TB, branch string) string {
	t.Helper()
	return r.Git(t, nil, "rev-parse", "refs/heads/"+branch)
}

// Show is the content of a file of a branch.
func (r *Repository) Show(t testing.TB, branch, path string) string {
	t.Helper()
	return r.Git(t, nil, "show", "refs/heads/"+branch+":"+path)
}
