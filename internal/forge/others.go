package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// gitlab is GitLab's REST API, where pull requests are merge requests.
type gitlab struct{ rest }

type gitlabMerge struct {
	Number    int64  `json:"iid"`
	URL       string `json:"web_url"`
	State     string `json:"state"`
	Conflicts bool   `json:"has_conflicts"`
}

func (m gitlabMerge) pull() *PullRequest {
	state := map[string]State{"merged": Merged, "closed": Closed}[m.State]
	if state == "" {
		state = Open
	}
	return &PullRequest{Number: m.Number, URL: m.URL, State: state, Conflict: m.Conflicts}
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
	err := g.do(ctx, http.MethodGet, fmt.Sprintf("%s/%d", g.path(repository), number), nil, &m)
	return m.pull(), err
}

func (g gitlab) Close(ctx context.Context, repository string, number int64) error {
	return g.do(ctx, http.MethodPut, fmt.Sprintf("%s/%d", g.path(repository), number), map[string]string{"state_event": "close"}, nil)
}

// bitbucket is the REST API of Bitbucket Cloud, which does not say whether
// there are conflicts.
type bitbucket struct{ rest }

type bitbucketPull struct {
	Number int64  `json:"id"`
	State  string `json:"state"`
	Links  struct {
		HTML struct {
			Href string `json:"href"`
		} `json:"html"`
	} `json:"links"`
}

func (p bitbucketPull) pull() *PullRequest {
	state := map[string]State{"MERGED": Merged, "DECLINED": Closed, "SUPERSEDED": Closed}[p.State]
	if state == "" {
		state = Open
	}
	return &PullRequest{Number: p.Number, URL: p.Links.HTML.Href, State: state}
}

func (b bitbucket) path(repository string) string {
	return "repositories/" + repository + "/pullrequests"
}

func (b bitbucket) Find(ctx context.Context, repository, branch string) (*PullRequest, error) {
	query := url.Values{
		"q": {fmt.Sprintf("source.branch.name = %q", branch)}, "sort": {"-created_on"}, "pagelen": {"1"},
		"state": {"OPEN", "MERGED", "DECLINED", "SUPERSEDED"},
	}
	var list struct {
		Values []bitbucketPull `json:"values"`
	}
	if err := b.do(ctx, http.MethodGet, b.path(repository)+"?"+query.Encode(), nil, &list); err != nil || len(list.Values) == 0 {
		return nil, err
	}
	return list.Values[0].pull(), nil
}

func (b bitbucket) Open(ctx context.Context, repository string, p NewPullRequest) (*PullRequest, error) {
	type branch struct {
		Branch struct {
			Name string `json:"name"`
		} `json:"branch"`
	}
	var body struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Source      branch `json:"source"`
		Destination branch `json:"destination"`
	}
	body.Title, body.Description = p.Title, p.Body
	body.Source.Branch.Name, body.Destination.Branch.Name = p.Branch, p.Base
	var made bitbucketPull
	if err := b.do(ctx, http.MethodPost, b.path(repository), body, &made); err != nil {
		return taken(ctx, b, repository, p.Branch, err)
	}
	return made.pull(), nil
}

func (b bitbucket) Get(ctx context.Context, repository string, number int64) (*PullRequest, error) {
	var p bitbucketPull
	err := b.do(ctx, http.MethodGet, fmt.Sprintf("%s/%d", b.path(repository), number), nil, &p)
	return p.pull(), err
}

func (b bitbucket) Close(ctx context.Context, repository string, number int64) error {
	return b.do(ctx, http.MethodPost, fmt.Sprintf("%s/%d/decline", b.path(repository), number), struct{}{}, nil)
}
