package app

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

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

// field is the value of a form's field on a page.
func field(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `name="`+name+`" `)
	_, rest, _ = strings.Cut(rest, `value="`)
	value, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		t.Fatalf("the page has no field %s:\n%s", name, page)
	}
	return html.UnescapeString(value)
}

func TestTwoPeopleWhoEditTheSame(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	ann, bob := f.signedIn(t), f.signedIn(t)
	const edit = "/services/shop/edit"
	began := field(t, ann.sees(edit), "begun")
	bobs := url.Values{"begun": {field(t, bob.sees(edit), "begun")}, "description": {"Bob's shop"}, "spec": {*shop().Spec}, "spec-was": {""}, "do": {"submit"}}
	if _, page, at := bob.post(edit, bobs); at != "/services/shop" {
		t.Fatalf("the first one's change leads to %s:\n%s", at, page)
	}
	f.waitService(t, api.ServiceStatusActive)

	anns := url.Values{"begun": {strings.ReplaceAll(began, "\n", "\r\n")}, "description": {"Ann's <i>shop</i>"}, "spec": {*shop().Spec + "# hers\n"}, "spec-was": {*shop().Spec}}
	ann.posts(edit, anns, "It was changed meanwhile", "Bob&#39;s shop", "# hers") // as she types
	anns.Set("do", "submit")
	told := ann.posts(edit, anns, "It was changed meanwhile", `added">+ description: Bob&#39;s shop`, `value="Ann&#39;s &lt;i&gt;shop&lt;/i&gt;"`, "# hers")
	if got := *f.waitService(t, api.ServiceStatusActive).Description; got != "Bob's shop" {
		t.Errorf("it was changed before she was told: %s", got)
	}
	anns.Set("begun", field(t, told, "begun"))
	if _, _, at := ann.post(edit, anns); at != "/services/shop" {
		t.Errorf("the second try leads to %s", at)
	}
	if got := *f.waitService(t, api.ServiceStatusActive).Description; got != "Ann's <i>shop</i>" {
		t.Errorf("description: %s", got)
	}

	const instance = "/services/shop/instances/dev/update"
	began = field(t, ann.sees(instance), "begun")
	spec := strings.Replace(*shop().Spec, "port: 80}", "port: 81}", 1)
	must(f.UpdateServiceInstance(t.Context(), &api.UpdateServiceInstanceInput{ServiceName: p("shop"), Name: p("dev"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: &spec}))(t)
	ann.posts(instance, url.Values{"begun": {began}, "spec": {*shop().Spec}, "spec-was": {""}, "do": {"submit"}}, "It was changed meanwhile", `added">+ last deployment: `)
}

func TestFormOutlivesItsSession(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	stranger := f.browser(t)
	const path = "/environments/new?template=net"
	form := url.Values{"name": {"late"}, "f/spec/size": {"m"}, "description": {"typed \"for\" long <b>"}, "spec": {""}, "spec-was": {""}, "region": {"eu-west-3"}, "do": {"submit"}}
	_, page, at := stranger.post(path, form)
	if at != "/environments/new" || field(t, page, "region") != "eu-west-3" || !strings.Contains(page, "what you typed is kept") {
		t.Fatalf("a form without a session leads to %s:\n%s", at, page)
	}
	again := url.Values{"access-key-id": {f.server.Root.AccessKeyID}, "secret-access-key": {"wrong"}, "region": {region}}
	for _, name := range []string{"to", "name", "f/spec/size", "description", "spec", "spec-was", "kept"} {
		again.Set(name, field(t, page, name))
	}
	_, page, _ = stranger.post("/sign-in", again)
	if field(t, page, "name") != "late" || strings.Contains(page, `name="do"`) {
		t.Error("a wrong secret loses the form, or it would be submitted")
	}
	again.Set("secret-access-key", string(f.server.Root.SecretAccessKey))
	status, page, at := stranger.post("/sign-in", again)
	if status != http.StatusOK || at != "/environments/new" || field(t, page, "description") != form.Get("description") ||
		!strings.Contains(page, `value="m" selected`) || !strings.Contains(page, "You are signed in again") || strings.Contains(page, again.Get("secret-access-key")) {
		t.Errorf("status %d at %s:\n%s", status, at, page)
	}
	if out := must(f.ListEnvironments(t.Context(), &api.ListEnvironmentsInput{}))(t); len(out.Environments) != 0 {
		t.Error("signing in submitted the form")
	}

	// A check as one types changes nothing on the page; other forms lead back to it.
	stranger.post("/sign-out", nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, stranger.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Hx-Request": {"true"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	res, err := stranger.Do(r)
	status, page, _ = stranger.read(res, err)
	if status != http.StatusUnauthorized || page != "" || res.Header.Get("HX-Redirect") != "" {
		t.Errorf("a check: status %d, %v, %q", status, res.Header, page)
	}
	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, stranger.base+"/services/shop/delete", strings.NewReader("confirm=shop"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Referer": {stranger.base + "/services/shop"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	res, err = stranger.Do(r)
	if _, page, at := stranger.read(res, err); at != "/sign-in" || field(t, page, "to") != "/console/services/shop" {
		t.Errorf("another form leads to %s", at)
	}
}

// A page that follows what happens must not hold up a server that stops.
func TestStreamsEndWhenTheServerStops(t *testing.T) {
	t.Parallel()
	f := start(t)
	b := f.signedIn(t)
	f.broken = true // by closing it here
	res, err := b.Get(b.base + "/live?path=/console/environments")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	began := time.Now()
	if err := f.server.Close(t.Context()); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("closed after %s: %v", time.Since(began), err)
	}
}

// rolledOut posts a rollout's page until it has ended, and answers it, and the
// most that went on at once.
func (b *browser) rolledOut(form url.Values) (page string, most int) {
	b.t.Helper()
	eventually(b.t, "the rollout ends", func() bool {
		page = b.posts("/behind/roll-out", form)
		form = url.Values{}
		for _, part := range strings.Split(page, `<input type="hidden" `)[1:] {
			name, rest, _ := strings.Cut(strings.TrimPrefix(part, `name="`), `"`)
			value, _, _ := strings.Cut(strings.TrimPrefix(rest, ` value="`), `"`)
			form.Add(name, html.UnescapeString(value))
		}
		most = max(most, strings.Count(page, `>Running<`))
		return strings.Contains(page, `id="ended"`)
	})
	return page, most
}

func TestManyThingsAreUpdatedSomeAtATime(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	ctx := t.Context()
	for _, name := range []string{"one", "two", "three", "four"} {
		f.createEnvironment(t, name)
	}
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	b := f.signedIn(t)
	for _, kind := range []string{"instance", "environment", "pipeline"} {
		b.sees("/behind?kind="+kind, "None. All run what their template recommends")
	}
	b.sees("/behind?kind=environment&show=all", `value="environment//four"`)
	b.sees("/behind?kind=pipeline&show=all", `value="pipeline/shop/"`)

	must(f.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: p("1"), Source: s3("net.tar.gz")}))(t)
	must(f.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3("web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	for _, path := range []string{"/templates/environment/net/1/1", "/templates/service/web/1/1"} {
		eventually(t, path+" is registered", func() bool { return strings.Contains(b.sees(path), "Draft") })
		b.post(path, nil)
	}
	b.sees("/behind?kind=environment&show=minor", `value="environment//four"`, "<td>1.0</td><td>1.1</td>")
	b.sees("/behind?kind=environment&show=major", "None. All run")
	b.sees("/behind?kind=instance", `value="instance/shop/dev"`)
	b.sees("/behind?kind=pipeline", `value="pipeline/shop/"`)

	page, most := b.rolledOut(url.Values{"choose": {"environment//one", "environment//two", "environment//three", "environment//four"}, "type": {"MINOR_VERSION"}, "at-once": {"2"}})
	if most != 2 || !strings.Contains(page, "4 of 4 updated, 0 going on, 0 waiting, 0 failed or refused.") {
		t.Errorf("%d went on at once:\n%s", most, page)
	}
	b.sees("/behind?kind=environment", "None. All run")

	// One fails: with the box checked, no more are begun.
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Fail: "no <b>room</b>"})
	choice := url.Values{"choose": {"instance/shop/dev", "instance/shop/prod", "pipeline/shop/"}, "type": {"MINOR_VERSION"}, "at-once": {"1"}, "stop-on-failure": {"yes"}}
	page, _ = b.rolledOut(choice)
	if !strings.Contains(page, "0 of 3 updated, 0 going on, 2 waiting, 1 failed or refused.") || !strings.Contains(page, "no &lt;b&gt;room&lt;/b&gt;") || !strings.Contains(page, "Ended with failures") {
		t.Errorf("after a failure:\n%s", page)
	}
	choice.Del("stop-on-failure")
	choice.Set("at-once", "3")
	page, _ = b.rolledOut(choice)
	if !strings.Contains(page, "2 of 3 updated, 0 going on, 0 waiting, 1 failed or refused.") {
		t.Errorf("in spite of a failure:\n%s", page)
	}

	for want, form := range map[string]url.Values{
		"Choose what to update.": {"type": {"MINOR_VERSION"}},
		"from 1 to 20":           {"choose": {"environment//one"}, "type": {"MINOR_VERSION"}, "at-once": {"21"}},
		"newest minor or major":  {"choose": {"environment//one"}, "type": {"CURRENT_VERSION"}},
		"something that can be":  {"item": {"running secret/x/y z"}, "type": {"MINOR_VERSION"}},
		"At most 500 things":     {"choose": make([]string, 501), "type": {"MINOR_VERSION"}},
	} {
		if status, body, _ := b.post("/behind/roll-out", form); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%v: status %d, want %q", form, status, want)
		}
	}
	user := must(f.CreateUser(ctx, &api.CreateUserInput{Name: p("reader"), Policy: p(
		`{"Version": "2012-10-17", "Statement": {"Effect":"Allow","Action":["proton:Get*","proton:List*"],"Resource":"*"}}`)}))(t)
	reader := f.browser(t)
	reader.signIn(*user.AccessKeyId, *user.SecretAccessKey, "")
	if page, _ := reader.rolledOut(url.Values{"choose": {"environment//one"}, "type": {"MINOR_VERSION"}}); !strings.Contains(page, "is not authorized to perform: proton:UpdateEnvironment") {
		t.Errorf("a reader:\n%s", page)
	}
}
