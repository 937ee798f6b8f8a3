package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

const (
	componentManifest = "infrastructure:\n  templates:\n    - rendering_engine: jinja\n      template_language: cloudformation\n      file: queue.yaml\n"
	terraformManifest = "infrastructure:\n  templates:\n    - rendering_engine: hcl\n      template_language: terraform\n      file: queue.tf\n"
	// What an attached and a detached component may refer to.
	queueTemplate = "Description: '{{ component.name }} of {{ service.name }}/{{ service_instance.name }} in {{ environment.name }}," +
		" port {{ service_instance.inputs.port }}, subnet {{ environment.outputs.Subnet }}'\n"
	loneTemplate  = "Description: '{{ component.name }} in {{ environment.name }}'\n"
	componentRole = "arn:aws:iam::111122223333:role/components"
)

// withComponents publishes templates whose instances take components, and
// makes the service "shop" with the instances dev and prod.
func withComponents(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	f := start(t, change...)
	f.publish(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Outputs: []engine.Output{{Key: "Subnet", Value: "subnet-1"}}})
	f.createEnvironment(t, "one")
	ctx := t.Context()
	must(f.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeNone), ComponentRoleArn: p(componentRole)}))(t)
	must(f.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("0"),
		SupportedComponentSources: []api.ServiceTemplateSupportedComponentSourceType{"DIRECTLY_DEFINED"}}))(t)
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	return f
}

func queueAtProd() *api.CreateComponentInput {
	return &api.CreateComponentInput{Name: p("queue"), ServiceName: p("shop"), ServiceInstanceName: p("prod"),
		TemplateFile: p(queueTemplate), Manifest: p(componentManifest), Tags: []api.Tag{{Key: p("team"), Value: p("shop")}}}
}

// waitComponent waits until no deployment of it runs.
func (f *fixture) waitComponent(t *testing.T, want api.DeploymentStatus) *api.Component {
	t.Helper()
	var c *api.Component
	eventually(t, "component queue is idle", func() bool {
		c = must(f.GetComponent(t.Context(), &api.GetComponentInput{Name: p("queue")}))(t).Component
		return !strings.HasSuffix(string(*c.DeploymentStatus), "ING") && !strings.HasSuffix(string(*c.DeploymentStatus), "PROGRESS")
	})
	if *c.DeploymentStatus != want {
		t.Fatalf("component is %s (%s), want %s", *c.DeploymentStatus, api.Value(c.DeploymentStatusMessage), want)
	}
	return c
}

func (f *fixture) updateComponent(t *testing.T, change func(*api.UpdateComponentInput)) error {
	t.Helper()
	in := &api.UpdateComponentInput{Name: p("queue"), DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion)}
	change(in)
	_, err := f.UpdateComponent(t.Context(), in)
	return err
}

func attach(service, instance string) func(*api.UpdateComponentInput) {
	return func(in *api.UpdateComponentInput) { in.ServiceName, in.ServiceInstanceName = &service, &instance }
}

// lastRun is the newest run for a resource.
func (f *fixture) lastRun(resource string) engine.Run {
	var last engine.Run
	for _, call := range f.engine.Calls() {
		if call.Run.ResourceARN == f.arn(resource) {
			last = call.Run
		}
	}
	return last
}

func (f *fixture) redeploy(t *testing.T, instance string) {
	t.Helper()
	must(f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: &instance,
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	if i := f.waitInstance(t, instance); *i.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Fatalf("%s is %s", instance, *i.DeploymentStatus)
	}
}

// The life of a component as the guide tells it: attached, read by its
// instance, detached, moved, deleted; and what each step forbids.
func TestComponentLife(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	ctx := t.Context()
	f.engine.On(f.arn("component/queue"), enginetest.Script{
		Outputs:   []engine.Output{{Key: "QueueURL", Value: "https://queue"}},
		Resources: []engine.Resource{{Name: "AWSProton-one-queue-cloudformation", Identifier: "arn:stack"}},
	})
	created := must(f.CreateComponent(ctx, queueAtProd()))(t).Component
	if *created.DeploymentStatus != api.DeploymentStatusInProgress || api.Value(created.EnvironmentName) != "one" || *created.ServiceInstanceName != "prod" {
		t.Errorf("the answer: %+v", created)
	}
	if err := api.WaiterComponentDeployed.Every(5*time.Millisecond).Wait(ctx, f.Client, &api.GetComponentInput{Name: p("queue")}); err != nil {
		t.Fatal(err)
	}
	run := f.lastRun("component/queue")
	if got, want := string(run.Files[0].Content), "Description: 'queue of shop/prod in one, port 443, subnet subnet-1'\n"; strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("rendered\n got %s\nwant %s", got, want)
	}
	if run.RoleARN != componentRole {
		t.Errorf("run with role %q", run.RoleARN)
	}
	outputs := must(f.ListComponentOutputs(ctx, &api.ListComponentOutputsInput{ComponentName: p("queue")}))(t).Outputs
	if len(outputs) != 1 || *outputs[0].ValueString != "https://queue" {
		t.Errorf("outputs: %v", outputs)
	}
	resources := must(f.ListComponentProvisionedResources(ctx, &api.ListComponentProvisionedResourcesInput{ComponentName: p("queue")}))(t).ProvisionedResources
	if len(resources) != 1 || *resources[0].ProvisioningEngine != api.ProvisionedResourceEngineCloudformation {
		t.Errorf("provisioned resources: %v", resources)
	}
	f.checkComponentTags(t, "account environment service service-instance component")

	// The instance reads the outputs at its next deployment.
	f.redeploy(t, "prod")
	inputs := f.inputsFile(t, "service/shop/service-instance/prod")
	if !strings.Contains(inputs, `"QueueURL": "https://queue"`) || !strings.Contains(inputs, `"name": "queue"`) {
		t.Errorf("the instance does not see the component:\n%s", inputs)
	}
	i := must(f.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("prod")}))(t).ServiceInstance
	d := must(f.GetDeployment(ctx, &api.GetDeploymentInput{Id: i.LastSucceededDeploymentId}))(t).Deployment
	component := must(f.GetComponent(ctx, &api.GetComponentInput{Name: p("queue")}))(t).Component
	if diff := cmp.Diff([]string{*component.LastSucceededDeploymentId}, d.TargetState.ServiceInstance.LastSuccessfulComponentDeploymentIds); diff != "" {
		t.Error(diff)
	}

	f.refused(t, "attached", map[string]func() error{
		"ConflictException: delete the component": func() error {
			_, err := f.DeleteComponent(ctx, &api.DeleteComponentInput{Name: p("queue")})
			return err
		},
		"ConflictException: delete the service": func() error {
			_, err := f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")})
			return err
		},
		"ConflictException: remove the instance": func() error {
			spec := strings.Split(*shop().Spec, "- name: prod")[0]
			_, err := f.UpdateService(ctx, &api.UpdateServiceInput{Name: p("shop"), Spec: &spec})
			return err
		},
		"ConflictException: move without detaching": func() error { return f.updateComponent(t, attach("shop", "dev")) },
		"ConflictException: a second component": func() error {
			in := queueAtProd()
			in.Name = p("table")
			_, err := f.CreateComponent(ctx, in)
			return err
		},
	})

	// Detached it has no inputs: its template must not ask for any.
	if err := f.updateComponent(t, attach("", "")); err != nil {
		t.Fatal(err)
	}
	if c := f.waitComponent(t, api.DeploymentStatusFailed); *c.ServiceName != "shop" {
		t.Error("a failed detach detached it")
	}
	if err := f.updateComponent(t, func(in *api.UpdateComponentInput) { attach("", "")(in); in.TemplateFile = p(loneTemplate) }); err != nil {
		t.Fatal(err)
	}
	if c := f.waitComponent(t, api.DeploymentStatusSucceeded); c.ServiceName != nil || c.ServiceInstanceName != nil {
		t.Errorf("still attached to %s/%s", *c.ServiceName, *c.ServiceInstanceName)
	}
	f.checkComponentTags(t, "account environment component")
	f.redeploy(t, "prod")
	if inputs := f.inputsFile(t, "service/shop/service-instance/prod"); strings.Contains(inputs, "queue") {
		t.Errorf("the instance still sees the component:\n%s", inputs)
	}
	if err := f.updateComponent(t, attach("shop", "dev")); err != nil {
		t.Fatal(err)
	}
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	if err := f.updateComponent(t, attach("", "")); err != nil {
		t.Fatal(err)
	}
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	deleted := must(f.DeleteComponent(ctx, &api.DeleteComponentInput{Name: p("queue")}))(t).Component
	if *deleted.DeploymentStatus != api.DeploymentStatusDeleteInProgress {
		t.Errorf("the answer says %s", *deleted.DeploymentStatus)
	}
	if err := api.WaiterComponentDeleted.Every(5*time.Millisecond).Wait(ctx, f.Client, &api.GetComponentInput{Name: p("queue")}); err != nil {
		t.Fatal(err)
	}
	if out := must(f.DeleteComponent(ctx, &api.DeleteComponentInput{Name: p("queue")}))(t); out.Component != nil {
		t.Errorf("a repeat answers %v", out.Component)
	}
	history := must(f.ListDeployments(ctx, &api.ListDeploymentsInput{ComponentName: p("queue")}))(t).Deployments
	var got []string
	for _, d := range history {
		got = append(got, string(*d.DeploymentStatus)+" "+api.Value(d.ServiceInstanceName))
	}
	want := []string{"DELETE_COMPLETE ", "SUCCEEDED ", "SUCCEEDED dev", "SUCCEEDED ", "FAILED ", "SUCCEEDED prod"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func (f *fixture) inputsFile(t *testing.T, resource string) string {
	t.Helper()
	for _, file := range f.lastRun(resource).Files {
		if file.Path == "proton-inputs.json" {
			return string(file.Content)
		}
	}
	t.Fatalf("%s has no inputs file", resource)
	return ""
}

func (f *fixture) checkComponentTags(t *testing.T, want string) {
	t.Helper()
	tags := must(f.ListTagsForResource(t.Context(), &api.ListTagsForResourceInput{ResourceArn: p(f.arn("component/queue"))}))(t).Tags
	var got []string
	for _, tag := range tags {
		got = append(got, strings.TrimPrefix(*tag.Key, "aws:proton:"))
	}
	if diff := cmp.Diff(strings.Fields(want+" team"), got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// refused tries calls named by the exception they must answer.
func (f *fixture) refused(t *testing.T, when string, calls map[string]func() error) {
	t.Helper()
	for name, call := range calls {
		want, _, _ := strings.Cut(name, ":")
		if err := call(); code(err) != want {
			t.Errorf("%s, %s: %v", when, name, err)
		}
	}
}

func TestComponentRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := withComponents(t, func(c *Config) { c.QuotaComponents = 1 })
	ctx := t.Context()
	f.createEnvironment(t, "bare")
	create := func(change func(*api.CreateComponentInput)) func() error {
		in := queueAtProd()
		change(in)
		return func() error { _, err := f.CreateComponent(ctx, in); return err }
	}
	alone := func(in *api.CreateComponentInput) { in.ServiceName, in.ServiceInstanceName = nil, nil }
	f.refused(t, "create", map[string]func() error{
		"ValidationException: only a service": create(func(in *api.CreateComponentInput) { in.ServiceInstanceName = nil }),
		"ValidationException: nowhere":        create(alone),
		"ValidationException: another environment than the instance's": create(func(in *api.CreateComponentInput) {
			in.EnvironmentName = p("bare")
			in.Manifest, in.TemplateFile = p(terraformManifest), p("output \"a\" {\n  value = 1\n}\n")
		}),
		"ValidationException: serviceSpec while detached": create(func(in *api.CreateComponentInput) {
			alone(in)
			in.EnvironmentName, in.ServiceSpec = p("one"), shop().Spec
		}),
		"ValidationException: no component role": create(func(in *api.CreateComponentInput) { alone(in); in.EnvironmentName = p("bare") }),
		"ValidationException: commands": create(func(in *api.CreateComponentInput) {
			in.Manifest = p(manifest)
		}),
		"ValidationException: a template that is no template": create(func(in *api.CreateComponentInput) { in.TemplateFile = p("{{ component.name") }),
		"ValidationException: serviceSpec out of the schema": create(func(in *api.CreateComponentInput) {
			in.ServiceSpec = p("proton: ServiceSpec\ninstances:\n- name: prod\n  environment: one\n  spec: {port: 99999}\n")
		}),
		"ValidationException: serviceSpec without the instance": create(func(in *api.CreateComponentInput) {
			in.ServiceSpec = p("proton: ServiceSpec\ninstances:\n- name: dev\n  environment: one\n  spec: {port: 1}\n")
		}),
		"ValidationException: a current value in a create": create(func(in *api.CreateComponentInput) {
			in.ServiceSpec = p("proton: ServiceSpec\ninstances:\n- name: prod\n  environment: one\n  spec: {port: '${Proton::CURRENT_VAL}'}\n")
		}),
		"ResourceNotFoundException: the service":     create(func(in *api.CreateComponentInput) { in.ServiceName = p("cart") }),
		"ResourceNotFoundException: the instance":    create(func(in *api.CreateComponentInput) { in.ServiceInstanceName = p("test") }),
		"ResourceNotFoundException: the environment": create(func(in *api.CreateComponentInput) { alone(in); in.EnvironmentName = p("two") }),
	})
	if list := must(f.ListComponents(ctx, &api.ListComponentsInput{}))(t).Components; len(list) > 0 {
		t.Fatalf("a refused call made %v", list)
	}
	in := queueAtProd()
	in.ClientToken = p("once")
	must(f.CreateComponent(ctx, in))(t)
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	if again := must(f.CreateComponent(ctx, in))(t).Component; *again.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("a repeat answers it as %s", *again.DeploymentStatus)
	}
	changed := *in
	changed.Description = p("other")
	anew := *in
	anew.ClientToken = p("twice")
	with := func(in *api.CreateComponentInput) func() error {
		return func() error { _, err := f.CreateComponent(ctx, in); return err }
	}
	update := func(change func(*api.UpdateComponentInput)) func() error {
		return func() error { return f.updateComponent(t, change) }
	}
	f.refused(t, "with one component", map[string]func() error{
		"ValidationException: the token for another request":     with(&changed),
		"ConflictException: the name with another token":         with(&anew),
		"ServiceQuotaExceededException: one more than the quota": create(func(in *api.CreateComponentInput) { in.Name, in.ServiceInstanceName = p("table"), p("dev") }),
		"ValidationException: NONE with a template": update(func(in *api.UpdateComponentInput) {
			in.DeploymentType, in.TemplateFile = api.Ptr(api.ComponentDeploymentUpdateTypeNone), p(loneTemplate)
		}),
		"ValidationException: detach with a spec":      update(func(in *api.UpdateComponentInput) { attach("", "")(in); in.ServiceSpec = shop().Spec }),
		"ValidationException: one name empty":          update(attach("", "prod")),
		"ResourceNotFoundException: update of nothing": update(func(in *api.UpdateComponentInput) { in.Name = p("table") }),
		"ConflictException: delete the environment": func() error {
			_, err := f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")})
			return err
		},
		"ConflictException: cancel while nothing runs": func() error {
			_, err := f.CancelComponentDeployment(ctx, &api.CancelComponentDeploymentInput{ComponentName: p("queue")})
			return err
		},
		"ValidationException: list by instance without a service": func() error {
			_, err := f.ListComponents(ctx, &api.ListComponentsInput{ServiceInstanceName: p("prod")})
			return err
		},
	})
	if err := f.updateComponent(t, func(in *api.UpdateComponentInput) {
		in.DeploymentType, in.Description = api.Ptr(api.ComponentDeploymentUpdateTypeNone), p("ours")
	}); err != nil {
		t.Error(err)
	}
	if c := must(f.GetComponent(ctx, &api.GetComponentInput{Name: p("queue")}))(t).Component; *c.Description != "ours" || *c.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("after NONE: %s, %s", *c.Description, *c.DeploymentStatus)
	}
}

// An instance and the component attached to it wait for each other.
func TestComponentAndInstanceAreNotDeployedAtOnce(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	ctx := t.Context()
	hold := make(chan struct{})
	f.engine.On(f.arn("component/queue"), enginetest.Script{Hold: hold}, enginetest.Script{})
	must(f.CreateComponent(ctx, queueAtProd()))(t)
	redeploy := &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("prod"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}
	if _, err := f.UpdateServiceInstance(ctx, redeploy); code(err) != "ConflictException" {
		t.Errorf("the instance while the component is deployed: %v", err)
	}
	if err := f.updateComponent(t, func(*api.UpdateComponentInput) {}); code(err) != "ConflictException" {
		t.Errorf("a second deployment of the component: %v", err)
	}
	out := must(f.CancelComponentDeployment(ctx, &api.CancelComponentDeploymentInput{ComponentName: p("queue")}))(t)
	if *out.Component.DeploymentStatus != api.DeploymentStatusCancelling {
		t.Errorf("the answer says %s", *out.Component.DeploymentStatus)
	}
	f.waitComponent(t, api.DeploymentStatusCancelled)
	close(hold)
	holdInstance := make(chan struct{})
	f.engine.On(f.arn("service/shop/service-instance/prod"), enginetest.Script{Hold: holdInstance})
	must(f.UpdateServiceInstance(ctx, redeploy))(t)
	if err := f.updateComponent(t, func(*api.UpdateComponentInput) {}); code(err) != "ConflictException" {
		t.Errorf("the component while the instance is deployed: %v", err)
	}
	close(holdInstance)
	f.waitInstance(t, "prod")
	if err := f.updateComponent(t, func(*api.UpdateComponentInput) {}); err != nil {
		t.Fatal(err)
	}
	f.waitComponent(t, api.DeploymentStatusSucceeded)
}

// A component has its own values if it is given a spec, and keeps them.
func TestComponentSpec(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	in := queueAtProd()
	in.ServiceSpec = p("proton: ServiceSpec\ninstances:\n- name: prod\n  environment: one\n  spec: {port: 7}\n")
	must(f.CreateComponent(t.Context(), in))(t)
	if c := f.waitComponent(t, api.DeploymentStatusSucceeded); *c.ServiceSpec != *in.ServiceSpec {
		t.Errorf("spec: %s", *c.ServiceSpec)
	}
	port := func(want string) {
		t.Helper()
		f.waitComponent(t, api.DeploymentStatusSucceeded)
		if got := string(f.lastRun("component/queue").Files[0].Content); !strings.Contains(got, "port "+want+",") {
			t.Errorf("rendered %s, want port %s", got, want)
		}
	}
	port("7")
	if err := f.updateComponent(t, func(in *api.UpdateComponentInput) {
		in.ServiceSpec = p("proton: ServiceSpec\ninstances:\n- name: prod\n  environment: one\n  spec: {port: '${Proton::CURRENT_VAL}'}\n")
	}); err != nil {
		t.Fatal(err)
	}
	port("7")
	if err := f.updateComponent(t, func(in *api.UpdateComponentInput) { in.TemplateFile = p(queueTemplate + "# again\n") }); err != nil {
		t.Fatal(err)
	}
	port("7")
	d := must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{ComponentName: p("queue"), MaxResults: api.Ptr(int64(1))}))(t).Deployments[0]
	states := must(f.GetDeployment(t.Context(), &api.GetDeploymentInput{Id: d.Id, ComponentName: p("queue")}))(t).Deployment
	if got := *states.TargetState.Component.TemplateFile; !strings.HasSuffix(got, "# again\n") {
		t.Errorf("target state: %s", got)
	}
	if got := *states.InitialState.Component.TemplateFile; got != queueTemplate {
		t.Errorf("initial state: %s", got)
	}
}

func TestComponentOutputsCanBeNotified(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	hold := make(chan struct{})
	f.engine.On(f.arn("component/queue"), enginetest.Script{Hold: hold})
	must(f.CreateComponent(t.Context(), queueAtProd()))(t)
	must(f.NotifyResourceDeploymentStatusChange(t.Context(), &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: p(f.arn("component/queue")),
		Status: api.Ptr(api.ResourceDeploymentStatusInProgress), Outputs: []api.Output{{Key: p("a"), ValueString: p("b")}}}))(t)
	close(hold)
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	counts := must(f.GetResourcesSummary(t.Context(), &api.GetResourcesSummaryInput{}))(t).Counts.Components
	if *counts.Total != 1 || *counts.Failed != 0 || counts.UpToDate != nil {
		t.Errorf("counts: %+v", counts)
	}
}

// With the option an instance follows its component without being asked to.
func TestInstancesAreRedeployedAfterTheirComponents(t *testing.T) {
	t.Parallel()
	f := withComponents(t, func(c *Config) { c.RedeployInstances = "components" })
	url := func(value string) enginetest.Script {
		return enginetest.Script{Outputs: []engine.Output{{Key: "QueueURL", Value: value}}}
	}
	f.engine.On(f.arn("component/queue"), url("first"), url("first"), url("second"), url("second"))
	deployments := func() int {
		return len(must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{ServiceName: p("shop"), ServiceInstanceName: p("prod")}))(t).Deployments)
	}
	want := 1
	follows := func(when string, redeployed bool, sees string) {
		t.Helper()
		f.waitComponent(t, api.DeploymentStatusSucceeded)
		f.waitInstance(t, "prod")
		if redeployed {
			want++
		}
		if got := deployments(); got != want {
			t.Fatalf("%s: %d deployments of the instance, want %d", when, got, want)
		}
		if inputs := f.inputsFile(t, "service/shop/service-instance/prod"); !strings.Contains(inputs, sees) {
			t.Errorf("%s: the instance does not see %q:\n%s", when, sees, inputs)
		}
	}
	must(f.CreateComponent(t.Context(), queueAtProd()))(t)
	follows("attached", true, `"QueueURL": "first"`)
	update := func(change func(*api.UpdateComponentInput)) {
		t.Helper()
		if err := f.updateComponent(t, change); err != nil {
			t.Fatal(err)
		}
	}
	update(func(*api.UpdateComponentInput) {})
	follows("same outputs", false, `"QueueURL": "first"`)
	update(func(*api.UpdateComponentInput) {})
	follows("other outputs", true, `"QueueURL": "second"`)
	update(func(in *api.UpdateComponentInput) { attach("", "")(in); in.TemplateFile = p(loneTemplate) })
	follows("detached", true, `"inputs"`)
	if inputs := f.inputsFile(t, "service/shop/service-instance/prod"); strings.Contains(inputs, "QueueURL") {
		t.Error("the instance still sees the component")
	}
}

func TestPreviewOfAComponentsUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	ctx := t.Context()
	must(f.CreateComponent(ctx, queueAtProd()))(t)
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	f.engine.On(f.arn("component/queue"), enginetest.Script{Preview: engine.Changes{Summary: "1 to replace"}})
	before, changes := must(f.GetComponent(ctx, &api.GetComponentInput{Name: p("queue")}))(t), f.engine.Changes()
	current := api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion)
	out := must(f.PreviewDeployment(ctx, &api.PreviewDeploymentInput{Resource: p("component/queue"), Component: &api.UpdateComponentInput{
		Name: p("queue"), DeploymentType: current, TemplateFile: p("Description: '{{ component.name }}, but larger'\n")}}))(t)
	if *out.Preview.Summary != "1 to replace" || !strings.Contains(api.Value(out.Files[0].Content), "queue, but larger") {
		t.Errorf("with another template file: %+v", out)
	}
	// Detached, its file may not refer to the instance any more.
	out, err := f.PreviewDeployment(ctx, &api.PreviewDeploymentInput{Resource: p("component/queue"), Component: &api.UpdateComponentInput{
		Name: p("queue"), DeploymentType: current, ServiceName: p(""), ServiceInstanceName: p(""), TemplateFile: p(loneTemplate)}})
	if err != nil || !strings.Contains(api.Value(out.Files[0].Content), "queue in one") {
		t.Errorf("detached: %+v, %v", out, err)
	}
	for want, in := range map[string]*api.PreviewDeploymentInput{
		"resource is another":        {Resource: p("component/other"), Component: &api.UpdateComponentInput{Name: p("queue"), DeploymentType: current}},
		"which has the whole update": {Resource: p("component/queue"), Spec: p("a: 1"), Component: &api.UpdateComponentInput{Name: p("queue"), DeploymentType: current}},
		"deploys nothing":            {Resource: p("component/queue"), Component: &api.UpdateComponentInput{Name: p("queue"), DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeNone)}},
		"detach it first":            {Resource: p("component/queue"), Component: &api.UpdateComponentInput{Name: p("queue"), DeploymentType: current, ServiceName: p("missing"), ServiceInstanceName: p("x")}},
	} {
		if _, err := f.PreviewDeployment(ctx, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	after := must(f.GetComponent(ctx, &api.GetComponentInput{Name: p("queue")}))(t)
	if diff := cmp.Diff(before, after); diff != "" || f.engine.Changes() != changes {
		t.Errorf("previews changed something: %s", diff)
	}
}
