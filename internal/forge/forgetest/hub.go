package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/git/gittest"
)

// Hub is a small GitHub: repositories by git's own smart HTTP, and the calls of
// GitHub's REST API that pull requests need, in the shapes that it publishes.
// Merges and conflicts are git's. Everything passes its Gate.
type Hub struct {
	*Gate
	Token string
	git   *gittest.Server
	mu    sync.Mutex
	pulls map[string][]*HubPull // by repository, the oldest first
	// Page answers where the page of a pull request is; nil for an usual address.
	Page func(number int) string
}

// HubPull is a pull request of a Hub.
type HubPull struct {
	Number              int
	Title, Body         string
	Head, Base          string
	State               string // open or closed
	CreatedAt, MergedAt time.Time
}

// NewHub starts one.
func NewHub(t testing.TB) *Hub {
	t.Helper()
	h := &Hub{Token: "hub-token-1", git: gittest.NewServer(t), pulls: map[string][]*HubPull{}}
	repositories := h.git.Handler(t, "x-access-token", h.Token)
	mux := http.NewServeMux()
	const path = "/api/v3/repos/{owner}/{name}/pulls"
	mux.HandleFunc("GET "+path, h.list)
	mux.HandleFunc("POST "+path, h.open)
	mux.HandleFunc("GET "+path+"/{number}", h.get)
	mux.HandleFunc("PATCH "+path+"/{number}", h.edit)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("nobody should call %s %s", r.Method, r.URL)
		refuse(w, http.StatusNotFound, "Not Found")
	})
	h.Gate = NewGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/api/"):
			repositories.ServeHTTP(w, r)
		case r.Header.Get("Authorization") != "Bearer "+h.Token:
			refuse(w, http.StatusUnauthorized, "Bad credentials")
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	return h
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": "Validation Failed", "errors": []any{map[string]string{"message": message}}})
}

// Repository makes a repository with one commit.
func (h *Hub) Repository(t testing.TB, name string) *gittest.Repository {
	t.Helper()
	r := h.git.Repository(t, name)
	r.Commit(t, "main", map[string]string{"README.md": "# " + name + "\n"})
	return r
}

func (h *Hub) run(repository string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", h.git.Root + "/" + repository + ".git", "-c", "user.name=Hub", "-c", "user.email=hub@example.com"}, args...)...)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// Pulls are the pull requests of a repository, the oldest first.
func (h *Hub) Pulls(repository string) []HubPull {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []HubPull
	for _, p := range h.pulls[repository] {
		list = append(list, *p)
	}
	return list
}

// Merge merges a pull request, if it is open and there are no conflicts.
func (h *Hub) Merge(repository string, number int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.find(repository, number)
	if p == nil || p.State != "open" {
		return fmt.Errorf("pull request %d of %s is not open", number, repository)
	}
	tree, err := h.run(repository, "merge-tree", "--write-tree", p.Base, p.Head)
	if err != nil {
		return fmt.Errorf("pull request %d of %s conflicts", number, repository)
	}
	commit, err := h.run(repository, "commit-tree", "-p", p.Base, "-p", p.Head, "-m", "Merge "+p.Title, tree)
	if err == nil {
		_, err = h.run(repository, "update-ref", "refs/heads/"+p.Base, commit)
	}
	if err == nil {
		p.State, p.MergedAt = "closed", time.Now()
	}
	return err
}

// ClosePull closes a pull request without merging it.
func (h *Hub) ClosePull(repository string, number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.find(repository, number); p != nil {
		p.State = "closed"
	}
}

func (h *Hub) find(repository string, number int) *HubPull {
	i := slices.IndexFunc(h.pulls[repository], func(p *HubPull) bool { return p.Number == number })
	if i < 0 {
		return nil
	}
	return h.pulls[repository][i]
}

// shape is how GitHub shows a pull request.
func (h *Hub) shape(repository string, p *HubPull) map[string]any {
	page := fmt.Sprintf("%s/%s/pull/%d", h.URL, repository, p.Number)
	if h.Page != nil {
		page = h.Page(p.Number)
	}
	shape := map[string]any{
		"number": p.Number, "html_url": page, "state": p.State, "title": p.Title, "body": p.Body,
		"created_at": p.CreatedAt, "merged_at": nil, "mergeable": nil,
		"head": map[string]any{"ref": p.Head}, "base": map[string]any{"ref": p.Base},
	}
	if !p.MergedAt.IsZero() {
		shape["merged_at"] = p.MergedAt
	}
	if p.State == "open" {
		_, err := h.run(repository, "merge-tree", "--write-tree", p.Base, p.Head)
		shape["mergeable"] = err == nil
	}
	return shape
}

func repositoryOf(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("name") }

func (h *Hub) list(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []any{}
	for _, p := range slices.Backward(h.pulls[repositoryOf(r)]) {
		if r.FormValue("head") == r.PathValue("owner")+":"+p.Head {
			list = append(list, h.shape(repositoryOf(r), p))
		}
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (h *Hub) open(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var in struct{ Title, Body, Head, Base string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	repository := repositoryOf(r)
	for _, p := range h.pulls[repository] {
		if p.State == "open" && p.Head == in.Head && p.Base == in.Base {
			refuse(w, http.StatusUnprocessableEntity, "A pull request already exists for "+r.PathValue("owner")+":"+in.Head+".")
			return
		}
	}
	if n, err := h.run(repository, "rev-list", "--count", in.Base+".."+in.Head); err != nil || n == "0" {
		refuse(w, http.StatusUnprocessableEntity, "No commits between "+in.Base+" and "+in.Head)
		return
	}
	p := &HubPull{Number: len(h.pulls[repository]) + 1, Title: in.Title, Body: in.Body, Head: in.Head, Base: in.Base, State: "open", CreatedAt: time.Now()}
	h.pulls[repository] = append(h.pulls[repository], p)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(h.shape(repository, p))
}

func (h *Hub) get(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	number, _ := strconv.Atoi(r.PathValue("number"))
	p := h.find(repositoryOf(r), number)
	if p == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	_ = json.NewEncoder(w).Encode(h.shape(repositoryOf(r), p))
}

func (h *Hub) edit(w http.ResponseWriter, r *http.Request) {
	var in struct{ State string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	if number, _ := strconv.Atoi(r.PathValue("number")); in.State == "closed" {
		h.ClosePull(repositoryOf(r), number)
	}
	h.get(w, r)
}
