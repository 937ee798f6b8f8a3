package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

func TestPreviewOfWhatIsNotThereYetMakesNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	f.engine.On(f.arn("environment/one"), enginetest.Script{Preview: engine.Changes{Summary: "2 to add"}})
	create := &api.CreateEnvironmentInput{Name: p("one"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("proton: EnvironmentSpec\nspec: {size: m}\n")}
	before, changes := snapshot(t, f), f.engine.Changes()
	out := must(f.PreviewCreation(ctx, &api.PreviewCreationInput{Environment: create}))(t)
	if len(out.Previews) != 1 || *out.Previews[0].Preview.Summary != "2 to add" || *out.Previews[0].ResourceArn != f.arn("environment/one") || len(out.Previews[0].Files) == 0 {
		t.Errorf("an environment: %+v", out)
	}
	if diff := cmp.Diff([]api.DeploymentValue{{Name: p("size"), After: p("m")}}, out.Previews[0].Inputs); diff != "" {
		t.Errorf("its inputs (-want +got):\n%s", diff)
	}
	if _, err := f.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: p("one")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("the previewed environment: %v", err)
	}
	if after := snapshot(t, f); after != before || f.engine.Changes() != changes {
		t.Errorf("the preview changed something:\nbefore %s\n after %s", before, after)
	}
	must(f.CreateEnvironment(ctx, create))(t)
	f.environmentEnds(t, "one")
	if _, err := f.PreviewCreation(ctx, &api.PreviewCreationInput{Environment: create}); code(err) != "ConflictException" {
		t.Errorf("one that is there: %v", err)
	}

	out = must(f.PreviewCreation(ctx, &api.PreviewCreationInput{Service: shop()}))(t)
	var arns []string
	for _, v := range out.Previews {
		arns = append(arns, *v.ResourceArn)
	}
	if diff := cmp.Diff([]string{f.arn("service/shop/service-instance/dev"), f.arn("service/shop/service-instance/prod")}, arns); diff != "" {
		t.Errorf("a service (-want +got):\n%s", diff)
	}
	if len(out.NotPreviewed) != 1 || !strings.HasPrefix(out.NotPreviewed[0], f.arn("service/shop/pipeline")+":") {
		t.Errorf("its pipeline: %q", out.NotPreviewed)
	}
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	spec := *shop().Spec + "- name: qa\n  environment: one\n  spec: {port: 81}\n"
	out = must(f.PreviewCreation(ctx, &api.PreviewCreationInput{ServiceInstance: &api.CreateServiceInstanceInput{Name: p("qa"), ServiceName: p("shop"), Spec: &spec}}))(t)
	if len(out.Previews) != 1 || *out.Previews[0].ResourceArn != f.arn("service/shop/service-instance/qa") {
		t.Errorf("an instance: %+v", out)
	}

	wrong := *create
	wrong.Name, wrong.Spec = p("two"), p("proton: EnvironmentSpec\nspec: {size: xl}\n")
	for name, in := range map[string]*api.PreviewCreationInput{
		"nothing": {}, "two things": {Environment: create, Service: shop()}, "a spec that does not fit": {Environment: &wrong},
		"members that are missing": {Environment: &api.CreateEnvironmentInput{Name: p("two")}},
	} {
		if _, err := f.PreviewCreation(ctx, in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
