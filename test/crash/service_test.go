package crash

import (
	"fmt"
	"os"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

// long reports whether there is time for what takes long.
func long() bool { return os.Getenv("HADRON_CRASH") != "" }

// perService are commands that note in a file for each run of a service's
// instance or pipeline when they begin and end.
func (m marks) perService(pause string) []string {
	return notes(string(m)+"/$(echo ${RESOURCE_ARN#*:service/} | tr / -).${CODEBUILD_BUILD_ID##*:}", pause)
}

// publishService registers and publishes the service template "web", whose
// instances and pipelines run commands.
func (s *node) publishService(commands ...string) {
	s.t.Helper()
	ctx, c, name := s.t.Context(), s.client(), api.Ptr("web")
	s.put("/templates/web.tar.gz", pack(s.t, map[string]string{
		"schema/schema.yaml": "schema:\n  format: {openapi: \"3.0.0\"}\n  service_input_type: In\n  pipeline_input_type: Pipe\n  types:\n" +
			"    In:\n      type: object\n      properties:\n        size: {type: string, default: s}\n" +
			"    Pipe:\n      type: object\n      properties:\n        branch: {type: string, default: main}\n",
		"instance_infrastructure/manifest.yaml": manifest(commands), "pipeline_infrastructure/manifest.yaml": manifest(commands),
	}))
	_, err := c.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: name})
	if err == nil {
		_, err = c.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: name,
			CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: api.Ptr("net"), MajorVersion: api.Ptr("1")}},
			Source:                         &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: api.Ptr("templates"), Key: api.Ptr("web.tar.gz")}}})
	}
	if err == nil {
		err = api.WaiterServiceTemplateVersionRegistered.Every(20*time.Millisecond).Wait(ctx, c,
			&api.GetServiceTemplateVersionInput{TemplateName: name, MajorVersion: api.Ptr("1"), MinorVersion: api.Ptr("0")})
	}
	if err == nil {
		_, err = c.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{
			TemplateName: name, MajorVersion: api.Ptr("1"), MinorVersion: api.Ptr("0"), Status: api.Ptr(api.TemplateVersionStatusPublished)})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// liveService is the life of an environment with a service in it: an instance, one
// that is added later, and a pipeline. It reports whether all went well.
func (u *user) liveService(name string) bool {
	ctx, current := u.t.Context(), api.Ptr(api.DeploymentUpdateTypeCurrentVersion)
	spec := func(instances ...string) *string {
		text := "proton: ServiceSpec\npipeline: {branch: main}\ninstances:\n"
		for _, i := range instances {
			text += fmt.Sprintf("- {name: %s, environment: %s, spec: {size: l}}\n", i, name)
		}
		return &text
	}
	ok := u.call(func(c *api.Client) error { return createEnvironment(ctx, c, name) }) && u.becomes(name, "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.CreateService(ctx, &api.CreateServiceInput{Name: &name, TemplateName: api.Ptr("web"), TemplateMajorVersion: api.Ptr("1"), Spec: spec("a"),
				RepositoryConnectionArn: api.Ptr("arn:aws:codestar-connections:us-east-1:123456789012:connection/11111111-2222-3333-4444-555555555555"),
				RepositoryId:            api.Ptr("acme/web"), BranchName: api.Ptr("main")})
			return err
		}) && u.serviceIs(name, "ACTIVE") && u.instanceIs(name, "a", "SUCCEEDED") && u.pipelineIs(name, "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: &name, Name: api.Ptr("a"), Spec: spec("a"), DeploymentType: current})
			return err
		}, "ConflictException") && u.instanceIs(name, "a", "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.UpdateServicePipeline(ctx, &api.UpdateServicePipelineInput{ServiceName: &name, Spec: spec("a"), DeploymentType: current})
			return err
		}, "ConflictException") && u.pipelineIs(name, "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.UpdateService(ctx, &api.UpdateServiceInput{Name: &name, Spec: spec("a", "b")})
			return err
		}, "ConflictException") && u.serviceIs(name, "ACTIVE") && u.instanceIs(name, "b", "SUCCEEDED") &&
		u.call(func(c *api.Client) error {
			_, err := c.DeleteService(ctx, &api.DeleteServiceInput{Name: &name})
			return err
		}, "ConflictException", "ResourceNotFoundException") && u.serviceIs(name, "ResourceNotFoundException") &&
		u.call(func(c *api.Client) error {
			_, err := c.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: &name})
			return err
		}, "ConflictException", "ResourceNotFoundException") && u.becomes(name, "ResourceNotFoundException")
	if ok {
		u.countRuns("environment "+name, name+".*", 2)
		u.countRuns("instance a of "+name, name+"-service-instance-a.*", 3)
		u.countRuns("instance b of "+name, name+"-service-instance-b.*", 2)
		u.countRuns("the pipeline of "+name, name+"-pipeline.*", 3)
	}
	return ok
}

func (u *user) serviceIs(name, want string) bool {
	return u.comesTo("service "+name, want, func(c *api.Client) (string, error) {
		out, err := c.GetService(u.t.Context(), &api.GetServiceInput{Name: &name})
		if err != nil {
			return "", err
		}
		return string(*out.Service.Status), nil
	})
}

func (u *user) instanceIs(service, name, want string) bool {
	return u.comesTo("instance "+name+" of "+service, want, func(c *api.Client) (string, error) {
		out, err := c.GetServiceInstance(u.t.Context(), &api.GetServiceInstanceInput{ServiceName: &service, Name: &name})
		if err != nil {
			return "", err
		}
		return string(*out.ServiceInstance.DeploymentStatus), nil
	})
}

func (u *user) pipelineIs(service, want string) bool {
	return u.comesTo("the pipeline of "+service, want, func(c *api.Client) (string, error) {
		out, err := c.GetService(u.t.Context(), &api.GetServiceInput{Name: &service})
		if err != nil {
			return "", err
		}
		return string(*out.Service.Pipeline.DeploymentStatus), nil
	})
}
