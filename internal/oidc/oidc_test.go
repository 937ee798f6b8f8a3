package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/oidc/oidctest"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) verifier(p *oidctest.Provider) *oidc.Verifier {
	c.now = time.Now()
	return &oidc.Verifier{Client: p.HTTP(), Now: func() time.Time { return c.now }}
}

func kindOf(err error) string {
	e, ok := errors.AsType[*oidc.Error](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "other: " + err.Error()
	}
	return map[oidc.Kind]string{oidc.Invalid: "invalid", oidc.Expired: "expired", oidc.Unreachable: "unreachable"}[e.Kind] + ": " + e.Message
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	v := (&clock{}).verifier(p)
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256} {
		got, err := v.Verify(t.Context(), p.URL, []string{"another", oidctest.Client}, p.Sign(algorithm, p.Claims("repo:acme/app:ref:refs/heads/main", map[string]any{
			"repository": "acme/app", "run": 12345678901, "protected": true, "groups": []string{"a", "b"}, "nested": map[string]any{"x": 1}, "nbf": time.Now().Unix(),
		})))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		if got.Issuer != p.URL || got.Subject != "repo:acme/app:ref:refs/heads/main" || len(got.Audiences) != 1 {
			t.Errorf("%s: %+v", algorithm, got)
		}
		for name, want := range map[string][]string{"repository": {"acme/app"}, "run": {"12345678901"}, "protected": {"true"}, "groups": {"a", "b"}, "nested": nil} {
			if diff := cmp.Diff(want, got.Claims[name]); diff != "" {
				t.Errorf("%s: claim %s: %s", algorithm, name, diff)
			}
		}
	}
	if n := p.Asked(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// unsigned is a token of a header and claims with any signature.
func unsigned(header, claims, signature string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(header)) + "." + enc([]byte(claims)) + "." + enc([]byte(signature))
}

func TestAttacksOnTokens(t *testing.T) {
	t.Parallel()
	p, other := oidctest.New(t), oidctest.New(t)
	c := &clock{}
	v := c.verifier(p)
	public, kid := p.Public()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mine, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(claims map[string]any) string { return p.Sign(jose.RS256, p.Claims("me", claims)) }
	good := sign(nil)
	parts := strings.Split(good, ".")
	with := func(k any, id string, kind jose.ContentType) string {
		return oidctest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k, KeyID: id}}, kind, p.Claims("me"))
	}
	hs256 := oidctest.Sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: publicPEM, KeyID: kid}}, "JWT", p.Claims("me"))
	now := c.now
	for name, attack := range map[string]struct{ token, want string }{
		"altered claims":            {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+p.URL+`","sub":"admin","aud":"hadron","iat":1,"exp":9999999999}`)) + "." + parts[2], "invalid: Couldn't retrieve"},
		"altered signature":         {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "invalid: Couldn't retrieve"},
		"no signature":              {parts[0] + "." + parts[1] + ".", "invalid: "},
		"algorithm none":            {unsigned(`{"alg":"none","typ":"JWT"}`, `{"iss":"`+p.URL+`","sub":"me","aud":"hadron","iat":1,"exp":9999999999}`, ""), "invalid: The ID Token provided is not a valid JWT"},
		"algorithm NoNe":            {unsigned(`{"alg":"NoNe","typ":"JWT"}`, `{"iss":"`+p.URL+`"}`, "x"), "invalid: The ID Token provided is not a valid JWT"},
		"HS256 with the public key": {hs256, "invalid: The ID Token provided is not a valid JWT"},
		"another's key, same kid":   {with(mine, kid, "JWT"), "invalid: Couldn't retrieve"},
		"another's key, no kid":     {with(mine, "", "JWT"), "invalid: Couldn't retrieve"},
		"an unknown kid":            {with(mine, "unknown", "JWT"), "invalid: Couldn't retrieve"},
		"a key in the header":       {unsigned(`{"alg":"RS256","jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}`, `{"iss":"`+p.URL+`"}`, "x"), "invalid: "},
		"a critical header":         {unsigned(`{"alg":"RS256","kid":"`+kid+`","crit":["x"],"x":1}`, `{"iss":"`+p.URL+`"}`, "x"), "invalid: "},
		"another issuer's token":    {other.Sign(jose.RS256, other.Claims("me")), "invalid: Couldn't retrieve"},
		"another issuer inside":     {sign(map[string]any{"iss": other.URL}), "invalid: The token is of another issuer"},
		"no issuer":                 {sign(map[string]any{"iss": nil}), "invalid: The token is of another issuer"},
		"another audience":          {sign(map[string]any{"aud": "sts.amazonaws.com"}), "invalid: Incorrect token audience"},
		"no audience":               {sign(map[string]any{"aud": []string{}}), "invalid: Incorrect token audience"},
		"issued to another party":   {sign(map[string]any{"aud": []string{"hadron", "x"}, "azp": "x"}), "invalid: Incorrect token audience"},
		"expired":                   {sign(map[string]any{"exp": now.Unix() - 1}), "expired: Token expired"},
		"expiring now":              {sign(map[string]any{"exp": now.Unix()}), "expired: Token expired"},
		"no expiry":                 {sign(map[string]any{"exp": nil}), "invalid: Missing a required claim: exp"},
		"an expiry in words":        {sign(map[string]any{"exp": "tomorrow"}), "invalid: The ID Token provided is not a valid JWT"},
		"not valid yet":             {sign(map[string]any{"nbf": now.Unix() + 120}), "invalid: The token is not valid yet"},
		"issued in the future":      {sign(map[string]any{"iat": now.Unix() + 120}), "invalid: The token is not valid yet"},
		"no issue":                  {sign(map[string]any{"iat": nil}), "invalid: Missing a required claim: iat"},
		"no subject":                {sign(map[string]any{"sub": nil}), "invalid: Missing a required claim: sub"},
		"an access token":           {with(mine, kid, "at+jwt"), "invalid: The token's type"},
		"too long":                  {good + strings.Repeat("A", oidc.MaxToken), "invalid: The token is longer"},
		"nothing":                   {"", "invalid: The ID Token provided is not a valid JWT"},
		"two tokens":                {good + "." + good, "invalid: The ID Token provided is not a valid JWT"},
		"JSON instead":              {`{"payload":"e30","signatures":[]}`, "invalid: The ID Token provided is not a valid JWT"},
	} {
		if _, err := v.Verify(t.Context(), p.URL, []string{oidctest.Client}, attack.token); !strings.HasPrefix(kindOf(err), attack.want) {
			t.Errorf("%s: %s, want %s", name, kindOf(err), attack.want)
		}
	}
	if _, err := v.Verify(t.Context(), p.URL, []string{oidctest.Client}, good); err != nil {
		t.Errorf("the good token: %v", err)
	}
	if n := p.Asked(); n != 1 {
		t.Errorf("the attacks had the provider asked %d times", n)
	}
}

func TestKeysAreRotatedAndKept(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	c := &clock{}
	v := c.verifier(p)
	verify := func(token string) string {
		_, err := v.Verify(t.Context(), p.URL, []string{oidctest.Client}, token)
		return kindOf(err)
	}
	token := func() string {
		return p.Sign(jose.ES256, p.Claims("me", map[string]any{"exp": time.Now().Add(100 * time.Hour).Unix()}))
	}
	first := token()
	if got := verify(first); got != "" {
		t.Fatal(got)
	}
	p.Rotate()
	second := token()
	if got := verify(second); !strings.HasPrefix(got, "invalid: Couldn't retrieve") {
		t.Errorf("a new key is asked for at once: %s", got)
	}
	c.now = c.now.Add(time.Minute)
	if got := verify(second); got != "" {
		t.Errorf("after the rotation: %s", got)
	}
	if got := verify(first); got == "" {
		t.Error("the old key is still good")
	}
	p.Break(true)
	c.now = c.now.Add(2 * time.Hour)
	if got := verify(second); got != "" {
		t.Errorf("the keys that are known are not used while the provider is away: %s", got)
	}
	p.Rotate()
	third := token()
	c.now = c.now.Add(time.Minute)
	if got := verify(third); !strings.HasPrefix(got, "unreachable: ") {
		t.Errorf("a key that nobody knows, of a provider that is away: %s", got)
	}
	c.now = c.now.Add(24 * time.Hour)
	if got := verify(second); !strings.HasPrefix(got, "unreachable: ") {
		t.Errorf("keys of yesterday: %s", got)
	}
	p.Break(false)
	c.now = c.now.Add(time.Minute)
	if got := verify(third); got != "" {
		t.Errorf("the provider is back: %s", got)
	}
}

// A provider that does not answer as one is not believed, and what it answers
// is not told to whoever sent the token.
func TestProvidersThatAreNone(t *testing.T) {
	t.Parallel()
	real := oidctest.New(t)
	token := real.Sign(jose.RS256, real.Claims("me"))
	for name, discovery := range map[string]func(w http.ResponseWriter, r *http.Request, own string){
		"another issuer": func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Write([]byte(`{"issuer": "https://evil.example"}`))
		},
		"keys without TLS": func(w http.ResponseWriter, _ *http.Request, own string) {
			w.Write([]byte(`{"issuer": "` + own + `", "jwks_uri": "http://127.0.0.1/secret-keys"}`))
		},
		"keys in a file": func(w http.ResponseWriter, _ *http.Request, own string) {
			w.Write([]byte(`{"issuer": "` + own + `", "jwks_uri": "file:///etc/passwd"}`))
		},
		"no keys": func(w http.ResponseWriter, _ *http.Request, own string) { w.Write([]byte(`{"issuer": "` + own + `"}`)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, real.URL+"/keys", http.StatusFound)
		},
		"secret text":        func(w http.ResponseWriter, _ *http.Request, _ string) { w.Write([]byte("secret text")) },
		"more than it takes": func(w http.ResponseWriter, _ *http.Request, _ string) { w.Write(make([]byte, 1<<20)) },
	} {
		var server *httptest.Server
		server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { discovery(w, r, server.URL) }))
		t.Cleanup(server.Close)
		client := server.Client()
		client.CheckRedirect = oidc.NewClient(nil).CheckRedirect
		_, err := (&oidc.Verifier{Client: client}).Verify(t.Context(), server.URL, []string{oidctest.Client}, token)
		if got := kindOf(err); !strings.HasPrefix(got, "unreachable: The identity provider "+server.URL) || strings.Contains(got, "secret") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAddressesThatProvidersDoNotHave(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/", "https://224.0.0.1/"} {
		if _, err := oidc.NewClient(nil).Get(address); err == nil || !strings.Contains(err.Error(), "is not an address that identity providers have") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for text, good := range map[string]bool{
		"https://token.actions.githubusercontent.com": true, "https://idp.example.com:8443/realms/acme": true, "https://x.auth0.com/": true,
		"http://idp.example.com": false, "https://": false, "idp.example.com": false, "https://a:b@idp.example.com": false,
		"https://idp.example.com?x": false, "https://idp.example.com/#": false, "file:///etc/passwd": false, "https:opaque": false,
	} {
		if err := oidc.CheckURL(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSigningInByCode(t *testing.T) {
	t.Parallel()
	p := oidctest.New(t)
	p.Knows("ann", map[string]any{"email": "ann@example.com"})
	f := &oidc.Flow{Verifier: &oidc.Verifier{Client: p.HTTP()}, Issuer: p.URL, ClientID: oidctest.Client, ClientSecret: oidctest.Secret, Scopes: "email"}
	const redirect = "https://hadron.example.com/console/sign-in/callback"
	browser := *p.HTTP()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	// signIn goes to the provider, and answers what the browser brings back.
	signIn := func() (oidc.Attempt, url.Values) {
		t.Helper()
		to, attempt, err := f.Begin(t.Context(), redirect)
		if err != nil {
			t.Fatal(err)
		}
		res, err := browser.Get(strings.Replace(to, "/authorize?", "/signed-in?name=ann&", 1))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		back, err := res.Location()
		if err != nil {
			t.Fatal(err)
		}
		return attempt, back.Query()
	}
	attempt, answer := signIn()
	if _, token, err := f.End(t.Context(), attempt, redirect, answer); err != nil || token.Subject != "ann" || token.Claims["email"][0] != "ann@example.com" {
		t.Errorf("token %+v, %v", token, err)
	}
	if _, _, err := f.End(t.Context(), attempt, redirect, answer); err == nil {
		t.Error("a code is good twice")
	}
	mine, _ := signIn()
	_, stolen := signIn()
	stolen.Set("state", mine.State)
	if _, _, err := f.End(t.Context(), mine, redirect, stolen); err == nil {
		t.Error("the code of another sign-in is good")
	}
	attempt, answer = signIn()
	for name, change := range map[string]func(a *oidc.Attempt, answer url.Values){
		"another state":    func(_ *oidc.Attempt, answer url.Values) { answer.Set("state", "x") },
		"no state":         func(a *oidc.Attempt, answer url.Values) { a.State = ""; answer.Del("state") },
		"another nonce":    func(a *oidc.Attempt, _ url.Values) { a.Nonce = "x" },
		"another verifier": func(a *oidc.Attempt, _ url.Values) { a.Verifier = "x" },
		"an error":         func(_ *oidc.Attempt, answer url.Values) { answer.Set("error", "access_denied") },
	} {
		a, back := signIn()
		change(&a, back)
		if _, _, err := f.End(t.Context(), a, redirect, back); !strings.HasPrefix(kindOf(err), "invalid: ") && !strings.HasPrefix(kindOf(err), "unreachable: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := f.End(t.Context(), attempt, "https://elsewhere.example.com/", answer); err == nil {
		t.Error("the code is good at another address")
	}
}

// Whatever a token is, it is refused in words or read, and reading it twice
// says the same.
func FuzzTokens(f *testing.F) {
	f.Add(unsigned(`{"alg":"RS256"}`, `{"iss":"https://a","aud":["x"],"exp":1}`, "x"))
	f.Add(unsigned(`{"alg":"none"}`, `{}`, ""))
	f.Add(unsigned(`{"alg":"ES256","typ":"at+jwt","crit":["b64"],"b64":false}`, `{"iss":1e400}`, "x"))
	f.Add("..")
	v := &oidc.Verifier{Client: &http.Client{Transport: http.NewFileTransport(http.Dir("/nowhere"))}}
	f.Fuzz(func(t *testing.T, token string) {
		first, err := oidc.Issuer(token)
		again, err2 := oidc.Issuer(token)
		if first != again || (err == nil) != (err2 == nil) {
			t.Errorf("%q, then %q", first, again)
		}
		if err != nil && strings.HasPrefix(kindOf(err), "other") {
			t.Errorf("not in words: %v", err)
		}
		if _, err := v.Verify(t.Context(), "https://a", []string{"x"}, token); err == nil {
			t.Error("a token of nobody is good")
		}
	})
}
