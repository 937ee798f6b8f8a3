// Package forge knows the servers that repositories live on: how each wants to
// be told who is there, how it signs what it sends, and how pull requests are
// opened, looked at and closed there.
//
// A Server is one of them with its credentials. Git itself does not care which
// it is; pull requests go through the clients that the forges' makers or users
// keep, where one serves (docs/decisions/0002-dependencies.md). The package
// holds no state but the short-lived tokens of GitHub Apps.
package forge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/git"
)

// Kind is the software of a server.
type Kind string

const (
	GitHub    Kind = "github"
	GitLab    Kind = "gitlab"
	Gitea     Kind = "gitea"
	Bitbucket Kind = "bitbucket"
	Plain     Kind = "git" // any other: no pull requests
)

// Server is one server and who we are there.
type Server struct {
	Kind  Kind
	URL   string      // repositories are URL/owner/name.git
	Token auth.Secret // what it is depends on the kind
}

// Forges makes the clients of servers. It is safe for concurrent use.
type Forges struct {
	http *http.Client
	mu   sync.Mutex
	apps map[auth.Secret]appToken
	now  func() time.Time
}

// New makes a Forges.
func New() *Forges {
	return &Forges{http: newHTTP(time.Now), apps: map[auth.Secret]appToken{}, now: time.Now}
}

// Remote is a repository of a server, as git reaches it.
func (f *Forges) Remote(ctx context.Context, s Server, repository string) (git.Remote, error) {
	r := git.Remote{URL: s.URL + "/" + repository + ".git"}
	if s.Token == "" {
		return r, nil
	}
	if strings.HasPrefix(s.URL, "ssh://") {
		r.Key = s.Token
		return r, nil
	}
	token, err := f.token(ctx, s)
	if err != nil {
		return r, err
	}
	r.User, r.Password = "git", token
	user, password, pair := strings.Cut(string(token), ":")
	switch {
	case s.Kind == GitHub:
		r.User = "x-access-token"
	case s.Kind == GitLab:
		r.User = "oauth2"
	case (s.Kind == Plain || s.Kind == Bitbucket) && pair:
		r.User, r.Password = user, auth.Secret(password)
	case s.Kind == Bitbucket:
		r.User = "x-token-auth"
	}
	return r, nil
}

// token is the token that a server takes: the one given, or one that was made
// for a GitHub App.
func (f *Forges) token(ctx context.Context, s Server) (auth.Secret, error) {
	if s.Kind != GitHub || !strings.HasPrefix(string(s.Token), "{") {
		return s.Token, nil
	}
	f.mu.Lock()
	known := f.apps[s.Token]
	f.mu.Unlock()
	if f.now().Before(known.until) {
		return known.token, nil
	}
	made, err := f.installationToken(ctx, s)
	if err != nil {
		return "", fmt.Errorf("get a token of the GitHub App: %w", err)
	}
	f.mu.Lock()
	f.apps[s.Token] = made
	f.mu.Unlock()
	return made.token, nil
}

// CheckToken refuses a token that its kind can't use, with the reason.
func CheckToken(kind Kind, token auth.Secret) error {
	if kind != GitHub || !strings.HasPrefix(string(token), "{") {
		return nil
	}
	_, _, err := parseApp(token)
	return err
}
