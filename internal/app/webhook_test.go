package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

// hookKind is how a kind of server takes a token and tells of a push.
type hookKind struct {
	kind   api.ConnectionKind
	user   string // that git sends the token for
	header map[string]string
	sign   func(secret, body string) (name, value string)
	body   string // with a place for the repository's name
}

func signature(prefix, header string) func(secret, body string) (string, string) {
	return func(secret, body string) (string, string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return header, prefix + hex.EncodeToString(mac.Sum(nil))
	}
}

// The bodies are what the servers document of their push events, shortened.
var hookKinds = []hookKind{
	{api.ConnectionKindGithub, "x-access-token", map[string]string{"X-GitHub-Event": "push"}, signature("sha256=", "X-Hub-Signature-256"),
		`{"ref": "refs/heads/main", "repository": {"id": 1, "full_name": %q, "private": true}, "pusher": {"name": "dev"}}`},
	{api.ConnectionKindGitlab, "oauth2", map[string]string{"X-Gitlab-Event": "Push Hook"}, func(secret, _ string) (string, string) { return "X-Gitlab-Token", secret },
		`{"object_kind": "push", "ref": "refs/heads/main", "project": {"id": 1, "path_with_namespace": %q}, "repository": {"name": "App"}}`},
	{api.ConnectionKindBitbucket, "x-token-auth", map[string]string{"X-Event-Key": "repo:push"}, signature("sha256=", "X-Hub-Signature"),
		`{"push": {"changes": []}, "repository": {"type": "repository", "full_name": %q}}`},
	{api.ConnectionKindGitea, "git", map[string]string{"X-Gitea-Event": "push"}, signature("", "X-Gitea-Signature"),
		`{"ref": "refs/heads/main", "repository": {"id": 1, "full_name": %q}}`},
	{api.ConnectionKindGit, "git", nil, signature("sha256=", "X-Hub-Signature-256"), `{"repository": {"full_name": %q}}`},
}

// Each kind of server tells of a push in its own way; the interval of polling
// is a minute, so nothing else can.
func TestWebhooksOfEachKindOfServerShowAPushAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, kind := range hookKinds {
		t.Run(string(kind.kind), func(t *testing.T) {
			t.Parallel()
			kind.pushIsSeen(t, f)
		})
	}
}

func (k hookKind) pushIsSeen(t *testing.T, f *fixture) {
	ctx := t.Context()
	server := gittest.NewServer(t)
	name := "acme/" + string(k.kind)
	repository := server.Repository(t, name)
	first := repository.Commit(t, "main", environmentFiles("net-"+string(k.kind)+"/v1", "one"))
	hook := must(f.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p(string(k.kind)), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: &k.kind, Url: p(server.HTTP(t, k.user, "token-of-it").URL), Token: p("token-of-it"),
	}))(t)
	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: &name, ConnectionArn: hook.ConnectionArn}))(t)
	template := "net-" + string(k.kind)
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: &template}))(t)
	must(f.CreateTemplateSyncConfig(ctx, &api.CreateTemplateSyncConfigInput{
		TemplateName: &template, TemplateType: api.Ptr(api.TemplateTypeEnvironment), RepositoryName: &name, RepositoryProvider: github, Branch: p("main"),
	}))(t)
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, template, "1", first, api.ResourceSyncStatusSucceeded)

	second := repository.Commit(t, "main", environmentFiles(template+"/v1", "two"))
	body := fmt.Sprintf(k.body, name)
	send := func(secret string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, *hook.WebhookUrl, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range k.header {
			r.Header.Set(name, value)
		}
		header, value := k.sign(secret, body)
		r.Header.Set(header, value)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if status := send("a guess"); status != http.StatusForbidden {
		t.Errorf("with a wrong secret: %d", status)
	}
	pushed := time.Now()
	if status := send(*hook.WebhookSecret); status != http.StatusNoContent {
		t.Fatalf("webhook: %d", status)
	}
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, template, "1", second, api.ResourceSyncStatusSucceeded)
	if took := time.Since(pushed); took > 5*time.Second {
		t.Errorf("the push was seen after %v", took)
	}
}
