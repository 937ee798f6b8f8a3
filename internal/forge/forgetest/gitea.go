// Package forgetest starts a real forge for tests: Gitea, with an account, a
// token and repositories.
package forgetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Gitea is a running server.
type Gitea struct {
	URL   string
	Token string
	User  string
}

// Start starts a Gitea that ends with the test. "make test-git" has it built;
// without that the test is skipped.
func Start(t testing.TB) *Gitea {
	t.Helper()
	folder := os.Getenv("HADRON_GITEA")
	if folder == "" {
		t.Skip("there is no Gitea: \"make test-git\" builds one")
	}
	g := &Gitea{User: "robot"}
	data := t.TempDir()
	config := filepath.Join(data, "app.ini")
	binary := filepath.Join(folder, "gitea")
	port := freePort(t)
	g.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(settings, me.Username, port, g.URL, filepath.Join(folder, "static"), data)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append(args, "--config", config, "--work-path", data)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gitea %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("migrate")
	run("admin", "user", "create", "--admin", "--username", g.User, "--password", "correct-horse-1", "--email", "robot@example.com", "--must-change-password=false")
	lines := strings.Fields(run("admin", "user", "generate-access-token", "--username", g.User, "--token-name", "test", "--scopes", "all", "--raw"))
	g.Token = lines[len(lines)-1]
	var log bytes.Buffer
	server := exec.Command(binary, "web", "--config", config, "--work-path", data)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("what Gitea wrote:\n%s", log.String())
		}
	})
	for n := 0; ; n++ {
		res, err := http.Get(g.URL + "/api/v1/version")
		if err == nil {
			res.Body.Close()
			return g
		}
		if n == 1200 {
			t.Fatalf("Gitea did not start\n%s", log.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

const settings = `I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
RUN_USER = %s
RUN_MODE = prod
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %d
ROOT_URL = %s/
STATIC_ROOT_PATH = %s
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = %[5]s/gitea.db
[repository]
ROOT = %[5]s/repositories
[security]
INSTALL_LOCK = true
SECRET_KEY = for-tests-alone
INTERNAL_TOKEN = eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE3MDAwMDAwMDB9.OyUqMI6Uqhx4ZL5ELXgDXRPcHGGnYKTeSdc_GGK4LWo
[log]
MODE = console
LEVEL = Error
[webhook]
ALLOWED_HOST_LIST = loopback
[cron]
ENABLED = false
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
`

// freePort picks one below those that systems give to outgoing connections.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Call calls the REST API and reads the answer into into, if that is not nil.
func (g *Gitea) Call(t testing.TB, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(method, g.URL+"/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+g.Token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(res.Body)
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, res.Status, answer.String())
	}
	if into != nil {
		if err := json.Unmarshal(answer.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
}

// Repository makes a repository with one commit and answers its full name.
func (g *Gitea) Repository(t testing.TB, name string) string {
	t.Helper()
	g.Call(t, http.MethodPost, "user/repos", map[string]any{"name": name, "auto_init": true, "default_branch": "main"}, nil)
	return g.User + "/" + name
}

// Pull is a pull request.
type Pull struct {
	Number int64  `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	State  string `json:"state"`
	Merged bool   `json:"merged"`
	Head   struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	} `json:"head"`
}

// Pulls lists the pull requests in a state.
func (g *Gitea) Pulls(t testing.TB, repository, state string) []Pull {
	t.Helper()
	var list []Pull
	g.Call(t, http.MethodGet, "repos/"+repository+"/pulls?state="+state, nil, &list)
	return list
}

// Merge merges a pull request; one that was just opened is checked first.
func (g *Gitea) Merge(t testing.TB, repository string, number int64) {
	t.Helper()
	for n := 0; ; n++ {
		r, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/api/v1/repos/%s/pulls/%d/merge", g.URL, repository, number), strings.NewReader(`{"Do": "merge"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "token "+g.Token)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(res.Body)
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
		if n == 200 {
			t.Fatalf("merge: %s %s", res.Status, answer.String())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// ClosePull closes a pull request without merging it.
func (g *Gitea) ClosePull(t testing.TB, repository string, number int64) {
	t.Helper()
	g.Call(t, http.MethodPatch, fmt.Sprintf("repos/%s/pulls/%d", repository, number), map[string]string{"state": "closed"}, nil)
}

// Files lists the paths that a pull request changes.
func (g *Gitea) Files(t testing.TB, repository string, number int64) []string {
	t.Helper()
	var list []struct {
		Filename string `json:"filename"`
	}
	g.Call(t, http.MethodGet, fmt.Sprintf("repos/%s/pulls/%d/files?limit=50", repository, number), nil, &list)
	var names []string
	for _, f := range list {
		names = append(names, f.Filename)
	}
	return names
}

// Content is a file of a branch or commit.
func (g *Gitea) Content(t testing.TB, repository, ref, path string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, g.URL+"/api/v1/repos/"+repository+"/raw/"+path+"?ref="+ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+g.Token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(res.Body)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s at %s: %s", path, ref, res.Status)
	}
	return answer.String()
}

// Webhook has the server tell an address of what happens in a repository.
func (g *Gitea) Webhook(t testing.TB, repository, address, secret string) {
	t.Helper()
	g.Call(t, http.MethodPost, "repos/"+repository+"/hooks", map[string]any{
		"type": "gitea", "active": true, "events": []string{"push", "pull_request"},
		"config": map[string]string{"url": address, "content_type": "json", "secret": secret},
	}, nil)
}

// Push writes a file on a branch, as a push would.
func (g *Gitea) Push(t testing.TB, repository, branch, path string, content []byte) {
	t.Helper()
	g.Call(t, http.MethodPost, "repos/"+repository+"/contents/"+path, map[string]any{"branch": branch, "content": content, "message": "write " + path}, nil)
}
