package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
)

func TestNewResourcesAreDescribedByFlagsAndAFile(t *testing.T) {
	t.Parallel()
	p := api.Ptr[string]
	file := filepath.Join(t.TempDir(), "create.json")
	if err := os.WriteFile(file, []byte(`{"name": "other", "spec": "from the file", "protonServiceRoleArn": "arn:role"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for resource, c := range map[string]struct {
		in   newResource
		want *api.PreviewCreationInput
	}{
		"environment/dev": {newResource{template: "net", input: file}, &api.PreviewCreationInput{Environment: &api.CreateEnvironmentInput{
			Name: p("dev"), TemplateName: p("net"), TemplateMajorVersion: p("1"), Spec: p("a spec"), ProtonServiceRoleArn: p("arn:role")}}},
		"service/shop": {newResource{template: "web"}, &api.PreviewCreationInput{Service: &api.CreateServiceInput{
			Name: p("shop"), TemplateName: p("web"), TemplateMajorVersion: p("1"), Spec: p("a spec")}}},
		"arn:aws:proton:eu-west-1:111122223333:service/shop/service-instance/qa": {newResource{}, &api.PreviewCreationInput{ServiceInstance: &api.CreateServiceInstanceInput{
			ServiceName: p("shop"), Name: p("qa"), TemplateMajorVersion: p("1"), Spec: p("a spec")}}},
		"component/queue": {newResource{}, &api.PreviewCreationInput{Component: &api.CreateComponentInput{Name: p("queue"), ServiceSpec: p("a spec")}}},
	} {
		got, err := c.in.call(&api.PreviewDeploymentInput{Resource: &resource, Spec: p("a spec"), TemplateMajorVersion: p("1")})
		if err != nil {
			t.Errorf("%s: %v", resource, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", resource, diff)
		}
	}
	for resource, want := range map[string]string{"service/shop/pipeline": "--new takes", "nonsense": "--new takes", "service/shop": "protonServiceRoleArn"} {
		if _, err := (&newResource{input: file}).call(&api.PreviewDeploymentInput{Resource: &resource}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", resource, err, want)
		}
	}
	if err := (&newResource{template: "net"}).check(false); err == nil {
		t.Error("a template was taken for what is there")
	}
	if err := (&newResource{wanted: true}).check(true); err == nil {
		t.Error("the removal of what is not there was taken")
	}
}

func TestAComponentsUpdateIsPreviewedWithItsTemplateFile(t *testing.T) {
	t.Parallel()
	p := api.Ptr[string]
	file := filepath.Join(t.TempDir(), "queue.yaml")
	if err := os.WriteFile(file, []byte("a template"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{"component/queue", "arn:aws:proton:eu-west-1:111122223333:component/queue"} {
		in := &api.PreviewDeploymentInput{Resource: &resource, Spec: p("a spec")}
		if err := withTemplateFile(in, file); err != nil {
			t.Errorf("%s: %v", resource, err)
		}
		want := &api.PreviewDeploymentInput{Resource: &resource, Component: &api.UpdateComponentInput{
			Name: p("queue"), DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion), TemplateFile: p("a template"), ServiceSpec: p("a spec")}}
		if diff := cmp.Diff(want, in); diff != "" {
			t.Errorf("%s (-want +got):\n%s", resource, diff)
		}
	}
	for resource, want := range map[string]string{"environment/dev": "only components have one", "component/queue": "no such file"} {
		if err := withTemplateFile(&api.PreviewDeploymentInput{Resource: &resource}, file+".missing"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", resource, err, want)
		}
	}
}
