package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Flow is how people sign in at a provider: they are sent there, and come back
// with a code that only who has sent them there can exchange for a token.
type Flow struct {
	Verifier     *Verifier
	Issuer       string
	ClientID     string
	ClientSecret string // empty: the provider does not want one
	Scopes       string // besides openid
}

// Attempt is what has to be kept, out of others' sight, of somebody who was
// sent to the provider.
type Attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// Begin answers where to send somebody who is to come back to redirect.
func (f *Flow) Begin(ctx context.Context, redirect string) (string, Attempt, error) {
	a := Attempt{State: random(), Nonce: random(), Verifier: random()}
	m, err := f.metadata(ctx)
	if err != nil {
		return "", a, err
	}
	u, err := url.Parse(m.Authorization)
	if err != nil {
		return "", a, err
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	query := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": f.ClientID, "redirect_uri": redirect, "scope": strings.TrimSpace("openid " + f.Scopes),
		"state": a.State, "nonce": a.Nonce, "code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String(), a, nil
}

// End exchanges the code that somebody came back with for the token that says
// who it is.
func (f *Flow) End(ctx context.Context, a Attempt, redirect string, answer url.Values) (string, Token, error) {
	if a.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return "", Token{}, invalid("This is not the sign-in that was begun here.")
	}
	if refused := answer.Get("error"); refused != "" {
		return "", Token{}, invalid("The identity provider did not sign you in: %.100s", refused)
	}
	raw, err := f.exchange(ctx, a, redirect, answer.Get("code"))
	if err != nil {
		return "", Token{}, err
	}
	t, err := f.Verifier.Verify(ctx, f.Issuer, []string{f.ClientID}, raw)
	if err != nil {
		return "", Token{}, err
	}
	if subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(a.Nonce)) != 1 {
		return "", Token{}, invalid("The token is of another sign-in.")
	}
	return raw, t, nil
}

func (f *Flow) metadata(ctx context.Context) (m metadata, err error) {
	err = f.Verifier.with(ctx, f.Issuer, func(i *issuer) bool { return i.metadata.Authorization != "" && i.metadata.Token != "" }, func(i *issuer) { m = i.metadata })
	if err == nil && (m.Authorization == "" || m.Token == "") {
		err = &Error{Kind: Unreachable, Message: "The identity provider " + f.Issuer + " does not say where people sign in.", Err: errors.New("no authorization_endpoint or no token_endpoint")}
	}
	return m, err
}

func (f *Flow) exchange(ctx context.Context, a Attempt, redirect, code string) (string, error) {
	m, err := f.metadata(ctx)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "client_id": {f.ClientID}, "code_verifier": {a.Verifier},
	}
	if f.ClientSecret != "" {
		form.Set("client_secret", f.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	var out struct {
		Token string `json:"id_token"`
	}
	if err := f.Verifier.do(r, &out); err != nil {
		return "", &Error{Kind: Unreachable, Message: "The identity provider did not exchange the sign-in for a token.", Err: err}
	}
	if out.Token == "" {
		return "", invalid("The identity provider gave no ID token.")
	}
	return out.Token, nil
}
