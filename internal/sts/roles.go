package sts

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string
}

// getCallerIdentity says who the caller is; nobody needs a permission for it.
func (s *Service) getCallerIdentity(_ context.Context, c *Call, _ parameters) (any, error) {
	return callerIdentity{ARN: c.Principal.ARN, UserID: c.Principal.ID(), Account: c.Principal.AccountID}, nil
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRole struct {
	XMLName          xml.Name
	Subject          string `xml:"SubjectFromWebIdentityToken,omitempty"`
	Audience         string `xml:",omitempty"`
	Provider         string `xml:",omitempty"`
	Credentials      credentials
	ID               string `xml:"AssumedRoleUser>AssumedRoleId"`
	ARN              string `xml:"AssumedRoleUser>Arn"`
	PackedPolicySize int
}

// session is what a call asks for.
type session struct {
	roleARN, account, role, name string
	seconds                      int64
	policy                       string
	managed                      []string
}

var (
	rolePattern    = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/([\w+=,.@-]{1,64})$`)
	sessionPattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

const (
	defaultSeconds = 3600
	minSeconds     = 900
	maxSeconds     = 43200
	chainedSeconds = 3600 // of a session that another session has asked for
	maxPolicySize  = 2048 // of a session policy, in characters
	maxManaged     = 10
)

func readSession(p parameters) (session, error) {
	want := session{roleARN: p.take("RoleArn"), name: p.take("RoleSessionName"), policy: p.take("Policy"), seconds: defaultSeconds}
	parts := rolePattern.FindStringSubmatch(want.roleARN)
	if parts == nil {
		return want, invalid("%.200q is not the ARN of a role, as arn:aws:iam::123456789012:role/NAME is.", want.roleARN)
	}
	want.account, want.role = parts[1], parts[2]
	if !sessionPattern.MatchString(want.name) {
		return want, invalid("RoleSessionName must have 2 to 64 letters, digits and characters of +=,.@_-")
	}
	if text := p.take("DurationSeconds"); text != "" {
		var err error
		if want.seconds, err = strconv.ParseInt(text, 10, 64); err != nil || want.seconds < minSeconds || want.seconds > maxSeconds {
			return want, invalid("DurationSeconds must be a number from %d to %d.", minSeconds, maxSeconds)
		}
	}
	for n := 1; n <= maxManaged; n++ {
		if arn := p.take(fmt.Sprintf("PolicyArns.member.%d.arn", n)); arn != "" {
			want.managed = append(want.managed, arn)
		}
	}
	if len(want.policy) > maxPolicySize {
		return want, &failure{http.StatusBadRequest, "PackedPolicyTooLarge", fmt.Sprintf("Policy is longer than %d characters.", maxPolicySize)}
	}
	if _, err := auth.ReadPolicies(want.policy, want.managed); err != nil {
		return want, &failure{http.StatusBadRequest, "MalformedPolicyDocument", err.Error()}
	}
	return want, nil
}

// assumeRole issues credentials of a role that trusts the caller.
func (s *Service) assumeRole(ctx context.Context, c *Call, p parameters) (any, error) {
	want, err := readSession(p)
	if err != nil {
		return nil, err
	}
	external := p.take("ExternalId")
	if err := p.unknown(c.Action); err != nil {
		return nil, err
	}
	const action = "sts:AssumeRole"
	role, trust, found, err := s.role(ctx, want)
	if err != nil {
		return nil, err
	}
	facts := func(key string) []string {
		switch {
		case key == "sts:externalid" && external != "":
			return []string{external}
		case key == "sts:rolesessionname":
			return []string{want.name}
		}
		return nil
	}
	request := auth.Request{Action: action, Resource: want.roleARN, Facts: facts}
	decision := c.Principal.Decide(request)
	level := auth.Untrusted
	if found {
		level = trust.Trusts(c.Principal, action, facts)
	}
	// A role of the same account that names the caller needs no more; else the
	// caller must be allowed to ask for it as well.
	named := level == auth.TrustedByName && c.Principal.AccountID == want.account && !decision.Denied
	if level == auth.Untrusted || !named && !decision.Allowed {
		return nil, &failure{http.StatusForbidden, "AccessDenied", c.Principal.Refusal(request, auth.Decision{Denied: decision.Denied, Session: decision.Session})}
	}
	limit := role.MaxSeconds
	if c.Principal.Session != nil {
		limit = min(limit, chainedSeconds)
	}
	answer, err := s.issue(c, want, limit)
	answer.XMLName.Local = "AssumeRoleResult"
	return answer, err
}

// role finds the role that is wanted and whom it trusts.
func (s *Service) role(ctx context.Context, want session) (store.Role, *auth.Policy, bool, error) {
	var role store.Role
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		role, err = tx.Role(ctx, want.account, want.role)
		return err
	})
	if proton.IsNotFound(err) {
		return role, nil, false, nil
	}
	if err != nil {
		return role, nil, false, err
	}
	trust, err := auth.ParseTrustPolicy([]byte(role.TrustPolicy))
	return role, trust, err == nil, err
}

// issue makes the credentials of a session.
func (s *Service) issue(c *Call, want session, limit int64) (assumedRole, error) {
	if want.seconds > limit {
		return assumedRole{}, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role: %d is more than %d.", want.seconds, limit)
	}
	now := s.now()
	secret := make([]byte, 30)
	rand.Read(secret) // never fails
	grant := auth.Grant{
		Secret: base64.StdEncoding.EncodeToString(secret), AccountID: want.account, RoleName: want.role, SessionName: want.name,
		IssuedAt: now, Expires: now.Add(time.Duration(want.seconds) * time.Second).Truncate(time.Second), Policy: want.policy, Managed: want.managed,
	}
	id := make([]byte, 10)
	rand.Read(id)
	keyID := auth.SessionKeyPrefix + base32.StdEncoding.EncodeToString(id)
	token, err := s.Sealer.SealGrant(grant, keyID)
	if err != nil {
		return assumedRole{}, err
	}
	who := auth.Principal{ARN: grant.ARN(), AccountID: grant.AccountID, Session: &auth.Session{Role: grant.RoleARN()}}
	c.Answer = map[string]string{"accessKeyId": keyID, "arn": grant.ARN(), "expiration": grant.Expires.Format(time.RFC3339)}
	return assumedRole{
		Credentials: credentials{AccessKeyID: keyID, SecretAccessKey: grant.Secret, SessionToken: token, Expiration: grant.Expires.Format(time.RFC3339)},
		ID:          who.ID(), ARN: grant.ARN(), PackedPolicySize: len(want.policy) * 100 / maxPolicySize,
	}, nil
}

// Identities proves who holds a token that another service has issued.
type Identities interface {
	// Identify answers the identity that a token proves in an account. An error
	// that wraps ErrToken or ErrProvider is the token's or the provider's fault.
	Identify(ctx context.Context, account, token string) (Identity, error)
}

// Identity is somebody another service vouches for.
type Identity struct {
	Provider string // as trust policies name it under Federated
	Issuer   string // as its tokens name it, if that is another name
	Subject  string
	Audience string
	Facts    map[string][]string // what conditions can ask, by key in lower case
}

// TokenError is a token that proves nothing.
type TokenError struct {
	Code    string // InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError
	Message string
}

func (e *TokenError) Error() string { return e.Message }

// assumeRoleWithWebIdentity issues credentials of a role that trusts an
// identity proved by a token.
func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, c *Call, p parameters) (any, error) {
	want, err := readSession(p)
	if err != nil {
		return nil, err
	}
	token := p.take("WebIdentityToken")
	if err := p.unknown(c.Action); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, invalid("WebIdentityToken is missing.")
	}
	who, err := s.Identities.Identify(ctx, want.account, token)
	if err != nil {
		return nil, tokenFailure(err)
	}
	c.Principal = webPrincipal(want.account, who)
	role, trusted, err := s.trusted(ctx, want, who)
	if err != nil {
		return nil, err
	}
	if !trusted {
		return nil, &failure{http.StatusForbidden, "AccessDenied", "Not authorized to perform " + webIdentityAction}
	}
	answer, err := s.issue(c, want, role.MaxSeconds)
	answer.XMLName.Local = "AssumeRoleWithWebIdentityResult"
	answer.Subject, answer.Audience, answer.Provider = who.Subject, who.Audience, cmp.Or(who.Issuer, who.Provider)
	return answer, err
}

func tokenFailure(err error) error {
	if e, ok := errors.AsType[*TokenError](err); ok {
		return &failure{http.StatusBadRequest, e.Code, e.Message}
	}
	return err
}
