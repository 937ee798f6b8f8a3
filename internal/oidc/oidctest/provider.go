// Package oidctest is an OpenID Connect provider for tests: real keys, real
// tokens, over TLS. Its sign-in page signs in whoever asks.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html/template"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is who may have people sign in at a Provider.
const (
	Client = "hadron"
	Secret = "the client's secret"
)

// Provider issues tokens.
type Provider struct {
	URL  string
	Host string // URL without https://, as trust policies name it
	tb   testing.TB
	web  *httptest.Server

	mu     sync.Mutex
	keys   []key
	asked  int // how often for its keys
	broken bool
	codes  map[string]code
	people map[string]map[string]any // by name
}

type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   any
	public    any
}

// code is what somebody who has signed in takes back.
type code struct {
	name, nonce, challenge, redirect string
}

// New starts a provider that ends with the test.
func New(tb testing.TB) *Provider {
	p := &Provider{tb: tb, codes: map[string]code{}, people: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.jwks)
	mux.HandleFunc("GET /authorize", p.page)
	mux.HandleFunc("GET /signed-in", p.signedIn)
	mux.HandleFunc("POST /token", p.token)
	p.web = httptest.NewUnstartedServer(mux)
	p.web.Config.ErrorLog = log.New(io.Discard, "", 0) // of browsers that ask whether to trust it
	p.web.StartTLS()
	tb.Cleanup(p.web.Close)
	p.URL = p.web.URL
	p.Host = p.web.Listener.Addr().String()
	p.Rotate()
	return p
}

// HTTP is a client that trusts the provider.
func (p *Provider) HTTP() *http.Client { return p.web.Client() }

// CA writes the authority of the provider's certificate to a file.
func (p *Provider) CA() string {
	file := filepath.Join(p.tb.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.web.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.tb.Fatal(err)
	}
	return file
}

// Rotate has the provider sign with other keys, and forget those it had.
func (p *Provider) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.tb.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	n := strconv.FormatInt(time.Now().UnixNano(), 36)
	p.keys = []key{{"rsa-" + n, jose.RS256, r, &r.PublicKey}, {"ec-" + n, jose.ES256, e, &e.PublicKey}}
}

// Break has the provider answer nothing but errors, or no longer.
func (p *Provider) Break(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = broken
}

// Asked is how often the provider was asked for its keys.
func (p *Provider) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// Knows adds somebody who can sign in, with what the provider says of them.
func (p *Provider) Knows(name string, claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.people[name] = claims
}

// Claims are those of a good token of somebody.
func (p *Provider) Claims(subject string, more ...map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{"iss": p.URL, "sub": subject, "aud": Client, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	for _, m := range more {
		maps.Copy(claims, m)
	}
	return claims
}

// Public are the parts of the signing keys that everybody may know.
func (p *Provider) Public() (r *rsa.PublicKey, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0].public.(*rsa.PublicKey), p.keys[0].id
}

// Sign makes a token with one of the provider's keys: RS256, PS256 or ES256.
func (p *Provider) Sign(algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[0]
	if algorithm == jose.ES256 {
		k = p.keys[1]
	}
	return Sign(p.tb, jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, "JWT", claims)
}

// Sign makes a token with any key.
func Sign(tb testing.TB, with jose.SigningKey, kind jose.ContentType, claims map[string]any) string {
	tb.Helper()
	signer, err := jose.NewSigner(with, (&jose.SignerOptions{}).WithType(kind))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		tb.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func (p *Provider) answer(w http.ResponseWriter, value any) {
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	if broken {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.answer(w, map[string]any{
		"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	})
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.asked++
	set := jose.JSONWebKeySet{}
	for _, k := range p.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.id, Use: "sig"})
	}
	p.mu.Unlock()
	p.answer(w, set)
}

var signInPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Sign in</title><h1>The provider of the tests</h1>
<ul>{{range $name, $url := .}}<li><a href="{{$url}}">Sign in as {{$name}}</a></li>{{end}}</ul></html>`))

// page lets one choose who to be.
func (p *Provider) page(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": Client, "code_challenge_method": "S256"} {
		if query.Get(name) != want {
			http.Error(w, name+" must be "+want, http.StatusBadRequest)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	links := map[string]string{}
	for name := range p.people {
		query.Set("name", name)
		links[name] = "/signed-in?" + query.Encode()
	}
	_ = signInPage.Execute(w, links)
}

// signedIn sends somebody back with a code.
func (p *Provider) signedIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	id := fmt.Sprintf("code-%d-%s", len(p.codes), rand.Text())
	p.codes[id] = code{query.Get("name"), query.Get("nonce"), query.Get("code_challenge"), query.Get("redirect_uri")}
	back := url.Values{"code": {id}, "state": {query.Get("state")}}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code, once, for who brings what it was asked for with.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	c, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	claims := p.people[c.name]
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || c.challenge != base64.RawURLEncoding.EncodeToString(challenge[:]) || c.redirect != r.PostFormValue("redirect_uri") ||
		r.PostFormValue("client_id") != Client || r.PostFormValue("client_secret") != Secret || r.PostFormValue("grant_type") != "authorization_code" {
		http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
		return
	}
	p.answer(w, map[string]any{"token_type": "Bearer", "access_token": "not used", "id_token": p.Sign(jose.RS256, p.Claims(c.name, map[string]any{"nonce": c.nonce}, claims))})
}
