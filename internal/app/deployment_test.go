package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

func (f *fixture) environment(t *testing.T, name string) *api.Environment {
	t.Helper()
	return must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: &name}))(t).Environment
}

// updateEnvironment deploys it anew with a spec, and waits for the end.
func (f *fixture) updateEnvironment(t *testing.T, name, spec string) *api.Environment {
	t.Helper()
	must(f.UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{
		Name: &name, DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: &spec}))(t)
	return f.environmentEnds(t, name)
}

func (f *fixture) environmentEnds(t *testing.T, name string) (e *api.Environment) {
	t.Helper()
	eventually(t, "the deployment of environment "+name+" ends", func() bool {
		e = f.environment(t, name)
		s := *e.DeploymentStatus
		return s != api.DeploymentStatusInProgress && s != api.DeploymentStatusCancelling && s != api.DeploymentStatusDeleteInProgress
	})
	return e
}

func (f *fixture) details(t *testing.T, id *string) *api.DeploymentDetails {
	t.Helper()
	return must(f.GetDeploymentDetails(t.Context(), &api.GetDeploymentDetailsInput{DeploymentId: id}))(t).Details
}

func kinds(d *api.DeploymentDetails) string {
	var list []string
	for _, m := range d.Timeline {
		list = append(list, *m.Kind)
	}
	return strings.Join(list, " ")
}

func commands(d *api.DeploymentDetails) (list []string) {
	for _, s := range d.NextSteps {
		list = append(list, strings.ReplaceAll(api.Value(s.Command), *d.Id, "ID"))
	}
	return list
}

func TestDeploymentShowsWhatItChangedAndWhy(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.engine.On(f.arn("environment/one"),
		enginetest.Script{Outputs: []engine.Output{{Key: "Vpc", Value: "vpc-1"}, {Key: "Old", Value: "x"}}, Preview: engine.Changes{Summary: "1 to add", Details: []string{"+ vpc"}}},
		enginetest.Script{Outputs: []engine.Output{{Key: "Vpc", Value: "vpc-2"}, {Key: "Token", Value: "very-secret-token", Sensitive: true}}},
		enginetest.Script{Fail: "vpc-2 is in use\nby others", Log: "destroying vpc-2\n"})
	f.createEnvironment(t, "one")
	e := f.updateEnvironment(t, "one", "proton: EnvironmentSpec\nspec: {size: m}\n")
	first := must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: p("one")}))(t).Deployments[1]

	d := f.details(t, first.Id)
	if diff := cmp.Diff([]any{"1 to add", []string{"+ vpc"}}, []any{*d.Preview.Summary, d.Preview.Details}); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if got, want := kinds(d), "ACCEPTED CLAIMED RENDERED PREVIEWED STEPPED ENDED"; got != want {
		t.Errorf("timeline is %s, want %s", got, want)
	}
	if *d.Current || !strings.Contains(*d.StatusReason, "a later deployment has replaced it") {
		t.Errorf("the first deployment: current %t: %s", *d.Current, *d.StatusReason)
	}
	for n := 1; n < len(d.Timeline); n++ {
		if d.Timeline[n].At.Before(d.Timeline[n-1].At.Time) {
			t.Errorf("timeline goes back in time: %s at %s", *d.Timeline[n].Kind, d.Timeline[n].At)
		}
	}

	d = f.details(t, e.LastSucceededDeploymentId)
	if *d.Attempts != 1 || *d.Engine != "CODEBUILD" || *d.TemplateVersion != "1.0" || !*d.Current {
		t.Errorf("details: %+v", d)
	}
	wantInputs := []api.DeploymentValue{{Name: p("size"), Before: p("s"), After: p("m")}}
	wantOutputs := []api.DeploymentValue{{Name: p("Vpc"), Before: p("vpc-1"), After: p("vpc-2")}, {Name: p("Old"), Before: p("x")}, {Name: p("Token"), After: p("<sensitive>")}}
	if diff := cmp.Diff([][]api.DeploymentValue{wantInputs, wantOutputs}, [][]api.DeploymentValue{d.Inputs, d.Outputs}); diff != "" {
		t.Errorf("inputs and outputs (-want +got):\n%s", diff)
	}

	e = f.updateEnvironment(t, "one", "proton: EnvironmentSpec\nspec: {size: s}\n")
	d = f.details(t, e.LastAttemptedDeploymentId)
	if got, want := *d.StatusReason, "vpc-2 is in use"; got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
	good := *e.LastSucceededDeploymentId
	if diff := cmp.Diff([]string{"hadron deployment logs ID", "hadron deployment retry ID", "hadron deployment rollback " + good}, commands(d)); diff != "" {
		t.Errorf("next steps (-want +got):\n%s", diff)
	}
}

func TestRenderedFilesAreKeptWithoutSecrets(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Outputs: []engine.Output{{Key: "Token", Value: "very-secret-token", Sensitive: true}, {Key: "Vpc", Value: "vpc-1"}}})
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Fail: "no", Log: "using very-secret-token\n", Preview: engine.Changes{Summary: "uses very-secret-token"}})
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusCreateFailed)
	i := must(f.GetServiceInstance(t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("dev")}))(t).ServiceInstance
	files := must(f.ListDeploymentFiles(t.Context(), &api.ListDeploymentFilesInput{DeploymentId: i.LastAttemptedDeploymentId}))(t).Files
	found := ""
	for _, file := range files {
		if *file.Path == "proton-inputs.json" {
			found = *file.Content
		}
	}
	if !strings.Contains(found, "vpc-1") || !strings.Contains(found, engine.Redacted) {
		t.Errorf("the inputs file is not as it was, without the secret:\n%s", found)
	}
	d := f.details(t, i.LastAttemptedDeploymentId)
	log := must(f.ListDeploymentLogEvents(t.Context(), &api.ListDeploymentLogEventsInput{DeploymentId: i.LastAttemptedDeploymentId}))(t)
	shown := fmt.Sprintf("%+v", files) + *d.Preview.Summary
	for _, e := range log.Events {
		shown += *e.Message
	}
	for _, m := range d.Timeline {
		shown += api.Value(m.Message)
	}
	if strings.Contains(shown, "very-secret-token") {
		t.Errorf("the secret is shown:\n%s", shown)
	}
	one := must(f.ListDeploymentFiles(t.Context(), &api.ListDeploymentFilesInput{DeploymentId: i.LastAttemptedDeploymentId, Path: p("manifest.yaml")}))(t).Files
	if len(one) != 1 {
		t.Errorf("one file: %+v", one)
	}
	_, err := f.ListDeploymentFiles(t.Context(), &api.ListDeploymentFilesInput{DeploymentId: i.LastAttemptedDeploymentId, Path: p("nothing")})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestAPreviewThatCannotBeMadeHoldsNothingUp(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.PreviewTimeout = 1 })
	f.publish(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{NoPreview: errors.New("the role can't be assumed")})
	f.engine.On(f.arn("environment/two"), enginetest.Script{SlowPreview: time.Hour})
	for name, want := range map[string]string{"one": "the role can't be assumed", "two": "the preview took too long: more than 1s"} {
		f.createEnvironment(t, name)
		d := f.details(t, f.environment(t, name).LastSucceededDeploymentId)
		if got := kinds(d); got != "ACCEPTED CLAIMED RENDERED NOT_PREVIEWED STEPPED ENDED" || d.Preview != nil {
			t.Errorf("environment %s: %s, %v", name, got, d.Preview)
		}
		if got := api.Value(d.Timeline[3].Message); got != want {
			t.Errorf("environment %s: no preview because %q, want %q", name, got, want)
		}
	}
	none := start(t, func(c *Config) { c.PreviewTimeout = 0 })
	none.publish(t)
	none.createEnvironment(t, "one")
	if d := none.details(t, none.environment(t, "one").LastSucceededDeploymentId); d.Preview != nil {
		t.Error("a preview was made though none are wanted")
	}
}

func TestPreviewOnDemandChangesNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Preview: engine.Changes{Summary: "2 to change"}})
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	before, changes := snapshot(t, f), f.engine.Changes()
	ctx := t.Context()
	out := must(f.PreviewDeployment(ctx, &api.PreviewDeploymentInput{Resource: p("environment/one"), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n")}))(t)
	if *out.Preview.Summary != "2 to change" || *out.Engine != "CODEBUILD" || len(out.Files) == 0 {
		t.Errorf("preview of a new spec: %+v", out)
	}
	if diff := cmp.Diff([]api.DeploymentValue{{Name: p("size"), Before: p("s"), After: p("m")}}, out.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	for _, in := range []*api.PreviewDeploymentInput{
		{Resource: p(f.arn("service/shop/service-instance/prod"))},
		{Resource: p("service/shop/pipeline"), TemplateMinorVersion: p("0")},
		{Resource: p("environment/one"), Goal: api.Ptr(api.HadronDeploymentGoalDestroy)},
		{Resource: p("service/shop/service-instance/prod"), Goal: api.Ptr(api.HadronDeploymentGoalDestroy)},
	} {
		if out := must(f.PreviewDeployment(ctx, in))(t); api.Value(out.Preview.Summary) == "" {
			t.Errorf("%s: %+v", *in.Resource, out)
		}
	}
	for in, want := range map[*api.PreviewDeploymentInput]string{
		{Resource: p("environment/two")}: "ResourceNotFoundException",
		{Resource: p("service/shop")}:    "ValidationException",
		{Resource: p("nonsense")}:        "ValidationException",
		{Resource: p("environment/one"), Spec: p("proton: EnvironmentSpec\nspec: {size: xl}\n")}:                                                "ValidationException",
		{Resource: p("environment/one"), TemplateMinorVersion: p("9")}:                                                                          "ResourceNotFoundException",
		{Resource: p("environment/one"), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n"), Goal: api.Ptr(api.HadronDeploymentGoalDestroy)}: "ValidationException",
		{Resource: p("arn:aws:proton:" + region + ":999999999999:environment/one")}:                                                             "ResourceNotFoundException",
	} {
		if _, err := f.PreviewDeployment(ctx, in); code(err) != want {
			t.Errorf("preview of %s: %v, want %s", *in.Resource, err, want)
		}
	}
	if after := snapshot(t, f); after != before || f.engine.Changes() != changes {
		t.Errorf("previews changed something:\nbefore %s\n after %s", before, after)
	}
}

func TestEnvironmentAccountNotifiesOfWhatRunsInIt(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	const other = "111122223333"
	environmentAccount, stranger := f.accountClient(t, other), f.accountClient(t, "999999999999")
	role := "arn:aws:iam::" + other + ":role/provision"
	c := must(environmentAccount.CreateEnvironmentAccountConnection(ctx, &api.CreateEnvironmentAccountConnectionInput{EnvironmentName: p("one"),
		ManagementAccountId: &f.account, RoleArn: &role, CodebuildRoleArn: &role}))(t).EnvironmentAccountConnection
	must(f.AcceptEnvironmentAccountConnection(ctx, &api.AcceptEnvironmentAccountConnectionInput{Id: c.Id}))(t)
	hold := make(chan struct{})
	f.engine.On(f.arn("environment/one"), enginetest.Script{Hold: hold, Timeout: time.Minute})
	must(f.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"),
		Spec: p("proton: EnvironmentSpec\n"), EnvironmentAccountConnectionId: c.Id}))(t)
	eventually(t, "the run has begun", func() bool { return f.engine.Holding() == 1 })
	report := &api.NotifyResourceDeploymentStatusChangeInput{ResourceArn: p(f.arn("environment/one")), StatusMessage: p("half way"),
		Status: api.Ptr(api.ResourceDeploymentStatusInProgress)}
	must(environmentAccount.NotifyResourceDeploymentStatusChange(ctx, report))(t)
	if _, err := stranger.NotifyResourceDeploymentStatusChange(ctx, report); code(err) != "AccessDeniedException" {
		t.Errorf("a stranger's report: %v", err)
	}
	id, _ := f.last(t, "environment/one")
	close(hold)
	f.reaches(t, "environment/one", "SUCCEEDED")
	if d := f.details(t, &id); !strings.Contains(kinds(d), "REPORTED") {
		t.Errorf("timeline: %s", kinds(d))
	}
}
