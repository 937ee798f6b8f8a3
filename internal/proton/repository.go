package proton

import (
	"regexp"
	"strings"
	"time"
)

// ConnectionKind is the software that serves a connection's repositories.
type ConnectionKind string

const (
	KindGitHub    ConnectionKind = "github"
	KindGitLab    ConnectionKind = "gitlab"
	KindGitea     ConnectionKind = "gitea"
	KindBitbucket ConnectionKind = "bitbucket"
	KindGit       ConnectionKind = "git" // any git server: synced from, no pull requests
)

// Connection is a way to the repositories of one server, with the credentials
// for it. Scripts name it by an ARN that looks like those of AWS's connections.
type Connection struct {
	Scope
	ARN  string // any connection ARN: a script may name one that AWS gave out
	ID   string // UUID, names the connection in the address of its webhook
	Name string
	// Provider is what the API calls the server.
	Provider string
	Kind     ConnectionKind
	URL      string // without a slash at the end
	// Token and WebhookSecret are sealed with the server's master key.
	Token         string
	WebhookSecret string
	CreatedAt     time.Time
	Revision      int64
}

// ConnectionARN is the ARN of a connection that was made here.
func (s Scope) ConnectionARN(id string) string {
	return "arn:aws:codestar-connections:" + s.Region + ":" + s.Account + ":connection/" + id
}

// Repository is a git repository that is linked to an account.
type Repository struct {
	Scope
	ID            string // UUID, names the work of syncing it
	Provider      string
	Name          string // owner/repository
	ConnectionARN string
	EncryptionKey string
	RequestHash   string
	Revision      int64
}

func (r Repository) ARN() ARN { return r.RepositoryARN(r.Provider, r.Name) }

// NoRepository is the refusal for a repository that is not linked.
func NoRepository(s Scope, provider, name string) error {
	return Errorf(NotFound, "The requested repository does not exist: %s", s.RepositoryARN(provider, name))
}

// NotLinked is the refusal of calls that do not know "not found".
func NotLinked(provider, name string) error {
	return Errorf(Invalid, "Repository %s:%s is not linked.", provider, name)
}

// CheckRepositoryName refuses names that are no path to a repository on any
// server: the model's pattern lets more through. Kind Invalid.
func CheckRepositoryName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if !repositoryPart.MatchString(part) || strings.Trim(part, ".") == "" {
			return Errorf(Invalid, "Repository name %q is not owner/repository.", name)
		}
	}
	return nil
}

var repositoryPart = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.~-]*$`)
