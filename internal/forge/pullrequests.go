package forge

import (
	"context"
	"errors"
	"net/http"
	"time"
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
	// Conflict: it can't be merged as it is; on Gitea also while that is found out.
	Conflict  bool
	CreatedAt time.Time
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
	switch s.Kind {
	case GitHub:
		return newGitHub(f.http, s.URL, token)
	case GitLab:
		return newGitLab(f.http, s.URL, token), nil
	case Gitea:
		return newGitea(f.http, s.URL, token), nil
	case Bitbucket:
		return newBitbucket(f.http, s.URL, token), nil
	}
	return nil, ErrNoPullRequests
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
