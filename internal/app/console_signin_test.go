package app

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/oidc/oidctest"
)

// visitor is a browser without scripts that trusts the provider.
type visitor struct {
	*http.Client
	t   *testing.T
	url string // of the server
}

func (f *fixture) visitor(t *testing.T, p *oidctest.Provider) *visitor {
	t.Helper()
	c := *p.HTTP()
	c.Jar = must(cookiejar.New(nil))(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{&c, t, f.server.URL}
}

// get answers the status, the text and where to go on.
func (v *visitor) get(address string) (int, string, string) {
	v.t.Helper()
	res := must(v.Get(address))(v.t)
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(v.t)), res.Header.Get("Location")
}

// signIn goes to the provider as somebody and comes back.
func (v *visitor) signIn(name, to string) (int, string, string) {
	v.t.Helper()
	_, _, at := v.get(v.url + "/console/sign-in/provider?to=" + url.QueryEscape(to))
	_, _, back := v.get(strings.Replace(at, "/authorize?", "/signed-in?name="+name+"&", 1))
	return v.get(back)
}

func TestPeopleSignInToTheConsoleAtAnIdentityProvider(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	f, _, _ := federatedBy(t, p, func(c *Config) {
		c.SignInIssuer, c.SignInClientID, c.SignInClientSecret, c.SignInName = p.URL, oidctest.Client, oidctest.Secret, "Acme"
		c.SignInRoles = "administrator arn:aws:iam::" + c.AccountID + ":role/reader"
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	})
	f.role(t, "administrator", f.webTrust(p, `{"ForAnyValue:StringEquals":{"idp:groups":"platform"}}`), `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	f.role(t, "reader", f.webTrust(p, `{"StringLike":{"idp:email":"*@example.com"}}`), `{"Effect":"Allow","Action":["proton:Get*","proton:List*"],"Resource":"*"}`)
	p.Knows("ann", map[string]any{"email": "ann@example.com", "groups": []string{"platform"}})
	p.Knows("bob", map[string]any{"email": "bob@example.com"})
	p.Knows("eve", map[string]any{"email": "eve@elsewhere.example"})

	ann := f.visitor(t, p)
	if _, page, _ := ann.get(f.server.URL + "/console/sign-in?to=/console/access"); !strings.Contains(page, "Sign in with Acme") {
		t.Errorf("the page does not offer it: %s", page)
	}
	if status, _, to := ann.signIn("ann", "/console/access"); status != http.StatusSeeOther || to != "/console/access" {
		t.Fatalf("ann: %d to %q", status, to)
	}
	if status, page, _ := ann.get(f.server.URL + "/console/access"); status != http.StatusOK || !strings.Contains(page, "administrator") {
		t.Errorf("ann may not see users and roles: %d", status)
	}
	bob := f.visitor(t, p)
	bob.signIn("bob", "https://evil.example/")
	if status, _, _ := bob.get(f.server.URL + "/console/services"); status != http.StatusOK {
		t.Errorf("bob may not read: %d", status)
	}
	if status, page, _ := bob.get(f.server.URL + "/console/access"); !strings.Contains(page, "assumed-role/reader/bob@example.com") {
		t.Errorf("bob may see users: %d %s", status, page)
	}
	eve := f.visitor(t, p)
	if status, page, _ := eve.signIn("eve", ""); status != http.StatusForbidden || !strings.Contains(page, "none of the roles for the console trusts you") {
		t.Errorf("eve: %d %s", status, page)
	}
	if status, _, to := eve.get(f.server.URL + "/console/services"); status != http.StatusSeeOther || !strings.Contains(to, "/console/sign-in") {
		t.Errorf("eve is in: %d %s", status, to)
	}
	found := false
	for _, r := range f.audited(t, "AssumeRoleWithWebIdentity") {
		who, _ := r["userIdentity"].(map[string]any)
		found = found || who["userName"] == "ann" && r["errorCode"] == nil
	}
	if !found {
		t.Error("ann's sign-in is not in the audit log")
	}
}

func TestSignInsThatWereNotBegunHere(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	f, _, _ := federatedBy(t, p, func(c *Config) {
		c.SignInIssuer, c.SignInClientID, c.SignInClientSecret, c.SignInRoles = p.URL, oidctest.Client, oidctest.Secret, "reader"
	})
	f.role(t, "reader", f.webTrust(p, `{"StringEquals":{"idp:sub":"ann"}}`), `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	p.Knows("ann", nil)
	mine, other := f.visitor(t, p), f.visitor(t, p)
	_, _, at := other.get(f.server.URL + "/console/sign-in/provider")
	_, _, back := other.get(strings.Replace(at, "/authorize?", "/signed-in?name=ann&", 1))
	if status, page, _ := mine.get(back); status != http.StatusForbidden || !strings.Contains(page, "not begun here") {
		t.Errorf("another's answer without an attempt of one's own: %d %s", status, page)
	}
	mine.get(f.server.URL + "/console/sign-in/provider")
	if status, _, _ := mine.get(back); status != http.StatusForbidden {
		t.Errorf("another's answer: %d", status)
	}
	if status, _, _ := mine.get(back); status != http.StatusForbidden {
		t.Errorf("an attempt is good twice: %d", status)
	}
	throttled := false
	for n := 0; n < 8 && !throttled; n++ {
		mine.get(f.server.URL + "/console/sign-in/provider")
		_, page, _ := mine.get(f.server.URL + "/console/sign-in/callback?state=x&code=y")
		throttled = strings.Contains(page, "Too many failed sign-ins")
	}
	if !throttled {
		t.Error("one may try without end")
	}
	p.Break(true)
	f.server.tokens.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if status, page, _ := mine.get(f.server.URL + "/console/sign-in/provider"); status != http.StatusBadGateway || !strings.Contains(page, "could not be asked") {
		t.Errorf("a provider that is away: %d %s", status, page)
	}
}

func TestSettingsOfTheConsolesSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no client":   {func(c *Config) { c.SignInIssuer, c.SignInRoles = "https://idp.example.com", "a" }, "sign-in-client-id: must be set"},
		"no roles":    {func(c *Config) { c.SignInIssuer, c.SignInClientID = "https://idp.example.com", "a" }, "sign-in-roles: must name"},
		"no issuer":   {func(c *Config) { c.SignInClientID, c.SignInRoles = "a", "a" }, "sign-in-issuer: "},
		"without TLS": {func(c *Config) { c.SignInIssuer, c.SignInClientID, c.SignInRoles = "http://a", "a", "a" }, "must begin with https://"},
		"no role's ARN": {func(c *Config) {
			c.SignInIssuer, c.SignInClientID, c.SignInRoles = "https://a", "a", "arn:aws:iam::1:role/x"
		}, "is neither the name nor the ARN"},
	} {
		config := DefaultConfig()
		c.change(&config)
		if err := config.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	config := DefaultConfig()
	config.SignInRoles = "one  arn:aws:iam::111122223333:role/two"
	if got := strings.Join(config.signInRoles(), " "); got != "arn:aws:iam::000000000000:role/one arn:aws:iam::111122223333:role/two" {
		t.Errorf("roles %s", got)
	}
}
