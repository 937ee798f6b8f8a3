package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
)

// bitbucket is the REST API of Bitbucket Cloud, which does not say whether
// there are conflicts. It is called by hand: see
// docs/decisions/0002-dependencies.md.
type bitbucket struct{ rest }

func newBitbucket(h *http.Client, server string, token auth.Secret) bitbucket {
	r := rest{h, server + "/2.0/", bearer(token)}
	if u, err := url.Parse(server); err == nil && strings.EqualFold(u.Hostname(), "bitbucket.org") {
		r.base = "https://api.bitbucket.org/2.0/"
	}
	if user, password, pair := strings.Cut(string(token), ":"); pair {
		request := &http.Request{Header: http.Header{}}
		request.SetBasicAuth(user, password)
		r.authorization = auth.Secret(request.Header.Get("Authorization"))
	}
	return bitbucket{r}
}

type bitbucketPull struct {
	Number    int64     `json:"id"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_on"`
	Links     struct {
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
	return &PullRequest{Number: p.Number, URL: p.Links.HTML.Href, State: state, CreatedAt: p.CreatedAt}
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
	if err := b.do(ctx, http.MethodGet, fmt.Sprintf("%s/%d", b.path(repository), number), nil, &p); err != nil {
		return nil, err
	}
	return p.pull(), nil
}

func (b bitbucket) Close(ctx context.Context, repository string, number int64) error {
	return b.do(ctx, http.MethodPost, fmt.Sprintf("%s/%d/decline", b.path(repository), number), struct{}{}, nil)
}
