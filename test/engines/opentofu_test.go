package engines

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

const (
	hclManifest = `infrastructure:
  templates:
    - file: "*"
      rendering_engine: hcl
      template_language: terraform
`
	sizeSchema = `schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In:
      type: object
      properties:
        size: {type: string, default: small}
`
	portSchema = `schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  pipeline_input_type: Pipe
  types:
    In:
      type: object
      properties:
        port: {type: number, default: 80}
    Pipe:
      type: object
      properties:
        step: {type: string, default: build}
`
)

// tofuEnvironment is a bundle whose main.tf is text.
func tofuEnvironment(text string) files {
	return files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": hclManifest, "infrastructure/main.tf": text}
}

const network = `
terraform {
  backend "s3" {}
}
resource "terraform_data" "net" {
  input = var.environment.inputs.size
}
output "Net" { value = "net-${terraform_data.net.output}" }
output "Ports" { value = [80, 443] }
output "Password" {
  value     = "hunter2-${var.environment.name}"
  sensitive = true
}
`

var shopOnTofu = files{
	"schema/schema.yaml":                    portSchema,
	"instance_infrastructure/manifest.yaml": hclManifest,
	"instance_infrastructure/main.tf": `
resource "terraform_data" "app" {
  input = "${var.service.name}/${var.service_instance.name} on ${var.environment.outputs.Net} port ${var.service_instance.inputs.port}"
}
output "Url" { value = terraform_data.app.output }
output "Tag" { value = var.proton_tags["proton:service-instance"] }
`,
	"pipeline_infrastructure/manifest.yaml": hclManifest,
	"pipeline_infrastructure/main.tf": `
output "Deploys" { value = join(", ", [for i in var.service_instances : "${i.name}: ${i.outputs.Url}"]) }
output "Step" { value = var.pipeline.inputs.step }
`,
}

const twoInstances = `pipeline: {step: test}
instances:
- {name: dev, environment: one, spec: {}}
- {name: prod, environment: one, spec: {port: 443}}
`

func TestServiceOnOpenTofuGoesUpIsUpdatedAndComesDown(t *testing.T) {
	t.Parallel()
	s := serve(t, tofu(t))
	s.environmentTemplate("net", tofuEnvironment(network))
	s.serviceTemplate("web", "net", shopOnTofu)
	if changes := s.previewNew("one", "net", "{}"); !strings.Contains(changes, "terraform_data.net") {
		t.Errorf("preview of the environment: %s", changes)
	}
	s.createEnvironment("one", "net", "{}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	got := s.outputs("one")
	if got["Net"] != "net-small" || got["Ports"] != "[80,443]" || got["Password"] != "<sensitive>" {
		t.Errorf("outputs: %v", got)
	}
	if log := s.environmentLog("one"); !strings.Contains(log, "terraform_data.net: Creation complete") || strings.Contains(log, "hunter2") {
		t.Errorf("log:\n%s", log)
	}
	s.createService("web", twoInstances, true)
	s.serviceEnds("shop", api.ServiceStatusActive)
	ctx := t.Context()
	list := must(s.ListServicePipelineOutputs(ctx, &api.ListServicePipelineOutputsInput{ServiceName: p("shop")}))(t)
	pipeline := byKey(list.Outputs)
	if want := "dev: shop/dev on net-small port 80, prod: shop/prod on net-small port 443"; pipeline["Deploys"] != want || pipeline["Step"] != "test" {
		t.Errorf("outputs of the pipeline: %v", pipeline)
	}
	resources := must(s.ListServiceInstanceProvisionedResources(ctx, &api.ListServiceInstanceProvisionedResourcesInput{
		ServiceName: p("shop"), ServiceInstanceName: p("dev")}))(t).ProvisionedResources
	if len(resources) != 1 || *resources[0].Name != "one/shop-dev" || *resources[0].ProvisioningEngine != api.ProvisionedResourceEngineTerraform {
		t.Errorf("provisioned resources of dev: %+v", resources)
	}

	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	must(s.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"),
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	s.eventually("dev is deployed again", func() bool { return !running(s.instance("dev").DeploymentStatus) })
	out := must(s.ListServiceInstanceOutputs(ctx, &api.ListServiceInstanceOutputsInput{ServiceName: p("shop"), ServiceInstanceName: p("dev")}))(t)
	if dev := byKey(out.Outputs); dev["Url"] != "shop/dev on net-large port 80" || dev["Tag"] != "arn:aws:proton:eu-west-1:123456789012:service/shop/service-instance/dev" {
		t.Errorf("outputs of dev after the update: %v", dev)
	}
	s.deleteService("shop")
	s.deleteEnvironment("one")
}
