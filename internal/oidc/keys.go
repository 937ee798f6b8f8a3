package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// How long what a provider has said is kept.
const (
	freshFor   = time.Hour        // after this it is asked again
	usableFor  = 24 * time.Hour   // for so long its keys do if it does not answer
	askAgain   = 10 * time.Second // it is not asked more often, whatever tokens say
	askTime    = 10 * time.Second
	maxAnswer  = 512 << 10
	maxIssuers = 1000
	minRSA     = 2048 // bits
)

// Verifier holds tokens against their providers' keys.
type Verifier struct {
	Client *http.Client
	Now    func() time.Time // nil: time.Now

	mu      sync.Mutex
	issuers map[string]*issuer
}

// issuer is what is known of a provider. Who holds the semaphore may change it.
type issuer struct {
	url       string
	semaphore chan struct{}
	asked     time.Time // last
	answered  time.Time // last
	metadata  metadata
	keys      []jose.JSONWebKey
	err       error // of the last time it was asked
}

// metadata is what discovery says.
type metadata struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
}

// NewClient makes the client that providers are asked with: no redirects, and
// no address that only machines' own metadata services have. roots are trusted
// instead of the system's, if there are any.
func NewClient(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if ip := at.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			return fmt.Errorf("%s is not an address that identity providers have", ip)
		}
		return nil
	}}
	return &http.Client{
		Timeout:       askTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 10, IdleConnTimeout: time.Minute,
		},
	}
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

func (v *Verifier) issuer(url string) *issuer {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.issuers[url]
	if i == nil {
		if v.issuers == nil || len(v.issuers) >= maxIssuers {
			v.issuers = map[string]*issuer{}
		}
		i = &issuer{url: url, semaphore: make(chan struct{}, 1)}
		v.issuers[url] = i
	}
	return i
}

// Verify answers what a token says that a provider has issued for one of the
// audiences. The error is an *Error if the token or the provider is at fault.
func (v *Verifier) Verify(ctx context.Context, issuer string, audiences []string, token string) (Token, error) {
	parsed, err := parse(token)
	if err != nil {
		return Token{}, err
	}
	keys, err := v.keysFor(ctx, issuer, parsed.Headers[0])
	if err != nil {
		return Token{}, err
	}
	var claims jwt.Claims
	var all map[string]any
	for n := range keys {
		if err = parsed.Claims(keys[n].Key, &claims, &all); err == nil || !errors.Is(err, jose.ErrCryptoFailure) {
			break
		}
	}
	if errors.Is(err, jose.ErrCryptoFailure) || len(keys) == 0 {
		return Token{}, errNoKey
	}
	if err != nil {
		return Token{}, errNoJWT
	}
	if err := check(claims, issuer, audiences, v.now()); err != nil {
		return Token{}, err
	}
	return read(claims, all, audiences)
}

// keysFor are the keys that may have signed a token.
func (v *Verifier) keysFor(ctx context.Context, url string, h jose.Header) (fitting []jose.JSONWebKey, err error) {
	err = v.with(ctx, url, func(i *issuer) bool { return len(i.fitting(h)) > 0 }, func(i *issuer) { fitting = i.fitting(h) })
	return fitting, err
}

// with calls use with a provider that has answered, and is asked anew if that
// was long ago or what is wanted of it is not there.
func (v *Verifier) with(ctx context.Context, url string, there func(*issuer) bool, use func(*issuer)) error {
	i := v.issuer(url)
	select {
	case i.semaphore <- struct{}{}:
		defer func() { <-i.semaphore }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := v.now()
	if (now.Sub(i.answered) > freshFor || !there(i)) && now.Sub(i.asked) >= askAgain {
		i.asked = now
		if i.err = v.ask(ctx, i); i.err == nil {
			i.answered = now
		}
	}
	if i.err != nil && (now.Sub(i.answered) > usableFor || !there(i)) {
		return &Error{Kind: Unreachable, Message: "The identity provider " + url + " could not be asked for its keys.", Err: i.err}
	}
	use(i)
	return nil
}

func (i *issuer) fitting(h jose.Header) (list []jose.JSONWebKey) {
	for _, k := range i.keys {
		if (h.KeyID == "" || k.KeyID == h.KeyID) && (k.Algorithm == "" || k.Algorithm == h.Algorithm) && ofAlgorithm(k, h.Algorithm) {
			list = append(list, k)
		}
	}
	return list
}

func ofAlgorithm(k jose.JSONWebKey, algorithm string) bool {
	switch k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	}
	return false
}

// ask has a provider say where its keys are, and which. What one caller has
// begun others wait for: it does not end with the caller.
func (v *Verifier) ask(ctx context.Context, i *issuer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*askTime)
	defer cancel()
	var m metadata
	if err := v.get(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", &m); err != nil {
		return err
	}
	if m.Issuer != i.url {
		return fmt.Errorf("it calls itself %q", m.Issuer)
	}
	for name, url := range map[string]string{"jwks_uri": m.Keys, "authorization_endpoint": m.Authorization, "token_endpoint": m.Token} {
		if url != "" && !strings.HasPrefix(url, "https://") || url == "" && name == "jwks_uri" {
			return fmt.Errorf("its %s is not an https URL", name)
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := v.get(ctx, m.Keys, &set); err != nil {
		return err
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(text, &k) == nil && usable(k) { // kinds of keys may be new
			keys = append(keys, k)
		}
	}
	i.metadata, i.keys = m, keys
	return nil
}

// usable reports whether a key may sign tokens.
func usable(k jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" || !k.Valid() {
		return false
	}
	if rsaKey, ok := k.Key.(*rsa.PublicKey); ok {
		return rsaKey.N.BitLen() >= minRSA
	}
	_, ok := k.Key.(*ecdsa.PublicKey)
	return ok
}

func (v *Verifier) get(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	return v.do(r, into)
}

func (v *Verifier) do(r *http.Request, into any) error {
	res, err := v.Client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%s: %w", r.URL.Redacted(), err)
	}
	if res.StatusCode != http.StatusOK || len(text) > maxAnswer {
		return fmt.Errorf("%s answers %s, %d bytes", r.URL.Redacted(), res.Status, len(text))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", r.URL.Redacted(), err)
	}
	return nil
}
