package app

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// connect makes a connection to the repositories in a folder.
func (f *fixture) connect(t *testing.T, folder string) *api.CreateConnectionOutput {
	t.Helper()
	return must(f.CreateConnection(t.Context(), &api.CreateConnectionInput{
		Name: p("local"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGit), Url: p("file://" + folder),
	}))(t)
}

func TestRepositoriesAreLinkedThroughConnections(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	link := &api.CreateRepositoryInput{Provider: api.Ptr(api.RepositoryProviderGithub), Name: p("acme/templates"), ConnectionArn: p(connection),
		Tags: []api.Tag{{Key: p("team"), Value: p("platform")}}}
	_, err := f.CreateRepository(ctx, link)
	wantRefusal(t, err, "ValidationException", "Connection "+connection+" is not known.")
	must(f.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p("scripts"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGithub), ConnectionArn: p(connection), Token: p("s3cret-token"),
	}))(t)
	made := must(f.CreateRepository(ctx, link))(t).Repository
	if got, want := *made.Arn, f.arn("repository/github:acme/templates"); got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
	must(f.CreateRepository(ctx, link))(t) // a repeat
	other := *link
	other.EncryptionKey = p("arn:aws:kms:eu-west-1:111122223333:key/1")
	_, err = f.CreateRepository(ctx, &other)
	wantRefusal(t, err, "ConflictException", "linked already")
	_, err = f.DeleteConnection(ctx, &api.DeleteConnectionInput{Name: p("scripts")})
	wantRefusal(t, err, "ConflictException", "acme/templates")
	tags := must(f.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: made.Arn}))(t).Tags
	if len(tags) != 2 || *tags[0].Key != "aws:proton:account" || *tags[1].Key != "team" {
		t.Errorf("tags: %+v", tags)
	}

	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: link.Provider, Name: p("acme/infra"), ConnectionArn: p(connection)}))(t)
	first := must(f.ListRepositories(ctx, &api.ListRepositoriesInput{MaxResults: api.Ptr[int64](1)}))(t)
	second := must(f.ListRepositories(ctx, &api.ListRepositoriesInput{MaxResults: api.Ptr[int64](1), NextToken: first.NextToken}))(t)
	if *first.Repositories[0].Name != "acme/infra" || *second.Repositories[0].Name != "acme/templates" || second.NextToken != nil {
		t.Errorf("pages: %+v %+v", first, second)
	}
	key := &api.DeleteRepositoryInput{Provider: link.Provider, Name: link.Name}
	if out := must(f.DeleteRepository(ctx, key))(t); out.Repository == nil {
		t.Error("the deleted link is not answered")
	}
	if out := must(f.DeleteRepository(ctx, key))(t); out.Repository != nil {
		t.Error("a repeat answers a link")
	}
	_, err = f.GetRepository(ctx, &api.GetRepositoryInput{Provider: link.Provider, Name: link.Name})
	wantRefusal(t, err, "ResourceNotFoundException", *made.Arn)
}

func TestRepositoryInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	c := f.connect(t, t.TempDir())
	github := api.Ptr(api.RepositoryProviderGithub)
	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: p("acme/infra"), ConnectionArn: c.ConnectionArn}))(t)
	use := &api.UpdateAccountSettingsInput{PipelineProvisioningRepository: &api.RepositoryBranchInput{Provider: github, Name: p("acme/infra"), Branch: p("main")}}
	set := must(f.UpdateAccountSettings(ctx, use))(t).AccountSettings
	if got := api.Value(set.PipelineProvisioningRepository.Arn); got != f.arn("repository/github:acme/infra") {
		t.Errorf("repository of the settings: %s", got)
	}
	_, err := f.DeleteRepository(ctx, &api.DeleteRepositoryInput{Provider: github, Name: p("acme/infra")})
	wantRefusal(t, err, "ConflictException", "in use")
	must(f.UpdateAccountSettings(ctx, &api.UpdateAccountSettingsInput{DeletePipelineProvisioningRepository: api.Ptr(true)}))(t)
	must(f.DeleteRepository(ctx, &api.DeleteRepositoryInput{Provider: github, Name: p("acme/infra")}))(t)
	_, err = f.UpdateAccountSettings(ctx, use)
	wantRefusal(t, err, "ValidationException", "Repository GITHUB:acme/infra is not linked.")
}

func TestConnectionsRefuseWhatTheyCannotUse(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	for name, test := range map[string]struct{ kind, url, token, want string }{
		"no address":         {"gitea", "", "t", "url is missing"},
		"another scheme":     {"git", "ftp://example.com", "t", "must start with https://"},
		"a command":          {"git", "ext::sh -c id", "t", "url"},
		"ssh to a forge":     {"gitea", "ssh://git.example.com", "t", "must start with https://"},
		"password in URL":    {"git", "https://u:p@example.com", "t", "must not hold credentials"},
		"option as host":     {"git", "ssh://-oProxyCommand=id", "", "names no host"},
		"query":              {"git", "https://example.com?x=1", "", "scheme, host and path alone"},
		"relative file":      {"git", "file://srv/git", "", "absolute path"},
		"token for a file":   {"git", "file:///srv/git", "t", "can't be specified"},
		"password for ssh":   {"git", "ssh://git@example.com", "hush", "must be a private key"},
		"private key, https": {"git", "https://example.com", "-----BEGIN OPENSSH PRIVATE KEY-----", "only an ssh:// URL"},
		"half a GitHub App":  {"github", "", `{"appId": 1}`, "appId, installationId and privateKey"},
		"two lines":          {"gitea", "https://example.com", "a\nb", "more than one line"},
	} {
		_, err := f.CreateConnection(ctx, &api.CreateConnectionInput{
			Name: p("c"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKind(test.kind)), Url: optional(test.url), Token: optional(test.token),
		})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "ValidationException") {
			t.Errorf("%s: got %v, want ValidationException with %q", name, err, test.want)
		}
	}
	user := must(f.CreateUser(ctx, &api.CreateUserInput{Name: p("dev"), Policy: p(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"proton:*","Resource":"*"}]}`)}))(t)
	dev := client(f.server.URL, *user.AccessKeyId, secretOf(user))
	_, err := dev.CreateConnection(ctx, &api.CreateConnectionInput{Name: p("c"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGit), Url: p("file:///etc")})
	wantRefusal(t, err, "ValidationException", "only the root key")
	_, err = dev.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: api.Ptr(api.RepositoryProviderGithub), Name: p("a/b"), ConnectionArn: p(connection)})
	wantRefusal(t, err, "AccessDeniedException", "PassConnection")
}

func TestTokensOfConnectionsAreSealedAndNeverShown(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	made := must(f.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p("forge"), Provider: api.Ptr(api.ConnectionProviderGithubEnterprise), Kind: api.Ptr(api.ConnectionKindGitea), Url: p("https://git.example.com/"), Token: p("hush-hush"),
	}))(t)
	if got, want := *made.WebhookUrl, f.server.URL+"/-/webhooks/"; !strings.HasPrefix(got, want) || *made.Url != "https://git.example.com" {
		t.Errorf("made %s for %s", got, *made.Url)
	}
	err := f.server.store.View(ctx, func(tx *store.Tx) error {
		c, _, err := tx.Connection(ctx, f.scope(), *made.ConnectionArn)
		if strings.Contains(c.Token, "hush") || c.Token == "" || c.WebhookSecret == *made.WebhookSecret {
			t.Errorf("the database tells the secrets: %+v", c)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list := must(f.ListConnections(ctx, &api.ListConnectionsInput{}))(t).Connections
	if len(list) != 1 || *list[0].Name != "forge" {
		t.Errorf("list: %+v", list)
	}
	_, err = f.CreateConnection(ctx, &api.CreateConnectionInput{Name: p("forge"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGithub)})
	wantRefusal(t, err, "ConflictException", "named forge")
	_, err = f.CreateConnection(ctx, &api.CreateConnectionInput{Name: p("other"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGithub), ConnectionArn: made.ConnectionArn})
	wantRefusal(t, err, "ConflictException", "bound already")
	must(f.UpdateConnection(ctx, &api.UpdateConnectionInput{Name: p("forge"), Token: p("another")}))(t)
	must(f.DeleteConnection(ctx, &api.DeleteConnectionInput{Name: p("forge")}))(t)
	if out := must(f.DeleteConnection(ctx, &api.DeleteConnectionInput{Name: p("forge")}))(t); out.Connection != nil {
		t.Error("a repeat answers a connection")
	}
}

// wantRefusal checks that a call was refused with a code and a message.
func wantRefusal(t *testing.T, err error, code, message string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), code+": ") || !strings.Contains(err.Error(), message) {
		t.Errorf("got %v, want %s with %q", err, code, message)
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func secretOf(u *api.CreateUserOutput) auth.Secret { return auth.Secret(*u.SecretAccessKey) }

func (f *fixture) scope() proton.Scope { return proton.Scope{Account: f.account, Region: region} }
