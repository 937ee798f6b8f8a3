package app

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
)

// slow is what a forge says that wants to be asked less often.
func (w *workflow) slow() {
	w.hub.Answer(http.StatusTooManyRequests, map[string]string{"Retry-After": "1"}, `{"message": "slow down"}`)
}

func TestDeploymentsOutlastAForgeInTrouble(t *testing.T) {
	t.Parallel()
	w := onHub(t, func(c *Config) { c.GitPollInterval = 1 })
	ctx := t.Context()
	environment := func() *api.Environment {
		return must(w.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
	}
	wantLog := func(text string) {
		t.Helper()
		eventually(t, "the log says "+text, func() bool {
			return strings.Contains(w.deploymentLog(t, *environment().LastAttemptedDeploymentId), text)
		})
	}
	update := func() {
		t.Helper()
		must(w.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n")}))(t)
	}

	w.slow()
	w.createSelfManaged(t, "one", w.repository)
	wantLog(w.hub.URL + "/api/v3/repos/acme/infra/pulls answered 429 Too Many Requests: slow down")
	if e := environment(); *e.DeploymentStatus != api.DeploymentStatusInProgress {
		t.Errorf("limited: %s", *e.DeploymentStatus)
	}
	w.hub.Through(nil)
	pull := w.pull(t, "environment/one")
	w.hub.Answer(http.StatusBadGateway, nil, "<html>")
	wantLog("answered 502 Bad Gateway")
	w.hub.Through(nil)
	w.apply(t, pull, api.Output{Key: p("vpc"), ValueString: p("vpc-1")})
	w.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)

	var troubles atomic.Int32 // one answer is bad, the next is good
	w.hub.Through(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if troubles.Add(1) == 1 {
			http.Error(rw, `{"message": "oops"}`, http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(rw, r)
	})
	update()
	w.apply(t, w.pull(t, "environment/one"), api.Output{Key: p("vpc"), ValueString: p("vpc-2")})
	w.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)

	w.hub.Answer(http.StatusUnauthorized, nil, `{"message": "Bad credentials"}`) // the token was revoked
	update()
	e := w.waitEnvironment(t, "one", api.DeploymentStatusFailed)
	if got := *e.DeploymentStatusMessage; !strings.Contains(got, w.hub.URL) || !strings.Contains(got, "answered 401 Unauthorized: Bad credentials") {
		t.Errorf("with a revoked token: %s", got)
	}
	outputs := must(w.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: p("one")}))(t).Outputs
	if len(outputs) != 1 || *outputs[0].ValueString != "vpc-2" || *e.LastSucceededDeploymentId == *e.LastAttemptedDeploymentId {
		t.Errorf("the last good state: %+v of %+v", outputs, e)
	}
	w.hub.Through(nil)
	update()
	w.apply(t, w.pull(t, "environment/one"))
	w.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)
}

func TestSyncsOutlastAForgeInTrouble(t *testing.T) {
	t.Parallel()
	w := onHub(t, func(c *Config) { c.GitPollInterval, c.BundleLimits = 1, `{"bundleUnpackedBytes": 1000000}` })
	ctx := t.Context()
	repository := w.hub.Repository(t, "acme/templates")
	must(w.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: p("acme/templates"), ConnectionArn: w.hook.ConnectionArn}))(t)
	must(w.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	good := repository.Commit(t, "main", environmentFiles("net/v1", "one"))
	w.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", good, api.ResourceSyncStatusSucceeded)
	versions := []string{"1.0 DRAFT"}
	for status, want := range map[int]string{
		http.StatusInternalServerError: "error: 500", http.StatusTooManyRequests: "error: 429", http.StatusUnauthorized: "authentication failed",
		http.StatusNotFound: "not found",
	} {
		w.hub.Answer(status, map[string]string{"Retry-After": "1"}, "")
		w.pushed(t, "acme/templates")
		eventually(t, fmt.Sprintf("the sync status says %q", want), func() bool {
			s := must(w.GetRepositorySyncStatus(ctx, &api.GetRepositorySyncStatusInput{RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("main"), SyncType: api.Ptr(api.SyncTypeTemplateSync)}))(t).LatestSync
			last := s.Events[len(s.Events)-1]
			return *s.Status == api.RepositorySyncStatusFailed && *last.Type == "CLONE_FAILED" && strings.Contains(*last.Event, want) && strings.Contains(*last.Event, w.hub.URL+"/acme/templates.git")
		})
		if diff := cmp.Diff(versions, w.versions(t, "net")); diff != "" {
			t.Errorf("the last good state, at %d: %s", status, diff)
		}
		w.hub.Through(nil)
		sha := repository.Commit(t, "main", environmentFiles("net/v1", fmt.Sprint(status)))
		w.pushed(t, "acme/templates")
		w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", sha, api.ResourceSyncStatusSucceeded)
		versions = append([]string{fmt.Sprintf("1.%d DRAFT", len(versions))}, versions...)
	}

	// What is too large is said of the directory, and the next commit heals it.
	large := repository.Commit(t, "main", map[string]string{"net/v1/infrastructure/image": strings.Repeat("0", 2_000_000)})
	w.pushed(t, "acme/templates")
	failed := w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", large, api.ResourceSyncStatusFailed)
	if got := lastEvent(failed.LatestSync); !strings.Contains(got, large) || !strings.Contains(got, "net/v1: its files have more than 1000000 bytes together") {
		t.Errorf("too large: %s", got)
	}
	// So does a history that was rewritten; what it leaves as it is, is no new version.
	rewritten := repository.Rewrite(t, "main", environmentFiles("net/v1", "one"))
	w.pushed(t, "acme/templates")
	again := w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", rewritten, api.ResourceSyncStatusSucceeded)
	same := repository.Rewrite(t, "main", map[string]string{
		"net/v1/schema/schema.yaml": environmentSchema, "net/v1/infrastructure/manifest.yaml": manifest, "net/v1/infrastructure/note": "one", "other": "",
	})
	w.pushed(t, "acme/templates")
	unchanged := w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", same, api.ResourceSyncStatusSucceeded)
	if got := lastEvent(unchanged.LatestSync); !strings.HasPrefix(got, "BUNDLE_UNCHANGED") || *unchanged.LatestSync.InitialRevision.Sha != *again.LatestSync.TargetRevision.Sha {
		t.Errorf("a rewritten history: %s", describe(unchanged.LatestSync))
	}
}

func (w *workflow) deploymentLog(t *testing.T, id string) string {
	t.Helper()
	var text strings.Builder
	for _, e := range must(w.ListDeploymentLogEvents(t.Context(), &api.ListDeploymentLogEventsInput{DeploymentId: &id}))(t).Events {
		text.WriteString(*e.Message + "\n")
	}
	return text.String()
}

// Whichever request of a round is carried out without its answer arriving, the
// commit is registered once, and the next round says so.
func TestSyncsThatAreCutOffRegisterACommitOnce(t *testing.T) {
	t.Parallel()
	w := onHub(t, func(c *Config) { c.GitPollInterval = 600 })
	ctx := t.Context()
	repository := w.hub.Repository(t, "acme/templates")
	must(w.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: p("acme/templates"), ConnectionArn: w.hook.ConnectionArn}))(t)
	must(w.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	first := repository.Commit(t, "main", environmentFiles("net/v1", "0"))
	w.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	w.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", first, api.ResourceSyncStatusSucceeded)
	versions := []string{"1.0 DRAFT"}
	for n := int32(1); n <= 6; n++ { // a round makes five: two to look, three to fetch
		var seen atomic.Int32
		w.hub.Through(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			if seen.Add(1) == n {
				forgetest.Lose(r, next, true)
			}
			next.ServeHTTP(rw, r)
		})
		sha := repository.Commit(t, "main", environmentFiles("net/v1", fmt.Sprint(n)))
		status := &api.GetTemplateSyncStatusInput{TemplateName: p("net"), TemplateType: api.Ptr(api.TemplateTypeEnvironment), TemplateVersion: p("1")}
		eventually(t, fmt.Sprintf("a round that loses request %d is made up for", n), func() bool {
			w.pushed(t, "acme/templates")
			time.Sleep(50 * time.Millisecond)
			latest := must(w.GetTemplateSyncStatus(ctx, status))(t).LatestSync
			return *latest.TargetRevision.Sha == sha && *latest.Status == api.ResourceSyncStatusSucceeded
		})
		versions = append([]string{fmt.Sprintf("1.%d DRAFT", n)}, versions...)
		if diff := cmp.Diff(versions, w.versions(t, "net")); diff != "" {
			t.Fatalf("after a round that lost request %d: %s", n, diff)
		}
	}
}
