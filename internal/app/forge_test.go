package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/forge/forgetest"
	"github.com/hadronhq/hadron/internal/git/gittest"
)

// workflow is the automation that Proton published, on a small GitHub: what it
// expects of the files, and what it does with them.
type workflow struct {
	*fixture
	hub        *forgetest.Hub
	git        *gittest.Repository
	repository string
}

// onHub is a server whose environments are provisioned by pull requests.
func onHub(t *testing.T, change ...func(*Config)) *workflow {
	t.Helper()
	w := &workflow{fixture: startWith(t, nil, change...), hub: forgetest.NewHub(t), repository: "acme/infra"}
	w.git = w.hub.Repository(t, w.repository)
	ctx := t.Context()
	w.hook = must(w.CreateConnection(ctx, &api.CreateConnectionInput{
		Name: p("hub"), Provider: api.Ptr(api.ConnectionProviderGithub), Kind: api.Ptr(api.ConnectionKindGithub), Url: &w.hub.URL, Token: &w.hub.Token,
	}))(t)
	must(w.CreateRepository(ctx, &api.CreateRepositoryInput{Provider: github, Name: &w.repository, ConnectionArn: w.hook.ConnectionArn}))(t)
	w.publishTerraform(t)
	return w
}

// publishTerraform publishes the templates tfnet and tfweb, with pipeline.
func (w *workflow) publishTerraform(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	w.put(t, "/templates", nil)
	w.put(t, "/templates/net.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": environmentSchema, "infrastructure/manifest.yaml": folderManifest, "infrastructure/main.tf": "# net\n",
	}))
	w.put(t, "/templates/web.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":                    serviceSchema,
		"instance_infrastructure/manifest.yaml": folderManifest, "instance_infrastructure/main.tf": "# web\n",
		"pipeline_infrastructure/manifest.yaml": folderManifest, "pipeline_infrastructure/pipe.tf": "# pipe\n",
	}))
	must(w.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("tfnet")}))(t)
	w.registerEnvironmentVersion(t, "tfnet", "net.tar.gz", nil, "1", "0")
	must(w.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("tfweb")}))(t)
	must(w.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("tfweb"), Source: s3("web.tar.gz"),
		SupportedComponentSources:      []api.ServiceTemplateSupportedComponentSourceType{"DIRECTLY_DEFINED"},
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("tfnet"), MajorVersion: p("1")}}}))(t)
	version := &api.GetServiceTemplateVersionInput{TemplateName: p("tfweb"), MajorVersion: p("1"), MinorVersion: p("0")}
	if err := api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, w.Client, version); err != nil {
		t.Fatal(err)
	}
	must(w.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: p("tfweb"), MajorVersion: p("1"), MinorVersion: p("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
}

// pull waits for the one open pull request about a resource.
func (w *workflow) pull(t *testing.T, resource string) forgetest.HubPull {
	t.Helper()
	var found []forgetest.HubPull
	eventually(t, "a pull request for "+resource, func() bool {
		found = slices.DeleteFunc(w.hub.Pulls(w.repository), func(p forgetest.HubPull) bool {
			return p.State != "open" || p.Title != "Update requested for Proton - "+resource
		})
		return len(found) > 0
	})
	if len(found) > 1 {
		t.Fatalf("%d pull requests for %s", len(found), resource)
	}
	return found[0]
}

// metadata is what the workflow reads of a metadata file, with jq.
type metadata struct {
	DeploymentID      string          `json:"deploymentId"`
	IsResourceDeleted json.RawMessage `json:"isResourceDeleted"` // compared as text
	Resource          struct {
		ARN            string `json:"arn"`
		EnvironmentARN string `json:"environmentArn"`
	} `json:"resourceMetadata"`
	Component struct {
		ARN            string `json:"arn"`
		EnvironmentARN string `json:"environmentArn"`
	} `json:"componentMetadata"`
}

// read finds the one metadata file that a pull request changes, and in it the
// folder that the workflow will work in, which is where it was found.
func (w *workflow) read(t *testing.T, pull forgetest.HubPull) (folder string, m metadata) {
	t.Helper()
	var found []string
	for name := range strings.FieldsSeq(w.git.Git(t, nil, "diff", "--name-only", pull.Base+"..."+pull.Head)) {
		if strings.HasSuffix(name, ".proton/deployment-metadata.json") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s changes the metadata files %v", pull.Title, found)
	}
	if err := json.Unmarshal([]byte(w.git.Show(t, pull.Head, found[0])), &m); err != nil {
		t.Fatal(err)
	}
	arn, environment := m.Resource.ARN, m.Resource.EnvironmentARN
	if arn == "" {
		arn, environment = m.Component.ARN, m.Component.EnvironmentARN
	}
	m.Resource.ARN = arn
	name := strings.Split(arn, "/")
	in := environment[strings.LastIndex(environment, "/")+1:]
	if strings.Split(arn, ":")[3] != region {
		t.Errorf("the region of %s", arn)
	}
	want := name[1] // of an environment
	switch {
	case strings.HasSuffix(arn, "/pipeline"):
		want = name[1] + "/pipeline"
	case strings.Contains(arn, "/service-instance/"):
		want = in + "/" + name[1] + "-" + name[3]
	case strings.Contains(arn, ":component/"):
		want = in + "/" + name[1]
	}
	if folder = path.Dir(path.Dir(found[0])); folder != want {
		t.Errorf("%s is in %s, and the workflow works in %s", arn, folder, want)
	}
	return folder, m
}

// apply merges a pull request and reports success.
func (w *workflow) apply(t *testing.T, pull forgetest.HubPull, outputs ...api.Output) {
	t.Helper()
	_, m := w.read(t, pull)
	if err := w.hub.Merge(w.repository, pull.Number); err != nil {
		t.Fatal(err)
	}
	if string(m.IsResourceDeleted) == "true" {
		w.pushed(t, w.repository)
		return
	}
	must(w.NotifyResourceDeploymentStatusChange(t.Context(), &api.NotifyResourceDeploymentStatusChangeInput{
		ResourceArn: &m.Resource.ARN, DeploymentId: &m.DeploymentID, Status: api.Ptr(api.ResourceDeploymentStatusSucceeded), Outputs: outputs,
	}))(t)
}

func (w *workflow) files(t *testing.T, pull forgetest.HubPull) []string {
	t.Helper()
	return strings.Fields(w.git.Git(t, nil, "diff", "--name-only", pull.Base+"..."+pull.Head))
}

func TestAllKindsOfResourcesShareARepository(t *testing.T) {
	t.Parallel()
	w := onHub(t)
	ctx := t.Context()
	for _, name := range []string{"one", "two"} {
		w.createSelfManaged(t, name, w.repository)
	}
	for _, name := range []string{"two", "one"} { // both are open by then
		w.apply(t, w.pull(t, "environment/"+name), api.Output{Key: p("vpc"), ValueString: p("vpc-" + name)})
		w.waitEnvironment(t, name, api.DeploymentStatusSucceeded)
	}
	must(w.UpdateAccountSettings(ctx, &api.UpdateAccountSettingsInput{
		PipelineProvisioningRepository: &api.RepositoryBranchInput{Provider: github, Name: &w.repository, Branch: p("main")},
	}))(t)
	in := shop()
	in.TemplateName = p("tfweb")
	must(w.CreateService(ctx, in))(t)
	dev, prod := w.pull(t, "service/shop/service-instance/dev"), w.pull(t, "service/shop/service-instance/prod")
	w.apply(t, prod)
	w.apply(t, dev, api.Output{Key: p("url"), ValueString: p("https://dev")})
	pipeline := w.pull(t, "service/shop/pipeline")
	want := []string{"shop/pipeline/.proton/deployment-metadata.json", "shop/pipeline/pipe.tf", "shop/pipeline/proton.auto.tfvars.json", "shop/pipeline/proton.pipeline.variables.tf"}
	if diff := cmp.Diff(want, w.files(t, pipeline)); diff != "" || !strings.HasPrefix(pipeline.Head, "proton--proton-service_pipeline-") {
		t.Errorf("pipeline on %s: %s", pipeline.Head, diff)
	}
	_, m := w.read(t, pipeline)
	wantText := fmt.Sprintf("{\n  \"deploymentId\" : %q,\n  \"isResourceDeleted\" : false,\n  \"resourceMetadata\" : {\n    \"arn\" : %q,\n    \"templateArn\" : %q,\n    \"templateMajorVersion\" : \"1\",\n    \"templateMinorVersion\" : \"0\"\n  }\n}",
		m.DeploymentID, w.arn("service/shop/pipeline"), w.arn("service-template/tfweb"))
	if diff := cmp.Diff(wantText, w.git.Show(t, pipeline.Head, "shop/pipeline/.proton/deployment-metadata.json")); diff != "" {
		t.Errorf("metadata of a pipeline: %s", diff)
	}
	var vars struct {
		Instances []struct {
			Name    string            `json:"name"`
			Outputs map[string]string `json:"outputs"`
		} `json:"service_instances"`
	}
	if err := json.Unmarshal([]byte(w.git.Show(t, pipeline.Head, "shop/pipeline/proton.auto.tfvars.json")), &vars); err != nil || len(vars.Instances) != 2 || vars.Instances[0].Outputs["url"] != "https://dev" {
		t.Errorf("inputs of a pipeline: %+v %v", vars, err)
	}
	w.apply(t, pipeline)
	w.waitService(t, api.ServiceStatusActive)

	must(w.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeNone), ComponentRoleArn: p(componentRole)}))(t)
	must(w.CreateComponent(ctx, &api.CreateComponentInput{Name: p("queue"), ServiceName: p("shop"), ServiceInstanceName: p("dev"), TemplateFile: p("# queue\n"), Manifest: p(terraformManifest)}))(t)
	component := w.pull(t, "component/queue")
	want = []string{"one/queue/.proton/deployment-metadata.json", "one/queue/proton.auto.tfvars.json", "one/queue/proton.component.variables.tf", "one/queue/queue.tf"}
	if diff := cmp.Diff(want, w.files(t, component)); diff != "" || !strings.HasPrefix(component.Head, "proton--proton-component-") {
		t.Errorf("component on %s: %s", component.Head, diff)
	}
	text := w.git.Show(t, component.Head, "one/queue/.proton/deployment-metadata.json")
	if !strings.Contains(text, "\"componentMetadata\" : {\n    \"arn\" : \""+w.arn("component/queue")+"\",\n    \"environmentArn\" : \""+w.arn("environment/one")+"\"") || strings.Contains(text, "templateArn") {
		t.Errorf("metadata of a component: %s", text)
	}
	w.apply(t, component, api.Output{Key: p("queue"), ValueString: p("q-1")})
	w.waitComponent(t, api.DeploymentStatusSucceeded)

	// Removed again, all of it.
	if err := w.updateComponent(t, attach("", "")); err != nil {
		t.Fatal(err)
	}
	w.apply(t, w.pull(t, "component/queue"))
	w.waitComponent(t, api.DeploymentStatusSucceeded)
	must(w.DeleteComponent(ctx, &api.DeleteComponentInput{Name: p("queue")}))(t)
	removal := w.pull(t, "component/queue")
	if _, m := w.read(t, removal); string(m.IsResourceDeleted) != "true" {
		t.Errorf("metadata of a removal: %s", m.IsResourceDeleted)
	}
	w.apply(t, removal)
	eventually(t, "the component is gone", func() bool {
		_, err := w.GetComponent(ctx, &api.GetComponentInput{Name: p("queue")})
		return err != nil
	})
	must(w.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
	for _, resource := range []string{"service/shop/pipeline", "service/shop/service-instance/dev", "service/shop/service-instance/prod"} {
		w.apply(t, w.pull(t, resource))
	}
	eventually(t, "the service is gone", func() bool {
		_, err := w.GetService(ctx, &api.GetServiceInput{Name: p("shop")})
		return err != nil
	})
}

// Automation may merge a pull request, and its webhook come, before the server
// has read the answer that opened it.
func TestAPullRequestMergedAsItIsOpenedEndsItsDeployment(t *testing.T) {
	t.Parallel()
	w := onHub(t)
	w.createSelfManaged(t, "one", w.repository)
	w.apply(t, w.pull(t, "environment/one"))
	w.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)
	w.hub.Through(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(rw, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") {
			w.apply(t, w.pull(t, "environment/one"))
		}
	})
	must(w.DeleteEnvironment(t.Context(), &api.DeleteEnvironmentInput{Name: p("one")}))(t)
	eventually(t, "the environment is gone", func() bool {
		_, err := w.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: p("one")})
		return err != nil
	})
}
