package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
)

const outputsSchema = `schema:
  format: {openapi: "3.0.0"}
  environment_input_type: Out
  types:
    Out:
      type: object
      required: [VpcId]
      properties:
        VpcId: {type: string}
        Zone: {type: string}
`

// importing publishes the customer-managed template "theirs", whose environments
// take services of the template "web".
func importing(t *testing.T) *fixture {
	t.Helper()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	f.put(t, "/templates/theirs.tar.gz", pack(t, map[string]string{"schema/schema.yaml": outputsSchema}))
	must(f.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("theirs"), Provisioning: api.Ptr(api.ProvisioningCustomerManaged)}))(t)
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("theirs"), Source: s3("theirs.tar.gz")}))(t)
	get := &api.GetEnvironmentTemplateVersionInput{TemplateName: p("theirs"), MajorVersion: p("1"), MinorVersion: p("0")}
	if err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client, get); err != nil {
		t.Fatalf("%v: %s", err, api.Value(must(f.GetEnvironmentTemplateVersion(ctx, get))(t).EnvironmentTemplateVersion.StatusMessage))
	}
	published := api.Ptr(api.TemplateVersionStatusPublished)
	must(f.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{TemplateName: p("theirs"), MajorVersion: p("1"), MinorVersion: p("0"), Status: published}))(t)
	must(f.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}, {TemplateName: p("theirs"), MajorVersion: p("1")}},
		SupportedComponentSources:      []api.ServiceTemplateSupportedComponentSourceType{"DIRECTLY_DEFINED"}}))(t)
	return f
}

func theirs(spec string) *api.CreateEnvironmentInput {
	return &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("theirs"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: " + spec + "\n")}
}

// The life of a customer-managed environment, statement by statement of what is
// known of Proton's.
func TestEnvironmentThatItsOwnerManagesIsImported(t *testing.T) {
	t.Parallel()
	f := importing(t)
	ctx := t.Context()
	const role, codebuild = "arn:aws:iam::111122223333:role/theirs", "arn:aws:iam::111122223333:role/build"
	in := theirs("{VpcId: vpc-1, Zone: a}")
	in.ProtonServiceRoleArn, in.CodebuildRoleArn, in.ComponentRoleArn = p(role), p(codebuild), p(componentRole)
	e := must(f.CreateEnvironment(ctx, in))(t).Environment
	if *e.DeploymentStatus != api.DeploymentStatusSucceeded || *e.Provisioning != api.ProvisioningCustomerManaged || api.Value(e.LastSucceededDeploymentId) == "" {
		t.Errorf("it is not there at once: %+v", e)
	}
	first := *e.LastSucceededDeploymentId
	values := func(want map[string]string) {
		t.Helper()
		got := map[string]string{}
		for _, o := range must(f.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: p("one")}))(t).Outputs {
			got[*o.Key] = *o.ValueString
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outputs (-want +got):\n%s", diff)
		}
	}
	values(map[string]string{"VpcId": "vpc-1", "Zone": "a"})
	if list := must(f.ListEnvironmentProvisionedResources(ctx, &api.ListEnvironmentProvisionedResourcesInput{EnvironmentName: p("one")}))(t).ProvisionedResources; len(list) != 0 {
		t.Errorf("provisioned: %v", list)
	}

	// What lives in it is provisioned as in any other, with its roles and values.
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	run := f.lastRun("service/shop/service-instance/dev")
	if run.RoleARN != codebuild || !strings.Contains(string(inputsFile(run.Files)), `"VpcId": "vpc-1"`) {
		t.Errorf("an instance in it: role %s, %s", run.RoleARN, inputsFile(run.Files))
	}
	must(f.CreateComponent(ctx, &api.CreateComponentInput{Name: p("queue"), EnvironmentName: p("one"), TemplateFile: p(loneTemplate), Manifest: p(componentManifest)}))(t)
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	if run := f.lastRun("component/queue"); run.RoleARN != componentRole {
		t.Errorf("a component in it: role %s", run.RoleARN)
	}

	// An update replaces the values; one that is refused changes nothing.
	current := api.Ptr(api.DeploymentUpdateTypeCurrentVersion)
	for spec, want := range map[string]string{"{VpcId: [vpc-1]}": "VpcId", "{Zone: b}": "VpcId"} {
		_, err := f.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: current, Spec: p("proton: EnvironmentSpec\nspec: " + spec + "\n")})
		if code(err) != "ValidationException" || !strings.Contains(err.Error(), want) {
			t.Errorf("update with %s: %v", spec, err)
		}
	}
	e = must(f.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: current, Spec: p("proton: EnvironmentSpec\nspec: {VpcId: vpc-2}\n")}))(t).Environment
	if *e.DeploymentStatus != api.DeploymentStatusSucceeded || *e.LastSucceededDeploymentId == first {
		t.Errorf("after the update: %+v", e)
	}
	values(map[string]string{"VpcId": "vpc-2"})
	f.redeploy(t, "dev")
	if run := f.lastRun("service/shop/service-instance/dev"); !strings.Contains(string(inputsFile(run.Files)), `"VpcId": "vpc-2"`) {
		t.Errorf("the instance sees %s", inputsFile(run.Files))
	}
	must(f.RollBackDeployment(ctx, &api.RollBackDeploymentInput{DeploymentId: &first}))(t)
	values(map[string]string{"VpcId": "vpc-1", "Zone": "a"})

	// There is never a deployment to cancel, to report on or to preview.
	if _, err := f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}); code(err) != "ConflictException" {
		t.Errorf("cancel: %v", err)
	}
	report := &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: p(f.arn("environment/one")), Outputs: []api.Output{{Key: p("VpcId"), ValueString: p("vpc-3")}}}
	if _, err := f.NotifyResourceDeploymentStatusChange(ctx, report); code(err) != "ConflictException" {
		t.Errorf("report: %v", err)
	}
	if _, err := f.PreviewDeployment(ctx, &api.PreviewDeploymentInput{Resource: p("environment/one")}); code(err) != "ValidationException" {
		t.Errorf("preview: %v", err)
	}

	// It is forgotten only when nothing lives in it.
	if _, err := f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}); code(err) != "ConflictException" {
		t.Errorf("deleted with a service in it: %v", err)
	}
	must(f.DeleteComponent(ctx, &api.DeleteComponentInput{Name: p("queue")}))(t)
	must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
	eventually(t, "all is removed from it, then it is forgotten", func() bool {
		_, err := f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")})
		return err == nil
	})
	if _, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("after the delete: %v", err)
	}
	if n := f.steps("environment/one"); n != 0 {
		t.Errorf("an engine took %d steps for it", n)
	}
}

func TestImportedEnvironmentsNeedNoRoleAndTakeAConnection(t *testing.T) {
	t.Parallel()
	f := importing(t)
	ctx := t.Context()
	const other = "111122223333"
	owner, role := f.accountClient(t, other), "arn:aws:iam::"+other+":role/provision"
	c := must(owner.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{EnvironmentName: p("one"), ManagementAccountId: &f.account, RoleArn: &role}))(t).EnvironmentAccountConnection
	must(f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	in := theirs("{VpcId: vpc-1}")
	in.EnvironmentAccountConnectionId = c.Id
	if e := must(f.CreateEnvironment(ctx, in))(t).Environment; *e.EnvironmentAccountId != other {
		t.Errorf("its account: %s", *e.EnvironmentAccountId)
	}
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	if run := f.lastRun("service/shop/service-instance/dev"); run.AccountID != other {
		t.Errorf("an instance in it is provisioned in account %s", run.AccountID)
	}
	bare := theirs("{VpcId: vpc-9}")
	bare.Name = p("bare")
	if e := must(f.CreateEnvironment(ctx, bare))(t).Environment; *e.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("without a role: %s", *e.DeploymentStatus)
	}
	for spec, want := range map[string]string{"{}": "VpcId", "{VpcId: true}": "VpcId"} {
		wrong := theirs(spec)
		wrong.Name = p("wrong")
		if _, err := f.CreateEnvironment(ctx, wrong); code(err) != "ValidationException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// inputsFile is what commands are told of their inputs.
func inputsFile(files []engine.File) []byte {
	for _, file := range files {
		if file.Path == "proton-inputs.json" {
			return file.Content
		}
	}
	return nil
}
