package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
)

const folderManifest = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n"

// selfManaged is a server whose environments are provisioned by pull requests
// on a real Gitea, and the repository of them.
func selfManaged(t *testing.T) (*fixture, *forgetest.Gitea, string) {
	t.Helper()
	g := forgetest.Start(t)
	repository := g.Repository(t, "infra")
	f := startWith(t, nil)
	ctx := t.Context()
	f.hook = must(f.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p("gitea"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGitea), Url: &g.URL, Token: &g.Token,
	}))(t)
	g.Webhook(t, repository, *f.hook.WebhookUrl, *f.hook.WebhookSecret)
	must(f.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: &repository, ConnectionArn: f.hook.ConnectionArn}))(t)
	f.put(t, "/templates", nil)
	f.put(t, "/templates/tf-net.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": folderManifest,
		"infrastructure/main.tf": "output \"size\" {\n  value = var.environment.inputs.size\n}\n", "infrastructure/old.tf": "# old\n",
	}))
	f.put(t, "/templates/tf-net2.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": folderManifest, "infrastructure/main.tf": "# new\n",
	}))
	f.put(t, "/templates/tf-web.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":                    strings.Replace(serviceSchema, "  pipeline_input_type: Pipe\n", "", 1),
		"instance_infrastructure/manifest.yaml": folderManifest, "instance_infrastructure/main.tf": "# web\n",
	}))
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("tfnet")}))(t)
	f.registerEnvironmentVersion(t, "tfnet", "tf-net.tar.gz", nil, "1", "0")
	must(f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("tfweb"), PipelineProvisioning: api.Ptr(api.ProvisioningCustomerManaged)}))(t)
	must(f.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("tfweb"), Source: s3("tf-web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("tfnet"), MajorVersion: p("1")}}}))(t)
	if err := api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client, &api.GetServiceTemplateVersionInput{TemplateName: p("tfweb"), MajorVersion: p("1"), MinorVersion: p("0")}); err != nil {
		t.Fatal(err)
	}
	must(f.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: p("tfweb"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
	return f, g, repository
}

func (f *fixture) registerEnvironmentVersion(t *testing.T, name, key string, into *string, major, minor string) {
	t.Helper()
	ctx := t.Context()
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: &name, Source: s3(key), MajorVersion: into}))(t)
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client, &api.GetEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor}); err != nil {
		t.Fatal(err)
	}
	must(f.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{TemplateName: &name, MajorVersion: &major, MinorVersion: &minor, Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
}

func (f *fixture) createSelfManaged(t *testing.T, name, repository string) {
	t.Helper()
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{
		Name: &name, TemplateName: p("tfnet"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n"),
		ProvisioningRepository: &api.RepositoryBranchInput{Provider: github, Name: &repository, Branch: p("main")},
	}))(t)
}

// waitPull waits for the one open pull request about a resource.
func waitPull(t *testing.T, g *forgetest.Gitea, repository, resource string) forgetest.Pull {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, pull := range g.Pulls(t, repository, "open") {
			if pull.Title == "Update requested for Proton - "+resource {
				return pull
			}
		}
	}
	t.Fatalf("no pull request for %s", resource)
	return forgetest.Pull{}
}

func (f *fixture) waitEnvironment(t *testing.T, name string, want api.DeploymentStatus) *api.Environment {
	t.Helper()
	var e *api.Environment
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		e = must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: &name}))(t).Environment
		if *e.DeploymentStatus == want {
			return e
		}
	}
	t.Fatalf("environment is %s (%s), want %s", *e.DeploymentStatus, api.Value(e.DeploymentStatusMessage), want)
	return nil
}

// consumed is what the published workflow reads of a metadata file.
type consumed struct {
	DeploymentID      string `json:"deploymentId"`
	IsResourceDeleted bool   `json:"isResourceDeleted"`
	ResourceMetadata  struct {
		ARN            string `json:"arn"`
		EnvironmentARN string `json:"environmentArn"`
	} `json:"resourceMetadata"`
}

// consume does what the published workflow does with a pull request: it wants
// exactly one changed metadata file, and reads it.
func consume(t *testing.T, g *forgetest.Gitea, repository string, pull forgetest.Pull) (folder string, m consumed) {
	t.Helper()
	files := g.Files(t, repository, pull.Number)
	var found []string
	for _, name := range files {
		if strings.HasSuffix(name, ".proton/deployment-metadata.json") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("changed metadata files: %v of %v", found, files)
	}
	if err := json.Unmarshal([]byte(g.Content(t, repository, pull.Head.SHA, found[0])), &m); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(found[0], "/.proton/deployment-metadata.json"), m
}

func TestEnvironmentIsProvisionedByPullRequests(t *testing.T) {
	t.Parallel()
	f, g, repository := selfManaged(t)
	ctx := t.Context()
	f.createSelfManaged(t, "dev", repository)
	pull := waitPull(t, g, repository, "environment/dev")
	if !strings.HasPrefix(pull.Head.Ref, "proton--proton-environment-") || strings.HasSuffix(pull.Head.Ref, "undefined") {
		t.Errorf("branch %s", pull.Head.Ref)
	}
	files := g.Files(t, repository, pull.Number)
	slices.Sort(files)
	want := []string{"dev/.proton/deployment-metadata.json", "dev/main.tf", "dev/old.tf", "dev/proton.auto.tfvars.json", "dev/proton.environment.variables.tf"}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files: %s", diff)
	}
	folder, m := consume(t, g, repository, pull)
	e := must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("dev")}))(t).Environment
	if folder != "dev" || m.DeploymentID != *e.LastAttemptedDeploymentId || m.IsResourceDeleted || m.ResourceMetadata.ARN != *e.Arn {
		t.Errorf("metadata of %s: %+v", folder, m)
	}
	text := g.Content(t, repository, pull.Head.SHA, "dev/.proton/deployment-metadata.json")
	wantText := fmt.Sprintf("{\n  \"deploymentId\" : %q,\n  \"isResourceDeleted\" : false,\n  \"resourceMetadata\" : {\n    \"arn\" : %q,\n    \"templateArn\" : %q,\n    \"templateMajorVersion\" : \"1\",\n    \"templateMinorVersion\" : \"0\"\n  }\n}",
		*e.LastAttemptedDeploymentId, *e.Arn, f.arn("environment-template/tfnet"))
	if diff := cmp.Diff(wantText, text); diff != "" {
		t.Errorf("metadata file: %s", diff)
	}
	if got := g.Content(t, repository, pull.Head.SHA, "dev/main.tf"); !strings.HasPrefix(got, "/*\nManaged by Proton: ") || !strings.Contains(got, "Resource: "+*e.Arn+"\n") {
		t.Errorf("notice: %s", got)
	}

	// Merged, then reported: that alone ends it.
	g.Merge(t, repository, pull.Number)
	notify := &api.NotifyResourceDeploymentStatusChangeInput{
		ResourceArn: e.Arn, DeploymentId: &m.DeploymentID, Status: api.Ptr(api.ResourceDeploymentStatusSucceeded),
		Outputs: []api.Output{{Key: p("vpc"), ValueString: p("vpc-1")}},
	}
	stale := *notify
	stale.DeploymentId = p("00000000-0000-4000-8000-000000000000")
	_, err := f.NotifyResourceDeploymentStatusChange(ctx, &stale)
	wantRefusal(t, err, "ConflictException", "is not the current deployment")
	must(f.NotifyResourceDeploymentStatusChange(ctx, notify))(t)
	f.waitEnvironment(t, "dev", api.DeploymentStatusSucceeded)
	must(f.NotifyResourceDeploymentStatusChange(ctx, notify))(t) // a repeat
	outputs := func() string {
		t.Helper()
		return *must(f.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: p("dev")}))(t).Outputs[0].ValueString
	}
	if got := outputs(); got != "vpc-1" {
		t.Errorf("output %s", got)
	}
	must(f.NotifyResourceDeploymentStatusChange(ctx, &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: e.Arn, Outputs: []api.Output{{Key: p("vpc"), ValueString: p("vpc-2")}}}))(t)
	if got := outputs(); got != "vpc-2" {
		t.Errorf("output %s after outputs alone were reported", got)
	}
	resources := must(f.ListEnvironmentProvisionedResources(ctx, &api.ListEnvironmentProvisionedResourcesInput{EnvironmentName: p("dev")}))(t).ProvisionedResources
	if len(resources) != 1 || *resources[0].Name != "dev" || *resources[0].Identifier != repository+"/main/dev" || *resources[0].ProvisioningEngine != api.ProvisionedResourceEngineTerraform {
		t.Errorf("resources: %+v", resources)
	}

	// A new version drops files; a stranger's change to the branch is undone;
	// closing it cancels.
	f.registerEnvironmentVersion(t, "tfnet", "tf-net2.tar.gz", p("1"), "1", "1")
	update := &api.UpdateEnvironmentInput{Name: p("dev"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeMinorVersion), Spec: p("proton: EnvironmentSpec\nspec: {size: s}\n")}
	must(f.UpdateEnvironment(ctx, update))(t)
	pull = waitPull(t, g, repository, "environment/dev")
	if files := g.Files(t, repository, pull.Number); !slices.Contains(files, "dev/old.tf") {
		t.Errorf("a file that is no part of the template any more stays: %v", files)
	}
	g.ClosePull(t, repository, pull.Number)
	cancelled := f.waitEnvironment(t, "dev", api.DeploymentStatusCancelled)
	if *cancelled.TemplateMinorVersion != "0" || !strings.Contains(*cancelled.DeploymentStatusMessage, "closed without being merged") {
		t.Errorf("cancelled: %+v", cancelled)
	}
	must(f.UpdateEnvironment(ctx, update))(t)
	pull = waitPull(t, g, repository, "environment/dev")
	must(f.NotifyResourceDeploymentStatusChange(ctx, &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: e.Arn, Status: api.Ptr(api.ResourceDeploymentStatusFailed), StatusMessage: p("apply failed")}))(t)
	if failed := f.waitEnvironment(t, "dev", api.DeploymentStatusFailed); *failed.DeploymentStatusMessage != "apply failed" {
		t.Errorf("failed: %+v", failed)
	}
	g.ClosePull(t, repository, pull.Number)
	must(f.UpdateEnvironment(ctx, update))(t)
	pull = waitPull(t, g, repository, "environment/dev")
	must(f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("dev")}))(t)
	if c := f.waitEnvironment(t, "dev", api.DeploymentStatusCancelled); *c.DeploymentStatusMessage != "User initiated cancellation." {
		t.Errorf("cancelled: %+v", c)
	}
	if open := g.Pulls(t, repository, "open"); len(open) > 0 {
		t.Errorf("a cancel leaves open %+v", open)
	}

	must(f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("dev")}))(t)
	pull = waitPull(t, g, repository, "environment/dev")
	if _, m := consume(t, g, repository, pull); !m.IsResourceDeleted {
		t.Errorf("metadata of a removal: %+v", m)
	}
	if got := g.Content(t, repository, pull.Head.SHA, "dev/main.tf"); strings.Contains(got, "Managed by Proton: changes") || !strings.HasPrefix(got, "/*\nNo longer managed by Proton") {
		t.Errorf("notice of a removal: %s", got)
	}
	g.Merge(t, repository, pull.Number)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("dev")}); err != nil {
			wantRefusal(t, err, "ResourceNotFoundException", "environment/dev")
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the environment is still there after the merge, which nothing else will tell of")
		}
	}
}

func TestPullRequestsOfManyResourcesDoNotMeet(t *testing.T) {
	t.Parallel()
	f, g, repository := selfManaged(t)
	ctx := t.Context()
	g.Push(t, repository, "main", "environments/README.md", []byte("here"))
	names := []string{"one", "two", "three"}
	for _, name := range names {
		f.createSelfManaged(t, name, repository)
	}
	for _, name := range names {
		pull := waitPull(t, g, repository, "environment/"+name)
		folder, m := consume(t, g, repository, pull)
		if folder != "environments/"+name {
			t.Errorf("folder %s", folder)
		}
		g.Merge(t, repository, pull.Number)
		must(f.NotifyResourceDeploymentStatusChange(ctx, &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: &m.ResourceMetadata.ARN, DeploymentId: &m.DeploymentID, Status: api.Ptr(api.ResourceDeploymentStatusSucceeded)}))(t)
		f.waitEnvironment(t, name, api.DeploymentStatusSucceeded)
	}
	must(f.CreateService(ctx, &api.CreateServiceInput{Name: p("shop"), TemplateName: p("tfweb"), TemplateMajorVersion: p("1"),
		Spec: p("proton: ServiceSpec\ninstances:\n- {name: a, environment: one, spec: {port: 80}}\n")}))(t)
	pull := waitPull(t, g, repository, "service/shop/service-instance/a")
	folder, m := consume(t, g, repository, pull)
	if folder != "environments/one/shop-a" || m.ResourceMetadata.EnvironmentARN != f.arn("environment/one") || !strings.HasPrefix(pull.Head.Ref, "proton--proton-service_instance-") {
		t.Errorf("instance in %s on %s: %+v", folder, pull.Head.Ref, m)
	}
	// Somebody rewrites the branch: it is made anew.
	g.Call(t, "POST", "repos/"+repository+"/contents/environments/one/shop-a/stray.tf", map[string]any{"branch": pull.Head.Ref, "content": []byte("x"), "message": "stray"}, nil)
	var meta struct {
		SHA string `json:"sha"`
	}
	path := "repos/" + repository + "/contents/environments/one/shop-a/.proton/deployment-metadata.json"
	g.Call(t, "GET", path+"?ref="+pull.Head.Ref, nil, &meta)
	g.Call(t, "DELETE", path, map[string]any{"branch": pull.Head.Ref, "sha": meta.SHA, "message": "break it"}, nil)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		again := waitPull(t, g, repository, "service/shop/service-instance/a")
		if again.Head.SHA == pull.Head.SHA {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the branch is at %s, not back at %s", again.Head.SHA, pull.Head.SHA)
		}
	}
	// Somebody writes the same file on the base: Gitea says that they conflict, and
	// the branch is made anew so that they do not.
	const file = "environments/one/shop-a/main.tf"
	g.Push(t, repository, "main", file, []byte("# by hand\n"))
	g.Merge(t, repository, pull.Number)
	if got := g.Content(t, repository, "main", file); !strings.HasSuffix(got, "# web\n") {
		t.Errorf("merged: %s", got)
	}
}
