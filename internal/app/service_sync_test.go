package app

import (
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

const opsFile = `sync:
  services:
    other:
      x: {branch: main, spec: absent.yaml}
    shop:
      one:
        branch: main
        spec: ./shop/dev.yaml
      two: {branch: prod, spec: shop/prod.yaml}
`

func specFile(instances string) string { return "proton: ServiceSpec\ninstances:\n" + instances }

// syncShop makes the service "shop" with a pipeline and no instances, and a
// repository that it is synced from.
func (f *fixture) syncShop(t *testing.T) *gittest.Repository {
	t.Helper()
	ctx := t.Context()
	f.publish(t)
	f.createEnvironment(t, "env")
	in := shop()
	in.Spec = p("proton: ServiceSpec\ninstances: []\n")
	must(f.CreateService(ctx, in))(t)
	f.waitService(t, api.ServiceStatusActive)
	server := gittest.NewServer(t)
	f.hook = f.connect(t, server.Root)
	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: p("acme/ops"), ConnectionArn: f.hook.ConnectionArn}))(t)
	return server.Repository(t, "acme/ops")
}

func (f *fixture) createServiceSync(t *testing.T) {
	t.Helper()
	must(f.CreateServiceSyncConfig(t.Context(), &api.CreateServiceSyncConfigInput{
		ServiceName: p("shop"), RepositoryProvider: github, RepositoryName: p("acme/ops"), Branch: p("main"), FilePath: p("./configuration/proton-ops.yaml"),
	}))(t)
}

func (f *fixture) waitInstanceSync(t *testing.T, name, sha string, want api.ResourceSyncStatus) *api.GetServiceInstanceSyncStatusOutput {
	t.Helper()
	var last string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		out, err := f.GetServiceInstanceSyncStatus(t.Context(), &api.GetServiceInstanceSyncStatusInput{ServiceName: p("shop"), ServiceInstanceName: &name})
		if err != nil {
			last = err.Error()
			continue
		}
		if out.LatestSync != nil && *out.LatestSync.TargetRevision.Sha == sha && *out.LatestSync.Status == want {
			return out
		}
		last = describe(out.LatestSync)
	}
	t.Fatalf("instance %s was not synced to %s as %s: %s", name, sha, want, last)
	return nil
}

func TestSpecsInARepositoryMakeAndUpdateInstances(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.syncShop(t)
	prod := repository.Commit(t, "prod", map[string]string{"shop/prod.yaml": specFile("- {name: two, environment: env, spec: {port: 443}}\n")})
	main := repository.Commit(t, "main", map[string]string{
		"configuration/proton-ops.yaml": opsFile,
		"shop/dev.yaml":                 specFile("- {name: one, environment: env, spec: {port: 80}}\n- {name: unlisted, environment: env, spec: {port: 1}}\n"),
	})
	f.createServiceSync(t)
	status := f.waitInstanceSync(t, "one", main, api.ResourceSyncStatusSucceeded)
	f.waitInstanceSync(t, "two", prod, api.ResourceSyncStatusSucceeded)
	if got := *status.LatestSync.Target; got != f.arn("service/shop/service-instance/one") {
		t.Errorf("target %s", got)
	}
	instances := must(f.ListServiceInstances(ctx, &api.ListServiceInstancesInput{ServiceName: p("shop")}))(t).ServiceInstances
	if len(instances) != 2 || *instances[0].Name != "one" || *instances[1].Name != "two" {
		t.Errorf("instances: %+v", instances)
	}
	definitions := must(f.ListRepositorySyncDefinitions(ctx, &api.ListRepositorySyncDefinitionsInput{RepositoryName: p("acme/ops"), RepositoryProvider: github, SyncType: api.Ptr(api.SyncTypeServiceSync)}))(t).SyncDefinitions
	if len(definitions) != 2 || *definitions[1].Branch != "prod" || *definitions[1].Directory != "shop/prod.yaml" {
		t.Errorf("definitions: %+v", definitions)
	}
	if blockers := f.blockers(t, p("one")); len(blockers) > 0 {
		t.Errorf("the sync blocks itself: %+v", blockers)
	}

	// A change of a spec branch alone is seen; what stays as it is stays.
	prod = repository.Commit(t, "prod", map[string]string{"shop/prod.yaml": specFile("- {name: two, environment: env, spec: {port: 444}}\n")})
	f.pushed(t, "acme/ops")
	status = f.waitInstanceSync(t, "two", prod, api.ResourceSyncStatusSucceeded)
	if !strings.HasPrefix(lastEvent(status.LatestSync), "DEPLOYMENT_SUCCEEDED") {
		t.Errorf("last event: %s", lastEvent(status.LatestSync))
	}
	i := must(f.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("two")}))(t).ServiceInstance
	if !strings.Contains(*i.Spec, "444") {
		t.Errorf("spec in force: %s", *i.Spec)
	}
	one := f.lastDeployment(t, "one")
	main = repository.Commit(t, "main", map[string]string{"shop/dev.yaml": specFile("- name: one # the same in another layout\n  spec: {port: 80}\n  environment: env\n")})
	f.pushed(t, "acme/ops")
	f.waitInstanceSync(t, "one", main, api.ResourceSyncStatusSucceeded)
	if f.lastDeployment(t, "one") != one {
		t.Error("a spec that says the same was deployed")
	}
	must(f.DeleteServiceSyncConfig(ctx, &api.DeleteServiceSyncConfigInput{ServiceName: p("shop")}))(t)
	must(f.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("two")}))(t)
}

func (f *fixture) lastDeployment(t *testing.T, name string) string {
	t.Helper()
	i := must(f.GetServiceInstance(t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: &name}))(t).ServiceInstance
	return *i.LastAttemptedDeploymentId
}

func (f *fixture) blockers(t *testing.T, instance *string) []api.SyncBlocker {
	t.Helper()
	return must(f.GetServiceSyncBlockerSummary(t.Context(), &api.GetServiceSyncBlockerSummaryInput{ServiceName: p("shop"), ServiceInstanceName: instance}))(t).ServiceSyncBlockerSummary.LatestBlockers
}

func TestPipelineIsSyncedAfterTheInstances(t *testing.T) {
	t.Parallel()
	f := start(t)
	repository := f.syncShop(t)
	f.engine.On(f.arn("service/shop/service-instance/one"), enginetest.Script{Steps: 3, Wait: 100 * time.Millisecond})
	repository.Commit(t, "main", map[string]string{
		"configuration/proton-ops.yaml": strings.Replace(opsFile, "      two: {branch: prod, spec: shop/prod.yaml}\n", "", 1),
		"shop/dev.yaml":                 "pipeline: {dockerfile: Other}\n" + specFile("- {name: one, environment: env, spec: {port: 80}}\n"),
	})
	f.createServiceSync(t)
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s := must(f.GetService(t.Context(), &api.GetServiceInput{Name: p("shop")}))(t).Service
		if strings.Contains(*s.Spec, "Other") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the pipeline was not synced; the spec is %s", *s.Spec)
		}
	}
	calls := f.engine.Calls()
	if last := calls[len(calls)-1]; last.Run.ResourceARN != f.arn("service/shop/pipeline") {
		t.Errorf("the last run is of %s", last.Run.ResourceARN)
	}
}

func TestChangesByHandBlockTheSyncUntilTheyAreResolved(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.syncShop(t)
	ops := strings.Replace(opsFile, "branch: prod, spec: shop/prod.yaml", "branch: main, spec: shop/dev.yaml", 1)
	spec := func(one, two string) string {
		return specFile("- {name: one, environment: env, spec: {port: " + one + "}}\n- {name: two, environment: env, spec: {port: " + two + "}}\n")
	}
	sha := repository.Commit(t, "main", map[string]string{"configuration/proton-ops.yaml": ops, "shop/dev.yaml": spec("80", "80")})
	f.createServiceSync(t)
	f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusSucceeded)
	f.waitInstanceSync(t, "two", sha, api.ResourceSyncStatusSucceeded)

	must(f.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("one"), Spec: p(spec("99", "80")), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	blockers := f.blockers(t, p("one"))
	if len(blockers) != 1 || *blockers[0].Status != api.BlockerStatusActive || *blockers[0].Type != api.BlockerTypeAutomated || len(f.blockers(t, nil)) != 0 {
		t.Fatalf("blockers: %+v", blockers)
	}
	sha = repository.Commit(t, "main", map[string]string{"shop/dev.yaml": spec("81", "81")})
	f.pushed(t, "acme/ops")
	f.waitInstanceSync(t, "two", sha, api.ResourceSyncStatusSucceeded)
	blocked := f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusFailed)
	if e := blocked.LatestSync.Events[0]; *e.Type != "SYNC_BLOCKED" || *e.ExternalId != *blockers[0].Id {
		t.Errorf("event: %+v", e)
	}
	out := must(f.UpdateServiceSyncBlocker(ctx, &api.UpdateServiceSyncBlockerInput{Id: blockers[0].Id, ResolvedReason: p("intended")}))(t)
	if *out.ServiceInstanceName != "one" || *out.ServiceSyncBlocker.Status != api.BlockerStatusResolved {
		t.Errorf("resolved: %+v", out)
	}
	f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusSucceeded)
	i := must(f.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("one")}))(t).ServiceInstance
	if !strings.Contains(*i.Spec, "port: 81") {
		t.Errorf("spec in force: %s", *i.Spec)
	}
	_, err := f.UpdateServiceSyncBlocker(ctx, &api.UpdateServiceSyncBlockerInput{Id: blockers[0].Id, ResolvedReason: p("again")})
	wantRefusal(t, err, "ConflictException", "resolved already")
	_, err = f.UpdateServiceSyncBlocker(ctx, &api.UpdateServiceSyncBlockerInput{Id: p("absent"), ResolvedReason: p("x")})
	wantRefusal(t, err, "ResourceNotFoundException", "absent")

	must(f.UpdateService(ctx, &api.UpdateServiceInput{Name: p("shop"), Spec: p(specFile("- {name: one, environment: env, spec: {port: 81}}\n"))}))(t)
	f.waitService(t, api.ServiceStatusActive)
	whole := f.blockers(t, nil)
	if len(whole) != 1 || !strings.Contains(*whole[0].CreatedReason, "two") {
		t.Fatalf("blockers of the service: %+v", whole)
	}
	sha = repository.Commit(t, "main", map[string]string{"shop/dev.yaml": spec("82", "82")})
	f.pushed(t, "acme/ops")
	f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusFailed)
	f.waitInstanceSync(t, "two", sha, api.ResourceSyncStatusFailed)
	must(f.UpdateServiceSyncBlocker(ctx, &api.UpdateServiceSyncBlockerInput{Id: whole[0].Id, ResolvedReason: p("make it anew")}))(t)
	f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusSucceeded)
	f.waitInstanceSync(t, "two", sha, api.ResourceSyncStatusSucceeded)
}

func TestBadSpecsSayWhatAndWhereAndTheNextGoodOneHeals(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	repository := f.syncShop(t)
	repository.Commit(t, "main", map[string]string{"README.md": ""})
	f.createServiceSync(t)
	status := func(sha string) string {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			out, err := f.GetRepositorySyncStatus(ctx, &api.GetRepositorySyncStatusInput{RepositoryName: p("acme/ops"), RepositoryProvider: github, Branch: p("main"), SyncType: api.Ptr(api.SyncTypeServiceSync)})
			if err == nil && *out.LatestSync.Status != api.RepositorySyncStatusInProgress {
				if e := out.LatestSync.Events[len(out.LatestSync.Events)-1]; api.Value(e.ExternalId) == sha {
					return *e.Type + ": " + *e.Event
				}
			}
		}
		t.Fatalf("no sync of %s", sha)
		return ""
	}
	if got := status(repository.Head(t, "main")); !strings.Contains(got, "./configuration/proton-ops.yaml: the ops file does not exist") {
		t.Errorf("no ops file: %s", got)
	}
	for _, test := range []struct{ ops, want string }{
		{"sync: [", "line"},
		{"sync: {}", "sync.services is missing"},
		{"sync:\n  services:\n    other: {}\n", "line 3: sync.services has no service shop"},
		{"sync:\n  services:\n    shop:\n      one: {branch: main}\n", "line 4: sync.services.shop.one must have branch and spec"},
		{"sync:\n  services:\n    shop:\n      one: {branch: main, spec: ../x}\n", "line 4: spec \"../x\" is no path"},
		{"sync:\n  services:\n    shop:\n      one: {branch: --upload-pack=x, spec: x}\n", "is no name of a branch"},
	} {
		sha := repository.Commit(t, "main", map[string]string{"configuration/proton-ops.yaml": test.ops})
		f.pushed(t, "acme/ops")
		if got := status(sha); !strings.Contains(got, test.want) || !strings.HasPrefix(got, "CONFIG_INVALID: Commit "+sha+": ./configuration/proton-ops.yaml") {
			t.Errorf("%s: %s", test.ops, got)
		}
	}
	ops := "sync:\n  services:\n    shop:\n      one: {branch: main, spec: shop/dev.yaml}\n"
	sha := repository.Commit(t, "main", map[string]string{"configuration/proton-ops.yaml": ops})
	f.pushed(t, "acme/ops")
	for _, test := range []struct{ spec, want string }{
		{gittest.Remove, "shop/dev.yaml: the spec file does not exist"},
		{"proton: ServiceSpec\ninstances: {}\n", "not correctly formatted"},
		{specFile("- {name: two, environment: env, spec: {port: 1}}\n"), "shop/dev.yaml: it has no instance named one"},
		{specFile("- {name: one, environment: env, spec: {port: 70000}}\n"), "70000 is greater than maximum 65535"},
		{specFile("- {name: one, environment: absent, spec: {port: 1}}\n"), "The requested environment does not exist"},
	} {
		sha = repository.Commit(t, "main", map[string]string{"shop/dev.yaml": test.spec, "n": test.want})
		f.pushed(t, "acme/ops")
		got := lastEvent(f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusFailed).LatestSync)
		if !strings.Contains(got, test.want) || !strings.HasPrefix(got, "SYNC_FAILED: Commit "+sha+": shop/dev.yaml: ") {
			t.Errorf("%s: %s", test.spec, got)
		}
	}
	sha = repository.Rewrite(t, "main", map[string]string{"configuration/proton-ops.yaml": ops, "shop/dev.yaml": specFile("- {name: one, environment: env, spec: {port: 80}}\n")})
	f.pushed(t, "acme/ops")
	f.waitInstanceSync(t, "one", sha, api.ResourceSyncStatusSucceeded)
}
