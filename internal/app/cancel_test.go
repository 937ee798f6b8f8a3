package app

import (
	"context"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/internal/store"
)

func TestCancelStopsTheRunAndCanBeFollowedByADelete(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	never := make(chan struct{})
	f.engine.On(f.arn("environment/one"), enginetest.Script{Hold: never, Timeout: time.Minute}, enginetest.Script{})
	ctx := t.Context()
	must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\n")}))(t)
	eventually(t, "the run has begun", func() bool { return f.engine.Holding() == 1 })
	out := must(f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}))(t)
	if got := *out.Environment.DeploymentStatus; got != api.DeploymentStatusCancelling {
		t.Errorf("the answer says %s", got)
	}
	if _, err := f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}); code(err) != "ConflictException" {
		t.Errorf("cancelled twice: %v", err)
	}
	var e *api.Environment
	eventually(t, "the environment is cancelled", func() bool {
		e = must(f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}))(t).Environment
		return *e.DeploymentStatus == api.DeploymentStatusCancelled
	})
	if got := api.Value(e.DeploymentStatusMessage); got != "User initiated cancellation." {
		t.Errorf("message: %q", got)
	}
	if f.engine.Exists(f.arn("environment/one")) {
		t.Error("something was made all the same")
	}
	must(f.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("one")}))(t)
	eventually(t, "the environment is gone", func() bool {
		_, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")})
		return code(err) == "ResourceNotFoundException"
	})
}

func TestCancelledInstanceFailsTheService(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	never := make(chan struct{})
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Hold: never, Timeout: time.Minute})
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	eventually(t, "the run has begun", func() bool { return f.engine.Holding() == 1 })
	must(f.CancelServiceInstanceDeployment(ctx, &api.CancelServiceInstanceDeploymentInput{ServiceName: p("shop"), ServiceInstanceName: p("dev")}))(t)
	service := f.waitService(t, api.ServiceStatusCreateFailed)
	if got := *service.Pipeline.DeploymentStatus; got != api.DeploymentStatusFailed {
		t.Errorf("pipeline is %s", got)
	}
}

func TestWaitingPipelineIsCancelledAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	hold := make(chan struct{})
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Hold: hold, Timeout: time.Minute})
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	out := must(f.CancelServicePipelineDeployment(ctx, &api.CancelServicePipelineDeploymentInput{ServiceName: p("shop")}))(t)
	if got := *out.Pipeline.DeploymentStatus; got != api.DeploymentStatusCancelled {
		t.Errorf("the answer says %s", got)
	}
	close(hold)
	f.waitService(t, api.ServiceStatusCreateFailed)
	if f.engine.Exists(f.arn("service/shop/pipeline")) {
		t.Error("the pipeline was deployed all the same")
	}
}

// late is a driver whose runs come to their end when they are to stop, and
// whose cancel takes its time.
type late struct {
	*enginetest.Scripted
	begun, cancelling, end chan struct{}
}

func (l *late) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	close(l.begun)
	<-ctx.Done()
	if _, err := l.Scripted.Step(context.WithoutCancel(ctx), r, checkpoint); err != nil {
		return engine.Status{}, err
	}
	return engine.Status{}, context.Cause(ctx) // as if the answer was lost
}

func (l *late) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	close(l.cancelling)
	<-l.end
	return l.Scripted.Cancel(ctx, r, checkpoint)
}

func TestRunThatIsFasterThanItsCancelHasSucceeded(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	d := &late{Scripted: f.engine, begun: make(chan struct{}), cancelling: make(chan struct{}), end: make(chan struct{})}
	f.engines[engine.Command] = d
	f.engine.On("", enginetest.Script{Outputs: []engine.Output{{Key: "made", Value: "in time"}}})
	ctx := t.Context()
	must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\n")}))(t)
	<-d.begun
	asked := time.Now()
	out := must(f.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: p("one")}))(t)
	<-d.cancelling
	if took := time.Since(asked); took > 2*time.Second { // heartbeats are 3 s apart
		t.Errorf("the worker learned of the cancel after %s", took)
	}
	lease := func() (until time.Time) {
		err := f.server.store.View(ctx, func(tx *store.Tx) error {
			d, _, err := tx.DeploymentByID(ctx, *out.Environment.LastAttemptedDeploymentId)
			until = d.LeaseUntil
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return until
	}
	before := lease()
	eventually(t, "the lease is prolonged while the cancel goes on", func() bool { return lease().After(before) })
	close(d.end)
	if err := api.WaiterEnvironmentDeployed.Every(5*time.Millisecond).Wait(ctx, f.Client, &api.GetEnvironmentInput{Name: p("one")}); err != nil {
		t.Fatal(err)
	}
	outputs := must(f.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: p("one")}))(t)
	if len(outputs.Outputs) != 1 || *outputs.Outputs[0].ValueString != "in time" {
		t.Errorf("outputs: %+v", outputs.Outputs)
	}
}

func TestSummaryCountsWhatIsBehind(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	// A newer minor of the service template is published.
	must(f.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3("web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	err := api.WaiterServiceTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, f.Client,
		&api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("1")})
	if err != nil {
		t.Fatal(err)
	}
	must(f.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{
		TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("1"), Status: api.Ptr(api.TemplateVersionStatusPublished)}))(t)
	counts := must(f.GetResourcesSummary(ctx, &api.GetResourcesSummaryInput{}))(t).Counts
	type row struct{ total, failed, upToDate, behindMinor, behindMajor int64 }
	read := func(c *api.ResourceCountsSummary) row {
		return row{api.Value(c.Total), api.Value(c.Failed), api.Value(c.UpToDate), api.Value(c.BehindMinor), api.Value(c.BehindMajor)}
	}
	for name, c := range map[string]struct{ got, want row }{
		"environments": {read(counts.Environments), row{total: 1, upToDate: 1}},
		"services":     {read(counts.Services), row{total: 1, behindMinor: 1}},
		"instances":    {read(counts.ServiceInstances), row{total: 2, behindMinor: 2}},
		"pipelines":    {read(counts.Pipelines), row{total: 1, behindMinor: 1}},
		"templates":    {read(counts.ServiceTemplates), row{total: 1}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
	deployments := must(f.ListDeployments(ctx, &api.ListDeploymentsInput{ServiceName: p("shop")}))(t).Deployments
	if _, err := f.DeleteDeployment(ctx, &api.DeleteDeploymentInput{Id: deployments[0].Id}); code(err) != "ValidationException" {
		t.Errorf("the last succeeded deployment was deleted: %v", err)
	}
}
