package gosdk

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/proton"
	"github.com/google/go-cmp/cmp"
)

// A developer's service with instances and a pipeline comes from one call, is
// really deployed, and goes again without a trace.
func TestServiceFromTemplateToGone(t *testing.T) {
	t.Parallel()
	c, marks := fresh(t), t.TempDir()
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{environmentOutputs}}))
	mark := func(what string) string { return "touch '" + marks + "'/$what-" + what }
	here := "what=${RESOURCE_ARN##*/}"
	c.serviceTemplate(t, "web", true, serviceBundle(t,
		steps{
			provision: []string{
				here, mark("started"),
				// Each waits for the other, which only ends if they run side by side.
				"until test -e '" + marks + "'/dev-started && test -e '" + marks + "'/prod-started; do sleep 0.02; done",
				"cp proton-inputs.json '" + marks + "'/$what.json",
				"hadron-notify Url=http://$what.example.com Stack=$STACK_NAME", mark("deployed"),
			},
			deprovision: []string{here, "test -e '" + marks + "'/pipeline-removed", mark("removed")},
		},
		steps{
			provision: []string{
				here, "test -e '" + marks + "'/dev-deployed", "test -e '" + marks + "'/prod-deployed",
				"cp proton-inputs.json '" + marks + "'/$what.json", `printf '[{"key":"Console","valueString":"http://ci"}]' > proton-outputs.json`,
			},
			deprovision: []string{here, "until test -e '" + marks + "'/remove; do sleep 0.02; done", mark("removed")},
		}), "vpc")
	for _, name := range []string{"shared-dev", "shared-prod"} {
		c.environment(t, name, "vpc")
	}
	created := c.createTheService(t)
	c.waitForService(t, "orders")

	t.Run("service", func(t *testing.T) { c.checkService(t, created) })
	t.Run("instance", func(t *testing.T) { c.checkInstance(t, created) })
	t.Run("outputs", func(t *testing.T) { c.checkOutputs(t) })
	t.Run("inputs files", func(t *testing.T) { c.checkInputsFiles(t, marks) })
	t.Run("deployments", func(t *testing.T) { c.checkDeployments(t) })
	t.Run("tags", func(t *testing.T) { c.checkServiceTags(t) })
	t.Run("repeat", func(t *testing.T) { c.checkRepeats(t) })
	c.takeDown(t, marks)
}

const ordersSpec = `proton: ServiceSpec

pipeline:
  dockerfile: build/Dockerfile # of the orders service

instances:
  - name: dev
    environment: shared-dev
    spec:
      port: 8080
  - name: "prod"
    environment: shared-prod
    spec: {port: 443, public: true, tier: worker, path: /orders}
`

// ordersRequest has every member that CreateService takes.
func ordersRequest() *proton.CreateServiceInput {
	return &proton.CreateServiceInput{
		Name: aws.String("orders"), TemplateName: aws.String("web"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"),
		Description: aws.String("Takes orders ☃"), Spec: aws.String(ordersSpec), RepositoryConnectionArn: aws.String(connection),
		RepositoryId: aws.String("acme/orders"), BranchName: aws.String("main"),
		Tags: []*proton.Tag{{Key: aws.String("team"), Value: aws.String("shop")}, {Key: aws.String("cost:center"), Value: aws.String("")}},
	}
}

// createTheService holds every member of the answer against what was asked.
// What exists by then must be readable at once: stock waiters do not forgive.
func (c *client) createTheService(t *testing.T) *proton.Service {
	t.Helper()
	before := time.Now().Add(-time.Second)
	out, err := c.CreateServiceWithContext(c.ctx, ordersRequest())
	if err != nil {
		t.Fatal(err)
	}
	s := out.Service
	if s.CreatedAt == nil || s.CreatedAt.Before(before) || s.CreatedAt.After(time.Now().Add(time.Second)) {
		t.Fatalf("createdAt: %v", s.CreatedAt)
	}
	want := &proton.Service{
		Arn: aws.String(c.arn("service/orders")), Name: aws.String("orders"), Description: aws.String("Takes orders ☃"),
		TemplateName: aws.String("web"), Spec: aws.String(ordersSpec), Status: aws.String("CREATE_IN_PROGRESS"),
		RepositoryConnectionArn: aws.String(connection), RepositoryId: aws.String("acme/orders"), BranchName: aws.String("main"),
		CreatedAt: s.CreatedAt, LastModifiedAt: s.CreatedAt,
	}
	diff(t, "answer", want, s)
	for _, name := range []string{"dev", "prod"} {
		must(t)(c.GetServiceInstanceWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: s.Name, Name: aws.String(name)}))
	}
	return s
}

// waitForService uses every stock waiter there is for a service.
func (c *client) waitForService(t *testing.T, service string) {
	t.Helper()
	for _, name := range []string{"dev", "prod"} {
		if err := c.WaitUntilServiceInstanceDeployedWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: &service, Name: aws.String(name)}, fast); err != nil {
			t.Fatalf("instance %s: %v", name, err)
		}
	}
	in := &proton.GetServiceInput{Name: &service}
	if err := c.WaitUntilServicePipelineDeployedWithContext(c.ctx, in, fast); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, in, fast); err != nil {
		t.Fatal(err)
	}
}

func (c *client) checkService(t *testing.T, created *proton.Service) {
	out, err := c.GetServiceWithContext(c.ctx, &proton.GetServiceInput{Name: created.Name})
	if err != nil {
		t.Fatal(err)
	}
	s, p := out.Service, out.Service.Pipeline
	if !s.LastModifiedAt.After(*created.CreatedAt) {
		t.Errorf("lastModifiedAt %v did not change with the status", s.LastModifiedAt)
	}
	want := *created
	want.Status, want.LastModifiedAt, want.Pipeline = aws.String("ACTIVE"), s.LastModifiedAt, p
	diff(t, "service", &want, s)
	if p == nil || p.LastAttemptedDeploymentId == nil {
		t.Fatalf("pipeline: %v", p)
	}
	diff(t, "pipeline", &proton.ServicePipeline{
		Arn: aws.String(c.arn("service/orders/pipeline")), TemplateName: aws.String("web"), TemplateMajorVersion: aws.String("1"),
		TemplateMinorVersion: aws.String("0"), DeploymentStatus: aws.String("SUCCEEDED"), Spec: aws.String(ordersSpec),
		CreatedAt: created.CreatedAt, LastDeploymentAttemptedAt: p.LastDeploymentAttemptedAt, LastDeploymentSucceededAt: p.LastDeploymentAttemptedAt,
		LastAttemptedDeploymentId: p.LastAttemptedDeploymentId, LastSucceededDeploymentId: p.LastAttemptedDeploymentId,
	}, p)
}

func (c *client) checkInstance(t *testing.T, created *proton.Service) {
	out, err := c.GetServiceInstanceWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: created.Name, Name: aws.String("prod")})
	if err != nil {
		t.Fatal(err)
	}
	i := out.ServiceInstance
	if i.LastAttemptedDeploymentId == nil {
		t.Fatalf("instance: %v", i)
	}
	diff(t, "instance", &proton.ServiceInstance{
		Arn: aws.String(c.arn("service/orders/service-instance/prod")), Name: aws.String("prod"), ServiceName: aws.String("orders"),
		EnvironmentName: aws.String("shared-prod"), TemplateName: aws.String("web"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"),
		DeploymentStatus: aws.String("SUCCEEDED"), Spec: aws.String(ordersSpec), CreatedAt: created.CreatedAt,
		LastDeploymentAttemptedAt: i.LastDeploymentAttemptedAt, LastDeploymentSucceededAt: i.LastDeploymentAttemptedAt,
		LastAttemptedDeploymentId: i.LastAttemptedDeploymentId, LastSucceededDeploymentId: i.LastAttemptedDeploymentId,
	}, i)
}

func (c *client) checkOutputs(t *testing.T) {
	environment, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("shared-dev")})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "of the environment, from proton-outputs.json", map[string]string{"VpcId": "vpc-1", "Zones": "3"}, outputs(environment.Outputs))
	instance, err := c.ListServiceInstanceOutputsWithContext(c.ctx, &proton.ListServiceInstanceOutputsInput{
		ServiceName: aws.String("orders"), ServiceInstanceName: aws.String("dev"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := outputs(instance.Outputs)
	if got["Stack"] == "" {
		t.Error("the job had no STACK_NAME")
	}
	diff(t, "of the instance, as its job notified", map[string]string{"Url": "http://dev.example.com", "Stack": got["Stack"]}, got)
	pipeline, err := c.ListServicePipelineOutputsWithContext(c.ctx, &proton.ListServicePipelineOutputsInput{ServiceName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "of the pipeline", map[string]string{"Console": "http://ci"}, outputs(pipeline.Outputs))
	resources, err := c.ListServiceInstanceProvisionedResourcesWithContext(c.ctx, &proton.ListServiceInstanceProvisionedResourcesInput{
		ServiceName: aws.String("orders"), ServiceInstanceName: aws.String("dev"),
	})
	if err != nil || resources.ProvisionedResources == nil || len(resources.ProvisionedResources) != 0 {
		t.Errorf("provisioned resources of commands: %v, %v; want an empty list", resources, err)
	}
}

// checkInputsFiles reads what the jobs found in proton-inputs.json: numbers
// and booleans keep their type, defaults are filled in, and the pipeline sees
// every instance with its outputs.
func (c *client) checkInputsFiles(t *testing.T, marks string) {
	environment := func(name string) map[string]any {
		return map[string]any{"account_id": account, "name": name, "outputs": map[string]any{"VpcId": "vpc-1", "Zones": "3"}}
	}
	service := map[string]any{
		"name": "orders", "repository_connection_arn": connection, "repository_id": "acme/orders", "branch_name": "main",
	}
	dev := map[string]any{"port": 8080.0, "public": false, "tier": "web", "path": "/"}
	prod := map[string]any{"port": 443.0, "public": true, "tier": "worker", "path": "/orders"}
	diff(t, "dev", map[string]any{
		"environment": environment("shared-dev"), "service": service, "service_instance": map[string]any{"name": "dev", "inputs": dev},
	}, readJSON(t, filepath.Join(marks, "dev.json")))
	stack := func(instance string) any {
		out, err := c.ListServiceInstanceOutputsWithContext(c.ctx, &proton.ListServiceInstanceOutputsInput{
			ServiceName: aws.String("orders"), ServiceInstanceName: &instance,
		})
		if err != nil {
			t.Fatal(err)
		}
		return outputs(out.Outputs)["Stack"]
	}
	diff(t, "pipeline", map[string]any{
		"pipeline": map[string]any{"inputs": map[string]any{"dockerfile": "build/Dockerfile", "retries": 3.0}},
		"service":  service,
		"service_instances": []any{
			map[string]any{
				"name": "dev", "inputs": dev, "environment": environment("shared-dev"),
				"outputs": map[string]any{"Url": "http://dev.example.com", "Stack": stack("dev")},
			},
			map[string]any{
				"name": "prod", "inputs": prod, "environment": environment("shared-prod"),
				"outputs": map[string]any{"Url": "http://prod.example.com", "Stack": stack("prod")},
			},
		},
	}, readJSON(t, filepath.Join(marks, "pipeline.json")))
}

func (c *client) checkDeployments(t *testing.T) {
	list, err := c.ListDeploymentsWithContext(c.ctx, &proton.ListDeploymentsInput{ServiceName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Deployments) != 3 {
		t.Fatalf("deployments of the service: %v", list)
	}
	for _, summary := range list.Deployments {
		out, err := c.GetDeploymentWithContext(c.ctx, &proton.GetDeploymentInput{Id: summary.Id, ServiceName: aws.String("orders")})
		if err != nil {
			t.Fatal(err)
		}
		d := out.Deployment
		if d.InitialState != nil || d.TargetState == nil || d.CompletedAt == nil || d.CompletedAt.Before(*d.CreatedAt) {
			t.Errorf("a first deployment that is done: %v", d)
		}
		want := &proton.Deployment{
			Arn: aws.String(c.arn("deployment/" + *d.Id)), Id: summary.Id, DeploymentStatus: aws.String("SUCCEEDED"), ServiceName: aws.String("orders"),
			TargetArn: summary.TargetArn, TargetResourceType: summary.TargetResourceType, TargetResourceCreatedAt: d.TargetResourceCreatedAt,
			CreatedAt: d.CreatedAt, LastModifiedAt: d.LastModifiedAt, CompletedAt: d.CompletedAt,
			EnvironmentName: summary.EnvironmentName, ServiceInstanceName: summary.ServiceInstanceName, TargetState: &proton.DeploymentState{},
		}
		if *summary.TargetResourceType == "SERVICE_PIPELINE" {
			want.TargetArn = aws.String(c.arn("service/orders/pipeline"))
			want.TargetState.ServicePipeline = &proton.ServicePipelineState{
				TemplateName: aws.String("web"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"), Spec: aws.String(ordersSpec),
			}
		} else {
			want.TargetResourceType = aws.String("SERVICE_INSTANCE")
			want.TargetArn = aws.String(c.arn("service/orders/service-instance/" + aws.StringValue(d.ServiceInstanceName)))
			want.EnvironmentName = aws.String("shared-" + aws.StringValue(d.ServiceInstanceName))
			want.TargetState.ServiceInstance = &proton.ServiceInstanceState{
				TemplateName: aws.String("web"), TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"), Spec: aws.String(ordersSpec),
			}
			if i := d.TargetState.ServiceInstance; i != nil { // which deployments it built upon
				want.TargetState.ServiceInstance.LastSuccessfulEnvironmentDeploymentId = i.LastSuccessfulEnvironmentDeploymentId
				want.TargetState.ServiceInstance.LastSuccessfulComponentDeploymentIds = i.LastSuccessfulComponentDeploymentIds
			}
		}
		diff(t, "deployment", want, d)
	}
	environment, err := c.ListDeploymentsWithContext(c.ctx, &proton.ListDeploymentsInput{EnvironmentName: aws.String("shared-dev")})
	if err != nil || len(environment.Deployments) != 2 {
		t.Errorf("deployments of an environment and the instance in it: %v, %v", environment, err)
	}
}

func (c *client) checkServiceTags(t *testing.T) {
	diff(t, "service", [][2]string{
		{"aws:proton:account", account}, {"aws:proton:template", c.arn("service-template/web")}, {"aws:proton:service", c.arn("service/orders")},
		{"cost:center", ""}, {"team", "shop"},
	}, c.tags(t, c.arn("service/orders")))
	instance := c.arn("service/orders/service-instance/dev")
	diff(t, "instance", [][2]string{
		{"aws:proton:account", account}, {"aws:proton:template", c.arn("service-template/web")}, {"aws:proton:environment", c.arn("environment/shared-dev")},
		{"aws:proton:service", c.arn("service/orders")}, {"aws:proton:service-instance", instance},
		{"cost:center", ""}, {"team", "shop"},
	}, c.tags(t, instance))
}

// checkRepeats: the same call again finds the service, whatever the order of
// its tags, and any other is refused.
func (c *client) checkRepeats(t *testing.T) {
	in := ordersRequest()
	in.Tags[0], in.Tags[1] = in.Tags[1], in.Tags[0]
	out, err := c.CreateServiceWithContext(c.ctx, in)
	if err != nil || *out.Service.Status != "ACTIVE" {
		t.Errorf("the same again: %v, %v", out, err)
	}
	for name, change := range map[string]func(in *proton.CreateServiceInput){
		"description":   func(in *proton.CreateServiceInput) { in.Description = nil },
		"branch":        func(in *proton.CreateServiceInput) { in.BranchName = aws.String("release") },
		"tag":           func(in *proton.CreateServiceInput) { in.Tags[0].Value = aws.String("other") },
		"minor version": func(in *proton.CreateServiceInput) { in.TemplateMinorVersion = nil },
		"spec":          func(in *proton.CreateServiceInput) { in.Spec = aws.String(ordersSpec + "# same meaning\n") },
	} {
		in := ordersRequest()
		change(in)
		_, err := c.CreateServiceWithContext(c.ctx, in)
		refused(t, "other "+name, err, "ValidationException", "Idempotent parameter mismatch")
	}
}

// takeDown removes everything in the one order that is allowed.
func (c *client) takeDown(t *testing.T, marks string) {
	t.Helper()
	_, err := c.DeleteEnvironmentWithContext(c.ctx, &proton.DeleteEnvironmentInput{Name: aws.String("shared-dev")})
	refused(t, "environment with an instance", err, "ConflictException", "Environment "+c.arn("environment/shared-dev")+
		" can't be deleted because it has service instances: ["+c.arn("service/orders/service-instance/dev")+"]")
	_, err = c.DeleteServiceTemplateVersionWithContext(c.ctx, &proton.DeleteServiceTemplateVersionInput{
		TemplateName: aws.String("web"), MajorVersion: aws.String("1"), MinorVersion: aws.String("0"),
	})
	refused(t, "version in use", err, "ConflictException", "Template version "+c.arn("service-template/web:1.0")+" can't be deleted because it is in use.")

	for range 2 { // a repeat while it goes on changes nothing
		out, err := c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: aws.String("orders")})
		if err != nil || *out.Service.Status != "DELETE_IN_PROGRESS" {
			t.Fatalf("delete: %v, %v", out, err)
		}
	}
	_, err = c.CreateServiceWithContext(c.ctx, ordersRequest())
	refused(t, "create while deleting", err, "ConflictException", "Service "+c.arn("service/orders")+" is being deleted.")
	if err := os.WriteFile(filepath.Join(marks, "remove"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitUntilServiceDeletedWithContext(c.ctx, &proton.GetServiceInput{Name: aws.String("orders")}, fast); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dev-removed", "prod-removed"} {
		if _, err := os.Stat(filepath.Join(marks, name)); err != nil {
			t.Error(err)
		}
	}
	again, err := c.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: aws.String("orders")})
	if err != nil || again.Service != nil {
		t.Errorf("delete of what is gone: %v, %v", again, err)
	}
	_, err = c.GetServiceInstanceWithContext(c.ctx, &proton.GetServiceInstanceInput{ServiceName: aws.String("orders"), Name: aws.String("dev")})
	refused(t, "instance", err, "ResourceNotFoundException", "The requested service instance does not exist: "+c.arn("service/orders/service-instance/dev"))
	for _, name := range []string{"shared-dev", "shared-prod"} {
		c.deleteEnvironment(t, name)
	}
	must(t)(c.DeleteServiceTemplateVersionWithContext(c.ctx, &proton.DeleteServiceTemplateVersionInput{
		TemplateName: aws.String("web"), MajorVersion: aws.String("1"), MinorVersion: aws.String("0"),
	}))
	must(t)(c.DeleteServiceTemplateWithContext(c.ctx, &proton.DeleteServiceTemplateInput{Name: aws.String("web")}))
	must(t)(c.DeleteEnvironmentTemplateVersionWithContext(c.ctx, &proton.DeleteEnvironmentTemplateVersionInput{
		TemplateName: aws.String("vpc"), MajorVersion: aws.String("1"), MinorVersion: aws.String("0"),
	}))
	must(t)(c.DeleteEnvironmentTemplateWithContext(c.ctx, &proton.DeleteEnvironmentTemplateInput{Name: aws.String("vpc")}))
	if left := c.everything(t); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// deleteEnvironment polls until the environment is gone; Proton has no waiter for it.
func (c *client) deleteEnvironment(t *testing.T, name string) {
	t.Helper()
	out, err := c.DeleteEnvironmentWithContext(c.ctx, &proton.DeleteEnvironmentInput{Name: &name})
	if err != nil || *out.Environment.DeploymentStatus != "DELETE_IN_PROGRESS" {
		t.Fatalf("delete %s: %v, %v", name, out, err)
	}
	eventually(t, "environment "+name+" is gone", func() bool {
		_, err = c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: &name})
		return err != nil
	})
	refused(t, "environment", err, "ResourceNotFoundException", "The requested environment does not exist: "+c.arn("environment/"+name))
}

// everything lists the ARNs of all that is in the client's Region.
func (c *client) everything(t *testing.T) []string {
	t.Helper()
	var arns []string
	add := func(arn *string) { arns = append(arns, *arn) }
	environmentTemplates, err := c.ListEnvironmentTemplatesWithContext(c.ctx, &proton.ListEnvironmentTemplatesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range environmentTemplates.Templates {
		add(x.Arn)
	}
	serviceTemplates, err := c.ListServiceTemplatesWithContext(c.ctx, &proton.ListServiceTemplatesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range serviceTemplates.Templates {
		add(x.Arn)
	}
	environments, err := c.ListEnvironmentsWithContext(c.ctx, &proton.ListEnvironmentsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range environments.Environments {
		add(x.Arn)
	}
	services, err := c.ListServicesWithContext(c.ctx, &proton.ListServicesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range services.Services {
		add(x.Arn)
	}
	instances, err := c.ListServiceInstancesWithContext(c.ctx, &proton.ListServiceInstancesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range instances.ServiceInstances {
		add(x.Arn)
	}
	return arns
}

func (c *client) tags(t *testing.T, arn string) [][2]string {
	t.Helper()
	var list [][2]string
	err := c.ListTagsForResourcePagesWithContext(c.ctx, &proton.ListTagsForResourceInput{ResourceArn: &arn}, func(page *proton.ListTagsForResourceOutput, _ bool) bool {
		for _, tag := range page.Tags {
			list = append(list, [2]string{*tag.Key, *tag.Value})
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func outputs(list []*proton.Output_) map[string]string {
	m := map[string]string{}
	for _, o := range list {
		m[*o.Key] = *o.ValueString
	}
	return m
}

func readJSON(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

// diff compares shapes of the SDK; their unexported marker members say nothing.
func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(plain(want), plain(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// plain turns a shape of the SDK into maps, without members that are not set.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return v
	}
	return withoutNull(value)
}

func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if member = withoutNull(member); member == nil {
				delete(v, key)
			} else {
				v[key] = member
			}
		}
	case []any:
		for n := range v {
			v[n] = withoutNull(v[n])
		}
	}
	return v
}

func code(err error) string {
	if e, ok := err.(awserr.Error); ok {
		return e.Code()
	}
	return ""
}

// refused wants an error with exactly this code and message.
func refused(t *testing.T, what string, err error, wantCode, message string) {
	t.Helper()
	e, ok := err.(awserr.Error)
	if !ok {
		t.Errorf("%s: got %v, want %s", what, err, wantCode)
		return
	}
	if e.Code() != wantCode || e.Message() != message {
		t.Errorf("%s:\n got %s: %s\nwant %s: %s", what, e.Code(), e.Message(), wantCode, message)
	}
}
