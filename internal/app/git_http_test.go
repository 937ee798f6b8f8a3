package app

import (
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

func TestRevokedTokensFailTheSyncUntilTheyAreReplaced(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	server := gittest.NewServer(t)
	sha := server.Repository(t, "acme/templates").Commit(t, "main", environmentFiles("net/v1", ""))
	f.hook = must(f.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p("http"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGit), Url: p(server.HTTP(t, "robot", "correct-horse").URL), Token: p("robot:revoked-horse"),
	}))(t)
	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: p("acme/templates"), ConnectionArn: f.hook.ConnectionArn}))(t)
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	status := must(f.GetRepositorySyncStatus(ctx, &api.GetRepositorySyncStatusInput{RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("main"), SyncType: api.Ptr(api.SyncTypeTemplateSync)}))(t).LatestSync
	last := *status.Events[len(status.Events)-1].Event
	if *status.Status != api.RepositorySyncStatusFailed || !strings.Contains(strings.ToLower(last), "authentication failed") || strings.Contains(last, "horse") {
		t.Errorf("with a revoked token: %s %s", *status.Status, last)
	}
	must(f.UpdateConnection(ctx, &api.UpdateConnectionInput{Name: p("http"), Token: p("robot:correct-horse")}))(t)
	began := time.Now()
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", sha, api.ResourceSyncStatusSucceeded)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("synced %v after the token was replaced", took)
	}
}
