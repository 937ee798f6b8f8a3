package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

func TestPagesOfResourcesSayWhoDidWhat(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	must(f.UpdateEnvironment(t.Context(), &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	b := f.signedIn(t)
	b.sees("/environments/one", "Who did what", "CreateEnvironment", "UpdateEnvironment", "/console/audit?resource=arn%3Aaws")
	b.sees("/audit?resource="+url.QueryEscape(f.arn("environment/one"))+"&call=UpdateEnvironment", "UpdateEnvironment", `value="UpdateEnvironment"`)
	if body := b.sees("/audit?call=UpdateEnvironment", "UpdateEnvironment"); strings.Contains(body, "<td>CreateEnvironment") {
		t.Error("calls that were not asked for are shown")
	}
	b.sees("/audit?call=Nothing", "Nothing of that kind has been recorded.")

	// Who may not read the log sees the page without it.
	key := must(f.CreateUser(t.Context(), &api.CreateUserInput{Name: p("reader"), Policy: p(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"}}`)}))(t)
	reader := f.browser(t)
	reader.signIn(*key.AccessKeyId, string(*key.SecretAccessKey), "")
	if body := reader.sees("/environments/one", "Tags"); strings.Contains(body, "Who did what") {
		t.Error("the log is shown to who may not read it")
	}
	if refused := f.audited(t, "ListAuditEvents"); len(refused) > 0 {
		t.Errorf("to look at the page is a refused call: %v", refused)
	}
}

func TestUsersAndKeysInTheConsole(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	b := f.signedIn(t)
	b.sees("/access", "No users yet", "No roles yet")
	policy := `{"Version": "2012-10-17", "Statement": {"Sid": "Look<b>", "Effect": "Allow", "Action": ["proton:Get*"], "Resource": "*"}}`
	user := must(f.CreateUser(ctx, &api.CreateUserInput{Name: p("ci"), Policy: &policy}))(t)
	must(f.CreateRole(ctx, &api.CreateRoleInput{Name: p("deployer"), Policy: &policy, TrustPolicy: p(
		`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}`)}))(t)
	b.sees("/access", `href="/console/access/users/ci"`, "one of its own", "deployer", "sts:AssumeRole")
	const page = "/access/users/ci"
	if body := b.sees(page, *user.AccessKeyId, "Active", "Deactivate", "Look&lt;b&gt;"); strings.Contains(body, *user.SecretAccessKey) {
		t.Error("the page shows a secret")
	}
	b.sees(page+"?action=proton:GetService", ">Allowed<", "by statement 1 (Look&lt;b&gt;)")
	if body := b.sees(page + "?action=proton:DeleteService&resource=*"); !strings.Contains(body, "Not allowed by any statement") {
		t.Errorf("what is not allowed: %s", body)
	}

	other := f.browser(t)
	other.signIn(*user.AccessKeyId, *user.SecretAccessKey, "")
	if status, body, _ := other.get("/access"); status != http.StatusForbidden || !strings.Contains(body, "iam:ListUsers") {
		t.Errorf("one who may not list users: status %d\n%s", status, body)
	}
	if body := b.posts(page, url.Values{"do": {"policy"}, "managed": {"NoSuch"}, "policy": {`{"Statement": <i>}`}}, "ValidationException", `value="NoSuch"`, "&lt;i&gt;"); strings.Contains(body, "<i>}") {
		t.Error("a refused policy is shown as markup")
	}
	b.post(page, url.Values{"do": {"policy"}, "managed": {"AWSProtonReadOnlyAccess"}, "policy": {strings.Replace(policy, "Get*", "List*", 1)}})
	b.sees(page, `value="AWSProtonReadOnlyAccess"`, "proton:List*")

	b.post(page, url.Values{"do": {"deactivate"}, "key": {*user.AccessKeyId}})
	b.sees(page, "Inactive", "Activate", "Delete "+*user.AccessKeyId)
	if _, _, at := other.get("/services"); at != "/sign-in" {
		t.Errorf("with a key that is not active one gets to %s", at)
	}
	b.post(page, url.Values{"do": {"activate"}, "key": {*user.AccessKeyId}})
	b.sees(page, ">Active<")
	b.post(page, url.Values{"do": {"delete-key"}, "key": {*user.AccessKeyId}})
	b.sees(page, "None: this user cannot sign in.")
	for _, form := range []url.Values{{"do": {"delete"}, "confirm": {"no"}}, {"do": {"else"}}} {
		if status, _, _ := b.post(page, form); status != http.StatusBadRequest {
			t.Errorf("%v: status %d", form, status)
		}
	}
	if _, _, at := b.post(page, url.Values{"do": {"delete"}, "confirm": {"ci"}}); at != "/access" {
		t.Errorf("deleting leads to %s", at)
	}
	if status, _, _ := b.get(page); status != http.StatusNotFound {
		t.Errorf("the deleted user: status %d", status)
	}
}
