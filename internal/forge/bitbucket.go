package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
)

// bitbucket is the REST API of Bitbucket Cloud, which does not say whether
// there are conflicts. It is called by hand: the client that others keep gives
// no call a context, so none could be stopped.
type bitbucket struct {
	http  *http.Client
	base  string // with a slash at the end
	token auth.Secret
}

func newBitbucket(h *http.Client, server string, token auth.Secret) bitbucket {
	base := server + "/2.0/"
	if u, err := url.Parse(server); err == nil && strings.EqualFold(u.Hostname(), "bitbucket.org") {
		base = "https://api.bitbucket.org/2.0/"
	}
	return bitbucket{h, base, token}
}

// do makes a call with JSON bodies.
func (b bitbucket) do(ctx context.Context, method, path string, body, into any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, b.base+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	if user, password, pair := strings.Cut(string(b.token), ":"); pair {
		request.SetBasicAuth(user, password)
	} else if b.token != "" {
		request.Header.Set("Authorization", "Bearer "+string(b.token))
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer, err := b.http.Do(request)
	if err != nil {
		return plain(err)
	}
	defer answer.Body.Close()
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

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
