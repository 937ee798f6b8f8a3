package forge

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	api "github.com/google/go-github/v89/github"

	"github.com/hadronhq/hadron/internal/auth"
)

// github is GitHub, by its client.
type github struct{ *api.Client }

// newGitHub makes a client of GitHub. Without a token it is nobody's.
func newGitHub(h *http.Client, server string, token auth.Secret) (github, error) {
	address := githubAPI(server)
	options := []api.ClientOptionsFunc{api.WithHTTPClient(h), api.WithURLs(&address, nil), api.WithDisableRateLimitCheck()}
	if token != "" {
		options = append(options, api.WithAuthToken(string(token)))
	}
	c, err := api.NewClient(options...)
	return github{c}, plain(err)
}

// githubAPI is where the REST API of a GitHub server is.
func githubAPI(server string) string {
	u, err := url.Parse(server)
	if err == nil && strings.EqualFold(u.Hostname(), "github.com") {
		return "https://api.github.com/"
	}
	return server + "/api/v3/"
}

func githubPull(p *api.PullRequest) *PullRequest {
	out := &PullRequest{
		Number: int64(p.GetNumber()), URL: p.GetHTMLURL(), State: Open,
		Conflict:  p.Mergeable != nil && !*p.Mergeable, // null while it is being found out
		CreatedAt: p.GetCreatedAt().Time,
	}
	switch {
	case p.MergedAt != nil:
		out.State = Merged
	case p.GetState() == "closed":
		out.State = Closed
	}
	return out
}

func (g github) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	owner, name, _ := strings.Cut(repository, "/")
	list, _, err := g.PullRequests.List(ctx, owner, name, &api.PullRequestListOptions{
		Head: owner + ":" + branch, State: "all", ListOptions: api.ListOptions{PerPage: 1},
	})
	if err != nil || len(list) == 0 {
		return nil, plain(err)
	}
	return githubPull(list[0]), nil
}

func (g github) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	owner, name, _ := strings.Cut(repository, "/")
	made, _, err := g.PullRequests.Create(ctx, owner, name, &api.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Branch, Base: &p.Base})
	if err != nil {
		return taken(ctx, g, repository, p.Branch, plain(err))
	}
	return githubPull(made), nil
}

func (g github) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	owner, name, _ := strings.Cut(repository, "/")
	p, _, err := g.PullRequests.Get(ctx, owner, name, int(number))
	if err != nil {
		return nil, plain(err)
	}
	return githubPull(p), nil
}

func (g github) Close(ctx context.Context, repository string, number int64) error {
	owner, name, _ := strings.Cut(repository, "/")
	_, _, err := g.PullRequests.Edit(ctx, owner, name, int(number), &api.PullRequest{State: new("closed")})
	return plain(err)
}
