package app

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/hadronhq/hadron/internal/console"
	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/sts"
)

// newTokenVerifier makes what holds identity providers' tokens against their
// keys.
func newTokenVerifier(c Config) (*oidc.Verifier, error) {
	roots, err := identityRoots(c.IdentityProviderCA)
	if err != nil {
		return nil, fmt.Errorf("identity-provider-ca: %w", err)
	}
	return &oidc.Verifier{Client: oidc.NewClient(roots)}, nil
}

// identityRoots are the system's authorities and those of a file; nil without
// one: the system's.
func identityRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return roots, nil
}

// identities proves who holds tokens that others have issued.
func (s *Server) identities() *sts.Providers {
	p := &sts.Providers{Store: s.store, Verifier: s.tokens, Logger: s.log}
	if s.config.AWSSignIn != "" {
		p.AWS = &sts.AWSIdentities{Audience: s.config.AWSSignIn, Endpoint: s.config.StsEndpoint}
	}
	return p
}

// consoleSignIn signs people in to the console at an identity provider: they
// become the first of some roles that trusts them.
type consoleSignIn struct {
	flow   *oidc.Flow
	roles  []string
	tokens *sts.Service
	guard  *guard
}

// consoleSignIn is nil if the configuration names no provider.
func (s *Server) consoleSignIn(tokens *sts.Service, g *guard) console.Federation {
	c := s.config
	if c.SignInIssuer == "" {
		return nil
	}
	return &consoleSignIn{
		flow: &oidc.Flow{
			Verifier: s.tokens, Issuer: c.SignInIssuer, ClientID: c.SignInClientID, ClientSecret: c.SignInClientSecret, Scopes: c.SignInScopes,
		},
		roles: c.signInRoles(), tokens: tokens, guard: g,
	}
}

func (f *consoleSignIn) Begin(ctx context.Context, back string) (string, json.RawMessage, error) {
	to, attempt, err := f.flow.Begin(ctx, back)
	if err != nil {
		return "", nil, signInRefusal(err)
	}
	kept, err := json.Marshal(attempt)
	return to, kept, err
}

func (f *consoleSignIn) End(r *http.Request, kept json.RawMessage, back string, answer url.Values) (console.Admitted, error) {
	var attempt oidc.Attempt
	if err := json.Unmarshal(kept, &attempt); err != nil {
		return console.Admitted{}, err
	}
	token, _, err := f.flow.End(r.Context(), attempt, back, answer)
	if err != nil {
		return console.Admitted{}, signInRefusal(err)
	}
	session, call, err := f.tokens.SignIn(r.Context(), f.roles, token)
	if refused, ok := errors.AsType[*sts.TokenError](err); ok {
		call.Code, call.Message = refused.Code, refused.Message
	}
	f.guard.sts(r.Context(), r, call)
	return console.Admitted{AccessKeyID: session.AccessKeyID, Token: session.Token, Ends: session.Ends}, signInRefusal(err)
}

// signInRefusal words an error for who is signing in; what is not about them stays
// as it is.
func signInRefusal(err error) error {
	if e, ok := errors.AsType[*oidc.Error](err); ok && e.Kind != oidc.Unreachable {
		return &console.RefusedError{Message: e.Message}
	} else if ok {
		return fmt.Errorf("%w (%w)", err, e.Err)
	}
	if e, ok := errors.AsType[*sts.TokenError](err); ok {
		return &console.RefusedError{Message: e.Message}
	}
	if errors.Is(err, sts.ErrNoRole) {
		return &console.RefusedError{Message: "You have signed in, but none of the roles for the console trusts you. Ask whoever runs this server."}
	}
	return err
}

var signInRole = regexp.MustCompile(`^(arn:aws:iam::\d{12}:role/)?[\w+=,.@-]{1,64}$`)

// signInRoles are the ARNs of the roles that people become who sign in.
func (c Config) signInRoles() (roles []string) {
	for name := range strings.FieldsFuncSeq(c.SignInRoles, func(r rune) bool { return r == ' ' || r == ';' }) {
		if !strings.HasPrefix(name, "arn:") {
			name = "arn:aws:iam::" + c.AccountID + ":role/" + name
		}
		roles = append(roles, name)
	}
	return roles
}

// signInName is what people can sign in with; empty if there is nothing.
func (c Config) signInName() string {
	if c.SignInIssuer == "" {
		return ""
	}
	return c.SignInName
}

// checkSignIn says what is wrong with the settings of the console's sign-in.
func (c Config) checkSignIn(fail func(setting, format string, args ...any)) {
	if c.SignInIssuer == "" && c.SignInClientID == "" && c.SignInRoles == "" {
		return
	}
	if err := oidc.CheckURL(c.SignInIssuer); err != nil {
		fail("sign-in-issuer", "%v", err)
	}
	if c.SignInClientID == "" {
		fail("sign-in-client-id", "must be set together with sign-in-issuer")
	}
	if len(c.signInRoles()) == 0 {
		fail("sign-in-roles", "must name one role or more, as in \"administrator developer\"")
	}
	for _, name := range c.signInRoles() {
		if !signInRole.MatchString(name) {
			fail("sign-in-roles", "%q is neither the name nor the ARN of a role", name)
		}
	}
}
