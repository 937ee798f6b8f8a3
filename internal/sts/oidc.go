package sts

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Providers proves identities that others vouch for: AWS, if AWS is set, and
// the OpenID Connect providers of the role's account.
type Providers struct {
	AWS      *AWSIdentities
	Store    *store.Store
	Verifier *oidc.Verifier
	Logger   *slog.Logger
}

// Identify answers who a token says its holder is.
func (p *Providers) Identify(ctx context.Context, account, token string) (Identity, error) {
	if p.AWS != nil && strings.HasPrefix(token, awsTokenPrefix) {
		return p.AWS.Identify(ctx, account, token)
	}
	url, err := oidc.Issuer(token)
	if err != nil {
		return Identity{}, p.worded(ctx, err)
	}
	var provider store.IdentityProvider
	err = p.Store.View(ctx, func(tx *store.Tx) (err error) {
		provider, err = tx.IdentityProvider(ctx, account, url)
		return err
	})
	if proton.IsNotFound(err) {
		return Identity{}, badToken("No OpenIDConnect provider found in your account for %.300s", url)
	}
	if err != nil {
		return Identity{}, err
	}
	said, err := p.Verifier.Verify(ctx, url, provider.Clients, token)
	if err != nil {
		return Identity{}, p.worded(ctx, err)
	}
	return identity(account, said), nil
}

// identity is what trust policies can ask about a token. As on AWS, aud is the
// party that the token was issued to if it names one, and oaud what it is for.
func identity(account string, said oidc.Token) Identity {
	name := strings.TrimPrefix(said.Issuer, "https://")
	facts := map[string][]string{"aws:federatedprovider": {auth.ProviderARN(account, said.Issuer)}}
	for claim, values := range said.Claims {
		facts[strings.ToLower(name+":"+claim)] = values
	}
	audiences := said.Audiences
	if said.Party != "" {
		facts[strings.ToLower(name+":oaud")], audiences = audiences, []string{said.Party}
	}
	facts[strings.ToLower(name+":aud")] = audiences
	return Identity{
		Provider: auth.ProviderARN(account, said.Issuer), Issuer: said.Issuer, Subject: said.Subject, Audience: audiences[0], Facts: facts,
	}
}

// worded gives refusals of tokens the codes that STS has for them.
func (p *Providers) worded(ctx context.Context, err error) error {
	e, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		return err
	}
	if e.Err != nil {
		p.Logger.WarnContext(ctx, "an identity provider does not answer as it should", "err", e.Err)
	}
	code := map[oidc.Kind]string{oidc.Invalid: "InvalidIdentityToken", oidc.Expired: "ExpiredTokenException", oidc.Unreachable: "IDPCommunicationError"}[e.Kind]
	return &TokenError{Code: code, Message: e.Message}
}

// Session is what somebody was given who has signed in.
type Session struct {
	AccessKeyID, Token string
	Ends               time.Time
}

// SignIn issues credentials of the first of some roles that trusts the holder
// of a token, by the same rules as AssumeRoleWithWebIdentity; it is recorded as
// one. A *TokenError says that the token proves nothing, ErrNoRole that it opens
// none.
func (s *Service) SignIn(ctx context.Context, roles []string, token string) (Session, Call, error) {
	c := Call{Action: "AssumeRoleWithWebIdentity"}
	for _, arn := range roles {
		want := session{roleARN: arn}
		parts := rolePattern.FindStringSubmatch(arn)
		if parts == nil {
			return Session{}, c, invalid("%.200q is not the ARN of a role.", arn)
		}
		want.account, want.role = parts[1], parts[2]
		who, err := s.Identities.Identify(ctx, want.account, token)
		if err != nil {
			return Session{}, c, err
		}
		want.name = sessionName(who)
		c.Principal = webPrincipal(want.account, who)
		c.Parameters = map[string]string{"roleArn": arn, "roleSessionName": want.name}
		role, trusted, err := s.trusted(ctx, want, who)
		if err != nil {
			return Session{}, c, err
		}
		if !trusted {
			continue
		}
		want.seconds = role.MaxSeconds
		answer, err := s.issue(&c, want, role.MaxSeconds)
		if err != nil {
			return Session{}, c, err
		}
		ends, err := time.Parse(time.RFC3339, answer.Credentials.Expiration)
		return Session{answer.Credentials.AccessKeyID, answer.Credentials.SessionToken, ends}, c, err
	}
	c.Code, c.Message = "AccessDenied", ErrNoRole.Error()
	return Session{}, c, ErrNoRole
}

// ErrNoRole is a sign-in of somebody whom no role trusts.
var ErrNoRole = errors.New("Not authorized to perform sts:AssumeRoleWithWebIdentity")

// trusted finds the role that is wanted, and whether it trusts an identity.
func (s *Service) trusted(ctx context.Context, want session, who Identity) (store.Role, bool, error) {
	role, trust, found, err := s.role(ctx, want)
	if err != nil || !found {
		return role, false, err
	}
	facts := maps.Clone(who.Facts)
	facts["sts:rolesessionname"] = []string{want.name}
	return role, trust.TrustsFederated(who.Provider, webIdentityAction, func(key string) []string { return facts[strings.ToLower(key)] }), nil
}

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

func webPrincipal(account string, who Identity) auth.Principal {
	return auth.Principal{AccountID: account, ARN: who.Provider + ":" + who.Subject, Provider: who.Provider}
}

// sessionName names a session after who signs in: by mail address or name, if
// the provider tells them, for whoever reads the audit log.
func sessionName(who Identity) string {
	prefix := strings.ToLower(strings.TrimPrefix(who.Issuer, "https://")) + ":"
	names := slices.Concat(who.Facts[prefix+"email"], who.Facts[prefix+"preferred_username"], []string{who.Subject})
	name := strings.Map(func(r rune) rune {
		if r < 128 && sessionPattern.MatchString(string(r)+"_") {
			return r
		}
		return '-'
	}, names[0])
	if len(name) < 2 {
		name += "--"
	}
	return name[:min(len(name), 64)]
}
