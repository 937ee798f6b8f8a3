package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
)

// State is what has become of a pull request.
type State string

const (
	Open   State = "open"
	Merged State = "merged"
	Closed State = "closed" // without being merged
)

// PullRequest is a request to merge a branch.
type PullRequest struct {
	Number int64
	URL    string // for people
	State  State
	// Conflict: it can't be merged as it is.
	Conflict bool
}

// New is a pull request to be opened.
type NewPullRequest struct {
	Title, Body string
	Branch      string // what is to be merged
	Base        string // and where
}

// PullRequests opens pull requests on one server, looks at them and closes
// them. Repositories are owner/name.
type PullRequests interface {
	// Find answers the newest pull request of a branch; nil without one.
	Find(ctx context.Context, repository, branch string) (*PullRequest, error)
	Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error)
	Get(ctx context.Context, repository string, number int64) (*PullRequest, error)
	Close(ctx context.Context, repository string, number int64) error
}

// ErrNoPullRequests says that a server knows no pull requests.
var ErrNoPullRequests = errors.New("a connection of kind git knows no pull requests: connect the server as github, gitlab, gitea or bitbucket")

// PullRequests is the way to the pull requests of a server.
func (f *Forges) PullRequests(ctx context.Context, s Server) (PullRequests, error) {
	token, err := f.token(ctx, s)
	if err != nil {
		return nil, err
	}
	r := rest{http: f.http, header: "Authorization", value: auth.Secret("Bearer " + string(token))}
	switch s.Kind {
	case GitHub:
		r.base = githubAPI(s.URL)
		return github{r}, nil
	case Gitea:
		r.base, r.value = s.URL+"/api/v1/", auth.Secret("token "+string(token))
		return gitea{r}, nil
	case GitLab:
		r.base = s.URL + "/api/v4/"
		return gitlab{r}, nil
	case Bitbucket:
		r.base = s.URL + "/2.0/"
		if u, err := url.Parse(s.URL); err == nil && strings.EqualFold(u.Hostname(), "bitbucket.org") {
			r.base = "https://api.bitbucket.org/2.0/"
		}
		if user, password, pair := strings.Cut(string(token), ":"); pair {
			request := &http.Request{Header: http.Header{}}
			request.SetBasicAuth(user, password)
			r.value = auth.Secret(request.Header.Get("Authorization"))
		}
		return bitbucket{r}, nil
	}
	return nil, ErrNoPullRequests
}

// rest calls a REST API with JSON bodies.
type rest struct {
	http   *http.Client
	base   string // with a slash at the end
	header string
	value  auth.Secret
}

// Error is an answer that is not a success.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("the server answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
}

// Transient reports whether the same may succeed later: the server is in
// trouble, or wants to be asked less often.
func (e *Error) Transient() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "rate limit")
}

func (r rest) do(ctx context.Context, method, path string, body, into any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set(r.header, string(r.value))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer, err := r.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		var said struct {
			Message any `json:"message"`
			Error   any `json:"error"`
		}
		_ = decode(answer, &said)
		message := ""
		for _, m := range []any{said.Message, said.Error} {
			if m != nil && message == "" {
				message = fmt.Sprint(m)
			}
		}
		return &Error{answer.StatusCode, message}
	}
	if into == nil {
		return nil
	}
	return decode(answer, into)
}

// taken finds the pull request that opening another was refused for.
func taken(ctx context.Context, p PullRequests, repository, branch string, refused error) (*PullRequest, error) {
	e, ok := errors.AsType[*Error](refused)
	if !ok || e.Status != http.StatusConflict && e.Status != http.StatusUnprocessableEntity && e.Status != http.StatusBadRequest {
		return nil, refused
	}
	found, err := p.Find(ctx, repository, branch)
	if err != nil || found == nil {
		return nil, refused
	}
	return found, nil
}

// github is GitHub's REST API.
type github struct{ rest }

type githubPull struct {
	Number    int64  `json:"number"`
	URL       string `json:"html_url"`
	State     string `json:"state"`
	MergedAt  string `json:"merged_at"`
	Mergeable *bool  `json:"mergeable"` // null while it is being found out
	Head      struct {
		Ref string `json:"ref"`
	} `json:"head"`
}

func (p githubPull) pull() *PullRequest {
	out := &PullRequest{Number: p.Number, URL: p.URL, State: Open, Conflict: p.Mergeable != nil && !*p.Mergeable}
	switch {
	case p.MergedAt != "":
		out.State = Merged
	case p.State == "closed":
		out.State = Closed
	}
	return out
}

func (g github) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	owner, _, _ := strings.Cut(repository, "/")
	query := url.Values{"head": {owner + ":" + branch}, "state": {"all"}, "per_page": {"1"}}
	var list []githubPull
	if err := g.do(ctx, http.MethodGet, "repos/"+repository+"/pulls?"+query.Encode(), nil, &list); err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0].pull(), nil
}

func (g github) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	var made githubPull
	err := g.do(ctx, http.MethodPost, "repos/"+repository+"/pulls", map[string]string{"title": p.Title, "body": p.Body, "head": p.Branch, "base": p.Base}, &made)
	if err != nil {
		return taken(ctx, g, repository, p.Branch, err)
	}
	return made.pull(), nil
}

func (g github) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	var p githubPull
	err := g.do(ctx, http.MethodGet, fmt.Sprintf("repos/%s/pulls/%d", repository, number), nil, &p)
	return p.pull(), err
}

func (g github) Close(ctx context.Context, repository string, number int64) error {
	return g.do(ctx, http.MethodPatch, fmt.Sprintf("repos/%s/pulls/%d", repository, number), map[string]string{"state": "closed"}, nil)
}

// gitea is the API of Gitea and Forgejo, which looks like GitHub's but cannot
// be asked for the pull requests of a branch.
type gitea struct{ rest }

// giteaPages is how many pages of pull requests are searched, newest first.
const giteaPages = 4

func (g gitea) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	for page := 1; page <= giteaPages; page++ {
		var list []githubPull
		if err := g.do(ctx, http.MethodGet, fmt.Sprintf("repos/%s/pulls?state=all&limit=50&page=%d", repository, page), nil, &list); err != nil {
			return nil, err
		}
		for _, p := range list {
			if p.Head.Ref == branch {
				return p.pull(), nil
			}
		}
		if len(list) < 50 {
			break
		}
	}
	return nil, nil
}

func (g gitea) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	var made githubPull
	err := g.do(ctx, http.MethodPost, "repos/"+repository+"/pulls", map[string]string{"title": p.Title, "body": p.Body, "head": p.Branch, "base": p.Base}, &made)
	if err != nil {
		return taken(ctx, g, repository, p.Branch, err)
	}
	return made.pull(), nil
}

func (g gitea) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	return github(g).Get(ctx, repository, number)
}

func (g gitea) Close(ctx context.Context, repository string, number int64) error {
	return github(g).Close(ctx, repository, number)
}
