package app

import (
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

func (f *fixture) waitInstance(t *testing.T, name string) *api.ServiceInstance {
	t.Helper()
	var i *api.ServiceInstance
	eventually(t, "instance "+name+" is idle", func() bool {
		i = must(f.GetServiceInstance(t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: &name}))(t).ServiceInstance
		return !strings.HasSuffix(string(*i.DeploymentStatus), "IN_PROGRESS")
	})
	return i
}

// The loop that surviving pipelines run: read the service's spec, change it,
// and update one instance with the whole of it.
func TestPipelinesUpdateOneInstanceWithTheWholeSpec(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)

	service := must(f.GetService(ctx, &api.GetServiceInput{Name: p("shop")}))(t).Service
	changed := strings.NewReplacer("port: 80}", "port: 8080}", "port: 443", "port: 8443").Replace(*service.Spec)
	out := must(f.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"),
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: &changed}))(t)
	if got := *out.ServiceInstance.DeploymentStatus; got != api.DeploymentStatusInProgress {
		t.Errorf("the answer says %s", got)
	}
	if i := f.waitInstance(t, "dev"); *i.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Fatalf("dev is %s", *i.DeploymentStatus)
	}
	after := must(f.GetService(ctx, &api.GetServiceInput{Name: p("shop")}))(t).Service
	if *after.Status != api.ServiceStatusActive {
		t.Errorf("service is %s", *after.Status)
	}
	if !strings.Contains(*after.Spec, "8080") || strings.Contains(*after.Spec, "8443") {
		t.Errorf("the service's spec must have the new entry of dev and the old one of prod:\n%s", *after.Spec)
	}
	if *after.LastModifiedAt != *service.LastModifiedAt {
		t.Error("updating an instance touched the service's lastModifiedAt")
	}
}

func TestFailedCreateIsRepairedPartByPart(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	f.engine.On(f.arn("service/shop/service-instance/prod"), enginetest.Script{Fail: "no room"}, enginetest.Script{})
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusCreateFailed)
	must(f.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("prod"),
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	if i := f.waitInstance(t, "prod"); *i.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Fatalf("prod is %s: %s", *i.DeploymentStatus, api.Value(i.DeploymentStatusMessage))
	}
	must(f.UpdateServicePipeline(ctx, &api.UpdateServicePipelineInput{ServiceName: p("shop"),
		DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: shop().Spec}))(t)
	eventually(t, "the service is repaired", func() bool {
		return *must(f.GetService(ctx, &api.GetServiceInput{Name: p("shop")}))(t).Service.Status == api.ServiceStatusActive
	})
}

func TestInstanceIsAddedToAService(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	in := &api.CreateServiceInstanceInput{ServiceName: p("shop"), Name: p("test"), ClientToken: p("one-call"),
		Spec: p("proton: ServiceSpec\ninstances:\n- name: test\n  environment: one\n  spec: {port: 81}\n")}
	must(f.CreateServiceInstance(ctx, in))(t)
	if i := f.waitInstance(t, "test"); *i.DeploymentStatus != api.DeploymentStatusSucceeded || *i.LastClientRequestToken != "one-call" {
		t.Fatalf("test is %s", *i.DeploymentStatus)
	}
	must(f.CreateServiceInstance(ctx, in))(t) // a repeat answers it
	other := *in
	other.ClientToken = p("another-call")
	if _, err := f.CreateServiceInstance(ctx, &other); code(err) != "ConflictException" {
		t.Errorf("a taken name with another token: %v", err)
	}
	spec := *must(f.GetService(ctx, &api.GetServiceInput{Name: p("shop")}))(t).Service.Spec
	if !strings.Contains(spec, "name: test") {
		t.Errorf("the service's spec lacks the new instance:\n%s", spec)
	}
	tags := must(f.ListTagsForResource(ctx, &api.ListTagsForResourceInput{ResourceArn: p(f.arn("service/shop/service-instance/test"))}))(t).Tags
	if last := tags[len(tags)-1]; *last.Key != "team" {
		t.Errorf("the service's tags did not come along: %v", tags)
	}
}

func TestEnvironmentUpdatesFollowTheDeploymentTypes(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	update := func(kind api.DeploymentUpdateType, change func(*api.UpdateEnvironmentInput)) error {
		in := &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: &kind}
		change(in)
		_, err := f.UpdateEnvironment(ctx, in)
		return err
	}
	for name, c := range map[string]struct {
		kind   api.DeploymentUpdateType
		change func(*api.UpdateEnvironmentInput)
		want   string
	}{
		"a version with CURRENT_VERSION": {api.DeploymentUpdateTypeCurrentVersion, func(in *api.UpdateEnvironmentInput) { in.TemplateMajorVersion = p("1") }, "ValidationException"},
		"a version with NONE":            {api.DeploymentUpdateTypeNone, func(in *api.UpdateEnvironmentInput) { in.TemplateMinorVersion = p("0") }, "ValidationException"},
		"another major with MINOR":       {api.DeploymentUpdateTypeMinorVersion, func(in *api.UpdateEnvironmentInput) { in.TemplateMajorVersion = p("2") }, "ValidationException"},
		"an unknown minor":               {api.DeploymentUpdateTypeMinorVersion, func(in *api.UpdateEnvironmentInput) { in.TemplateMinorVersion = p("9") }, "ResourceNotFoundException"},
		"no higher major":                {api.DeploymentUpdateTypeMajorVersion, func(*api.UpdateEnvironmentInput) {}, "ValidationException"},
		"a value out of the enum": {api.DeploymentUpdateTypeCurrentVersion, func(in *api.UpdateEnvironmentInput) {
			in.Spec = p("proton: EnvironmentSpec\nspec: {size: xl}\n")
		}, "ValidationException"},
	} {
		if err := update(c.kind, c.change); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := update(api.DeploymentUpdateTypeNone, func(in *api.UpdateEnvironmentInput) { in.Description = p("ours") }); err != nil {
		t.Error(err)
	}
	e := must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
	if *e.Description != "ours" || *e.DeploymentStatus != api.DeploymentStatusSucceeded {
		t.Errorf("after NONE: %s, %s", *e.Description, *e.DeploymentStatus)
	}
	if err := update(api.DeploymentUpdateTypeCurrentVersion, func(in *api.UpdateEnvironmentInput) {
		in.Spec = p("proton: EnvironmentSpec\nspec: {size: m}\n")
	}); err != nil {
		t.Fatal(err)
	}
	if err := api.WaiterEnvironmentDeployed.Every(5*time.Millisecond).Wait(ctx, f.Client, &api.GetEnvironmentInput{Name: p("one")}); err != nil {
		t.Fatal(err)
	}
	if err := update(api.DeploymentUpdateTypeCurrentVersion, func(in *api.UpdateEnvironmentInput) {
		in.Spec = p("proton: EnvironmentSpec\nspec: {size: \"${Proton::CURRENT_VAL}\"}\n")
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the environment is deployed", func() bool {
		e = must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
		return *e.DeploymentStatus == api.DeploymentStatusSucceeded
	})
	if !strings.Contains(*e.Spec, "size: m") && !strings.Contains(*e.Spec, `size: "m"`) {
		t.Errorf("the current value was not kept: %s", *e.Spec)
	}
}

// Of the spec only the pipeline section counts: instances render from their
// own, also those that have only ever been tried.
func TestPipelineIsDeployedWithoutInstancesInItsSpec(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	f.engine.On(f.arn("service/shop/service-instance/prod"), enginetest.Script{Fail: "no room"})
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusCreateFailed)
	must(f.UpdateServicePipeline(t.Context(), &api.UpdateServicePipelineInput{
		ServiceName: p("shop"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: p("proton: ServiceSpec\ninstances: []\n"),
	}))(t)
	eventually(t, "the pipeline is deployed", func() bool {
		pipeline := must(f.GetService(t.Context(), &api.GetServiceInput{Name: p("shop")}))(t).Service.Pipeline
		if *pipeline.DeploymentStatus == api.DeploymentStatusFailed {
			t.Fatal(api.Value(pipeline.DeploymentStatusMessage))
		}
		return *pipeline.DeploymentStatus == api.DeploymentStatusSucceeded
	})
}
