package app

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/auth"
)

// raw sends text to a server and answers all that comes back until the server
// hangs up, or the test gives up.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	c := must(net.Dial("tcp", address))(t)
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, text)
	answer, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // which is what it does to whoever is still sending
		t.Errorf("the server holds the connection of %.60q: %v", text, err)
	}
	return string(answer)
}

// statuses is the status line of each answer on a connection.
func statuses(answer string) (list []string) {
	for line := range strings.Lines(answer) {
		if rest, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
			list = append(list, rest[:3])
		}
	}
	return list
}

// What proxies and servers may read differently is refused, or read in the one
// way that the standard has, and never leaves a second request behind.
func TestRequestsThatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	f := start(t)
	address := f.server.listener.Addr().String()
	const smuggled = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
	post := func(headers, body string) string {
		return "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AwsProton20200720.ListServices\r\n" + headers + "\r\n" + body
	}
	for name, c := range map[string]struct{ text, want string }{
		"two lengths":               {post("Content-Length: 0\r\nContent-Length: 38\r\n", smuggled), "400"},
		"a list of lengths":         {post("Content-Length: 0, 38\r\n", smuggled), "400"},
		"a signed length":           {post("Content-Length: +0\r\n", smuggled), "400"},
		"a negative length":         {post("Content-Length: -1\r\n", smuggled), "400"},
		"a length in hexadecimal":   {post("Content-Length: 0x0\r\n", smuggled), "400"},
		"an unknown encoding":       {post("Transfer-Encoding: xchunked\r\n", smuggled), "501"},
		"two encodings":             {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+smuggled), "501"},
		"a list of encodings":       {post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"+smuggled), "501"},
		"a hidden encoding":         {post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"+smuggled), "400"},
		"a space before the colon":  {post("Content-Length : 0\r\n", smuggled), "400"},
		"a line that begins blank":  {"POST / HTTP/1.1\r\n Host: h\r\n\r\n", "400"},
		"no host":                   {"POST / HTTP/1.1\r\n\r\n", "400"},
		"two hosts":                 {"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		"a NUL in a header":         {post("X-A: a\x00b\r\n", ""), "400"},
		"a version of its own":      {"GET /healthz HTTP/9.9\r\nHost: h\r\n\r\n", "505"},
		"a chunk without a size":    {post("Transfer-Encoding: chunked\r\nConnection: close\r\n", "x\r\n\r\n"+smuggled), "400"},
		"a chunk size that is long": {post("Transfer-Encoding: chunked\r\nConnection: close\r\n", "10000000000000000\r\n\r\n"+smuggled), "400"},
		"an encoding over a length": {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n", "0\r\n\r\n"+smuggled), "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := statuses(raw(t, address, c.text)); len(got) != 1 || got[0] != c.want {
				t.Errorf("answers %q, want %s and no other", got, c.want)
			}
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t)
	text := "GET /healthz HTTP/1.1\r\nHost: h\r\nX-Filler: " + strings.Repeat("x", 200<<10) + "\r\n\r\n"
	if got := statuses(raw(t, f.server.listener.Addr().String(), text)); len(got) > 0 && got[0] != "431" {
		t.Errorf("answers %q", got)
	}
}

// slowServer serves h with little patience.
func slowServer(t *testing.T, p patience, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = p.httpServer(h, slog.New(slog.DiscardHandler))
	s.Listener = p.listen(s.Listener)
	s.EnableHTTP2 = true
	t.Cleanup(s.Close)
	return s
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	p := patient
	p.header, p.body, p.idle = time.Second, time.Second, time.Second
	s := slowServer(t, p, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unread" {
			http.Error(w, "not this", http.StatusForbidden)
		} else if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, "too slow", http.StatusRequestTimeout)
		}
	})
	s.Start()
	address := s.Listener.Addr().String()
	for name, c := range map[string]struct{ text, want string }{
		"silent":                 {"", "[]"},
		"half a request line":    {"GET / HT", "[400]"},
		"half a header":          {"GET / HTTP/1.1\r\nHost: h\r\nX-A", "[400]"},
		"half a body":            {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", "[408]"},
		"half a chunk":           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "[408]"},
		"idle after an answer":   {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1", "[200]"},
		"a body never asked for": {"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n", "[403]"},
		"no body that is asked":  {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", "[100 408]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprint(statuses(raw(t, address, c.text))); got != c.want {
				t.Errorf("answers %s, want %s", got, c.want)
			}
		})
	}
}

// deadlines keeps those that are set on a connection.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.set = append(d.set, at); return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.set = append(d.set, at); return nil }
func (d *deadlines) Write(p []byte) (int, error)         { return len(p), nil }

// A body that keeps coming earns its time, and a call may take longer than its
// body did.
func TestTimeForBodies(t *testing.T) {
	t.Parallel()
	d, began := &deadlines{}, time.Now()
	b := &pacedBody{
		ReadCloser: io.NopCloser(iotest.OneByteReader(strings.NewReader("abcde"))), control: http.NewResponseController(d),
		patience: patience{body: time.Minute, rate: 2}, began: began,
	}
	must(io.ReadAll(b))(t)
	want := []time.Time{began.Add(time.Minute), began.Add(time.Minute + time.Second), began.Add(time.Minute + 2*time.Second), {}}
	if diff := cmp.Diff(want, d.set); diff != "" {
		t.Error(diff)
	}
}

// A stream has time for each piece, and may be silent for as long as it likes.
func TestTimeForStreams(t *testing.T) {
	t.Parallel()
	d, began := &deadlines{}, time.Now()
	s := &pacedStream{d, http.NewResponseController(d), time.Minute}
	must(io.WriteString(s, "piece"))(t)
	if len(d.set) != 2 || d.set[0].Before(began.Add(time.Minute)) || !d.set[1].IsZero() {
		t.Errorf("deadlines %v", d.set)
	}
}

// A client that takes nothing of an answer does not hold the server up.
func TestAnswersThatNobodyTakes(t *testing.T) {
	t.Parallel()
	p := patient
	p.write = 500 * time.Millisecond
	failed := make(chan error, 2)
	s := slowServer(t, p, func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				failed <- err
				return
			}
		}
	})
	s.StartTLS()
	ended := func(name string) {
		t.Helper()
		select {
		case <-failed:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the answer is still being written", name)
		}
	}
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := must(tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com"}))(t)
	defer c.Close()
	must(io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"))(t)
	must(bufio.NewReader(c).ReadString('\n'))(t)
	ended("HTTP/1.1")
	res := must(s.Client().Get(s.URL))(t) // the stream has no more room, the connection has
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Fatalf("over %s", res.Proto)
	}
	ended("HTTP/2")
}

// An object of a bucket is at the same address as the console: what it holds
// must not be run there.
func TestBrowsersRunNothingButTheConsole(t *testing.T) {
	t.Parallel()
	f := start(t)
	root, object := f.root(), f.server.URL+"/pages/evil.html"
	send := func(method, url, body string) *http.Response {
		t.Helper()
		r := must(http.NewRequest(method, url, strings.NewReader(body)))(t)
		r.Header.Set("Content-Type", "text/html")
		if err := auth.Sign(r, []byte(body), root.id, root.secret, "", region, "s3", time.Now()); err != nil {
			t.Fatal(err)
		}
		res := must(http.DefaultClient.Do(r))(t)
		res.Body.Close()
		return res
	}
	send(http.MethodPut, f.server.URL+"/pages", "")
	send(http.MethodPut, object, "<script>alert(1)</script>")
	res := send(http.MethodGet, object, "")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s, %v", res.Status, res.Header)
	}
	for path, res := range map[string]*http.Response{
		"an object": res, "an answer": must(http.Post(f.server.URL, "application/x-amz-json-1.0", nil))(t), "a state": get(t, http.DefaultClient, f.server.URL+"/-/state/x"),
	} {
		if !strings.Contains(res.Header.Get("Content-Security-Policy"), "sandbox") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, res.Header)
		}
		if want := map[bool]string{false: "no-store"}[path == "an object"]; res.Header.Get("Cache-Control") != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, res.Header.Get("Cache-Control"), want)
		}
	}
	if policy := get(t, http.DefaultClient, f.server.URL+"/console/sign-in").Header.Get("Content-Security-Policy"); strings.Contains(policy, "sandbox") {
		t.Errorf("the console: %s", policy)
	}
}
