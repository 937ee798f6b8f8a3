package forge_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/forge"
)

func TestWebhooksAreHeldAgainstTheirSecretInEachServersWay(t *testing.T) {
	t.Parallel()
	const secret = "It's a Secret to Everybody"
	const body = `{"repository": {"full_name": "acme/app"}, "project": {"path_with_namespace": "group/sub/app"}}`
	const mac = "3a7a2ff4ff3f8b1b2d8d1f37d7e4cf0a"
	signature := sign(secret, body)
	for _, test := range []struct {
		kind          forge.Kind
		header, value string
		want          string
	}{
		{forge.GitHub, "X-Hub-Signature-256", "sha256=" + signature, "acme/app"},
		{forge.Gitea, "X-Gitea-Signature", signature, "acme/app"},
		{forge.Gitea, "X-Forgejo-Signature", signature, "acme/app"},
		{forge.Bitbucket, "X-Hub-Signature", "sha256=" + signature, "acme/app"},
		{forge.Plain, "X-Hub-Signature-256", "sha256=" + signature, "acme/app"},
		{forge.GitLab, "X-Gitlab-Token", secret, "group/sub/app"},
	} {
		header := http.Header{}
		header.Set(test.header, test.value)
		if got, err := forge.Webhook(test.kind, secret, header, []byte(body)); err != nil || got != test.want {
			t.Errorf("%s with %s: %q %v", test.kind, test.header, got, err)
		}
		for _, bad := range []string{"", mac, "sha256=" + mac, "sha256=", strings.ToUpper(test.value) + "0"} {
			header.Set(test.header, bad)
			if _, err := forge.Webhook(test.kind, secret, header, []byte(body)); !errors.Is(err, forge.ErrSignature) {
				t.Errorf("%s with %s %q: %v", test.kind, test.header, bad, err)
			}
		}
	}
	if _, err := forge.Webhook("unknown", "", http.Header{}, []byte(body)); !errors.Is(err, forge.ErrSignature) {
		t.Errorf("an unknown kind: %v", err)
	}
}

// exchange is a call that a fake server expects, and what it answers. The
// shapes are those of the servers' published APIs; they alone can't be run here.
type exchange struct {
	call   string // method and path with query
	body   string // what the body must hold
	status int
	answer string
}

func server(t *testing.T, authorization string, exchanges ...exchange) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(exchanges) == 0 {
			t.Errorf("one call too many: %s %s", r.Method, r.URL)
			return
		}
		e := exchanges[0]
		exchanges = exchanges[1:]
		body, _ := io.ReadAll(r.Body)
		if got := r.Method + " " + r.URL.RequestURI(); got != e.call || !strings.Contains(string(body), e.body) || r.Header.Get("Authorization") != authorization {
			t.Errorf("got %s with %s as %s, want %s with %s", got, body, r.Header.Get("Authorization"), e.call, e.body)
		}
		w.WriteHeader(e.status)
		fmt.Fprint(w, e.answer)
	}))
	t.Cleanup(func() {
		s.Close()
		if len(exchanges) > 0 {
			t.Errorf("not called: %+v", exchanges)
		}
	})
	return s.URL
}

var wanted = forge.NewPullRequest{Title: "T", Body: "B", Branch: "work", Base: "main"}

// drive opens a pull request, looks at it in both ends, and closes it.
func drive(t *testing.T, kind forge.Kind, url string, token auth.Secret) {
	t.Helper()
	ctx := context.Background()
	pulls, err := forge.New().PullRequests(ctx, forge.Server{Kind: kind, URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := pulls.Find(ctx, "acme/app", "work"); err != nil || p != nil {
		t.Errorf("find: %+v %v", p, err)
	}
	if p, err := pulls.Open(ctx, "acme/app", wanted); err != nil || p.Number != 7 || p.State != forge.Open || p.URL != "https://x/7" {
		t.Errorf("open: %+v %v", p, err)
	}
	if p, err := pulls.Get(ctx, "acme/app", 7); err != nil || p.State != forge.Merged {
		t.Errorf("merged: %+v %v", p, err)
	}
	if p, err := pulls.Get(ctx, "acme/app", 7); err != nil || p.State != forge.Closed {
		t.Errorf("closed: %+v %v", p, err)
	}
	if err := pulls.Close(ctx, "acme/app", 7); err != nil {
		t.Errorf("close: %v", err)
	}
	var refused *forge.Error
	if _, err := pulls.Get(ctx, "acme/app", 7); !errors.As(err, &refused) || !refused.Transient() {
		t.Errorf("a server in trouble: %v", err)
	}
}

func TestPullRequestsOnGitHub(t *testing.T) {
	t.Parallel()
	url := server(t, "Bearer token",
		exchange{"GET /api/v3/repos/acme/app/pulls?head=acme%3Awork&per_page=1&state=all", "", 200, "[]"},
		exchange{"POST /api/v3/repos/acme/app/pulls", `"base":"main"`, 201, `{"number": 7, "html_url": "https://x/7", "state": "open", "mergeable": null}`},
		exchange{"GET /api/v3/repos/acme/app/pulls/7", "", 200, `{"number": 7, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"}`},
		exchange{"GET /api/v3/repos/acme/app/pulls/7", "", 200, `{"number": 7, "state": "closed", "merged_at": null}`},
		exchange{"PATCH /api/v3/repos/acme/app/pulls/7", `"state":"closed"`, 200, `{}`},
		exchange{"GET /api/v3/repos/acme/app/pulls/7", "", 403, `{"message": "API rate limit exceeded"}`})
	drive(t, forge.GitHub, url, "token")
}

func TestPullRequestsOnGitLab(t *testing.T) {
	t.Parallel()
	const path = "/api/v4/projects/acme%2Fapp/merge_requests"
	url := server(t, "Bearer token",
		exchange{"GET " + path + "?order_by=created_at&per_page=1&source_branch=work&state=all", "", 200, "[]"},
		exchange{"POST " + path, `"source_branch":"work"`, 201, `{"iid": 7, "web_url": "https://x/7", "state": "opened"}`},
		exchange{"GET " + path + "/7", "", 200, `{"iid": 7, "state": "merged"}`},
		exchange{"GET " + path + "/7", "", 200, `{"iid": 7, "state": "closed"}`},
		exchange{"PUT " + path + "/7", `"state_event":"close"`, 200, `{}`},
		exchange{"GET " + path + "/7", "", 502, ``})
	drive(t, forge.GitLab, url, "token")
}

func TestPullRequestsOnBitbucket(t *testing.T) {
	t.Parallel()
	const path = "/2.0/repositories/acme/app/pullrequests"
	url := server(t, "Basic dXNlcjpwYXNz",
		exchange{"GET " + path + "?pagelen=1&q=source.branch.name+%3D+%22work%22&sort=-created_on&state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED", "", 200, `{"values": []}`},
		exchange{"POST " + path, `"source":{"branch":{"name":"work"}}`, 201, `{"id": 7, "state": "OPEN", "links": {"html": {"href": "https://x/7"}}}`},
		exchange{"GET " + path + "/7", "", 200, `{"id": 7, "state": "MERGED"}`},
		exchange{"GET " + path + "/7", "", 200, `{"id": 7, "state": "DECLINED"}`},
		exchange{"POST " + path + "/7/decline", "", 200, `{}`},
		exchange{"GET " + path + "/7", "", 429, `{"type": "error"}`})
	drive(t, forge.Bitbucket, url, "user:pass")
}

func TestGitServersHaveNoPullRequests(t *testing.T) {
	t.Parallel()
	if _, err := forge.New().PullRequests(t.Context(), forge.Server{Kind: forge.Plain, URL: "https://x"}); !errors.Is(err, forge.ErrNoPullRequests) {
		t.Errorf("got %v", err)
	}
}

func TestGitHubAppsGetATokenForAnHour(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/api/v3/app/installations/22/access_tokens" || strings.Count(r.Header.Get("Authorization"), ".") != 2 {
			t.Errorf("asked %s as %s", r.URL, r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token": "short-lived", "expires_at": %q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	defer s.Close()
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	text, _ := json.Marshal(map[string]any{"appId": 11, "installationId": "22", "privateKey": string(block)})
	f := forge.New()
	for range 2 {
		r, err := f.Remote(t.Context(), forge.Server{Kind: forge.GitHub, URL: s.URL, Token: auth.Secret(text)}, "acme/app")
		if err != nil || r.User != "x-access-token" || r.Password != "short-lived" || r.URL != s.URL+"/acme/app.git" {
			t.Fatalf("remote: %+v %v", r.URL, err)
		}
	}
	if asked != 1 {
		t.Errorf("%d tokens were asked for", asked)
	}
	for _, bad := range []string{`{}`, `{"appId": 1, "installationId": 2, "privateKey": "x"}`, `{"other": 1}`} {
		if err := forge.CheckToken(forge.GitHub, auth.Secret(bad)); err == nil {
			t.Errorf("%s is good enough", bad)
		}
	}
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}
