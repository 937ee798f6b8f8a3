package app

import (
	"context"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

const (
	looseEnvironment = "proton: EnvironmentSpec\nspec: {size: s, typo: 1}\n"
	looseService     = "proton: ServiceSpec\nowner: me\npipeline: {typo: 1}\ninstances:\n- {name: dev, environment: one, stage: x, spec: {port: 80, typo: 1}}\n"
)

// Strict specs are asked for of what callers give; what was accepted before can
// still be deployed as it is.
func TestStrictSpecsRefuseWhatMeansNothing(t *testing.T) {
	t.Parallel()
	var kept Config
	f := start(t, func(c *Config) { kept = *c })
	f.publish(t)
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p(looseEnvironment)}))(t)
	f.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)
	loose := shop()
	loose.Spec = p(looseService)
	must(f.CreateService(t.Context(), loose))(t)
	f.waitService(t, api.ServiceStatusActive)
	f.broken = true // it is closed already
	if err := f.server.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	f = start(t, func(c *Config) { *c = kept; c.StrictSpecs = true })
	const environment = "ValidationException: Spec validation failed: spec.typo: is not an input of the template"
	_, err := f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("two"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p(looseEnvironment)})
	isRefused(t, "a new environment", err, environment)
	current := api.Ptr(api.DeploymentUpdateTypeCurrentVersion)
	_, err = f.UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: current, Spec: p(looseEnvironment)})
	isRefused(t, "an environment's new spec", err, environment)
	must(f.UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: current}))(t)
	f.waitEnvironment(t, "one", api.DeploymentStatusSucceeded)

	const keys = "ValidationException: Spec validation failed: owner: is not a key that a spec has here\n" +
		"Spec validation failed: instances[dev].stage: is not a key that a spec has here"
	second := shop()
	second.Name, second.Spec = p("second"), p(looseService)
	_, err = f.CreateService(t.Context(), second)
	isRefused(t, "a new service's keys", err, keys)
	second.Spec = p("proton: ServiceSpec\npipeline: {typo: 1}\ninstances: [{name: dev, environment: one, spec: {port: 80, typo: 1}}]\n")
	_, err = f.CreateService(t.Context(), second)
	const pipeline = "Spec validation failed: pipeline.typo: is not an input of the template"
	const instance = "Spec validation failed: instances[dev].spec.typo: is not an input of the template"
	isRefused(t, "a new service's inputs", err, "ValidationException: "+pipeline+"\n"+instance)
	_, err = f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"), DeploymentType: current, Spec: second.Spec})
	isRefused(t, "an instance's new spec", err, "ValidationException: "+instance)
	_, err = f.UpdateServicePipeline(t.Context(), &api.UpdateServicePipelineInput{ServiceName: p("shop"), DeploymentType: current, Spec: second.Spec})
	isRefused(t, "a pipeline's new spec", err, "ValidationException: "+pipeline)
	_, err = f.UpdateService(t.Context(), &api.UpdateServiceInput{Name: p("shop"), Spec: p("proton: ServiceSpec\ninstances: [{name: dev, environment: one, spec: {port: 80}}, {name: new, environment: one, spec: {port: 80, typo: 1}}]\n")})
	isRefused(t, "an instance that an update adds", err, "ValidationException: Spec validation failed: instances[new].spec.typo: is not an input of the template")
	_, err = f.CreateServiceInstance(t.Context(), &api.CreateServiceInstanceInput{ServiceName: p("shop"), Name: p("new"), Spec: p("proton: ServiceSpec\ninstances: [{name: new, environment: one, spec: {port: 80, typo: 1}}]\n")})
	isRefused(t, "an instance that is added", err, "ValidationException: Spec validation failed: instances[new].spec.typo: is not an input of the template")
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{})
	must(f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"), DeploymentType: current}))(t)
	if err := api.WaiterServiceInstanceDeployed.Every(10*time.Millisecond).Wait(t.Context(), f.Client, &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("dev")}); err != nil {
		t.Errorf("an instance with the spec that it had: %v", err)
	}
}
