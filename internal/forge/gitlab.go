package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
)

// gitlab is GitLab's REST API, where pull requests are merge requests. It is
// called by hand: see docs/decisions/0002-dependencies.md.
type gitlab struct{ rest }

func newGitLab(h *http.Client, server string, token auth.Secret) gitlab {
	return gitlab{rest{h, server + "/api/v4/", bearer(token)}} // so all kinds of tokens are taken
}

type gitlabMerge struct {
	Number    int64     `json:"iid"`
	URL       string    `json:"web_url"`
	State     string    `json:"state"`
	Conflicts bool      `json:"has_conflicts"`
	CreatedAt time.Time `json:"created_at"`
}

func (m gitlabMerge) pull() *PullRequest {
	state := map[string]State{"merged": Merged, "closed": Closed}[m.State]
	if state == "" {
		state = Open
	}
	return &PullRequest{Number: m.Number, URL: m.URL, State: state, Conflict: m.Conflicts, CreatedAt: m.CreatedAt}
}

func (g gitlab) path(repository string) string {
	return "projects/" + url.PathEscape(repository) + "/merge_requests"
}

func (g gitlab) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	query := url.Values{"source_branch": {branch}, "state": {"all"}, "order_by": {"created_at"}, "per_page": {"1"}}
	var list []gitlabMerge
	if err := g.do(ctx, http.MethodGet, g.path(repository)+"?"+query.Encode(), nil, &list); err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0].pull(), nil
}

func (g gitlab) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	var made gitlabMerge
	err := g.do(ctx, http.MethodPost, g.path(repository), map[string]string{
		"title": p.Title, "description": p.Body, "source_branch": p.Branch, "target_branch": p.Base,
	}, &made)
	if err != nil {
		return taken(ctx, g, repository, p.Branch, err)
	}
	return made.pull(), nil
}

func (g gitlab) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	var m gitlabMerge
	if err := g.do(ctx, http.MethodGet, fmt.Sprintf("%s/%d", g.path(repository), number), nil, &m); err != nil {
		return nil, err
	}
	return m.pull(), nil
}

func (g gitlab) Close(ctx context.Context, repository string, number int64) error {
	return g.do(ctx, http.MethodPut, fmt.Sprintf("%s/%d", g.path(repository), number), map[string]string{"state_event": "close"}, nil)
}
