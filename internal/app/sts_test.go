package app

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// signedBy is a key that a test signs with.
type signedBy struct {
	id     string
	secret auth.Secret
	token  string
}

func (f *fixture) root() signedBy {
	return signedBy{id: f.server.Root.AccessKeyID, secret: f.server.Root.SecretAccessKey}
}

func (f *fixture) user(t *testing.T, name, statements string) signedBy {
	t.Helper()
	u := must(f.CreateUser(t.Context(), &api.CreateUserInput{Name: &name, Policy: p(`{"Version": "2012-10-17", "Statement": ` + statements + `}`)}))(t)
	return signedBy{id: *u.AccessKeyId, secret: auth.Secret(*u.SecretAccessKey)}
}

func (f *fixture) clientOf(k signedBy) *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: f.server.URL, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, k.id, k.secret, k.token, region, "proton", time.Now())
	}})
}

// stsAnswer is what the tests read of an answer.
type stsAnswer struct {
	Status int    `xml:"-"`
	Code   string `xml:"Error>Code"`
	Text   string `xml:"Error>Message"`
	Caller struct {
		Arn, UserId, Account string
	} `xml:"GetCallerIdentityResult"`
	Role    issued `xml:"AssumeRoleResult"`
	WebRole issued `xml:"AssumeRoleWithWebIdentityResult"`
}

type issued struct {
	AccessKeyID string `xml:"Credentials>AccessKeyId"`
	Secret      string `xml:"Credentials>SecretAccessKey"`
	Token       string `xml:"Credentials>SessionToken"`
	Expiration  string `xml:"Credentials>Expiration"`
	ARN         string `xml:"AssumedRoleUser>Arn"`
	Subject     string `xml:"SubjectFromWebIdentityToken"`
	Audience    string
	Provider    string
}

func (i issued) key() signedBy {
	return signedBy{id: i.AccessKeyID, secret: auth.Secret(i.Secret), token: i.Token}
}

func (a stsAnswer) want(t *testing.T, code string) stsAnswer {
	t.Helper()
	if a.Code != code {
		t.Fatalf("status %d, %s: %s; want %q", a.Status, a.Code, a.Text, code)
	}
	return a
}

// sts calls the token service; nil: unsigned.
func (f *fixture) sts(t *testing.T, k *signedBy, parameters ...string) stsAnswer {
	t.Helper()
	form := url.Values{"Version": {"2011-06-15"}}
	for n := 0; n < len(parameters); n += 2 {
		form.Set(parameters[n], parameters[n+1])
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.server.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if k != nil {
		if err := auth.Sign(r, []byte(body), k.id, k.secret, k.token, "us-east-1", "sts", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return readSTS(t, r)
}

func readSTS(t *testing.T, r *http.Request) stsAnswer {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := stsAnswer{Status: res.StatusCode}
	if err := xml.Unmarshal(text, &a); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

func (f *fixture) role(t *testing.T, name, trust, policy string) string {
	t.Helper()
	r := must(f.CreateRole(t.Context(), &api.CreateRoleInput{
		Name: &name, TrustPolicy: p(`{"Version":"2012-10-17","Statement":` + trust + `}`), Policy: p(`{"Version":"2012-10-17","Statement":` + policy + `}`),
	}))(t)
	return *r.Role.Arn
}

func TestCallersLearnWhoTheyAre(t *testing.T) {
	t.Parallel()
	f := start(t)
	root, ann := f.root(), f.user(t, "ann", `{"Effect":"Deny","Action":"*","Resource":"*"}`)
	a := f.sts(t, &root, "Action", "GetCallerIdentity").want(t, "")
	if a.Caller.Arn != "arn:aws:iam::"+f.account+":root" || a.Caller.Account != f.account || a.Caller.UserId != f.account {
		t.Errorf("root is %+v", a.Caller)
	}
	a = f.sts(t, &ann, "Action", "GetCallerIdentity").want(t, "") // which needs no permission
	if a.Caller.Arn != "arn:aws:iam::"+f.account+":user/ann" || !strings.HasPrefix(a.Caller.UserId, "AIDA") {
		t.Errorf("ann is %+v", a.Caller)
	}
	f.sts(t, nil, "Action", "GetCallerIdentity").want(t, "MissingAuthenticationToken")
	f.sts(t, &signedBy{id: "AKIANOBODYNOBODYNOBO", secret: "x"}, "Action", "GetCallerIdentity").want(t, "InvalidClientTokenId")
	f.sts(t, &signedBy{id: root.id, secret: "wrong"}, "Action", "GetCallerIdentity").want(t, "SignatureDoesNotMatch")
	f.sts(t, &root, "Action", "GetFederationToken").want(t, "InvalidAction")
	f.sts(t, &root, "Action", "GetCallerIdentity", "Version", "2099-01-01").want(t, "NoSuchVersion")
	f.sts(t, &root, "Action", "GetCallerIdentity", "Extra", "1").want(t, "ValidationError")
}

func TestRolesAreAssumedByWhomTheyTrust(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	ci := f.user(t, "ci", `{"Effect":"Allow","Action":"proton:ListServices","Resource":"*"}`)
	asker := f.user(t, "asker", `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/b*"}`)
	barred := f.user(t, "barred", `{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`)
	user := func(name string) string { return `"arn:aws:iam::` + f.account + `:user/` + name + `"` }
	named := f.role(t, "named", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":[`+user("ci")+`,`+user("barred")+`]}}`,
		`[{"Effect":"Allow","Action":"proton:Get*","Resource":"*"},{"Effect":"Allow","Action":"proton:ListServices","Resource":"*"}]`)
	byAccount := f.role(t, "by-account", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"`+f.account+`"},"Condition":{"StringEquals":{"sts:ExternalId":"7"}}}`,
		`{"Effect":"Allow","Action":"proton:*","Resource":"*"}`)

	ask := func(k signedBy, role string, more ...string) stsAnswer {
		return f.sts(t, &k, append([]string{"Action", "AssumeRole", "RoleArn", role, "RoleSessionName", "build-7"}, more...)...)
	}
	session := ask(ci, named).want(t, "").Role
	if want := "arn:aws:sts::" + f.account + ":assumed-role/named/build-7"; session.ARN != want {
		t.Errorf("session %s, want %s", session.ARN, want)
	}
	if until, err := time.Parse(time.RFC3339, session.Expiration); err != nil || time.Until(until) > time.Hour || time.Until(until) < 59*time.Minute {
		t.Errorf("expires %s, want in an hour: %v", session.Expiration, err)
	}
	ask(asker, named).want(t, "AccessDenied")
	ask(barred, named).want(t, "AccessDenied")
	ask(ci, byAccount, "ExternalId", "7").want(t, "AccessDenied") // not allowed to ask
	ask(asker, byAccount).want(t, "AccessDenied")                 // without the external id
	ask(asker, byAccount, "ExternalId", "7").want(t, "")
	ask(asker, byAccount+"x", "ExternalId", "7").want(t, "AccessDenied")
	if a := ask(ci, "arn:aws:iam::"+f.account+":role/none").want(t, "AccessDenied"); !strings.Contains(a.Text, "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::"+f.account+":role/none") {
		t.Errorf("refusal %q", a.Text)
	}
	ask(ci, named, "DurationSeconds", "7200").want(t, "ValidationError")
	ask(ci, named, "DurationSeconds", "60").want(t, "ValidationError")
	ask(ci, named, "RoleSessionName", "a b").want(t, "ValidationError")
	ask(ci, named, "Tags.member.1.Key", "a").want(t, "ValidationError")
	ask(ci, named, "Policy", "{").want(t, "MalformedPolicyDocument")
	ask(ci, "named").want(t, "ValidationError")

	// What a session may do is its role's, narrowed by its own policy.
	c := f.clientOf(session.key())
	must(c.ListServices(ctx, &api.ListServicesInput{}))(t)
	_, err := c.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("x")})
	if want := "User: " + session.ARN + " is not authorized to perform: proton:CreateServiceTemplate"; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	narrowed := ask(ci, named, "Policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"proton:Get*","Resource":"*"}}`).want(t, "").Role
	if _, err := f.clientOf(narrowed.key()).ListServices(ctx, &api.ListServicesInput{}); !strings.Contains(fmt.Sprint(err), "because no session policy allows the proton:ListServices action") {
		t.Errorf("got %v", err)
	}
	key := session.key()
	if a := f.sts(t, &key, "Action", "GetCallerIdentity").want(t, ""); a.Caller.Arn != session.ARN || !strings.HasSuffix(a.Caller.UserId, ":build-7") {
		t.Errorf("the session is %+v", a.Caller)
	}

	// Tokens that do not belong to the key, and keys without theirs.
	for name, k := range map[string]signedBy{
		"another session's token": {key.id, key.secret, narrowed.Token},
		"no token":                {key.id, key.secret, ""},
		"half a token":            {key.id, key.secret, key.token[:len(key.token)/2]},
		"a user's key with one":   {ci.id, ci.secret, key.token},
	} {
		if _, err := f.clientOf(k).ListServices(ctx, &api.ListServicesInput{}); code(err) != "UnrecognizedClientException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	k := key
	k.secret = "wrong"
	if _, err := f.clientOf(k).ListServices(ctx, &api.ListServicesInput{}); code(err) != "InvalidSignatureException" {
		t.Errorf("a wrong secret: %v", err)
	}

	// Changes of the role hold at once, and its sessions end with it.
	must(f.UpdateRole(ctx, &api.UpdateRoleInput{Name: p("named"), ManagedPolicies: []string{"AWSProtonFullAccess"}}))(t)
	must(c.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("x")}))(t)
	must(f.DeleteRole(ctx, &api.DeleteRoleInput{Name: p("named")}))(t)
	if _, err := c.ListServices(ctx, &api.ListServicesInput{}); code(err) != "UnrecognizedClientException" {
		t.Errorf("after its role was deleted: %v", err)
	}
	f.role(t, "named", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}`, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	if _, err := c.ListServices(ctx, &api.ListServicesInput{}); code(err) != "UnrecognizedClientException" {
		t.Errorf("with another role of that name: %v", err)
	}
}

func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.role(t, "short", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}`, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	now := time.Now().Add(time.Second).UTC()
	for name, tt := range map[string]struct {
		expires time.Time
		want    string
	}{"lives": {now.Add(time.Hour), "<nil>"}, "is over": {now.Add(-2 * time.Second), "ExpiredTokenException"}} {
		g := auth.Grant{Secret: "s3cret", AccountID: f.account, RoleName: "short", SessionName: "x", IssuedAt: now, Expires: tt.expires}
		token, err := f.server.keys.sealer.SealGrant(g, "ASIATESTTESTTESTTEST")
		if err != nil {
			t.Fatal(err)
		}
		k := signedBy{"ASIATESTTESTTESTTEST", "s3cret", token}
		if _, err := f.clientOf(k).ListServices(t.Context(), &api.ListServicesInput{}); code(err) != tt.want {
			t.Errorf("a session that %s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestAccessKeysAreRotated(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	first := f.user(t, "ann", `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	works := func(k signedBy) bool {
		_, err := f.clientOf(k).ListServices(ctx, &api.ListServicesInput{})
		return err == nil
	}
	rotated := must(f.RotateAccessKey(ctx, &api.RotateAccessKeyInput{UserName: p("ann"), GraceSeconds: api.Ptr(int64(1))}))(t)
	second := signedBy{id: *rotated.AccessKeyId, secret: auth.Secret(*rotated.SecretAccessKey)}
	if !works(first) || !works(second) {
		t.Error("during the grace both keys should work")
	}
	if _, err := f.CreateAccessKey(ctx, &api.CreateAccessKeyInput{UserName: p("ann")}); code(err) != "ServiceQuotaExceededException" {
		t.Errorf("a third key: %v", err)
	}
	eventually(t, "the old key ends", func() bool { return !works(first) })
	must(f.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{UserName: p("ann"), AccessKeyId: &second.id, Status: api.Ptr(api.AccessKeyStatusInactive)}))(t)
	if works(second) {
		t.Error("a key that is switched off works")
	}
	must(f.UpdateAccessKey(ctx, &api.UpdateAccessKeyInput{UserName: p("ann"), AccessKeyId: &second.id, Status: api.Ptr(api.AccessKeyStatusActive)}))(t)
	rotated = must(f.RotateAccessKey(ctx, &api.RotateAccessKeyInput{UserName: p("ann")}))(t)
	third := signedBy{id: *rotated.AccessKeyId, secret: auth.Secret(*rotated.SecretAccessKey)}
	if works(second) || !works(third) {
		t.Error("without grace the new key alone should work")
	}
	list := must(f.ListAccessKeys(ctx, &api.ListAccessKeysInput{UserName: p("ann")}))(t)
	if len(list.AccessKeys) != 1 || *list.AccessKeys[0].AccessKeyId != third.id {
		t.Errorf("keys %+v", list.AccessKeys)
	}
	must(f.DeleteUser(ctx, &api.DeleteUserInput{Name: p("ann")}))(t)
	if works(third) {
		t.Error("a deleted user's key works")
	}

	if onPostgres() {
		return
	}
	database, err := os.ReadFile(f.server.config.Data + "/hadron.db")
	if err != nil {
		t.Fatal(err)
	}
	wal, _ := os.ReadFile(f.server.config.Data + "/hadron.db-wal")
	for _, k := range []signedBy{first, second, third} {
		if strings.Contains(string(database)+string(wal), string(k.secret)) {
			t.Error("the database tells a secret")
		}
	}
}

func TestUsersAndRolesAreOfOneAccount(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	admin := f.user(t, "admin", `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	other := p("210987654321")
	if _, err := f.clientOf(admin).ListUsers(ctx, &api.ListUsersInput{AccountId: other}); refusal(err) == "" {
		t.Errorf("a user looked into another account: %v", err)
	}
	must(f.CreateUser(ctx, &api.CreateUserInput{Name: p("there"), AccountId: other, ManagedPolicies: []string{"AWSProtonReadOnlyAccess"}}))(t)
	here, there := must(f.ListUsers(ctx, &api.ListUsersInput{}))(t), must(f.ListUsers(ctx, &api.ListUsersInput{AccountId: other}))(t)
	if len(here.Users) != 1 || len(there.Users) != 1 || *there.Users[0].Arn != "arn:aws:iam::210987654321:user/there" {
		t.Errorf("users %+v and %+v", here.Users, there.Users)
	}
	for _, in := range []*api.CreateUserInput{
		{Name: p("a")},
		{Name: p("a"), ManagedPolicies: []string{"Nothing"}},
		{Name: p("a"), Policy: p(`{"Statement":{"Effect":"Allow","Action":"x"}}`)},
	} {
		if _, err := f.CreateUser(ctx, in); code(err) != "ValidationException" {
			t.Errorf("CreateUser %+v: %v", in, err)
		}
	}
	e := must(f.ExplainAccess(ctx, &api.ExplainAccessInput{PrincipalArn: p("arn:aws:iam::" + f.account + ":user/admin"), Action: p("proton:GetService")}))(t)
	if *e.Decision != api.AccessDecisionAllowed || *e.Statement != 1 || *e.Line != 1 {
		t.Errorf("explanation %+v", e)
	}
}
