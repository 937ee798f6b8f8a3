package app

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// browser is somebody at the console: it keeps cookies and follows redirects,
// as a browser without JavaScript does.
type browser struct {
	t    *testing.T
	base string
	http.Client
}

func (f *fixture) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, f.server.URL + "/console", http.Client{Jar: jar}}
}

// get answers a page, and the path it was found at.
func (b *browser) get(path string) (status int, body, at string) {
	b.t.Helper()
	res, err := b.Get(b.base + path)
	return b.read(res, err)
}

func (b *browser) post(path string, form url.Values) (status int, body, at string) {
	b.t.Helper()
	res, err := b.PostForm(b.base+path, form)
	return b.read(res, err)
}

func (b *browser) read(res *http.Response, err error) (int, string, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(body), strings.TrimPrefix(res.Request.URL.Path, "/console")
}

// sees fails the test unless a page holds each text.
func (b *browser) sees(path string, texts ...string) string {
	b.t.Helper()
	status, body, _ := b.get(path)
	if status != http.StatusOK {
		b.t.Errorf("%s: status %d", path, status)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			b.t.Errorf("%s does not say %q:\n%s", path, text, body)
		}
	}
	return body
}

func (f *fixture) signedIn(t *testing.T) *browser {
	t.Helper()
	b := f.browser(t)
	b.signIn(f.server.Root.AccessKeyID, string(f.server.Root.SecretAccessKey), "")
	return b
}

func (b *browser) signIn(id, secret, to string) (status int, body, at string) {
	b.t.Helper()
	return b.post("/sign-in", url.Values{"access-key-id": {id}, "secret-access-key": {secret}, "region": {region}, "to": {to}})
}

func TestConsoleIsForThoseWhoSignIn(t *testing.T) {
	t.Parallel()
	f := start(t)
	b := f.browser(t)
	if _, body, at := b.get("/services"); at != "/sign-in" || !strings.Contains(body, `value="/console/services"`) {
		t.Errorf("a stranger got to %s", at)
	}
	if status, body, _ := b.signIn(f.server.Root.AccessKeyID, "wrong", ""); status != http.StatusForbidden || strings.Contains(body, "wrong") {
		t.Errorf("a wrong secret: status %d", status)
	}
	if status, _, at := b.signIn(f.server.Root.AccessKeyID, string(f.server.Root.SecretAccessKey), "/console/services"); status != http.StatusOK || at != "/services" {
		t.Errorf("signed in: status %d at %s", status, at)
	}
	b.sees("/", "000000000000", region)
	if _, _, at := b.post("/sign-out", nil); at != "/sign-in" {
		t.Errorf("signed out to %s", at)
	}
	if _, _, at := b.get("/"); at != "/sign-in" {
		t.Errorf("after signing out: %s", at)
	}
}

func TestFailedSignInsAreSlowedDown(t *testing.T) {
	t.Parallel()
	f := start(t)
	b := f.browser(t)
	for range 5 {
		if status, _, _ := b.signIn(f.server.Root.AccessKeyID, "guess", ""); status != http.StatusForbidden {
			t.Fatalf("status %d", status)
		}
	}
	if status, _, _ := b.signIn(f.server.Root.AccessKeyID, string(f.server.Root.SecretAccessKey), ""); status != http.StatusTooManyRequests {
		t.Errorf("the sixth try: status %d", status)
	}
}

func TestServiceIsMadeWithForms(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	b := f.signedIn(t)
	b.sees("/environments/new", "net")
	b.sees("/environments/new?template=net", "size")
	status, _, at := b.post("/environments/new?template=net", url.Values{"name": {"one"}, "f/spec/size": {"m"}, "spec": {""}, "spec-was": {""}, "do": {"submit"}})
	if status != http.StatusOK || at != "/environments/one" {
		t.Fatalf("status %d at %s", status, at)
	}
	eventually(t, "the environment is deployed", func() bool { return strings.Contains(b.sees("/environments/one"), "Succeeded") })
	b.sees("/environments/one", "size: m")

	b.sees("/services/new?template=web", "port", `<option value="one"`)
	form := url.Values{
		"name": {"shop"}, "repository-id": {"acme/shop"}, "branch-name": {"main"}, "repository-connection-arn": {connection},
		"instances": {"1"}, "i/0/name": {"dev"}, "i/0/environment": {"one"}, "f/0/port": {"70000"}, "spec": {""}, "spec-was": {""},
	}
	if _, body, at := b.post("/services/new?template=web", form); at != "/services/new" || !strings.Contains(body, "70000 is greater than maximum 65535") {
		t.Errorf("a wrong port is not said at its field: %s", body)
	}
	form.Set("do", "submit")
	if _, body, _ := b.post("/services/new?template=web", form); !strings.Contains(body, "ValidationException") || !strings.Contains(body, `value="shop"`) {
		t.Errorf("a refused form does not show why, or loses what was typed: %s", body)
	}
	form.Set("f/0/port", "80")
	if status, _, at := b.post("/services/new?template=web", form); status != http.StatusOK || at != "/services/shop" {
		t.Fatalf("status %d at %s", status, at)
	}
	f.waitService(t, api.ServiceStatusActive)
	b.sees("/services/shop", "Active", "dev", "Pipeline", "acme/shop")
	b.sees("/services/shop/instances/dev", "Succeeded", "port: 80")
	b.sees("/services/shop/pipeline", "Succeeded")
	b.sees("/", "shop / dev", "1 up to date")
}

func TestFailedDeploymentIsExplainedAndTriedAgain(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Fail: "the quota of addresses is used up"}, enginetest.Script{})
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusCreateFailed)
	b := f.signedIn(t)
	b.sees("/", "the quota of addresses is used up")
	b.sees("/services/shop/instances/dev", "the quota of addresses is used up", "Failed")
	page := b.sees("/services/shop/instances/dev/update", "port")
	if !strings.Contains(page, "(as now)") {
		t.Error("the version it has is not marked")
	}
	spec := *shop().Spec
	_, body, at := b.post("/services/shop/instances/dev/update", url.Values{"version": {"1.0"}, "spec": {spec}, "spec-was": {""}, "do": {"submit"}})
	if at != "/services/shop/instances/dev" {
		t.Fatalf("at %s: %s", at, body)
	}
	eventually(t, "the instance is deployed", func() bool { return strings.Contains(b.sees("/services/shop/instances/dev"), "Succeeded") })
}

func TestConsoleRefusesWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	user := must(f.CreateUser(t.Context(), &api.CreateUserInput{Name: p("reader"),
		Policy: p(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"}}`)}))(t)
	b := f.browser(t)
	b.signIn(*user.AccessKeyId, *user.SecretAccessKey, "")
	b.sees("/templates", "net", "web")
	status, body, _ := b.post("/environments/new?template=net", url.Values{"name": {"one"}, "spec": {"proton: EnvironmentSpec\nspec: {}\n"}, "spec-was": {""}, "do": {"submit"}})
	if !strings.Contains(body, "AccessDeniedException") || !strings.Contains(body, "proton:CreateEnvironment") {
		t.Errorf("status %d: %s", status, body)
	}
	status, _, _ = b.post("/templates/environment/net/1/0", nil)
	if status != http.StatusForbidden {
		t.Errorf("a version was published by a reader: status %d", status)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	b := f.signedIn(t)
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/tags", strings.NewReader("key=a&value=b&arn="+f.arn("environment-template/net")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(name, value)
		if status, _, _ := b.read(b.Do(r)); status != http.StatusForbidden {
			t.Errorf("%s %s: status %d", name, value, status)
		}
	}
	for _, tag := range must(f.ListTagsForResource(t.Context(), &api.ListTagsForResourceInput{ResourceArn: p(f.arn("environment-template/net"))}))(t).Tags {
		if *tag.Key == "a" {
			t.Error("the tag was put")
		}
	}
}

func TestMarkupInWhatPeopleWriteIsShownAsText(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	f.engine.On(f.arn("environment/one"), enginetest.Script{Log: hostile, Fail: hostile})
	must(f.CreateEnvironment(t.Context(), &api.CreateEnvironmentInput{Name: p("one"), Description: p(hostile), TemplateName: p("net"), TemplateMajorVersion: p("1"),
		Spec: p("proton: EnvironmentSpec\n# " + hostile + "\n")}))(t)
	eventually(t, "the deployment has failed", func() bool {
		return *must(f.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: p("one")}))(t).Environment.DeploymentStatus == api.DeploymentStatusFailed
	})
	id := must(f.ListDeployments(t.Context(), &api.ListDeploymentsInput{EnvironmentName: p("one")}))(t).Deployments[0].Id
	b := f.signedIn(t)
	for _, path := range []string{"/", "/environments", "/environments/one", "/environments/one/update", "/deployments/" + *id} {
		if body := b.sees(path); strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s has the markup in it", path)
		}
	}
	res, err := b.Get(b.base + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy: %s", policy)
	}
}

func TestPagesFollowWhatHappens(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	b := f.signedIn(t)
	page := b.sees("/environments")
	_, seen, _ := strings.Cut(page, `data-seen="`)
	seen, _, _ = strings.Cut(seen, `"`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/live?seen="+seen+"&path="+url.QueryEscape("/console/environments"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %s", got)
	}
	buf := make([]byte, 4096)
	n, _ := res.Body.Read(buf)
	if got := string(buf[:n]); strings.Contains(got, "changed") {
		t.Errorf("told of a change when there was none: %s", got)
	}
	f.createEnvironment(t, "one")
	n, err = res.Body.Read(buf)
	if got := string(buf[:n]); err != nil || !strings.Contains(got, "event: changed") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDraftIsPublishedInTheConsole(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	must(f.CreateServiceTemplateVersion(t.Context(), &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3("web.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	b := f.signedIn(t)
	eventually(t, "the version is registered", func() bool { return strings.Contains(b.sees("/templates/service/web/1/1"), "Draft") })
	b.sees("/templates/service/web/1/1", "port", "1 to 65535", "Dockerfile", "Publish")
	b.post("/templates/service/web/1/1", nil)
	b.sees("/templates/service/web/1/1", "Published")
	b.sees("/templates/service/web", "1.1", "Recommended")
}

func TestComponentIsMadeDetachedAndDeletedInTheConsole(t *testing.T) {
	t.Parallel()
	f := withComponents(t)
	b := f.signedIn(t)
	b.sees("/components", "No components here yet")
	form := url.Values{"name": {"queue"}, "attached": {"shop/prod"}, "template-file": {queueTemplate}, "manifest": {"nothing"}, "do": {"submit"}}
	if _, body, _ := b.post("/components/new", form); !strings.Contains(body, "ValidationException") || !strings.Contains(body, `value="shop/prod"`) {
		t.Errorf("a wrong manifest: %s", body)
	}
	form.Set("manifest", componentManifest)
	if _, body, at := b.post("/components/new", form); at != "/components/queue" {
		t.Fatalf("at %s: %s", at, body)
	}
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	b.sees("/components/queue", "Succeeded", "shop / prod", "{{ component.name }}")
	if _, body, _ := b.post("/components/queue/update", url.Values{"attached": {"shop/dev"}, "template-file": {queueTemplate}, "do": {"submit"}}); !strings.Contains(body, "ConflictException") {
		t.Errorf("moved without being detached: %s", body)
	}
	f.engine.On(f.arn("component/queue"), enginetest.Script{Preview: engine.Changes{Summary: "1 to replace"}})
	b.posts("/components/queue/update", url.Values{"template-file": {loneTemplate}, "do": {"preview"}}, "What would change", "1 to replace", "queue in one")
	b.sees("/components/queue", "shop / prod") // only a preview
	if _, body, at := b.post("/components/queue/update", url.Values{"template-file": {loneTemplate}, "do": {"submit"}}); at != "/components/queue" {
		t.Fatalf("at %s: %s", at, body)
	}
	f.waitComponent(t, api.DeploymentStatusSucceeded)
	b.sees("/components", "queue", "nothing")
	if status, _, _ := b.post("/components/queue/delete", url.Values{"confirm": {"other"}}); status != http.StatusBadRequest {
		t.Errorf("deleted without being confirmed: status %d", status)
	}
	b.post("/components/queue/delete", url.Values{"confirm": {"queue"}})
	eventually(t, "the component is gone", func() bool {
		status, _, _ := b.get("/components/queue")
		return status == http.StatusNotFound
	})
}

func TestVersionSaysWhatChangedSinceTheOneBefore(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.put(t, "/templates/next.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":                    serviceSchema + "        branch: {type: string, default: main}\n",
		"instance_infrastructure/manifest.yaml": manifest, "pipeline_infrastructure/manifest.yaml": manifest,
	}))
	must(f.CreateServiceTemplateVersion(t.Context(), &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3("next.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	b := f.signedIn(t)
	eventually(t, "the version is registered", func() bool { return strings.Contains(b.sees("/templates/service/web/1/1"), "Draft") })
	b.sees("/templates/service/web/1/1", "Changes since 1.0", `<span class="line added">+         branch:`)
}

func TestFailedDeploymentIsTriedAgainFromItsPage(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	f.engine.On(f.arn("service/shop/service-instance/dev"), enginetest.Script{Fail: "the quota is used up", Log: "asking for an address\n"}, enginetest.Script{})
	must(f.CreateService(t.Context(), shop()))(t)
	f.waitService(t, api.ServiceStatusCreateFailed)
	instance := must(f.GetServiceInstance(t.Context(), &api.GetServiceInstanceInput{ServiceName: p("shop"), Name: p("dev")}))(t).ServiceInstance
	b := f.signedIn(t)
	failed := "/deployments/" + *instance.LastAttemptedDeploymentId
	b.sees(failed, "the quota is used up", "What to do next", "Timeline", "asking for an address", "Try again")
	status, _, at := b.post(failed, url.Values{"do": {"retry"}})
	if status != http.StatusOK || at == failed || !strings.HasPrefix(at, "/deployments/") {
		t.Fatalf("tried again: status %d at %s", status, at)
	}
	eventually(t, "the second try has succeeded", func() bool { return strings.Contains(b.sees(at), `<span class="status good">Succeeded</span>`) })
}

func TestResourceIsAbandonedOnlyWhenConfirmed(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	b := f.signedIn(t)
	form := url.Values{"resource": {"environment/one"}, "back": {"environments"}, "do": {"abandon"}, "confirm": {"two"}}
	if status, _, _ := b.post("/last-resort", form); status != http.StatusBadRequest {
		t.Errorf("abandoned without being confirmed: status %d", status)
	}
	form.Set("confirm", "one")
	if status, _, at := b.post("/last-resort", form); status != http.StatusOK || at != "/environments" {
		t.Errorf("status %d at %s", status, at)
	}
	if status, _, _ := b.get("/environments/one"); status != http.StatusNotFound {
		t.Errorf("the environment is still there: status %d", status)
	}
	if !f.engine.Exists(f.arn("environment/one")) {
		t.Error("what it had provisioned is gone")
	}
	b.sees("/audit", "AbandonResource", "CreateEnvironment")
}

func TestRepositoryIsLinkedInTheConsole(t *testing.T) {
	t.Parallel()
	f := start(t)
	made := must(f.CreateConnection(t.Context(), &api.CreateConnectionInput{Name: p("main"), Provider: api.Ptr(api.ConnectionProviderGithub),
		Kind: api.Ptr(api.ConnectionKindGit), Url: p("https://git.example")}))(t)
	b := f.signedIn(t)
	b.sees("/repositories", "main", "https://git.example", "None yet")
	_, body, at := b.post("/repositories", url.Values{"name": {"acme/shared"}, "provider": {"GITHUB"}, "connection": {*made.ConnectionArn}})
	if at != "/repositories" || !strings.Contains(body, "acme/shared") {
		t.Errorf("at %s: %s", at, body)
	}
	b.post("/repositories", url.Values{"name": {"acme/shared"}, "provider": {"GITHUB"}, "do": {"unlink"}})
	if body := b.sees("/repositories"); strings.Contains(body, "acme/shared") {
		t.Error("the repository is still linked")
	}
}
