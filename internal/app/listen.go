package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/tofustate"
)

// patience is how long the server waits for clients, so that slow ones, and
// those that play slow, hold nothing up.
type patience struct {
	header time.Duration // for a request's header
	body   time.Duration // for its body to begin with
	rate   int64         // bytes of body a second that earn more time
	write  time.Duration // for the client to take some of the answer
	idle   time.Duration // for the next request
}

var patient = patience{header: 10 * time.Second, body: 30 * time.Second, rate: 4 << 10, write: time.Minute, idle: 2 * time.Minute}

// maxHeader bounds a request's header.
const maxHeader = 64 << 10

// httpServer serves h to patient listeners.
func (p patience) httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           p.bound(h),
		ReadHeaderTimeout: p.header,
		IdleTimeout:       p.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: p.idle, PingTimeout: p.write},
	}
}

// bound gives each request its time.
func (p patience) bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			// A copy: were the body of the server's own request replaced, it would wait
			// for a body that it never asked the client to go on with.
			r = r.WithContext(r.Context())
			r.Body = p.pace(r.Body, control)
		}
		if r.ProtoMajor < 2 { // the connection sees to answers
			h.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(&pacedStream{w, control, p.write}, r)
		_ = control.SetWriteDeadline(time.Now().Add(p.write)) // for what is still held back
	})
}

// pacedBody reads a body that must keep coming.
type pacedBody struct {
	io.ReadCloser
	patience
	control *http.ResponseController
	began   time.Time
	read    int64
	until   time.Time
}

// pace begins a body's time, which runs also if nobody reads it: what is left of
// it is read before the next request.
func (p patience) pace(body io.ReadCloser, control *http.ResponseController) *pacedBody {
	b := &pacedBody{ReadCloser: body, control: control, patience: p, began: time.Now()}
	b.extend()
	return b
}

func (b *pacedBody) extend() {
	until := b.began.Add(b.body + time.Duration(b.read/b.rate)*time.Second)
	if !until.Equal(b.until) {
		b.until = until
		_ = b.control.SetReadDeadline(until)
	}
}

func (b *pacedBody) Read(into []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(into)
	b.read += int64(n)
	if errors.Is(err, io.EOF) { // or the deadline would end a call that takes long
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// pacedStream writes to a stream of a connection that has others.
type pacedStream struct {
	http.ResponseWriter
	control *http.ResponseController
	write   time.Duration
}

func (s *pacedStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *pacedStream) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.write))
	defer s.control.SetWriteDeadline(time.Time{}) // a stream may be silent for long
	return s.ResponseWriter.Write(p)
}

func (s *pacedStream) FlushError() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.write))
	defer s.control.SetWriteDeadline(time.Time{})
	return s.control.Flush()
}

func (s *pacedStream) Flush() { _ = s.FlushError() }

// listen makes a listener whose connections fail when the client takes nothing
// of what is written.
func (p patience) listen(l net.Listener) net.Listener { return patientListener{l, p.write} }

type patientListener struct {
	net.Listener
	write time.Duration
}

func (l patientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{c, l.write}, nil
}

type patientConn struct {
	net.Conn
	write time.Duration
}

// writePiece is how much a client must take in time.
const writePiece = 64 << 10

func (c *patientConn) Write(p []byte) (n int, err error) {
	for first := true; first || n < len(p); first = false {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:min(len(p), n+writePiece)])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// open opens what the server listens on: the address of the configuration, and
// with TLS a plain one beside it, which this machine alone can reach, for the
// programs that the server starts: they need not know its certificate.
func (s *Server) open(c Config) (err error) {
	if s.certificate, err = loadCertificate(c, s.log); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	scheme := "http://"
	s.local = hostURL(scheme, s.listener.Addr())
	if s.certificate != nil {
		if s.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listen for deployments: %w", err)
		}
		scheme, s.local = "https://", hostURL("http://", s.plain.Addr())
	}
	if s.URL = strings.TrimSuffix(c.PublicURL, "/"); s.URL == "" {
		s.URL = hostURL(scheme, s.listener.Addr())
	}
	return nil
}

// hostURL is how programs on this machine reach an address.
func hostURL(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// commandURL is where commands find the API: with TLS at the plain address,
// because they would need to trust the certificate. A container does not reach
// that.
func (s *Server) commandURL() string {
	if s.plain != nil && s.config.ContainerRuntime == "" {
		return s.local
	}
	return s.URL
}

// listenAndServe serves h, and to what runs on this machine its part of it.
func (s *Server) listenAndServe(h *routes) {
	s.http = patient.httpServer(secured(h, s.hsts()), s.log)
	serve := func(run func() error) {
		s.wait.Go(func() {
			err := run()
			if errors.Is(err, http.ErrServerClosed) {
				err = nil
			}
			s.served <- err
		})
	}
	listener := patient.listen(s.listener)
	if s.certificate == nil {
		serve(func() error { return s.http.Serve(listener) })
		return
	}
	s.http.TLSConfig = s.certificate.config()
	watch, stop := context.WithCancel(context.Background())
	s.http.RegisterOnShutdown(stop)
	s.wait.Go(func() { s.certificate.watch(watch, time.Tick(certificateEvery)) })
	serve(func() error { return s.http.ServeTLS(listener, "", "") })
	s.localHTTP = patient.httpServer(secured(forDeployments{h}, ""), s.log)
	serve(func() error { return s.localHTTP.Serve(patient.listen(s.plain)) })
}

// hsts is what tells browsers to come by TLS alone; empty without it.
func (s *Server) hsts() string {
	if s.certificate == nil || s.config.HSTSSeconds == 0 {
		return ""
	}
	return "max-age=" + strconv.Itoa(s.config.HSTSSeconds)
}

// forDeployments is what deployments need of the server: the API, and the
// states of OpenTofu.
type forDeployments struct{ *routes }

func (h forDeployments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && r.Method == http.MethodPost || strings.HasPrefix(r.URL.Path, tofustate.Prefix) {
		h.routes.ServeHTTP(w, r)
		return
	}
	writeText(w, http.StatusNotFound, "not found: this address is for deployments\n")
}

// secured sets the headers that answers of all kinds have. Clients of the API
// ignore them. A browser that is led to an answer does not guess what it is,
// runs nothing of it (an object of a bucket may be a page that somebody made to
// act on the console, which is at the same address), and keeps no secret.
func secured(h http.Handler, hsts string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox") // the console has its own
		if hsts != "" {
			header.Set("Strict-Transport-Security", hsts)
		}
		if r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/-/") {
			header.Set("Cache-Control", "no-store")
		}
		h.ServeHTTP(w, r)
	})
}
