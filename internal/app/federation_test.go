package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/oidc/oidctest"
)

// federated is a server that knows a provider, and exchanges its tokens.
func federated(t *testing.T, change ...func(*Config)) (*fixture, *oidctest.Provider, func(role, token string) stsAnswer) {
	t.Helper()
	return federatedBy(t, oidctest.New(t), change...)
}

func federatedBy(t *testing.T, p *oidctest.Provider, change ...func(*Config)) (*fixture, *oidctest.Provider, func(role, token string) stsAnswer) {
	t.Helper()
	f := start(t, append(change, func(c *Config) { c.IdentityProviderCA = p.CA() })...)
	must(f.CreateIdentityProvider(t.Context(), &api.CreateIdentityProviderInput{Url: &p.URL, ClientIds: []string{oidctest.Client, "sts.amazonaws.com"}}))(t)
	return f, p, func(role, token string) stsAnswer {
		t.Helper()
		return f.sts(t, nil, "Action", "AssumeRoleWithWebIdentity", "RoleArn", role, "RoleSessionName", "build", "WebIdentityToken", token)
	}
}

// webTrust is a statement that trusts a provider's identities under a condition.
func (f *fixture) webTrust(p *oidctest.Provider, condition string) string {
	return `{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"` + auth.ProviderARN(f.account, p.URL) + `"},
		"Condition":` + strings.ReplaceAll(condition, "idp:", p.Host+":") + `}`
}

func TestTokensOfIdentityProvidersOpenRoles(t *testing.T) {
	t.Parallel()
	f, p, exchange := federated(t)
	const listing = `{"Effect":"Allow","Action":"proton:ListServices","Resource":"*"}`
	role := f.role(t, "deployer", f.webTrust(p, `{"StringEquals":{"idp:aud":"hadron"},"StringLike":{"idp:sub":"repo:acme/*:ref:refs/heads/main"}}`), listing)
	byClaim := f.role(t, "by-claim", f.webTrust(p, `{"StringEquals":{"idp:repository_owner":"acme"},"ForAnyValue:StringEquals":{"idp:groups":"ops"}}`), listing)
	stranger := f.role(t, "stranger", `{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::`+f.account+`:oidc-provider/other.example.com"}}`, listing)
	anybody := f.role(t, "anybody", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}`, listing)
	main := p.Sign(jose.RS256, p.Claims("repo:acme/app:ref:refs/heads/main"))

	session := exchange(role, main).want(t, "").WebRole
	if want := "arn:aws:sts::" + f.account + ":assumed-role/deployer/build"; session.ARN != want {
		t.Errorf("session %s, want %s", session.ARN, want)
	}
	if session.Subject != "repo:acme/app:ref:refs/heads/main" || session.Audience != oidctest.Client || session.Provider != p.URL {
		t.Errorf("the answer tells of %+v", session)
	}
	client := f.clientOf(session.key())
	must(client.ListServices(t.Context(), &api.ListServicesInput{}))(t)
	if _, err := client.ListEnvironments(t.Context(), &api.ListEnvironmentsInput{}); code(err) != "AccessDeniedException" {
		t.Errorf("the session may do more than its role: %v", err)
	}
	exchange(byClaim, p.Sign(jose.ES256, p.Claims("x", map[string]any{"repository_owner": "acme", "groups": []string{"dev", "ops"}}))).want(t, "")

	for name, c := range map[string]struct{ role, token, code, text string }{
		"another branch":            {role, p.Sign(jose.RS256, p.Claims("repo:acme/app:ref:refs/heads/dev")), "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"another client":            {role, p.Sign(jose.RS256, p.Claims("repo:acme/app:ref:refs/heads/main", map[string]any{"aud": "sts.amazonaws.com"})), "AccessDenied", ""},
		"issued to another":         {role, p.Sign(jose.RS256, p.Claims("repo:acme/app:ref:refs/heads/main", map[string]any{"azp": "another"})), "AccessDenied", ""},
		"another group":             {byClaim, p.Sign(jose.RS256, p.Claims("x", map[string]any{"repository_owner": "acme", "groups": []string{"dev"}})), "AccessDenied", ""},
		"no claim at all":           {byClaim, main, "AccessDenied", ""},
		"a role that trusts others": {stranger, main, "AccessDenied", ""},
		"a role for everybody":      {anybody, main, "AccessDenied", ""},
		"a role that is not there":  {role + "2", main, "AccessDenied", ""},
		"a wrong audience":          {role, p.Sign(jose.RS256, p.Claims("x", map[string]any{"aud": "x"})), "InvalidIdentityToken", "Incorrect token audience"},
		"an expired token":          {role, p.Sign(jose.RS256, p.Claims("x", map[string]any{"exp": time.Now().Unix() - 1})), "ExpiredTokenException", "Token expired: current date/time"},
		"another provider":          {role, p.Sign(jose.RS256, p.Claims("x", map[string]any{"iss": "https://other.example.com"})), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://other.example.com"},
		"no token":                  {role, "abc", "InvalidIdentityToken", "The ID Token provided is not a valid JWT"},
		"another account's role":    {strings.Replace(role, f.account, "999988887777", 1), main, "InvalidIdentityToken", "No OpenIDConnect provider found"},
	} {
		if a := exchange(c.role, c.token); a.Code != c.code || !strings.Contains(a.Text, c.text) {
			t.Errorf("%s: %s: %s; want %s: %s", name, a.Code, a.Text, c.code, c.text)
		}
	}
	p.Break(true)
	p.Rotate()
	f.server.tokens.Now = func() time.Time { return time.Now().Add(time.Minute) }
	exchange(role, p.Sign(jose.RS256, p.Claims("repo:acme/app:ref:refs/heads/main"))).want(t, "IDPCommunicationError")

	must(f.DeleteIdentityProvider(t.Context(), &api.DeleteIdentityProviderInput{Url: &p.URL}))(t)
	exchange(role, main).want(t, "InvalidIdentityToken")
	must(client.ListServices(t.Context(), &api.ListServicesInput{}))(t) // until the session ends

	found := false
	for _, record := range f.audited(t, "AssumeRoleWithWebIdentity") {
		who, _ := record["userIdentity"].(map[string]any)
		found = found || who["type"] == "WebIdentityUser" && who["userName"] == "repo:acme/app:ref:refs/heads/main" && record["errorCode"] == nil
		if strings.Contains(fmt.Sprint(record), main) {
			t.Error("the token is in the audit log")
		}
	}
	if !found {
		t.Error("the audit log does not say who has become the role")
	}
}

func TestTokensThatProveNothingAreThrottled(t *testing.T) {
	t.Parallel()
	f, p, exchange := federated(t)
	role := f.role(t, "deployer", f.webTrust(p, `{"StringEquals":{"idp:sub":"me"}}`), `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	throttled := false
	for n := 0; n <= failuresAtOnce+2 && !throttled; n++ {
		a := exchange(role, "guess")
		throttled = a.Code == "Throttling"
		if !throttled && a.Code != "InvalidIdentityToken" {
			t.Fatalf("%s: %s", a.Code, a.Text)
		}
	}
	if !throttled {
		t.Error("one may guess without end")
	}
	exchange(role, p.Sign(jose.RS256, p.Claims("me"))).want(t, "") // whoever has a right one is not locked out
	signed := false
	for n := 0; n <= failuresAtOnce+2 && !signed; n++ {
		signed = f.sts(t, &signedBy{id: f.root().id, secret: "wrong"}, "Action", "GetCallerIdentity").Code == "Throttling"
	}
	if !signed {
		t.Error("one may guess signatures for the token service without end")
	}
	root := f.root()
	f.sts(t, &root, "Action", "GetCallerIdentity").want(t, "")
}

func TestIdentityProvidersAreKept(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	made := must(f.CreateIdentityProvider(ctx, &api.CreateIdentityProviderInput{Url: p("https://token.actions.githubusercontent.com"), ClientIds: []string{"sts.amazonaws.com"}}))(t)
	if got, want := *made.IdentityProvider.Arn, "arn:aws:iam::"+f.account+":oidc-provider/token.actions.githubusercontent.com"; got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
	must(f.CreateIdentityProvider(ctx, &api.CreateIdentityProviderInput{Url: p("https://gitlab.example.com/group"), ClientIds: []string{"a"}}))(t)
	for text, want := range map[string]string{
		"https://token.actions.githubusercontent.com": "ConflictException", "http://idp.example.com": "ValidationException", "https://a@b.example.com": "ValidationException",
	} {
		if _, err := f.CreateIdentityProvider(ctx, &api.CreateIdentityProviderInput{Url: &text, ClientIds: []string{"x"}}); code(err) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	changed := must(f.UpdateIdentityProvider(ctx, &api.UpdateIdentityProviderInput{Url: p("https://gitlab.example.com/group"), ClientIds: []string{"b", "c"}}))(t)
	if got := changed.IdentityProvider.ClientIds; len(got) != 2 || got[0] != "b" {
		t.Errorf("clients %v", got)
	}
	first := must(f.ListIdentityProviders(ctx, &api.ListIdentityProvidersInput{MaxResults: api.Ptr[int64](1)}))(t)
	second := must(f.ListIdentityProviders(ctx, &api.ListIdentityProvidersInput{NextToken: first.NextToken}))(t)
	if *first.IdentityProviders[0].Url != "https://gitlab.example.com/group" || len(second.IdentityProviders) != 1 || second.NextToken != nil {
		t.Errorf("pages %+v, %+v", first, second)
	}
	ann := f.clientOf(f.user(t, "ann", `[{"Effect":"Allow","Action":"iam:*OpenIDConnectProvider*","Resource":"arn:aws:iam::*:oidc-provider/gitlab.example.com/*"}]`))
	if _, err := ann.DeleteIdentityProvider(ctx, &api.DeleteIdentityProviderInput{Url: p("https://token.actions.githubusercontent.com")}); code(err) != "AccessDeniedException" {
		t.Errorf("another's provider: %v", err)
	}
	must(ann.DeleteIdentityProvider(ctx, &api.DeleteIdentityProviderInput{Url: p("https://gitlab.example.com/group")}))(t)
	if _, err := f.DeleteIdentityProvider(ctx, &api.DeleteIdentityProviderInput{Url: p("https://gitlab.example.com/group")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("twice: %v", err)
	}
}

// Anybody can have GitHub issue a token: a role that trusts it must say whose.
func TestSharedProvidersNeedASubject(t *testing.T) {
	t.Parallel()
	f := start(t)
	github := auth.ProviderARN(f.account, "https://token.actions.githubusercontent.com")
	n := 0
	for condition, good := range map[string]bool{
		`{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}`:                      false,
		`{"StringLike":{"token.actions.githubusercontent.com:sub":"*"}}`:                                        false,
		`{"StringLike":{"token.actions.githubusercontent.com:sub":["repo:acme/app:*","*"]}}`:                    false,
		`{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:*/app:ref:refs/heads/main"}}`:           false,
		`{"StringNotEquals":{"token.actions.githubusercontent.com:sub":"repo:evil/app:ref:refs/heads/main"}}`:   false,
		`{"StringLikeIfExists":{"token.actions.githubusercontent.com:sub":"repo:acme/*"}}`:                      true,
		`{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/*"}}`:                              true,
		`{"StringEquals":{"token.actions.githubusercontent.com:job_workflow_ref":"acme/w/.github/x.yml@main"}}`: true,
	} {
		n++
		_, err := f.CreateRole(t.Context(), &api.CreateRoleInput{
			Name: p(fmt.Sprint("role-", n)), Policy: p(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`),
			TrustPolicy: p(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"` + github + `"},"Condition":` + condition + `}}`),
		})
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "token.actions.githubusercontent.com:sub") {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

// Every way in is limited for who proves nothing, and open for who is right.
func TestRefusalsAreLimitedOnEveryWayIn(t *testing.T) {
	t.Parallel()
	f := start(t)
	send := func(method, path, body string, sign func(*http.Request)) int {
		t.Helper()
		r := must(http.NewRequestWithContext(t.Context(), method, f.server.URL+path, strings.NewReader(body)))(t)
		sign(r)
		res := must(http.DefaultClient.Do(r))(t)
		res.Body.Close()
		return res.StatusCode
	}
	root := f.root()
	s3 := func(secret auth.Secret) func(*http.Request) {
		return func(r *http.Request) {
			if err := auth.Sign(r, nil, root.id, secret, "", region, "s3", time.Now()); err != nil {
				t.Error(err)
			}
		}
	}
	basic := func(secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(root.id+"", secret) }
	}
	state := "/-/state/" + f.account + "/" + region + "/environment/one"
	for name, way := range map[string]struct {
		wrong, right func() int
		limited      int
	}{
		"bucket store": {func() int { return send("GET", "/bucket", "", s3("wrong")) }, func() int { return send("PUT", "/bucket", "", s3(root.secret)) }, 503},
		"states":       {func() int { return send("GET", state, "", basic("wrong")) }, func() int { return send("GET", state, "", basic(string(root.secret))) }, 429},
		"webhooks":     {func() int { return send("POST", "/-/webhooks/x", "{}", func(*http.Request) {}) }, nil, 429},
	} {
		limited := false
		for n := 0; n <= 2*failuresAtOnce && !limited; n++ {
			limited = way.wrong() == way.limited
		}
		if !limited {
			t.Errorf("%s: one may try without end", name)
		}
		if way.right == nil {
			continue
		}
		if got := way.right(); got >= 400 && got != 404 {
			t.Errorf("%s: who is right gets %d", name, got)
		}
	}
}
