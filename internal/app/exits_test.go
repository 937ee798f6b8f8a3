package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/proton"
)

// stubborn is a driver that can't be made to cancel some resources.
type stubborn struct {
	*enginetest.Scripted
	arn string // part of those ARNs
}

func (s *stubborn) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	if strings.Contains(r.ResourceARN, s.arn) {
		<-ctx.Done()
		return engine.Status{}, context.Cause(ctx)
	}
	return s.Scripted.Cancel(ctx, r, checkpoint)
}

// steps counts the steps that the engine has taken for a resource.
func (f *fixture) steps(resource string) (n int) {
	for _, c := range f.engine.Calls() {
		if c.Method == "Step" && c.Run.ResourceARN == f.arn(resource) {
			n++
		}
	}
	return n
}

// last is the last deployment of a resource, and its status; "" if it is gone.
func (f *fixture) last(t *testing.T, resource string) (id, status string) {
	t.Helper()
	ctx := t.Context()
	parts := strings.Split(resource, "/")
	var deployment *string
	var state *api.DeploymentStatus
	var err error
	switch {
	case parts[0] == "environment":
		var out *api.GetEnvironmentOutput
		if out, err = f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: &parts[1]}); err == nil {
			deployment, state = out.Environment.LastAttemptedDeploymentId, out.Environment.DeploymentStatus
		}
	case parts[0] == "component":
		var out *api.GetComponentOutput
		if out, err = f.GetComponent(ctx, &api.GetComponentInput{Name: &parts[1]}); err == nil {
			deployment, state = out.Component.LastAttemptedDeploymentId, out.Component.DeploymentStatus
		}
	case parts[2] == "pipeline":
		var out *api.GetServiceOutput
		if out, err = f.GetService(ctx, &api.GetServiceInput{Name: &parts[1]}); err == nil && out.Service.Pipeline != nil {
			deployment, state = out.Service.Pipeline.LastAttemptedDeploymentId, out.Service.Pipeline.DeploymentStatus
		}
	default:
		var out *api.GetServiceInstanceOutput
		if out, err = f.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: &parts[1], Name: &parts[3]}); err == nil {
			deployment, state = out.ServiceInstance.LastAttemptedDeploymentId, out.ServiceInstance.DeploymentStatus
		}
	}
	if err != nil && code(err) != "ResourceNotFoundException" {
		t.Fatal(err)
	}
	if err != nil || state == nil {
		return "", ""
	}
	return api.Value(deployment), string(*state)
}

func (f *fixture) reaches(t *testing.T, resource, want string) (id string) {
	t.Helper()
	status := ""
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(3 * time.Millisecond) {
		if id, status = f.last(t, resource); status == want {
			return id
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, want %q", resource, status, want)
		}
	}
}

// kind is a kind of what is deployed, as the test of its exits drives it. Each
// of its resources is called by the name of the case.
type kind struct {
	target                 proton.TargetType
	resource               func(name string) string
	create                 func(t *testing.T, name string)
	update, cancel, remove func(name string) error
}

func deployedKinds(ctx context.Context, f *fixture) []kind {
	current := api.Ptr(api.DeploymentUpdateTypeCurrentVersion)
	create := func(t *testing.T, name string) {
		in := shop()
		in.Name = &name
		must(f.CreateService(ctx, in))(t)
		eventually(t, "the service is active", func() bool {
			return *must(f.GetService(ctx, &api.GetServiceInput{Name: &name}))(t).Service.Status == api.ServiceStatusActive
		})
	}
	return []kind{{
		target: proton.TargetEnvironment, resource: func(name string) string { return "environment/" + name },
		create: f.createEnvironment,
		update: func(name string) error {
			return second(f.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: &name, DeploymentType: current}))
		},
		cancel: func(name string) error {
			return second(f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: &name}))
		},
		remove: func(name string) error {
			return second(f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: &name}))
		},
	}, {
		target: proton.TargetComponent, resource: func(name string) string { return "component/" + name },
		create: func(t *testing.T, name string) {
			must(f.CreateComponent(ctx, &api.CreateComponentInput{Name: &name, EnvironmentName: p("one"), TemplateFile: p(loneTemplate), Manifest: p(componentManifest)}))(t)
			f.reaches(t, "component/"+name, "SUCCEEDED")
		},
		update: func(name string) error {
			return second(f.UpdateComponent(ctx, &api.UpdateComponentInput{Name: &name, DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion),
				TemplateFile: p(loneTemplate + "# again\n")}))
		},
		cancel: func(name string) error {
			return second(f.CancelComponentDeployment(ctx, &api.CancelComponentDeploymentInput{ComponentName: &name}))
		},
		remove: func(name string) error {
			return second(f.DeleteComponent(ctx, &api.DeleteComponentInput{Name: &name}))
		},
	}, {
		target: proton.TargetServiceInstance, resource: func(name string) string { return "service/" + name + "/service-instance/dev" },
		create: create,
		update: func(name string) error {
			return second(f.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: &name, Name: p("dev"), DeploymentType: current}))
		},
		cancel: func(name string) error {
			return second(f.CancelServiceInstanceDeployment(ctx, &api.CancelServiceInstanceDeploymentInput{ServiceName: &name, ServiceInstanceName: p("dev")}))
		},
	}, {
		target: proton.TargetPipeline, resource: func(name string) string { return "service/" + name + "/pipeline" },
		create: create,
		update: func(name string) error {
			return second(f.UpdateServicePipeline(ctx, &api.UpdateServicePipelineInput{ServiceName: &name, DeploymentType: current, Spec: shop().Spec}))
		},
		cancel: func(name string) error {
			return second(f.CancelServicePipelineDeployment(ctx, &api.CancelServicePipelineDeploymentInput{ServiceName: &name}))
		},
	}}
}

func TestEveryStatusOfWhatIsDeployedIsLeftByEachOfItsCalls(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	stuck := &stubborn{Scripted: f.engine, arn: "/cancelling"}
	f.engines[engine.Command], f.engines[engine.CloudFormation] = stuck, stuck
	for _, k := range deployedKinds(t.Context(), f) {
		for _, status := range proton.DeploymentStatuses {
			for _, exit := range status.Exits(k.target) {
				removes := status == proton.DeleteInProgress || status == proton.DeleteFailed || exit.Event == proton.DeleteRequested || exit.Event == ""
				if k.remove == nil && removes {
					continue // parts of a service come and go with it: TestEveryStatusOfAServiceCanBeLeft
				}
				name := strings.ToLower(strings.ReplaceAll(string(status)+"-"+exit.Call+"-"+string(k.target), "_", "-"))
				t.Run(name, func(t *testing.T) { f.leave(t, k, name, status, exit.Call) })
			}
		}
	}
	eventually(t, "nothing runs for what was abandoned", func() bool { return f.engine.Holding() == 0 })
}

// leave brings a resource into a status, and out of it by a call.
func (f *fixture) leave(t *testing.T, k kind, name string, status proton.DeploymentStatus, call string) {
	never, ctx := make(chan struct{}), t.Context()
	hold, fail := enginetest.Script{Hold: never, Timeout: time.Minute}, enginetest.Script{Fail: "as told"}
	resource := k.resource(name)
	var later enginetest.Script // what comes after the first, good deployment
	var reach func(string) error
	switch status {
	case proton.InProgress:
		later, reach = hold, k.update
	case proton.Failed:
		later, reach = fail, k.update
	case proton.DeleteInProgress:
		later, reach = hold, k.remove
	case proton.DeleteFailed:
		later, reach = fail, k.remove
	case proton.Cancelling, proton.Cancelled:
		later, reach = hold, func(name string) error {
			if err := k.update(name); err != nil {
				return err
			}
			eventually(t, "the update runs", func() bool { return f.steps(resource) == 2 })
			return k.cancel(name)
		}
	}
	f.engine.On(f.arn(resource), enginetest.Script{}, later, enginetest.Script{})
	k.create(t, name)
	good, _ := f.last(t, resource)
	if reach != nil {
		if err := reach(name); err != nil {
			t.Fatal(err)
		}
	}
	id := f.reaches(t, resource, string(status))
	var err error
	want := "SUCCEEDED"
	switch call {
	case "RetryDeployment":
		err = second(f.RetryDeployment(ctx, &api.RetryDeploymentInput{DeploymentId: &id}))
		if status == proton.DeleteFailed {
			want = ""
		}
	case "RollBackDeployment":
		err = second(f.RollBackDeployment(ctx, &api.RollBackDeploymentInput{DeploymentId: &good}))
	case "ForceDeleteResource":
		f.engine.On(f.arn(resource), fail)
		want, err = "", second(f.ForceDeleteResource(ctx, &api.ForceDeleteResourceInput{Resource: &resource}))
	case "AbandonResource":
		want, err = "", second(f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: &resource}))
	default:
		switch {
		case strings.HasPrefix(call, "Update"):
			err = k.update(name)
		case strings.HasPrefix(call, "Cancel"):
			want, err = "CANCELLED", k.cancel(name)
		case strings.HasPrefix(call, "Delete"):
			want, err = "", k.remove(name)
		default:
			t.Fatalf("nothing tries %s", call)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	f.reaches(t, resource, want)
	if call == "AbandonResource" && !f.engine.Exists(f.arn(resource)) {
		t.Error("what was provisioned is gone")
	}
	d := f.details(t, &id)
	if call == "AbandonResource" && d.CompletedAt == nil {
		t.Errorf("the deployment of what was abandoned is %s", *d.Status)
	}
}

// service statuses, each with the scripts that lead to it.
func TestEveryStatusOfAServiceCanBeLeft(t *testing.T) {
	t.Parallel()
	fail, ok := enginetest.Script{Fail: "as told"}, enginetest.Script{}
	instance := "service/shop/service-instance/"
	grown := strings.Replace(*shop().Spec, "- name: prod\n", "- name: test\n  environment: one\n  spec: {port: 81}\n- name: prod\n", 1)
	swapped := strings.Replace(*shop().Spec, "- name: prod\n", "- name: test\n", 1)
	for status, c := range map[api.ServiceStatus]struct {
		scripts map[string][]enginetest.Script
		spec    string // of the update that leads there; empty: none
		remove  bool   // a delete leads there
		repairs []string
		want    api.ServiceStatus
	}{
		api.ServiceStatusCreateFailed: {scripts: map[string][]enginetest.Script{instance + "dev": {fail, ok}}, repairs: []string{instance + "dev", "service/shop/pipeline"}, want: api.ServiceStatusActive},
		api.ServiceStatusUpdateFailed: {scripts: map[string][]enginetest.Script{"service/shop/pipeline": {ok, fail, ok}}, spec: grown, repairs: []string{"service/shop/pipeline"}, want: api.ServiceStatusActive},
		api.ServiceStatusUpdateFailedCleanupFailed: {scripts: map[string][]enginetest.Script{instance + "test": {fail, fail, ok}}, spec: grown,
			repairs: []string{instance + "test"}, want: api.ServiceStatusUpdateFailedCleanupComplete},
		api.ServiceStatusUpdateCompleteCleanupFailed: {scripts: map[string][]enginetest.Script{instance + "prod": {ok, fail, ok}}, spec: swapped,
			repairs: []string{instance + "prod"}, want: api.ServiceStatusActive},
		api.ServiceStatusDeleteFailed: {scripts: map[string][]enginetest.Script{instance + "prod": {ok, fail, ok}}, remove: true, repairs: []string{instance + "prod"}},
	} {
		for _, how := range []string{"retry", "force", "abandon", "delete"} {
			t.Run(string(status)+" "+how, func(t *testing.T) {
				t.Parallel()
				f := start(t)
				f.publish(t)
				f.createEnvironment(t, "one")
				ctx := t.Context()
				for resource, scripts := range c.scripts {
					f.engine.On(f.arn(resource), scripts...)
				}
				must(f.CreateService(ctx, shop()))(t)
				if status != api.ServiceStatusCreateFailed {
					f.waitService(t, api.ServiceStatusActive)
				}
				if c.spec != "" {
					if err := f.updateService(t, c.spec); err != nil {
						t.Fatal(err)
					}
				}
				if c.remove {
					must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
				}
				f.waitService(t, status)
				want := api.ServiceStatus("")
				switch how {
				case "retry":
					for _, resource := range c.repairs {
						id, _ := f.last(t, resource)
						must(f.RetryDeployment(ctx, &api.RetryDeploymentInput{DeploymentId: &id}))(t)
						eventually(t, "the retry has ended", func() bool {
							_, s := f.last(t, resource)
							return s == "SUCCEEDED" || s == ""
						})
					}
					want = c.want
				case "force":
					f.engine.On("", fail)
					for _, resource := range []string{instance + "dev", instance + "prod", instance + "test", "service/shop/pipeline"} {
						f.engine.On(f.arn(resource), fail)
					}
					must(f.ForceDeleteResource(ctx, &api.ForceDeleteResourceInput{Resource: p("service/shop")}))(t)
				case "abandon":
					must(f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: p("service/shop")}))(t)
				case "delete":
					must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
				}
				eventually(t, "the service is "+string(want), func() bool {
					out, err := f.GetService(ctx, &api.GetServiceInput{Name: p("shop")})
					if want == "" {
						return code(err) == "ResourceNotFoundException"
					}
					return err == nil && *out.Service.Status == want
				})
			})
		}
	}
}

func TestServicesAtWorkCanBeAbandoned(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	never := make(chan struct{})
	hold, ctx := enginetest.Script{Hold: never, Timeout: time.Minute}, t.Context()
	for _, status := range []api.ServiceStatus{api.ServiceStatusCreateInProgress, api.ServiceStatusUpdateInProgress, api.ServiceStatusDeleteInProgress} {
		dev := f.arn("service/shop/service-instance/dev")
		f.engine.On(dev, enginetest.Script{}, hold)
		f.engine.On(f.arn("service/shop/service-instance/test"), hold)
		if status == api.ServiceStatusCreateInProgress {
			f.engine.On(dev, hold)
		}
		must(f.CreateService(ctx, shop()))(t)
		switch status {
		case api.ServiceStatusUpdateInProgress:
			f.waitService(t, api.ServiceStatusActive)
			if err := f.updateService(t, strings.Replace(*shop().Spec, "- name: prod\n", "- name: test\n", 1)); err != nil {
				t.Fatal(err)
			}
		case api.ServiceStatusDeleteInProgress:
			f.waitService(t, api.ServiceStatusActive)
			must(f.DeleteService(ctx, &api.DeleteServiceInput{Name: p("shop")}))(t)
		}
		eventually(t, "it is at work", func() bool { return f.engine.Holding() == 1 })
		if _, err := f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: p("service/shop/service-instance/dev")}); code(err) != "ConflictException" {
			t.Errorf("a part of a service at work was abandoned: %v", err)
		}
		if _, err := f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: p("environment/one")}); code(err) != "ConflictException" {
			t.Errorf("an environment in use was abandoned: %v", err)
		}
		must(f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: p("service/shop")}))(t)
		eventually(t, "its worker is told", func() bool { return f.engine.Holding() == 0 })
		if _, err := f.GetService(ctx, &api.GetServiceInput{Name: p("shop")}); code(err) != "ResourceNotFoundException" {
			t.Errorf("the service is there: %v", err)
		}
	}
}

func TestRollBackDeploysTheVeryBundleAgain(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	first, _ := f.last(t, "environment/one")
	// A second minor is published and deployed with another spec, and the first is deleted.
	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), Source: s3("net.tar.gz")}))(t)
	err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client,
		&api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("1")})
	if err != nil {
		t.Fatal(err)
	}
	must(f.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeMinorVersion),
		TemplateMinorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n")}))(t)
	f.reaches(t, "environment/one", "SUCCEEDED")
	must(f.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("1"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
	must(f.DeleteEnvironmentTemplateVersion(ctx, &api.DeleteEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), MinorVersion: p("0")}))(t)

	out := must(f.RollBackDeployment(ctx, &api.RollBackDeploymentInput{DeploymentId: &first}))(t)
	f.reaches(t, "environment/one", "SUCCEEDED")
	d := f.details(t, out.DeploymentId)
	if *d.TemplateVersion != "1.0" || *d.TemplateVersionBefore != "1.1" || *d.Inputs[0].Before != "m" || *d.Inputs[0].After != "s" {
		t.Errorf("after going back: version %s → %s, inputs %+v", *d.TemplateVersionBefore, *d.TemplateVersion, d.Inputs)
	}
	if e := f.environment(t, "one"); *e.TemplateMinorVersion != "0" {
		t.Errorf("the environment is at minor %s", *e.TemplateMinorVersion)
	}
	for name, err := range map[string]error{
		"what succeeded": second(f.RetryDeployment(ctx, &api.RetryDeploymentInput{DeploymentId: out.DeploymentId})),
		"an old one":     second(f.RetryDeployment(ctx, &api.RetryDeploymentInput{DeploymentId: &first})),
	} {
		if code(err) != "ConflictException" {
			t.Errorf("retry of %s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOneInstanceCanBeForgottenOrRemovedByForce(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	spec := *shop().Spec + "- name: test\n  environment: one\n  spec: {port: 81}\n"
	in := shop()
	in.Spec = &spec
	prod, dev := "service/shop/service-instance/prod", "service/shop/service-instance/dev"
	f.engine.On(f.arn(dev), enginetest.Script{}, enginetest.Script{Fail: "it stays"})
	f.engine.On(f.arn(prod), enginetest.Script{Resources: []engine.Resource{{Name: "stack", Identifier: "stack/1"}}})
	must(f.CreateService(ctx, in))(t)
	f.waitService(t, api.ServiceStatusActive)

	out := must(f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: &prod}))(t)
	if len(out.Left) != 1 || *out.Left[0].Identifier != "stack/1" || !f.engine.Exists(f.arn(prod)) {
		t.Errorf("left running: %+v", out.Left)
	}
	forced := must(f.ForceDeleteResource(ctx, &api.ForceDeleteResourceInput{Resource: &dev}))(t)
	f.reaches(t, dev, "")
	if d := f.details(t, &forced.DeploymentIds[0]); *d.Status != "DELETE_FAILED" || *d.StatusReason != "Removing it failed: it stays" {
		t.Errorf("the forced removal: %s: %s", *d.Status, *d.StatusReason)
	}
	service := f.waitService(t, api.ServiceStatusActive)
	if strings.Contains(*service.Spec, "prod") || strings.Contains(*service.Spec, "dev") {
		t.Errorf("the service's spec still has them:\n%s", *service.Spec)
	}
	if got := f.instances(t); got != "test SUCCEEDED" {
		t.Errorf("instances: %s", got)
	}
	for _, resource := range []string{"service/shop/service-instance/test", "service/shop/pipeline"} {
		if _, err := f.AbandonResource(ctx, &api.AbandonResourceInput{Resource: &resource}); code(err) != "ConflictException" {
			t.Errorf("%s was abandoned: %v", resource, err)
		}
	}
}
