package forge

import (
	"context"
	"net/http"
	"strings"

	api "code.gitea.io/sdk/gitea"

	"github.com/hadronhq/hadron/internal/auth"
)

// gitea is Gitea or Forgejo, by their client, which cannot ask for the pull
// requests of a branch.
type gitea struct {
	http   *http.Client
	server string
	token  auth.Secret
}

func newGitea(h *http.Client, server string, token auth.Secret) gitea { return gitea{h, server, token} }

// giteaPages is how many pages of pull requests are searched, newest first.
const giteaPages = 4

// client makes a client for one call: it has one context for all of its own.
func (g gitea) client(ctx context.Context) (*api.Client, error) {
	return api.NewClient(g.server, api.SetHTTPClient(g.http), api.SetToken(string(g.token)), api.SetContext(ctx),
		api.SetGiteaVersion("")) // so that it does not ask for the server's
}

func giteaPull(p *api.PullRequest) *PullRequest {
	out := &PullRequest{Number: p.Index, URL: p.HTMLURL, State: Open, Conflict: !p.Mergeable}
	if p.Created != nil {
		out.CreatedAt = *p.Created
	}
	switch {
	case p.HasMerged || p.Merged != nil:
		out.State = Merged
	case p.State == api.StateClosed:
		out.State = Closed
	}
	return out
}

func (g gitea) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(repository, "/")
	for page := 1; page <= giteaPages; page++ {
		list, answer, err := c.ListRepoPullRequests(owner, name, api.ListPullRequestsOptions{
			State: api.StateAll, ListOptions: api.ListOptions{Page: page, PageSize: 50},
		})
		if err != nil {
			return nil, plain(err)
		}
		for _, p := range list {
			if p.Head != nil && p.Head.Ref == branch {
				return giteaPull(p), nil
			}
		}
		if answer.NextPage == 0 {
			break
		}
	}
	return nil, nil
}

func (g gitea) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(repository, "/")
	made, _, err := c.CreatePullRequest(owner, name, api.CreatePullRequestOption{Title: p.Title, Body: p.Body, Head: p.Branch, Base: p.Base})
	if err != nil {
		return taken(ctx, g, repository, p.Branch, plain(err))
	}
	return giteaPull(made), nil
}

func (g gitea) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(repository, "/")
	p, _, err := c.GetPullRequest(owner, name, number)
	if err != nil {
		return nil, plain(err)
	}
	return giteaPull(p), nil
}

func (g gitea) Close(ctx context.Context, repository string, number int64) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	owner, name, _ := strings.Cut(repository, "/")
	_, _, err = c.EditPullRequest(owner, name, number, api.EditPullRequestOption{State: new(api.StateClosed)})
	return plain(err)
}
