package tofustate_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/tofustate"
)

type client struct {
	t              *testing.T
	url            string
	user, password string
}

func newClient(t *testing.T, s *tofustate.States) client {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(tofustate.Prefix, s.Handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return client{t, server.URL + tofustate.Prefix, "key", "secret"}
}

func (c client) request(method, path, body string, headers ...string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(text)
}

func (c client) do(method, path, body string) (int, string) {
	c.t.Helper()
	resp, text := c.request(method, path, body)
	return resp.StatusCode, text
}

// A protocol test is a conversation: each line is a call and what must come back.
type exchange struct {
	method, path, body string
	code               int
	want               string // contained in the answer
}

func TestProtocol(t *testing.T) {
	t.Parallel()
	s1, s2 := string(state(1, "l", "x")), string(state(2, "l", "y"))
	const lockA, lockB = `{"ID": "A", "Who": "ann@host", "Operation": "apply"}`, `{"ID": "B", "Who": "bob@host"}`
	cases := []struct {
		name string
		talk []exchange
	}{
		{"read and write", []exchange{
			{"GET", "acct/dev", "", 404, ""},
			{"POST", "acct/dev", s1, 200, ""},
			{"GET", "acct/dev", "", 200, s1},
			{"POST", "acct/dev", s2, 200, ""},
			{"GET", "acct/dev", "", 200, s2},
			{"GET", "acct/dev/shop-dev", "", 404, ""},
		}},
		{"lock", []exchange{
			{"LOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"GET", "acct/dev", "", 404, ""},
			{"LOCK", "acct/dev?run=r2", lockB, 423, `"ID":"A","Who":"ann@host"`},
			{"LOCK", "acct/dev", lockB, 423, `"ann@host"`},
			{"POST", "acct/dev?run=r1&ID=A", s1, 200, ""},
			{"UNLOCK", "acct/dev?run=r2", lockB, 423, `"ann@host"`},
			{"UNLOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"UNLOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"LOCK", "acct/dev?run=r2", lockB, 200, ""},
		}},
		{"a repeated lock", []exchange{
			{"LOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"LOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"UNLOCK", "acct/dev?run=r1", lockA, 200, ""},
		}},
		{"writes need the lock", []exchange{
			{"POST", "acct/dev?ID=A", s1, 409, "not held any more"},
			{"LOCK", "acct/dev", lockA, 200, ""},
			{"POST", "acct/dev", s1, 423, "ann@host"},
			{"POST", "acct/dev?ID=B", s1, 423, "ann@host"},
			{"DELETE", "acct/dev", "", 423, "ann@host"},
			{"POST", "acct/dev?ID=A", s1, 200, ""},
		}},
		{"the next attempt of a run takes its lock over and fences the last", []exchange{
			{"LOCK", "acct/dev?run=r1", lockA, 200, ""},
			{"LOCK", "acct/dev?run=r1", lockB, 200, ""},
			{"POST", "acct/dev?run=r1&ID=A", s1, 423, "bob@host"},
			{"POST", "acct/dev?run=r1&ID=B", s2, 200, ""},
			{"UNLOCK", "acct/dev?run=r1", lockA, 423, "bob@host"},
			{"GET", "acct/dev", "", 200, s2},
		}},
		{"delete archives", []exchange{
			{"POST", "acct/dev", s1, 200, ""},
			{"DELETE", "acct/dev", "", 200, ""},
			{"GET", "acct/dev", "", 404, ""},
			{"DELETE", "acct/dev", "", 200, ""},
		}},
		{"bad calls", []exchange{
			{"PUT", "acct/dev", s1, 405, "LOCK"},
			{"POST", "acct/dev", "not json", 400, "JSON object"},
			{"LOCK", "acct/dev", "", 400, "ID"},
			{"LOCK", "acct/dev", `{"Who": "x"}`, 400, "ID"},
			{"LOCK", "acct/dev", `{"ID": "` + strings.Repeat("x", 70<<10) + `"}`, 413, "65536"},
			{"UNLOCK", "acct/dev", "", 400, "ID"},
			{"GET", "acct/a%20b", "", 400, `"acct/a b"`},
			{"GET", "acct/dev?run=a/b", "", 400, "parameter run"},
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStates(t, nil)
			c := newClient(t, s)
			for n, e := range tc.talk {
				code, text := c.do(e.method, e.path, e.body)
				if code != e.code || !strings.Contains(text, e.want) {
					t.Fatalf("call %d, %s %s: got %d %q, want %d with %q", n+1, e.method, e.path, code, text, e.code, e.want)
				}
			}
		})
	}
}

func TestOnlyAuthorizedCallersGetIn(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	push(t, s, "acct/dev", state(1, "l", "hunter22"))
	push(t, s, "other/dev", state(1, "l", "hunter22"))
	for _, tc := range []struct {
		name, user, password, path string
		code                       int
	}{
		{"right", "key", "secret", "acct/dev", 200},
		{"no credentials", "", "", "acct/dev", 401},
		{"wrong secret", "key", "secre", "acct/dev", 401},
		{"another's state", "key", "secret", "other/dev", 401},
		{"no such state", "key", "secret", "other/none", 401},
		{"authorizer out of order", "broken", "secret", "acct/dev", 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, s)
			c.user, c.password = tc.user, tc.password
			for _, method := range []string{"GET", "POST", "DELETE", "LOCK", "UNLOCK"} {
				if tc.code == 200 && method != "GET" {
					continue
				}
				resp, text := c.request(method, tc.path, `{"ID": "x"}`)
				if resp.StatusCode != tc.code {
					t.Errorf("%s: got %d, want %d", method, resp.StatusCode, tc.code)
				}
				if tc.code != 200 && (strings.Contains(text, "hunter22") || strings.Contains(text, "fire")) {
					t.Errorf("%s tells too much: %s", method, text)
				}
				if tc.code == 401 && resp.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s: no WWW-Authenticate", method)
				}
			}
		})
	}
}

func TestContentMD5(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	c := newClient(t, s)
	body := string(state(1, "l", "x"))
	sum := md5.Sum([]byte(body))
	right := base64.StdEncoding.EncodeToString(sum[:])
	if resp, text := c.request("POST", "acct/dev", body+" ", "Content-MD5", right); resp.StatusCode != 400 {
		t.Errorf("a damaged body: %d %s", resp.StatusCode, text)
	}
	if resp, text := c.request("POST", "acct/dev", body, "Content-MD5", right); resp.StatusCode != 200 {
		t.Errorf("a whole body: %d %s", resp.StatusCode, text)
	}
	if resp, _ := c.request("GET", "acct/dev", ""); resp.Header.Get("Content-MD5") != right {
		t.Errorf("got Content-MD5 %q, want %q", resp.Header.Get("Content-MD5"), right)
	}
}

func TestStatesAboveTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	c := newClient(t, s)
	if code, text := c.do("POST", "acct/dev", strings.Repeat(" ", tofustate.MaxState+1)); code != 413 {
		t.Errorf("got %d %s, want 413", code, text)
	}
	if code, text := c.do("POST", "acct/dev", `{"serial": 1`+strings.Repeat(" ", 1<<20)+`}`); code != 200 {
		t.Errorf("a state of 1 MiB: %d %s", code, text)
	}
}

func TestLockOfAnEndedRunIsBroken(t *testing.T) {
	t.Parallel()
	ended := map[string]bool{}
	s, _ := newStates(t, func(c *tofustate.Config) {
		c.Ended = func(_ context.Context, user string) (bool, error) { return ended[user], nil }
	})
	c := newClient(t, s)
	c.do("LOCK", "acct/dev?run=r1", `{"ID": "A"}`)
	if code, _ := c.do("LOCK", "acct/dev?run=r2", `{"ID": "B"}`); code != 423 {
		t.Errorf("the lock of a run that goes on: got %d, want 423", code)
	}
	ended["key"] = true
	if code, _ := c.do("LOCK", "acct/dev?run=r2", `{"ID": "B"}`); code != 200 {
		t.Errorf("the lock of a run that has ended: got %d, want 200", code)
	}
}

func TestOwnerBreaksLocks(t *testing.T) {
	t.Parallel()
	s, _ := newStates(t, nil)
	c := newClient(t, s)
	ctx := t.Context()
	c.do("LOCK", "acct/dev?run=r1", `{"ID": "A", "Who": "ann@host", "Operation": "OperationTypeApply"}`)
	holder, err := s.Holder(ctx, "acct/dev")
	if err != nil || !strings.HasPrefix(holder, "run r1 (ann@host) for OperationTypeApply since ") {
		t.Errorf("holder is %q, %v", holder, err)
	}
	if err := s.Push(ctx, "acct/dev", "r2", state(1, "l", "x")); err == nil {
		t.Error("another run's push went past the lock")
	}
	if err := s.Push(ctx, "acct/dev", "r1", state(1, "l", "x")); err != nil {
		t.Errorf("the run's own push: %v", err)
	}
	if err := s.Release(ctx, "acct/dev", "r2"); err != nil {
		t.Error(err)
	}
	if err := s.Unlock(ctx, "acct/dev", "B"); err == nil {
		t.Error("a lock was broken by another's ID")
	}
	if _, held, _ := s.Locked(ctx, "acct/dev"); !held {
		t.Fatal("the lock is gone")
	}
	if err := s.Release(ctx, "acct/dev", "r1"); err != nil {
		t.Error(err)
	}
	if _, held, _ := s.Locked(ctx, "acct/dev"); held {
		t.Error("the run's release left the lock")
	}
	c.do("LOCK", "acct/dev", `{"ID": "A"}`)
	if err := s.Unlock(ctx, "acct/dev", ""); err != nil {
		t.Error(err)
	}
	if _, held, _ := s.Locked(ctx, "acct/dev"); held {
		t.Error("Unlock left the lock")
	}
}
