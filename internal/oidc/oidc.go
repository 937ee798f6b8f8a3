// Package oidc says what tokens of OpenID Connect providers prove.
//
// It finds a provider's keys by discovery, keeps them for a while, asks again
// when a token names one that it does not know, and holds tokens against them.
// It also carries out the authorization-code flow, by which people sign in.
// Whom a token's holder may become is not its business.
package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// MaxToken is how long a token may be.
const MaxToken = 20_000

// Kind is whose fault it is that a token proves nothing.
type Kind int

// A token may prove nothing, have proved something, or its provider cannot be
// asked.
const (
	Invalid Kind = iota
	Expired
	Unreachable
)

// Error is why a token proves nothing, in words for who sent it.
type Error struct {
	Kind    Kind
	Message string
	Err     error // for the log: what a provider answered is not told to strangers
}

func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(format string, args ...any) error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}

// algorithms are those that a provider signs with its private key. None lets
// anybody sign; the HMAC ones would take a public key for a secret.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
}

// Token is what a provider says of somebody.
type Token struct {
	Issuer    string
	Subject   string
	Audiences []string
	Party     string // whom it was issued to (azp), if it says so
	Nonce     string
	Claims    map[string][]string // all that are texts, numbers, truths or lists of them
}

var (
	errNoJWT   = invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	errNoKey   = invalid("Couldn't retrieve verification key from your identity provider: no key of it has signed the token.")
	errKinds   = invalid("The token's type is not that of an ID token.")
	errTooLong = invalid("The token is longer than %d characters.", MaxToken)
)

// parse reads a token of which nothing is known yet.
func parse(token string) (*jwt.JSONWebToken, error) {
	if len(token) > MaxToken {
		return nil, errTooLong
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, errNoJWT
	}
	switch kind, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string); strings.ToLower(kind) {
	case "", "jwt", "application/jwt":
		return parsed, nil
	}
	return nil, errKinds
}

// Issuer is who a token claims to be from. Nothing is proved yet.
func Issuer(token string) (string, error) {
	parsed, err := parse(token)
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", errNoJWT
	}
	if claims.Issuer == "" {
		return "", invalid("Missing a required claim: iss")
	}
	return claims.Issuer, nil
}

// leeway is how far apart the clocks of a provider and this server may be.
const leeway = time.Minute

// check holds a token whose signature is right against what is asked of it.
func check(c jwt.Claims, issuer string, audiences []string, now time.Time) error {
	switch {
	case c.Issuer != issuer:
		return invalid("The token is of another issuer.")
	case c.Subject == "":
		return invalid("Missing a required claim: sub")
	case c.Expiry == nil:
		return invalid("Missing a required claim: exp")
	case c.IssuedAt == nil:
		return invalid("Missing a required claim: iat")
	case !slices.ContainsFunc(audiences, c.Audience.Contains):
		return invalid("Incorrect token audience")
	case !now.Before(c.Expiry.Time()):
		return &Error{Kind: Expired, Message: fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), int64(*c.Expiry))}
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()), now.Add(leeway).Before(c.IssuedAt.Time()):
		return invalid("The token is not valid yet.")
	}
	return nil
}

// read makes a Token of claims that have been checked.
func read(c jwt.Claims, all map[string]any, audiences []string) (Token, error) {
	t := Token{Issuer: c.Issuer, Subject: c.Subject, Audiences: c.Audience, Claims: map[string][]string{}}
	t.Nonce, _ = all["nonce"].(string)
	t.Party, _ = all["azp"].(string)
	if len(t.Audiences) > 1 && t.Party != "" && !slices.Contains(audiences, t.Party) {
		return t, invalid("Incorrect token audience: it was issued to another party")
	}
	for name, value := range all {
		if values := texts(value); values != nil {
			t.Claims[name] = values
		}
	}
	return t, nil
}

// texts are the values of a claim as conditions see them; nil: it has none.
func texts(value any) (list []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		for _, one := range v {
			if _, nested := one.([]any); nested {
				return nil
			}
			list = append(list, texts(one)...)
		}
	}
	return list
}

// CheckURL refuses the URL of a provider that cannot be asked safely: it must
// be https, and nothing but a host and a path.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%q is not a URL, as https://token.actions.githubusercontent.com is", text)
	case u.Scheme != "https":
		return errors.New("the URL must begin with https://")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return errors.New("the URL must have neither a user, a query nor a fragment")
	}
	return nil
}
