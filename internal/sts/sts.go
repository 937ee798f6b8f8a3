// Package sts answers the calls of AWS's Security Token Service that clients
// make to find out who they are and to become a role for a while. SDK
// credential chains and "aws sts" use it as they use AWS's.
//
// It speaks the query protocol (form-encoded requests, XML answers) and issues
// temporary credentials. It hides how these are made; nothing of them is
// stored. It decides nothing about Proton's resources.
package sts

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/store"
)

const (
	version   = "2011-06-15"
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	service   = "sts"
	// maxBody holds session policies and tokens with room to spare.
	maxBody = 256 << 10
)

// Service answers calls. Its fields are set before the first.
type Service struct {
	Store    *store.Store
	Sealer   *auth.Sealer
	Verifier *auth.Verifier
	Logger   *slog.Logger
	// Identities proves identities that others vouch for.
	Identities Identities
	// Stranger, if set, is told of each refusal of somebody who has proved
	// nothing. It answers what to tell them, and whether to record it.
	Stranger func(r *http.Request, err error) (told error, record bool)
	// Finished, if set, is told about each call that was answered.
	Finished func(ctx context.Context, r *http.Request, c Call)
	Now      func() time.Time // nil: time.Now
}

// Call is a call that has been answered.
type Call struct {
	Action     string
	RequestID  string
	Principal  auth.Principal // zero if nobody was recognized
	Parameters map[string]string
	Answer     map[string]string // what was issued, without secrets
	Code       string            // of the refusal; empty for success
	Message    string
	Unrecorded bool // of a stranger who was refused too often
}

// failure is a refusal as STS words it.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func invalid(format string, args ...any) error {
	return &failure{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

// Wants reports whether a request at the port's root is one for STS: a form,
// or a presigned query.
func Wants(r *http.Request) bool {
	if r.Header.Get("X-Amz-Target") != "" {
		return false
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Method == http.MethodPost && strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") ||
		r.URL.Query().Has("Action")
}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &Call{RequestID: uuid.NewString()}
	result, err := s.serve(w, r, c)
	status, body := http.StatusOK, any(nil)
	if err != nil {
		if c.Principal.ARN == "" && s.Stranger != nil {
			told, record := s.Stranger(r, err)
			err, c.Unrecorded = told, !record
		}
		f := s.asFailure(r.Context(), c, err)
		status, c.Code, c.Message = f.status, f.code, f.message
		body = errorResponse{Namespace: namespace, Type: "Sender", Code: f.code, Message: f.message, RequestID: c.RequestID}
	} else {
		body = response{XMLName: xml.Name{Local: c.Action + "Response"}, Namespace: namespace, Result: result, RequestID: c.RequestID}
	}
	text, err := xml.MarshalIndent(body, "", "  ")
	if err != nil { // the shapes are ours
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", c.RequestID)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
	if s.Finished != nil {
		s.Finished(r.Context(), r, *c)
	}
}

type response struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns,attr"`
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// serve reads a request, finds out who sent it, and does what it asks for.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, c *Call) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &failure{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("the request body is larger than %d bytes, or could not be read", maxBody)}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	form, formErr := url.ParseQuery(string(body))
	if err = cmp.Or(err, formErr); err != nil {
		return nil, &failure{http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error"}
	}
	p := parameters{}
	for _, source := range []url.Values{query, form} {
		for name, values := range source {
			if len(values) > 1 {
				return nil, invalid("Parameter %s is given more than once.", name)
			}
			if !strings.HasPrefix(name, "X-Amz-") {
				p[name] = values[0]
			}
		}
	}
	c.Action = p.take("Action")
	if v := p.take("Version"); v != version {
		return nil, &failure{http.StatusBadRequest, "NoSuchVersion", fmt.Sprintf("The requested version ( %s ) is not valid; it is %s", v, version)}
	}
	c.Parameters = p.shown()
	call, known := map[string]func(context.Context, *Call, parameters) (any, error){
		"GetCallerIdentity": s.getCallerIdentity, "AssumeRole": s.assumeRole, "AssumeRoleWithWebIdentity": s.assumeRoleWithWebIdentity,
	}[c.Action]
	if !known {
		return nil, &failure{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %.100s for version %s", c.Action, version)}
	}
	if c.Action != "AssumeRoleWithWebIdentity" { // whose token is the proof
		if query.Has("X-Amz-Signature") {
			c.Principal, err = s.Verifier.VerifyPresigned(r, service)
		} else {
			c.Principal, err = s.Verifier.Verify(r, body, service)
		}
		if err != nil {
			return nil, err
		}
	}
	result, err := call(r.Context(), c, p)
	if err == nil && len(p) > 0 {
		err = p.unknown(c.Action)
	}
	return result, err
}

// asFailure gives refusals of signatures the codes that STS has for them.
func (s *Service) asFailure(ctx context.Context, c *Call, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		code, status := e.Code, http.StatusForbidden
		switch e.Code {
		case "UnrecognizedClientException":
			code = "InvalidClientTokenId"
		case "InvalidSignatureException":
			code = "SignatureDoesNotMatch"
		case "ExpiredTokenException":
			code = "ExpiredToken"
		case "MissingAuthenticationTokenException":
			code = "MissingAuthenticationToken"
		case "ThrottlingException":
			code, status = "Throttling", http.StatusBadRequest
		case "IncompleteSignature":
			status = http.StatusBadRequest
		}
		return &failure{status, code, e.Message}
	}
	s.Logger.ErrorContext(ctx, "operation went wrong", "request_id", c.RequestID, "operation", c.Action, "err", err)
	return &failure{http.StatusInternalServerError, "InternalFailure", "internal error"}
}

// parameters are those of a request that nothing has used yet: what nobody
// understands is refused, because a call without it means something else.
type parameters map[string]string

func (p parameters) take(name string) string {
	value := p[name]
	delete(p, name)
	return value
}

// secretParameters prove who somebody is; they are not shown to anybody.
var secretParameters = map[string]bool{"WebIdentityToken": true, "TokenCode": true}

func (p parameters) shown() map[string]string {
	shown := map[string]string{}
	for name, value := range p {
		if secretParameters[name] {
			value = "HIDDEN_DUE_TO_SECURITY_REASONS"
		}
		shown[strings.ToLower(name[:min(1, len(name))])+name[min(1, len(name)):]] = value
	}
	return shown
}

func (p parameters) unknown(action string) error {
	for name := range p {
		return invalid("%s does not take the parameter %.100s here.", action, name)
	}
	return nil
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}
