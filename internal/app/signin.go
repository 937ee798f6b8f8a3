package app

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/bucketstore"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/sts"
	"golang.org/x/time/rate"
)

// Failed signatures: so many at once, and then one in so long, are answered to
// one address with one access key, and recorded of one address.
const (
	failuresAtOnce = 20
	failureEvery   = 3 * time.Second
)

// guard limits failed signatures and writes refusals to the audit log.
type guard struct {
	plane   *control.Plane
	account string // that refusals of unknown callers are recorded in

	mu    sync.Mutex
	pairs map[string]*rate.Limiter // by address and access key
	hosts map[string]*rate.Limiter // by address
}

// maxGuarded bounds what the guard remembers.
const maxGuarded = 10000

func limiter(m *map[string]*rate.Limiter, key string) *rate.Limiter {
	if l := (*m)[key]; l != nil {
		return l
	}
	if *m == nil || len(*m) >= maxGuarded {
		*m = map[string]*rate.Limiter{}
	}
	l := rate.NewLimiter(rate.Every(failureEvery), failuresAtOnce)
	(*m)[key] = l
	return l
}

func pairOf(r *http.Request) (host, pair string) {
	host = r.RemoteAddr
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		host = from.Addr().Unmap().String()
	}
	return host, host + " " + claimedKey(r)
}

// claimedKey is the access key that a request says it is signed with.
func claimedKey(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok { // of a state
		return user[:min(len(user), 128)]
	}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if rest == "" {
		rest = r.URL.Query().Get("X-Amz-Credential")
	}
	id, _, _ := strings.Cut(rest, "/")
	return id[:min(len(id), 128)]
}

// failed counts a refused signature. Who fails too often is told so instead of
// what was wrong; whether it is to be recorded depends on the address. Right
// signatures always pass, so that nobody can lock somebody else out.
func (g *guard) failed(r *http.Request, err error) (_ error, record bool) {
	if g.tooMany(r) {
		return &auth.Error{Code: "ThrottlingException", Message: "Too many requests with a wrong signature. Wait a minute.", Status: http.StatusBadRequest}, false
	}
	host, _ := pairOf(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	return err, limiter(&g.hosts, host).Allow()
}

// tooMany counts a refusal of somebody who has proved nothing.
func (g *guard) tooMany(r *http.Request) bool {
	_, pair := pairOf(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	return !limiter(&g.pairs, pair).Allow()
}

// limited answers 429 instead of further refusals to who is refused too often.
func (g *guard) limited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&refusals{ResponseWriter: w, tooMany: func() bool { return g.tooMany(r) }}, r)
	})
}

// refusals counts the answers that refuse.
type refusals struct {
	http.ResponseWriter
	tooMany func() bool
	silent  bool // what was to be said is not
}

func (w *refusals) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *refusals) WriteHeader(status int) {
	if (status == http.StatusUnauthorized || status == http.StatusForbidden) && w.tooMany() {
		w.silent = true
		w.Header().Del("Content-Length")
		w.Header().Set("Retry-After", "60")
		writeText(w.ResponseWriter, http.StatusTooManyRequests, "too many refused requests; wait a minute\n")
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusals) Write(p []byte) (int, error) {
	if w.silent {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// authenticate gives an API request the principal who signed it.
func (g *guard) authenticate(v *auth.Verifier) func(*http.Request, []byte) (context.Context, error) {
	return func(r *http.Request, body []byte) (context.Context, error) {
		p, err := v.Verify(r, body, "proton")
		if err == nil {
			return auth.WithPrincipal(r.Context(), p), nil
		}
		refused, ok := errors.AsType[*auth.Error](err)
		if !ok {
			return nil, err
		}
		err, record := g.failed(r, err)
		if record {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			g.plane.AuditAlone(r.Context(), control.AuditEvent{
				Principal: g.stranger(r), Source: "proton.amazonaws.com", Name: operation, RequestID: awsjson.RequestID(r.Context()),
				ReadOnly: control.ReadOnly(operation), Code: refused.Code, Message: refused.Message,
			})
		}
		return nil, err
	}
}

// stranger is somebody of whom only the claim is known.
func (g *guard) stranger(r *http.Request) auth.Principal {
	p := auth.Principal{AccessKeyID: claimedKey(r), AccountID: g.account, UserAgent: r.UserAgent()}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.SourceIP = from.Addr()
	}
	return p
}

// stsStranger counts a call of the token service by somebody who has proved
// nothing.
func (g *guard) stsStranger(r *http.Request, err error) (_ error, record bool) {
	return g.failed(r, err)
}

// sts records what the token service has issued and refused.
func (g *guard) sts(ctx context.Context, r *http.Request, c sts.Call) {
	e := control.AuditEvent{
		Principal: c.Principal, Source: "sts.amazonaws.com", Name: c.Action, RequestID: c.RequestID, ReadOnly: control.ReadOnly(c.Action),
		Parameters: c.Parameters, Code: c.Code, Message: c.Message, Resource: c.Parameters["roleArn"],
	}
	if c.Answer != nil {
		e.Answer = c.Answer
	}
	if c.Principal.ARN == "" {
		if c.Unrecorded {
			return
		}
		e.Principal = g.stranger(r)
	}
	if e.ReadOnly && e.Code == "" {
		return
	}
	g.plane.AuditAlone(ctx, e)
}

// bucket records what the bucket store has changed and refused. Parts of an
// upload are not: its end tells of the object.
func (g *guard) bucket(r *http.Request, c bucketstore.Call) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if c.Name == "UploadPart" && c.Code == "" || reads && c.Code != "AccessDenied" && c.Principal.ARN != "" || c.Code == "SlowDown" {
		return
	}
	e := control.AuditEvent{
		Principal: c.Principal, Source: "s3.amazonaws.com", Name: c.Name, RequestID: c.RequestID, ReadOnly: reads, Resource: c.ARN(),
		Parameters: map[string]string{"bucketName": c.Bucket, "key": c.Key}, Code: c.Code, Message: c.Message,
	}
	if c.Principal.ARN == "" {
		host, _ := pairOf(r)
		g.mu.Lock()
		record := limiter(&g.hosts, host).Allow()
		g.mu.Unlock()
		if !record {
			return
		}
		e.Principal = g.stranger(r)
	}
	g.plane.AuditAlone(r.Context(), e)
}

// AuditHash is the hash of a record of the audit log, given the one before it.
func AuditHash(previous, account string, sequence int64, record string) string {
	return store.AuditHash(previous, account, sequence, record)
}
