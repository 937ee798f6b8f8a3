package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// posts fails the test unless the page that answers a form says each text.
func (b *browser) posts(path string, form url.Values, texts ...string) string {
	b.t.Helper()
	status, body, at := b.post(path, form)
	if page, _, _ := strings.Cut(path, "?"); status != http.StatusOK || at != page {
		b.t.Errorf("%s: status %d at %s", path, status, at)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			b.t.Errorf("%s does not say %q:\n%s", path, text, body)
		}
	}
	return body
}

func TestFormsSayWhatTheyWouldChange(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	b := f.signedIn(t)
	f.engine.On(f.arn("environment/one"), enginetest.Script{Preview: engine.Changes{Summary: "2 to <b>add</b>", Details: []string{"+ a bucket"}}})
	form := url.Values{"name": {"one"}, "f/spec/size": {"m"}, "spec": {""}, "spec-was": {""}, "do": {"preview"}}
	const anew = "/environments/new?template=net"
	b.posts(anew, form, "What would change", "2 to &lt;b&gt;add", "+ a bucket", "environment/one", `<mark>m</mark>`, "Files that would be rendered", `value="one"`)
	if _, err := f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: p("one")}); code(err) != "ResourceNotFoundException" {
		t.Fatalf("a preview made an environment: %v", err)
	}
	form.Set("name", "-")
	if body := b.posts(anew, form, "What would change", "ValidationException", `value="m" selected`); strings.Contains(body, "Nothing that is deployed") {
		t.Error("a refused preview says that nothing would change")
	}
	f.createEnvironment(t, "one")
	f.engine.On(f.arn("environment/one"), enginetest.Script{Preview: engine.Changes{Summary: "1 to change"}})
	spec := "proton: EnvironmentSpec\nspec: {size: m}\n"
	b.posts("/environments/one/update", url.Values{"spec": {spec}, "spec-was": {""}, "do": {"preview"}}, "1 to change", "<mark>m</mark>")

	shop := shop()
	b.posts("/services/new?template=web", url.Values{"name": {"shop"}, "repository-id": {"acme/shop"}, "branch-name": {"main"}, "repository-connection-arn": {connection},
		"spec": {*shop.Spec}, "spec-was": {""}, "do": {"preview"}}, "service/shop/service-instance/dev", "service/shop/service-instance/prod", "service/shop/pipeline: a pipeline is rendered with")
	must(f.CreateService(t.Context(), shop))(t)
	f.waitService(t, api.ServiceStatusActive)
	for path, want := range map[string]string{"/services/shop/instances/dev/update": "<mark>81</mark>", "/services/shop/pipeline/update": "service/shop/pipeline"} {
		b.posts(path, url.Values{"spec": {strings.Replace(*shop.Spec, "port: 80}", "port: 81}", 1)}, "spec-was": {""}, "do": {"preview"}}, "What would change", want)
	}
	more := strings.Replace(*shop.Spec, "- name: prod", "- name: qa\n  environment: one\n  spec: {port: 8081}\n- name: test", 1)
	body := b.posts("/services/shop/edit", url.Values{"spec": {more}, "spec-was": {""}, "do": {"preview"}}, "<mark>8081</mark>", "service/shop/service-instance/test", "is removed", "The pipeline is deployed again")
	if strings.Contains(body, "service/shop/service-instance/dev") {
		t.Error("what stays as it is is previewed")
	}
	b.posts("/services/shop/edit", url.Values{"spec": {*shop.Spec}, "spec-was": {""}, "do": {"preview"}}, "Nothing that is deployed would change.")
	b.posts("/components/new", url.Values{"name": {"queue"}, "environment": {"one"}, "template-file": {"Resources: {}"}, "manifest": {"infrastructure: {}"}, "do": {"preview"}},
		"What would change", "ValidationException")
	if out := must(f.ListServiceInstances(t.Context(), &api.ListServiceInstancesInput{}))(t); len(out.ServiceInstances) != 2 {
		t.Errorf("previews changed the instances: %+v", out.ServiceInstances)
	}
}
