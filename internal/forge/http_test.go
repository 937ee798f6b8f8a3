package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/forge"
)

var kinds = []forge.Kind{forge.GitHub, forge.GitLab, forge.Gitea, forge.Bitbucket}

// refused opens a pull request on a server of each kind that always answers
// the same.
func refused(t *testing.T, kind forge.Kind, answer http.HandlerFunc) (*forge.Error, error) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	pulls, err := forge.New().PullRequests(t.Context(), forge.Server{Kind: kind, URL: s.URL, Token: "token"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pulls.Get(t.Context(), "acme/app", 7)
	if err == nil {
		t.Fatalf("%s: no error", kind)
	}
	e, _ := errors.AsType[*forge.Error](err)
	return e, err
}

func TestRefusalsSayWhereAndWhatInEachServersShape(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"message": "Validation Failed", "errors": [{"message": "A pull request already exists for acme:work."}]}`: ": Validation Failed (A pull request already exists for acme:work.)",
		`{"message": "Validation Failed", "errors": [{"code": "invalid", "field": "base"}]}`:                        ": Validation Failed (code: invalid, field: base)",
		`{"message": ["Another open merge request already exists: !1"]}`:                                            ": Another open merge request already exists: !1",
		`{"message": {"base": ["is missing", "is odd"]}}`:                                                           ": base: is missing, is odd",
		`{"error": "insufficient_scope"}`:                                                                           ": insufficient_scope",
		`{"type": "error", "error": {"message": "There are no changes to be pulled"}}`:                              ": There are no changes to be pulled",
		`{"message": "several\nlines\u0000"}`:                                                                       ": several lines",
		`{"message": "` + strings.Repeat("ä", 600) + `"}`:                                                           ": " + strings.Repeat("ä", 500) + "…",
		"<html>" + strings.Repeat("x", 3<<20):                                                                       "",
		``:                                                                                                          "",
	} {
		for _, kind := range kinds {
			e, err := refused(t, kind, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, body)
			})
			got := err.Error()
			if e == nil || e.Transient() || !strings.HasPrefix(got, "http://127.0.0.1:") || !strings.HasSuffix(got, "/7 answered 409 Conflict"+want) {
				t.Errorf("%s: %.80s reads %.300q", kind, body, got)
			}
		}
	}
}

func TestServersSayWhenTheyWantToBeAskedAgain(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(10 * time.Minute)
	for _, test := range []struct {
		status          int
		header          map[string]string
		from, to        time.Duration
		limited, passes bool
	}{
		{429, map[string]string{"Retry-After": "90"}, 90 * time.Second, 90 * time.Second, true, true},
		{503, map[string]string{"Retry-After": soon.UTC().Format(http.TimeFormat)}, 9 * time.Minute, 10 * time.Minute, false, true},
		{403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(soon.Unix())}, 9 * time.Minute, 10 * time.Minute, true, true},
		{429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(soon.Unix())}, 9 * time.Minute, 10 * time.Minute, true, true},
		{403, map[string]string{"X-RateLimit-Remaining": "4000", "X-RateLimit-Reset": fmt.Sprint(soon.Unix())}, 0, 0, false, false},
		{429, map[string]string{"Retry-After": "99999999"}, time.Hour, time.Hour, true, true},
		{429, map[string]string{"Retry-After": "-5"}, 0, 0, true, true},
		{429, map[string]string{"Retry-After": "soon"}, 0, 0, true, true},
		{500, nil, 0, 0, false, true},
		{401, nil, 0, 0, false, false},
	} {
		for _, kind := range kinds {
			calls := 0
			e, err := refused(t, kind, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				for name, value := range test.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
			})
			if e == nil || e.RetryAfter < test.from || e.RetryAfter > test.to || e.Limited() != test.limited || e.Transient() != test.passes || calls != 1 {
				t.Errorf("%s: %d with %v after %d calls: %+v (%v)", kind, test.status, test.header, calls, e, err)
			}
		}
	}
}

func TestCredentialsDoNotFollowRedirectsElsewhere(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked with %q", r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	for _, kind := range kinds {
		if _, err := refused(t, kind, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/", http.StatusTemporaryRedirect)
		}); !strings.Contains(err.Error(), "redirects to "+other.URL) {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := refused(t, kind, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}); !strings.Contains(err.Error(), "again and again") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if _, err := refused(t, kind, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"title": "`)
			line := strings.Repeat("x", 1<<20)
			for range 20 {
				if _, err := fmt.Fprint(w, line); err != nil {
					return
				}
			}
			fmt.Fprint(w, `"}`)
		}); !strings.Contains(err.Error(), "too large") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
