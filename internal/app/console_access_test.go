package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

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
