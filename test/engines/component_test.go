package engines

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
)

// instanceSchema is portSchema for a template without pipeline.
var instanceSchema = strings.Replace(portSchema, "  pipeline_input_type: Pipe\n", "", 1)

// takesComponents lets components be attached to instances of version 1.0.
func (s *server) takesComponents(template string) {
	s.t.Helper()
	must(s.UpdateServiceTemplateVersion(s.t.Context(), &api.UpdateServiceTemplateVersionInput{TemplateName: &template, MajorVersion: p("1"), MinorVersion: p("0"),
		SupportedComponentSources: []api.ServiceTemplateSupportedComponentSourceType{"DIRECTLY_DEFINED"}}))(s.t)
}

// componentEnds waits for the end of the deployment of component "queue".
func (s *server) componentEnds(want api.DeploymentStatus) {
	s.t.Helper()
	var c *api.Component
	s.eventually("the component's deployment ends", func() bool {
		c = must(s.GetComponent(s.t.Context(), &api.GetComponentInput{Name: p("queue")}))(s.t).Component
		return !running(c.DeploymentStatus)
	})
	if *c.DeploymentStatus != want {
		s.t.Fatalf("the component is %s (%s), want %s", *c.DeploymentStatus, api.Value(c.DeploymentStatusMessage), want)
	}
}

func (s *server) updateComponent(template, service, instance string) {
	s.t.Helper()
	must(s.UpdateComponent(s.t.Context(), &api.UpdateComponentInput{Name: p("queue"), DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion),
		TemplateFile: &template, ServiceName: &service, ServiceInstanceName: &instance}))(s.t)
}

// redeployed deploys an instance of "shop" as it is and answers its outputs.
func (s *server) redeployed(instance string) map[string]string {
	s.t.Helper()
	ctx := s.t.Context()
	must(s.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: &instance,
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(s.t)
	s.eventually(instance+" is deployed again", func() bool { return !running(s.instance(instance).DeploymentStatus) })
	if i := s.instance(instance); *i.DeploymentStatus != api.DeploymentStatusSucceeded {
		s.t.Fatalf("%s is %s: %s", instance, *i.DeploymentStatus, api.Value(i.DeploymentStatusMessage))
	}
	return byKey(must(s.ListServiceInstanceOutputs(ctx, &api.ListServiceInstanceOutputsInput{ServiceName: p("shop"), ServiceInstanceName: &instance}))(s.t).Outputs)
}

func (s *server) deleteComponent() {
	s.t.Helper()
	must(s.DeleteComponent(s.t.Context(), &api.DeleteComponentInput{Name: p("queue")}))(s.t)
	s.eventually("the component is gone", func() bool {
		_, err := s.GetComponent(s.t.Context(), &api.GetComponentInput{Name: p("queue")})
		return code(err) == "ResourceNotFoundException"
	})
}

// A component goes up attached, its instance reads its outputs, it is detached
// and comes down, each time for real.
func TestComponentOnOpenTofu(t *testing.T) {
	t.Parallel()
	s := serve(t, tofu(t))
	s.environmentTemplate("net", tofuEnvironment(network))
	s.serviceTemplate("web", "net", files{
		"schema/schema.yaml":                    instanceSchema,
		"instance_infrastructure/manifest.yaml": hclManifest,
		"instance_infrastructure/main.tf": `
output "Queue" { value = try(var.service_instance.components.default.outputs.Url, "none") }
output "Of" { value = try(var.service_instance.components.default.name, "none") }
`})
	s.takesComponents("web")
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.createService("web", "instances:\n- {name: dev, environment: one, spec: {port: 81}}\n", false)
	s.serviceEnds("shop", api.ServiceStatusActive)

	const attached = `
resource "terraform_data" "queue" {
  input = "${var.component.name} of ${var.service.name}/${var.service_instance.name} in ${var.environment.name}, ${var.service_instance.inputs.port} on ${var.environment.outputs.Net}"
}
output "Url" { value = terraform_data.queue.output }
output "Key" {
  value     = "hunter3-${var.component.name}"
  sensitive = true
}
`
	const alone = `output "Url" { value = "${var.component.name} alone" }`
	must(s.CreateComponent(t.Context(), &api.CreateComponentInput{Name: p("queue"), ServiceName: p("shop"), ServiceInstanceName: p("dev"), TemplateFile: p(attached),
		Manifest: p("infrastructure:\n  templates:\n    - {file: queue.tf, rendering_engine: hcl, template_language: terraform}\n")}))(t)
	s.componentEnds(api.DeploymentStatusSucceeded)
	outputs := byKey(must(s.ListComponentOutputs(t.Context(), &api.ListComponentOutputsInput{ComponentName: p("queue")}))(t).Outputs)
	if want := "queue of shop/dev in one, 81 on net-small"; outputs["Url"] != want || outputs["Key"] != "<sensitive>" {
		t.Errorf("outputs of the component: %v", outputs)
	}
	if got := s.redeployed("dev"); got["Queue"] != outputs["Url"] || got["Of"] != "queue" {
		t.Errorf("the instance saw %v", got)
	}
	s.updateComponent(alone, "", "")
	s.componentEnds(api.DeploymentStatusSucceeded)
	if got := s.redeployed("dev"); got["Queue"] != "none" || got["Of"] != "none" {
		t.Errorf("detached the instance saw %v", got)
	}
	s.deleteComponent()
	s.deleteService("shop")
	s.deleteEnvironment("one")
}

func TestComponentOnCloudFormation(t *testing.T) {
	t.Parallel()
	const componentRole = "arn:aws:iam::123456789012:role/proton-components"
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	service := stackService(`{"Resources": {"App": {"Type": "Test::An::App", "Properties": {"Value": "a"}}},
		"Outputs": {"Queue": {"Value": "{{ service_instance.components.default.outputs.Url if service_instance.components.default.outputs.Url is defined else 'none' }}"}}}`, "")
	service["schema/schema.yaml"] = instanceSchema
	s.serviceTemplate("web", "net", service)
	s.takesComponents("web")
	s.createEnvironment("one", "net", "{}", func(in *api.CreateEnvironmentInput) {
		in.ProtonServiceRoleArn, in.ComponentRoleArn = p(serviceRole), p(componentRole)
	})
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.createService("web", "instances:\n- {name: dev, environment: one, spec: {}}\n", false)
	s.serviceEnds("shop", api.ServiceStatusActive)
	const template = `{"Resources": {"Queue": {"Type": "Test::A::Queue", "Properties": {"Value": "{{ component.name }}"}}},
		"Outputs": {"Url": {"Value": "{{ component.name }}{% if service %} of {{ service_instance.name }}{% endif %}"}}}`
	must(s.CreateComponent(t.Context(), &api.CreateComponentInput{Name: p("queue"), ServiceName: p("shop"), ServiceInstanceName: p("dev"), TemplateFile: p(template),
		Manifest: p("infrastructure:\n  templates:\n    - {file: queue.json, rendering_engine: jinja, template_language: cloudformation}\n")}))(t)
	s.componentEnds(api.DeploymentStatusSucceeded)
	if got := s.redeployed("dev"); got["Queue"] != "queue of dev" {
		t.Errorf("the instance saw %v", got)
	}
	for _, call := range aws.Calls("CreateChangeSet") {
		if name := call.Form.Get("StackName"); (call.Role == componentRole) != strings.HasPrefix(name, "AWSProton-one-queue-") {
			t.Errorf("stack %s was made as %s", name, call.Role)
		}
	}
	checkTags(t, aws, "AWSProton-one-queue-cloudformation--", map[string]string{
		"proton:account": account, "proton:environment": "arn:aws:proton:eu-west-1:123456789012:environment/one",
		"proton:service":          "arn:aws:proton:eu-west-1:123456789012:service/shop",
		"proton:service-instance": "arn:aws:proton:eu-west-1:123456789012:service/shop/service-instance/dev",
		"proton:component":        "arn:aws:proton:eu-west-1:123456789012:component/queue",
	})
	s.updateComponent(template, "", "")
	s.componentEnds(api.DeploymentStatusSucceeded)
	if got := s.redeployed("dev"); got["Queue"] != "none" {
		t.Errorf("detached the instance saw %v", got)
	}
	s.deleteComponent()
	for _, call := range aws.Calls("CreateChangeSet") {
		name := call.Form.Get("StackName")
		if _, there := aws.Stack(name); there && strings.HasPrefix(name, "AWSProton-one-queue-") {
			t.Errorf("stack %s is still there", name)
		}
	}
}
