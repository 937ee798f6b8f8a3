package forgetest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Gate stands before a server and lets tests see its requests, answer them
// themselves, or lose them on their way.
type Gate struct {
	URL     string
	next    http.Handler
	mu      sync.Mutex
	through func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// NewGate serves what a handler does.
func NewGate(t testing.TB, next http.Handler) *Gate {
	t.Helper()
	g := &Gate{next: next}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	g.URL = s.URL
	return g
}

// Through has all requests go through a function from now on; nil takes it away.
func (g *Gate) Through(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.through = f
}

// Answer answers all requests alike from now on, until Through.
func (g *Gate) Answer(status int, header map[string]string, body string) {
	g.Through(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// Lose cuts the connection of a request instead of answering it: before it is
// carried out, or after.
func Lose(r *http.Request, next http.Handler, after bool) {
	if after {
		next.ServeHTTP(httptest.NewRecorder(), r)
	}
	panic(http.ErrAbortHandler)
}

// ServeHTTP hands a request on.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	through := g.through
	g.mu.Unlock()
	if through == nil {
		g.next.ServeHTTP(w, r)
		return
	}
	through(w, r, g.next)
}
