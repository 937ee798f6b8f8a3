package app

import (
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

func TestReportsAreHeldAgainstTheRunningDeployment(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	ctx := t.Context()
	must(f.CreateComponent(ctx, queueAtProd()))(t)
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	hold := make(chan struct{})
	ended := *f.environment(t, "one").LastSucceededDeploymentId
	status := func(s api.ResourceDeploymentStatus) *api.ResourceDeploymentStatus { return &s }
	report := func(resource string, change func(*api.NotifyResourceDeploymentStatusChangeInput)) error {
		in := &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: p(f.arn(resource))}
		change(in)
		_, err := f.NotifyResourceDeploymentStatusChange(ctx, in)
		return err
	}
	succeeded := func(in *api.NotifyResourceDeploymentStatusChangeInput) {
		in.Status = status(api.ResourceDeploymentStatusSucceeded)
	}
	outputs := func(in *api.NotifyResourceDeploymentStatusChangeInput) {
		in.Outputs = []api.Output{{Key: p("k"), ValueString: p("v")}}
	}
	refused := func(what, want, part string, err error) {
		t.Helper()
		if code(err) != want || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s … %s", what, err, want, part)
		}
	}

	// Nothing runs.
	refused("a status", "ConflictException", "has no deployment in progress", report("environment/one", succeeded))
	refused("outputs alone", "ConflictException", "has no deployment in progress", report("environment/one", outputs))
	if err := report("environment/one", func(in *api.NotifyResourceDeploymentStatusChangeInput) { succeeded(in); in.DeploymentId = &ended }); err != nil {
		t.Errorf("the end that it had, once more: %v", err)
	}
	refused("another end than it had", "ConflictException", "has no deployment in progress", report("environment/one", func(in *api.NotifyResourceDeploymentStatusChangeInput) {
		in.Status, in.DeploymentId = status(api.ResourceDeploymentStatusFailed), &ended
	}))
	refused("of nothing", "ResourceNotFoundException", "", report("environment/none", succeeded))
	for _, resource := range []string{"service/shop", "service-template/web"} {
		refused("of "+resource, "ValidationException", "", report(resource, succeeded))
	}
	many := make([]api.Output, 51)
	for n := range many {
		many[n] = api.Output{Key: p("k"), ValueString: p("v")}
	}
	refused("51 outputs", "ValidationException", "outputs", report("environment/one", func(in *api.NotifyResourceDeploymentStatusChangeInput) { in.Outputs = many }))
	refused("an empty value", "ValidationException", "valueString", report("environment/one", func(in *api.NotifyResourceDeploymentStatusChangeInput) {
		in.Outputs = []api.Output{{Key: p("k"), ValueString: p("")}}
	}))

	// Each of the four kinds takes reports while it is deployed; none ends it.
	for _, k := range deployedKinds(ctx, f) {
		name := map[bool]string{true: "shop", false: "one"}[strings.HasPrefix(k.resource(""), "service/")]
		if strings.HasPrefix(k.resource(""), "component/") {
			name = "queue"
		}
		resource := k.resource(name)
		f.engine.On(f.arn(resource), enginetest.Script{Hold: hold, Timeout: time.Minute})
		if err := k.update(name); err != nil {
			t.Fatalf("%s: %v", resource, err)
		}
		eventually(t, resource+" is being deployed", func() bool { return f.engine.Holding() == 1 })
		before := "00000000-0000-0000-0000-000000000000"
		refused("of another deployment", "ConflictException", "Deployment "+before+" is not the current deployment of "+f.arn(resource),
			report(resource, func(in *api.NotifyResourceDeploymentStatusChangeInput) { succeeded(in); in.DeploymentId = &before }))
		for _, change := range []func(*api.NotifyResourceDeploymentStatusChangeInput){outputs, succeeded, func(in *api.NotifyResourceDeploymentStatusChangeInput) {
			id, _ := f.last(t, resource)
			in.Status, in.DeploymentId, in.StatusMessage = status(api.ResourceDeploymentStatusInProgress), &id, p("half way")
		}} {
			if err := report(resource, change); err != nil {
				t.Errorf("a report of %s: %v", resource, err)
			}
		}
		if _, s := f.last(t, resource); s != "IN_PROGRESS" {
			t.Errorf("%s is %s after its reports", resource, s)
		}
		if err := k.cancel(name); err != nil {
			t.Errorf("cancel of %s: %v", resource, err)
		}
		f.reaches(t, resource, "CANCELLED")
		refused("cancel of what does not run", "ConflictException", "No deployment in progress for "+f.arn(resource), k.cancel(name))
		eventually(t, "it has let go", func() bool { return f.engine.Holding() == 0 })
	}
	for _, k := range deployedKinds(ctx, f) {
		refused("cancel of nothing", "ResourceNotFoundException", "", k.cancel("none"))
	}
}
