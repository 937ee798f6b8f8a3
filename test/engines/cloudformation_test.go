package engines

import (
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

const (
	cloudFormationManifest = `infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
`
	serviceRole  = "arn:aws:iam::123456789012:role/proton-service"
	pipelineRole = "arn:aws:iam::123456789012:role/proton-pipeline"
)

func stackEnvironment(template string) files {
	return files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": cloudFormationManifest, "infrastructure/cloudformation.yaml": template}
}

func stackService(instance, pipeline string) files {
	f := files{
		"schema/schema.yaml":                    portSchema,
		"instance_infrastructure/manifest.yaml": cloudFormationManifest, "instance_infrastructure/cloudformation.yaml": instance,
	}
	if pipeline != "" {
		f["pipeline_infrastructure/manifest.yaml"], f["pipeline_infrastructure/cloudformation.yaml"] = cloudFormationManifest, pipeline
	}
	return f
}

// Templates for the scripted CloudFormation, which is asynchronous and tells of
// roles and tags.
const (
	scriptedNet = `{"Parameters": {"Password": {"Type": "String", "NoEcho": true, "Default": "hunter2-{{ environment.name }}"}}, "Resources": {"Net": {"Type": "Test::A::Net", "Properties": {"Value": "{{ environment.inputs.size }}"}}},
		"Outputs": {"Net": {"Value": "net-{{ environment.inputs.size }}"}, "Database": {"Value": "db:hunter2-{{ environment.name }}"}}}`
	scriptedApp = `{"Resources": {"App": {"Type": "Test::An::App", "Properties": {"Value": "{{ service_instance.inputs.port }}"}}},
		"Outputs": {"Url": {"Value": "{{ service_instance.name }} on {{ environment.outputs.Net }}"}}}`
	scriptedPipeline = `{"Resources": {"Pipe": {"Type": "Test::A::Pipe", "Properties": {"Value": "{{ pipeline.inputs.step }}"}}},
		"Outputs": {"Deploys": {"Value": "{% for i in service_instances %}{{ i.outputs.Url }};{% endfor %}"}}}`
)

func TestServiceOnCloudFormationGoesUpIsUpdatedAndComesDown(t *testing.T) {
	t.Parallel()
	aws := cfntest.New(t)
	s := serve(t, cloudFormation(aws.URL)...)
	s.environmentTemplate("net", stackEnvironment(scriptedNet))
	s.serviceTemplate("web", "net", stackService(scriptedApp, scriptedPipeline))
	s.createEnvironment("one", "net", "{}", func(in *api.CreateEnvironmentInput) {
		in.ProtonServiceRoleArn, in.Tags = p(serviceRole), []api.Tag{{Key: p("team"), Value: p("net")}}
	})
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Database"]; got != "<sensitive>" {
		t.Errorf("an output with the value of a parameter with NoEcho: %s", got)
	}
	ctx := t.Context()
	create := shopInput("web", twoInstances, true)
	if _, err := s.CreateService(ctx, create); err == nil || err.Error() != "ValidationException: Operation cannot be run until pipeline roles have been configured" {
		t.Errorf("a pipeline without a role: %v", err)
	}
	must(s.UpdateAccountSettings(ctx, &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: p(pipelineRole)}))(t)
	must(s.CreateService(ctx, create))(t)
	s.serviceEnds("shop", api.ServiceStatusActive)
	pipeline := must(s.ListServicePipelineOutputs(ctx, &api.ListServicePipelineOutputsInput{ServiceName: p("shop")}))(t)
	if got := byKey(pipeline.Outputs)["Deploys"]; got != "dev on net-small;prod on net-small;" {
		t.Errorf("the pipeline saw %q", got)
	}
	for _, call := range aws.Calls("CreateChangeSet") {
		name, role := call.Form.Get("StackName"), serviceRole
		if strings.HasPrefix(name, "AWSProton-shop-cloudformation--") {
			role = pipelineRole
		}
		if call.Role != role {
			t.Errorf("stack %s was made as %q, want %s", name, call.Role, role)
		}
	}
	// As on Proton, tags of its own alone: none of what people have tagged.
	checkTags(t, aws, "AWSProton-one-cloudformation--", map[string]string{
		"proton:account": account, "proton:template": "arn:aws:proton:eu-west-1:123456789012:environment-template/net",
		"proton:environment": "arn:aws:proton:eu-west-1:123456789012:environment/one",
	})
	checkTags(t, aws, "AWSProton-shop-cloudformation--", map[string]string{
		"proton:account": account, "proton:template": "arn:aws:proton:eu-west-1:123456789012:service-template/web",
		"proton:service": "arn:aws:proton:eu-west-1:123456789012:service/shop",
	})
	checkTags(t, aws, "AWSProton-shop-dev-cloudformation--", map[string]string{
		"proton:account": account, "proton:template": "arn:aws:proton:eu-west-1:123456789012:service-template/web",
		"proton:environment": "arn:aws:proton:eu-west-1:123456789012:environment/one", "proton:service": "arn:aws:proton:eu-west-1:123456789012:service/shop",
		"proton:service-instance": "arn:aws:proton:eu-west-1:123456789012:service/shop/service-instance/dev",
	})

	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if got := s.outputs("one")["Net"]; got != "net-large" {
		t.Errorf("after the update: %s", got)
	}
	must(s.UpdateAccountSettings(ctx, &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: p("")}))(t)
	if _, err := s.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}); code(err) != "ValidationException" {
		t.Errorf("removal of a pipeline without a role: %v", err)
	}
	must(s.UpdateAccountSettings(ctx, &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: p(pipelineRole)}))(t)
	s.deleteService("shop")
	s.deleteEnvironment("one")
	for _, call := range aws.Calls("CreateChangeSet") {
		if _, there := aws.Stack(call.Form.Get("StackName")); there {
			t.Errorf("stack %s is still there", call.Form.Get("StackName"))
		}
	}
}

// checkTags holds the tags of a stack's change set against those wanted.
func checkTags(t *testing.T, aws *cfntest.Server, stack string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, call := range aws.Calls("CreateChangeSet") {
		if !strings.HasPrefix(call.Form.Get("StackName"), stack) {
			continue
		}
		for n := 1; ; n++ {
			member := "Tags.member." + string(rune('0'+n))
			if call.Form.Get(member+".Key") == "" {
				break
			}
			got[call.Form.Get(member+".Key")] = call.Form.Get(member + ".Value")
		}
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("tag %s of stack %s: %q, want %q", key, stack, got[key], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("tags of stack %s: %v", stack, got)
	}
}

const (
	motoNet = `
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: 'hadron-{{ environment.inputs.size }}'}
Outputs:
  Bucket: {Value: !Ref Bucket}
`
	motoApp = `
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: '{{ service.name }}-{{ service_instance.name }}-{{ service_instance.inputs.port }}'}
Outputs:
  Topic: {Value: !Ref Topic}
`
	motoPipeline = `
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: '{{ service.name }}-{{ pipeline.inputs.step }}'}
`
)

func TestServiceOnMotoGoesUpIsUpdatedAndComesDown(t *testing.T) {
	t.Parallel()
	s := serve(t, cloudFormation(enginetest.Moto(t))...)
	s.environmentTemplate("net", stackEnvironment(motoNet))
	s.serviceTemplate("web", "net", stackService(motoApp, motoPipeline))
	must(s.UpdateAccountSettings(t.Context(), &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: p(pipelineRole)}))(t)
	asRole := func(in *api.CreateEnvironmentInput) { in.ProtonServiceRoleArn = p(serviceRole) }
	if changes := s.previewNew("one", "net", "{}", asRole); !strings.Contains(changes, "Add Bucket (AWS::S3::Bucket)") {
		t.Errorf("preview of the environment: %s", changes)
	}
	s.createEnvironment("one", "net", "{}", asRole)
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.createService("web", twoInstances, true)
	s.serviceEnds("shop", api.ServiceStatusActive)
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteService("shop")
	s.deleteEnvironment("one")
}
