package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/git/gittest"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

var github = api.Ptr(api.RepositoryProviderGithub)

// linkTemplates makes the repository acme/templates and links it.
func (f *fixture) linkTemplates(t *testing.T) *gittest.Repository {
	t.Helper()
	server := gittest.NewServer(t)
	f.hook = f.connect(t, server.Root)
	must(f.CreateRepository(t.Context(), &api.CreateRepositoryInput{Provider: github, Name: p("acme/templates"), ConnectionArn: f.hook.ConnectionArn}))(t)
	return server.Repository(t, "acme/templates")
}

func environmentFiles(folder, note string) map[string]string {
	return map[string]string{
		folder + "/schema/schema.yaml": environmentSchema, folder + "/infrastructure/manifest.yaml": manifest, folder + "/infrastructure/note": note,
	}
}

func serviceFiles(folder, registration string) map[string]string {
	files := map[string]string{
		folder + "/schema/schema.yaml": serviceSchema, folder + "/instance_infrastructure/manifest.yaml": manifest,
		folder + "/pipeline_infrastructure/manifest.yaml": manifest,
	}
	if registration != "" {
		files[folder+"/.template-registration.yaml"] = registration
	}
	return files
}

func (f *fixture) syncTemplate(t *testing.T, kind api.TemplateType, name, subdirectory string) {
	t.Helper()
	must(f.CreateTemplateSyncConfig(t.Context(), &api.CreateTemplateSyncConfigInput{
		TemplateName: &name, TemplateType: &kind, RepositoryName: p("acme/templates"), RepositoryProvider: github,
		Branch: p("main"), Subdirectory: optional(subdirectory),
	}))(t)
}

// pushed tells of a push as the server's webhook does.
func (f *fixture) pushed(t *testing.T, repository string) {
	t.Helper()
	body := fmt.Sprintf(`{"repository": {"full_name": %q}}`, repository)
	if status := f.sendHook(t, body, *f.hook.WebhookSecret); status != http.StatusNoContent {
		t.Fatalf("webhook: %d", status)
	}
}

func (f *fixture) sendHook(t *testing.T, body, secret string) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, *f.hook.WebhookUrl, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// waitTemplateSync waits until a commit has been synced one way or the other.
func (f *fixture) waitTemplateSync(t *testing.T, kind api.TemplateType, name, major, sha string, want api.ResourceSyncStatus) *api.GetTemplateSyncStatusOutput {
	t.Helper()
	var out *api.GetTemplateSyncStatusOutput
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		out = must(f.GetTemplateSyncStatus(t.Context(), &api.GetTemplateSyncStatusInput{TemplateName: &name, TemplateType: &kind, TemplateVersion: &major}))(t)
		if out.LatestSync != nil && *out.LatestSync.TargetRevision.Sha == sha && *out.LatestSync.Status == want {
			return out
		}
	}
	t.Fatalf("%s %s was not synced to %s as %s: %s", name, major, sha, want, describe(out.LatestSync))
	return nil
}

func describe(a *api.ResourceSyncAttempt) string {
	if a == nil {
		return "nothing is known"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s", *a.Status, *a.TargetRevision.Sha)
	for _, e := range a.Events {
		fmt.Fprintf(&b, "\n  %s %s", *e.Type, *e.Event)
	}
	return b.String()
}

func lastEvent(a *api.ResourceSyncAttempt) string {
	e := a.Events[len(a.Events)-1]
	return *e.Type + ": " + *e.Event
}

func (f *fixture) versions(t *testing.T, name string) []string {
	t.Helper()
	var list []string
	for _, major := range []string{"1", "2"} {
		out := must(f.ListEnvironmentTemplateVersions(t.Context(), &api.ListEnvironmentTemplateVersionsInput{TemplateName: &name, MajorVersion: &major}))(t)
		for _, v := range out.TemplateVersions {
			list = append(list, *v.MajorVersion+"."+*v.MinorVersion+" "+string(*v.Status))
		}
	}
	return list
}

func TestPushesRegisterTemplateVersions(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.linkTemplates(t)
	first := repository.Commit(t, "main", environmentFiles("templates/net/v1", "one"))
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "/templates/")
	// The stock waiter gives up on a version that is not there: it must be by now.
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client, &api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")}); err != nil {
		t.Fatal(err)
	}
	status := f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", first, api.ResourceSyncStatusSucceeded)
	if got, want := *status.LatestSync.Target, f.arn("environment-template/net")+":1"; got != want {
		t.Errorf("target %s, want %s", got, want)
	}
	if got := *status.LatestSync.TargetRevision.Directory; got != "templates/net/v1" {
		t.Errorf("directory %s", got)
	}

	f.pushed(t, "acme/templates")
	second := repository.Commit(t, "main", environmentFiles("templates/net/v1", "two"))
	began := time.Now()
	f.pushed(t, "acme/templates")
	status = f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", second, api.ResourceSyncStatusSucceeded)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a push was seen and registered after %v", took)
	}
	if *status.LatestSync.InitialRevision.Sha != first || *status.LatestSuccessfulSync.TargetRevision.Sha != second || *status.DesiredState.Sha != second {
		t.Errorf("revisions: %+v", status)
	}
	if diff := cmp.Diff([]string{"1.1 DRAFT", "1.0 DRAFT"}, f.versions(t, "net")); diff != "" {
		t.Error(diff)
	}

	third := repository.Commit(t, "main", map[string]string{"README.md": "hello"})
	f.pushed(t, "acme/templates")
	status = f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", third, api.ResourceSyncStatusSucceeded)
	if got := lastEvent(status.LatestSync); got != "BUNDLE_UNCHANGED: Unchanged since 1.1" {
		t.Errorf("a commit that changes nothing: %s", got)
	}

	must(f.DeleteEnvironmentTemplateVersion(ctx, &api.DeleteEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("1")}))(t)
	repository.Commit(t, "main", environmentFiles("templates/net/v2", "new major"))
	fourth := repository.Rewrite(t, "main", map[string]string{"x": ""})
	files := environmentFiles("templates/net/v1", "two")
	for name, text := range environmentFiles("templates/net/v2", "new major") {
		files[name] = text
	}
	fourth = repository.Rewrite(t, "main", files)
	f.pushed(t, "acme/templates")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", fourth, api.ResourceSyncStatusSucceeded)
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "2", fourth, api.ResourceSyncStatusSucceeded)
	if diff := cmp.Diff([]string{"1.2 DRAFT", "1.0 DRAFT", "2.0 DRAFT"}, f.versions(t, "net")); diff != "" {
		t.Errorf("a deleted version is made again, a directory makes a major: %s", diff)
	}
}

func TestEnvironmentAndServiceTemplateMayComeInOneCommit(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.linkTemplates(t)
	repository.Commit(t, "main", map[string]string{"README.md": "nothing yet"})
	must(f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web")}))(t)
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.syncTemplate(t, api.TemplateTypeService, "web", "")
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	files := environmentFiles("net/v1", "")
	for name, text := range serviceFiles("web/v1", "compatible_environment:\n  - net:1\nsupported_component_sources:\n  - DIRECTLY_DEFINED\n") {
		files[name] = text
	}
	for name, text := range serviceFiles("web/v2", "") {
		files[name] = text
	}
	files["web/v2/.compatible-envs"] = "\nnet:1"
	sha := repository.Commit(t, "main", files)
	f.pushed(t, "acme/templates")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", sha, api.ResourceSyncStatusSucceeded)
	f.waitTemplateSync(t, api.TemplateTypeService, "web", "1", sha, api.ResourceSyncStatusSucceeded)
	f.waitTemplateSync(t, api.TemplateTypeService, "web", "2", sha, api.ResourceSyncStatusSucceeded)
	v := must(f.GetServiceTemplateVersion(ctx, &api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0")}))(t).ServiceTemplateVersion
	if len(v.CompatibleEnvironmentTemplates) != 1 || *v.CompatibleEnvironmentTemplates[0].TemplateName != "net" || len(v.SupportedComponentSources) != 1 {
		t.Errorf("version: %+v", v)
	}
	noticed := must(f.ListTemplateVersionWarnings(ctx, &api.ListTemplateVersionWarningsInput{TemplateName: p("web"), TemplateType: api.Ptr(api.HadronTemplateTypeService), MajorVersion: p("1"), MinorVersion: p("0")}))(t)
	if want := ".template-registration.yaml:2: compatible_environment is taken for compatible_environments"; len(noticed.Warnings) == 0 || noticed.Warnings[0] != want {
		t.Errorf("warnings: %q, want %q first", noticed.Warnings, want)
	}
	definitions := must(f.ListRepositorySyncDefinitions(ctx, &api.ListRepositorySyncDefinitionsInput{RepositoryName: p("acme/templates"), RepositoryProvider: github, SyncType: api.Ptr(api.SyncTypeTemplateSync)}))(t).SyncDefinitions
	if len(definitions) != 2 || *definitions[0].Target != f.arn("environment-template/net") || *definitions[0].Directory != "/" || *definitions[0].Branch != "main" {
		t.Errorf("definitions: %+v", definitions)
	}
	state := must(f.GetRepositorySyncStatus(ctx, &api.GetRepositorySyncStatusInput{RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("main"), SyncType: api.Ptr(api.SyncTypeTemplateSync)}))(t).LatestSync
	var got []string
	for _, e := range state.Events {
		got = append(got, *e.Type+" "+*e.Event+" "+api.Value(e.ExternalId))
	}
	want := []string{"CLONE_STARTED Clone started ", "CONFIG_UPDATED Updated configuration ", "STARTING_SYNC Starting syncs for commit " + sha + " " + sha}
	if diff := cmp.Diff(want, got); diff != "" || *state.Status != api.RepositorySyncStatusSucceeded {
		t.Errorf("repository sync %s: %s", *state.Status, diff)
	}
}

func TestBadCommitsSayWhatAndWhereAndTheNextGoodOneHeals(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.linkTemplates(t)
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	must(f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web")}))(t)
	status := func() *api.RepositorySyncAttempt {
		t.Helper()
		return must(f.GetRepositorySyncStatus(ctx, &api.GetRepositorySyncStatusInput{RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("main"), SyncType: api.Ptr(api.SyncTypeTemplateSync)}))(t).LatestSync
	}
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	f.syncTemplate(t, api.TemplateTypeService, "web", "")
	if s := status(); *s.Status != api.RepositorySyncStatusFailed || !strings.Contains(*s.Events[len(s.Events)-1].Event, "branch main does not exist in acme/templates") {
		t.Errorf("an empty repository: %+v", s)
	}
	good := repository.Commit(t, "main", environmentFiles("net/v1", "good"))
	f.pushed(t, "acme/templates")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", good, api.ResourceSyncStatusSucceeded)
	missing := must(f.GetTemplateSyncStatus(ctx, &api.GetTemplateSyncStatusInput{TemplateName: p("web"), TemplateType: api.Ptr(api.TemplateTypeService), TemplateVersion: p("1")}))(t)
	if missing.LatestSync == nil || !strings.Contains(lastEvent(missing.LatestSync), "no directory web") {
		t.Errorf("a template that is not in the repository: %s", describe(missing.LatestSync))
	}

	for _, test := range []struct{ name, file, text, want string }{
		{"no registration file", "web/v1/other", "", "web/v1/.template-registration.yaml is missing"},
		{"not YAML", "web/v1/.template-registration.yaml", "a: [", "web/v1/.template-registration.yaml: "},
		{"no list", "web/v1/.template-registration.yaml", "compatible_environments: net:1\n", "compatible_environments is missing"},
		{"bad entry", "web/v1/.template-registration.yaml", "compatible_environments:\n- net\n", "line 2: \"net\" is not an environment template"},
		{"unknown source", "web/v1/.template-registration.yaml", "compatible_environments: [net:1]\nsupported_component_sources: [X]\n", "line 2: \"X\" is no source"},
		{"unknown environment template", "web/v1/.template-registration.yaml", "compatible_environments: [absent:1]\n", "The requested environment template version does not exist: " + f.arn("environment-template/absent:1")},
		{"a link", "web/v1/link@", "../../../etc/passwd", "web/v1/link: symbolic links are not allowed"},
	} {
		files := serviceFiles("web/v1", "")
		files[test.file] = test.text
		sha := repository.Commit(t, "main", files)
		f.pushed(t, "acme/templates")
		got := lastEvent(f.waitTemplateSync(t, api.TemplateTypeService, "web", "1", sha, api.ResourceSyncStatusFailed).LatestSync)
		if !strings.Contains(got, "Commit "+sha) || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
	bad := repository.Commit(t, "main", map[string]string{"net/v1/schema/schema.yaml": strings.Replace(environmentSchema, "size:", "{", 1)})
	f.pushed(t, "acme/templates")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", bad, api.ResourceSyncStatusFailed)
	again := repository.Commit(t, "main", map[string]string{"README.md": "unrelated"})
	f.pushed(t, "acme/templates")
	healed := serviceFiles("web/v1", "compatible_environments: [net:1]\n")
	healed["web/v1/link"] = gittest.Remove
	healed["net/v1/schema/schema.yaml"] = environmentSchema
	sha := repository.Commit(t, "main", healed)
	f.pushed(t, "acme/templates")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", sha, api.ResourceSyncStatusSucceeded)
	f.waitTemplateSync(t, api.TemplateTypeService, "web", "1", sha, api.ResourceSyncStatusSucceeded)
	if diff := cmp.Diff([]string{"1.1 REGISTRATION_FAILED", "1.0 DRAFT"}, f.versions(t, "net")); diff != "" {
		t.Errorf("after %s: %s", again, diff)
	}
}

func TestPollingSeesPushesWithoutWebhook(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.GitPollInterval = 1 })
	repository := f.linkTemplates(t)
	repository.Commit(t, "main", map[string]string{"a": ""})
	must(f.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	sha := repository.Commit(t, "main", environmentFiles("net/v1", ""))
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", sha, api.ResourceSyncStatusSucceeded)
}

func TestTemplateSyncConfigsAreHeldAgainstWhatIsThere(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	f.linkTemplates(t).Commit(t, "main", environmentFiles("net/v1", ""))
	environment := api.Ptr(api.TemplateTypeEnvironment)
	in := &api.CreateTemplateSyncConfigInput{TemplateName: p("net"), TemplateType: environment, RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("main")}
	_, err := f.CreateTemplateSyncConfig(ctx, in)
	wantRefusal(t, err, "ValidationException", "Template net of type ENVIRONMENT does not exist.")
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	other := *in
	other.RepositoryName = p("acme/absent")
	_, err = f.CreateTemplateSyncConfig(ctx, &other)
	wantRefusal(t, err, "ValidationException", "Repository GITHUB:acme/absent is not linked.")
	other = *in
	other.Subdirectory = p("../x")
	_, err = f.CreateTemplateSyncConfig(ctx, &other)
	wantRefusal(t, err, "ValidationException", "no path in a repository")
	must(f.CreateTemplateSyncConfig(ctx, in))(t)
	must(f.CreateTemplateSyncConfig(ctx, in))(t) // a repeat
	other = *in
	other.Branch = p("dev")
	_, err = f.CreateTemplateSyncConfig(ctx, &other)
	wantRefusal(t, err, "ConflictException", "synced already")
	_, err = f.DeleteRepository(ctx, &api.DeleteRepositoryInput{Provider: github, Name: p("acme/templates")})
	wantRefusal(t, err, "ConflictException", "in use")
	changed := must(f.UpdateTemplateSyncConfig(ctx, &api.UpdateTemplateSyncConfigInput{TemplateName: p("net"), TemplateType: environment, RepositoryName: p("acme/templates"), RepositoryProvider: github, Branch: p("dev"), Subdirectory: p("/a/")}))(t).TemplateSyncConfig
	if *changed.Branch != "dev" || *changed.Subdirectory != "/a/" {
		t.Errorf("changed: %+v", changed)
	}
	key := &api.DeleteTemplateSyncConfigInput{TemplateName: p("net"), TemplateType: environment}
	if out := must(f.DeleteTemplateSyncConfig(ctx, key))(t); *out.TemplateSyncConfig.Branch != "dev" {
		t.Errorf("deleted: %+v", out)
	}
	if out := must(f.DeleteTemplateSyncConfig(ctx, key))(t); out.TemplateSyncConfig != nil {
		t.Error("a repeat answers a config")
	}
	_, err = f.GetTemplateSyncConfig(ctx, &api.GetTemplateSyncConfigInput{TemplateName: p("net"), TemplateType: environment})
	wantRefusal(t, err, "ResourceNotFoundException", "no sync config")
	_, err = f.GetTemplateSyncStatus(ctx, &api.GetTemplateSyncStatusInput{TemplateName: p("net"), TemplateType: environment, TemplateVersion: p("1")})
	wantRefusal(t, err, "ResourceNotFoundException", "no sync config")
	if diff := cmp.Diff([]string{"1.0 DRAFT"}, f.versions(t, "net")); diff != "" {
		t.Errorf("the versions stay: %s", diff)
	}
}

func TestWebhooksWithoutTheSecretAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.linkTemplates(t)
	if status := f.sendHook(t, "{}", "guess"); status != http.StatusForbidden {
		t.Errorf("a wrong signature: %d", status)
	}
	if status := f.sendHook(t, "no JSON", *f.hook.WebhookSecret); status != http.StatusBadRequest {
		t.Errorf("no JSON: %d", status)
	}
	if status := f.sendHook(t, `{"repository": {"full_name": "acme/unknown"}}`, *f.hook.WebhookSecret); status != http.StatusNoContent {
		t.Errorf("an unknown repository: %d", status)
	}
	f.hook.WebhookUrl = p(f.server.URL + "/-/webhooks/unknown")
	if status := f.sendHook(t, "{}", *f.hook.WebhookSecret); status != http.StatusForbidden {
		t.Errorf("an unknown connection: %d", status)
	}
}

func TestSyncGoesOnAfterARestartAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.GitPollInterval = 1
	log := slog.New(slog.DiscardHandler)
	f := &fixture{account: c.AccountID}
	up := func() {
		t.Helper()
		s, err := Start(t.Context(), c, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		f.server, f.Client = s, client(s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey)
	}
	down := func() {
		t.Helper()
		if err := f.server.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	up()
	repository := f.linkTemplates(t)
	first := repository.Commit(t, "main", environmentFiles("net/v1", "one"))
	must(f.CreateEnvironmentTemplate(t.Context(), &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	f.syncTemplate(t, api.TemplateTypeEnvironment, "net", "")
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", first, api.ResourceSyncStatusSucceeded)
	down()
	second := repository.Commit(t, "main", environmentFiles("net/v1", "two"))
	up()
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", second, api.ResourceSyncStatusSucceeded)

	// A worker that died in the middle of a round: asked for, and held by nobody
	// alive. Where servers share a database the lease has to run out.
	lease := time.Hour
	if onPostgres() {
		lease = time.Second
	}
	r := proton.Repository{}
	err := f.server.store.Update(t.Context(), func(tx *store.Tx) (err error) {
		if r, err = tx.Repository(t.Context(), f.scope(), "GITHUB", "acme/templates"); err != nil {
			return err
		}
		_, err = tx.RequestSync(t.Context(), r.ID, proton.HeadKey(proton.TemplateSync, "main"))
		if err == nil {
			_, _, err = tx.ClaimSync(t.Context(), r.ID, "dead", lease)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	down()
	up()
	f.waitTemplateSync(t, api.TemplateTypeEnvironment, "net", "1", second, api.ResourceSyncStatusSucceeded)
	eventually(t, "the round is answered", func() (done bool) {
		if err := f.server.store.View(t.Context(), func(tx *store.Tx) error {
			work, _, err := tx.RepositorySync(t.Context(), r.ID)
			done = work.Done == work.Wanted && work.LeaseOwner == ""
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return done
	})
	if diff := cmp.Diff([]string{"1.1 DRAFT", "1.0 DRAFT"}, f.versions(t, "net")); diff != "" {
		t.Errorf("versions: %s", diff)
	}
}
