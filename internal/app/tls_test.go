package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) issue(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.serial++
	c.SerialNumber, c.NotBefore = big.NewInt(a.serial), time.Now().Add(-24*time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// write puts a new pair into a folder and answers its serial number.
func (a *authority) write(t *testing.T, folder string, ends time.Time) int64 {
	t.Helper()
	cert, key := a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "hadron"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: ends,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "tls.key"), "PRIVATE KEY", der)
	writePEM(t, filepath.Join(folder, "tls.crt"), "CERTIFICATE", cert.Raw)
	return a.serial
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := writeFileAtomic(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client trusts the authority; it speaks what the server offers.
func (a *authority) client(t *testing.T, change ...func(*tls.Config)) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	c := &tls.Config{RootCAs: roots}
	for _, f := range change {
		f(c)
	}
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: len(change) == 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// startTLS is a server with a certificate of an authority of its own.
func startTLS(t *testing.T) (*fixture, *authority, string) {
	t.Helper()
	a, folder := newAuthority(t), t.TempDir()
	a.write(t, folder, time.Time{})
	f := start(t, func(c *Config) {
		c.TLSCert, c.TLSKey = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	})
	return f, a, folder
}

func get(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	res := must(c.Get(url))(t)
	must(io.Copy(io.Discard, res.Body))(t)
	res.Body.Close()
	return res
}

func (f *fixture) signedAt(url string, c *http.Client) *api.Client {
	return api.NewClient(&awsjson.HTTP{Endpoint: url, Client: c, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, f.server.Root.AccessKeyID, f.server.Root.SecretAccessKey, "", region, "proton", time.Now())
	}})
}

func TestTheServerSpeaksTLS(t *testing.T) {
	t.Parallel()
	f, a, _ := startTLS(t)
	client := a.client(t)
	if !strings.HasPrefix(f.server.URL, "https://127.0.0.1:") {
		t.Fatalf("URL %s", f.server.URL)
	}
	must(f.signedAt(f.server.URL, client).ListServices(t.Context(), &api.ListServicesInput{}))(t)
	for path, want := range map[string]int{"/healthz": 200, "/console/sign-in": 200, "/some-bucket": 403, "/-/state/x": 401, "/-/nothing": 404} {
		res := get(t, client, f.server.URL+path)
		if res.StatusCode != want || res.ProtoMajor != 2 {
			t.Errorf("%s: %s over %s, want %d over HTTP/2", path, res.Status, res.Proto, want)
		}
		if got := res.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
			t.Errorf("%s: Strict-Transport-Security %q", path, got)
		}
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, got)
		}
	}
	form := url.Values{"access-key-id": {f.server.Root.AccessKeyID}, "secret-access-key": {string(f.server.Root.SecretAccessKey)}, "region": {region}}
	res := must(client.PostForm(f.server.URL+"/console/sign-in", form))(t)
	res.Body.Close()
	if cookies := res.Cookies(); len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("status %s, cookies %v", res.Status, cookies)
	}
	old := a.client(t, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	if _, err := old.Get(f.server.URL + "/healthz"); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	if res := get(t, http.DefaultClient, "http"+strings.TrimPrefix(f.server.URL, "https")+"/healthz"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", res.Status)
	}
}

// What the server starts itself need not know its certificate.
func TestDeploymentsReachAServerWithTLSByAPlainAddress(t *testing.T) {
	t.Parallel()
	f, _, _ := startTLS(t)
	at := f.server.commandURL()
	if !strings.HasPrefix(at, "http://127.0.0.1:") || at != f.server.local {
		t.Fatalf("commands are given %s, OpenTofu %s", at, f.server.local)
	}
	must(f.signedAt(at, http.DefaultClient).ListServices(t.Context(), &api.ListServicesInput{}))(t)
	for path, want := range map[string]int{"/-/state/x": 401, "/": 404, "/console/sign-in": 404, "/healthz": 404, "/bucket": 404, "/-/webhooks/x": 404} {
		if res := get(t, http.DefaultClient, at+path); res.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, res.Status, want)
		}
	}
	plain := start(t)
	if plain.server.commandURL() != plain.server.URL {
		t.Errorf("without TLS commands are given %s", plain.server.commandURL())
	}
	if res := get(t, http.DefaultClient, plain.server.URL+"/healthz"); res.Header.Get("Strict-Transport-Security") != "" {
		t.Error("a server without TLS asks for it")
	}
}

// shown is the serial number of the certificate that new connections see.
func shown(t *testing.T, address string) int64 {
	t.Helper()
	c := must(tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}))(t)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificatesAreReloadedAndConnectionsKept(t *testing.T) {
	t.Parallel()
	f, a, folder := startTLS(t)
	address := f.server.listener.Addr().String()
	client := a.client(t)
	get(t, client, f.server.URL+"/healthz")
	first := a.serial

	if err := os.WriteFile(filepath.Join(folder, "tls.key"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.server.ReloadCertificate(); err == nil || !strings.Contains(err.Error(), "tls.key") {
		t.Errorf("a damaged key: %v", err)
	}
	a.write(t, folder, time.Now().Add(-time.Hour))
	if err := f.server.ReloadCertificate(); err == nil || !strings.Contains(err.Error(), "the certificate ended on") {
		t.Errorf("a certificate that has ended: %v", err)
	}
	if got := shown(t, address); got != first {
		t.Errorf("certificate %d is shown after bad ones, want %d", got, first)
	}
	second := a.write(t, folder, time.Time{})
	if err := f.server.ReloadCertificate(); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, address); got != second {
		t.Errorf("certificate %d is shown, want %d", got, second)
	}
	reused := false
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	res := must(client.Do(must(http.NewRequestWithContext(trace, http.MethodGet, f.server.URL+"/healthz", nil))(t)))(t)
	res.Body.Close()
	if !reused || res.TLS.PeerCertificates[0].SerialNumber.Int64() != first {
		t.Error("the connection that was open was dropped")
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func TestChangedCertificatesAreNoticed(t *testing.T) {
	t.Parallel()
	a, folder, said := newAuthority(t), t.TempDir(), &lines{}
	a.write(t, folder, time.Time{})
	c := Config{TLSCert: filepath.Join(folder, "tls.crt"), TLSKey: filepath.Join(folder, "tls.key")}
	k := must(loadCertificate(c, slog.New(slog.NewTextHandler(said, nil))))(t)
	ctx, stop := context.WithCancel(t.Context())
	looks := make(chan time.Time)
	ended := make(chan struct{})
	go func() { defer close(ended); k.watch(ctx, looks) }()
	look := func() { looks <- time.Time{}; looks <- time.Time{} } // the second is taken when the first is done
	current := func() int64 { return k.current.Load().Leaf.SerialNumber.Int64() }
	first := current()
	if err := os.Remove(c.TLSCert); err != nil {
		t.Fatal(err)
	}
	look()
	look()
	if n := said.count("the old one stays in use"); n != 1 || current() != first {
		t.Errorf("a missing file is said %d times, certificate %d", n, current())
	}
	second := a.write(t, folder, time.Time{})
	look()
	if current() != second || said.count("a new certificate is in use") != 1 {
		t.Errorf("certificate %d, want %d: %s", current(), second, said.text.String())
	}
	if err := os.WriteFile(c.TLSCert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	look()
	if n := said.count("the old one stays in use"); n != 2 || current() != second {
		t.Errorf("an empty file is said %d times, certificate %d", n-1, current())
	}
	stop()
	<-ended
}

func TestTLSNeedsAGoodPairToStart(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.TLSCert, c.TLSKey = filepath.Join(c.Data, "none.crt"), filepath.Join(c.Data, "none.key")
	_, err := Start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "TLS: open "+c.TLSCert) {
		t.Errorf("a missing file: %v", err)
	}
	c.TLSKey = ""
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "tls-cert: must be set together with tls-key") {
		t.Errorf("half a pair: %v", err)
	}
}
