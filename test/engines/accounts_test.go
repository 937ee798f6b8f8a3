package engines

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// stacksOf are the names and tags of the stacks that moto has in an account.
func stacksOf(t *testing.T, url, role string) (names []string, tags map[string]string) {
	t.Helper()
	who := aws.CredentialsProvider(someone)
	if role != "" {
		who = stscreds.NewAssumeRoleProvider(sts.New(sts.Options{Region: region, Credentials: someone, BaseEndpoint: &url}), role)
	}
	tags = map[string]string{}
	out := must(cloudformation.New(cloudformation.Options{Region: region, Credentials: who, BaseEndpoint: &url}).
		DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{}))(t)
	for _, stack := range out.Stacks {
		names = append(names, *stack.StackName)
		for _, tag := range stack.Tags {
			tags[*tag.Key] = *tag.Value
		}
	}
	return names, tags
}

// Two accounts on one server; what the management account deploys lands in the
// environment account at AWS.
func TestStacksOfAnAccountConnectionAreMadeInItsAccount(t *testing.T) {
	t.Parallel()
	moto := enginetest.Moto(t)
	s := serve(t, cloudFormation(moto)...)
	ctx := t.Context()
	const other = "210987654321"
	role, componentRole := "arn:aws:iam::"+other+":role/proton-service", "arn:aws:iam::"+other+":role/proton-components"
	owner := must(s.CreateUser(ctx, &api.CreateUserInput{Name: p("owner"), AccountId: p(other),
		Policy: p(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)}))(t)
	there := s.client(*owner.AccessKeyId, auth.Secret(*owner.SecretAccessKey), region)
	s.environmentTemplate("net", stackEnvironment(motoNet))
	web := stackService(motoApp, "")
	web["schema/schema.yaml"] = instanceSchema
	s.serviceTemplate("web", "net", web)

	c := must(there.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{
		EnvironmentName: p("one"), ManagementAccountId: p(account), RoleArn: &role, ComponentRoleArn: &componentRole}))(t).EnvironmentAccountConnection
	must(s.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	s.createEnvironment("one", "net", "{}", func(in *api.CreateEnvironmentInput) { in.EnvironmentAccountConnectionId = c.Id })
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	must(s.CreateService(ctx, shopInput("web", "instances:\n- {name: dev, environment: one, spec: {port: 81}}\n", false)))(t)
	s.serviceEnds("shop", api.ServiceStatusActive)

	if names, _ := stacksOf(t, moto, ""); len(names) != 0 {
		t.Errorf("stacks of the management account: %v", names)
	}
	names, tags := stacksOf(t, moto, role)
	if len(names) != 2 || len(tags) != 5 || tags["proton:account"] != account || tags["proton:service-instance"] == "" {
		t.Errorf("stacks of the environment account: %v with the tags %v", names, tags)
	}
	resources := must(s.ListEnvironmentProvisionedResources(ctx, &api.ListEnvironmentProvisionedResourcesInput{EnvironmentName: p("one")}))(t).ProvisionedResources
	if len(resources) != 1 || !slices.Contains(names, *resources[0].Name) {
		t.Errorf("provisioned resources %+v, stacks %v", resources, names)
	}
	s.updateEnvironment("one", "{size: large}")
	s.environmentEnds("one", api.DeploymentStatusSucceeded)

	// Without the connection nothing can be deployed there, until there is another.
	must(there.DeleteEnvironmentAccountConnection(ctx, &api.DeleteEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	if _, err := s.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}); err == nil {
		t.Error("an environment was deployed whose connection is gone")
	}
	c = must(there.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{
		EnvironmentName: p("one"), ManagementAccountId: p(account), RoleArn: &role}))(t).EnvironmentAccountConnection
	must(s.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	s.updateEnvironment("one", "{size: small}", func(in *api.UpdateEnvironmentInput) { in.EnvironmentAccountConnectionId = c.Id })
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	s.deleteService("shop")
	s.deleteEnvironment("one")
	if names, _ := stacksOf(t, moto, role); len(names) != 0 {
		t.Errorf("stacks left in the environment account: %v", names)
	}
}
