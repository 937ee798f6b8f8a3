package forge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
)

// appToken is a token of a GitHub App's installation.
type appToken struct {
	token auth.Secret
	until time.Time // when a new one is wanted
}

// app is what the credentials of a GitHub App hold.
type app struct {
	AppID          json.Number `json:"appId"`
	InstallationID json.Number `json:"installationId"`
	PrivateKey     string      `json:"privateKey"`
}

func parseApp(token auth.Secret) (app, *rsa.PrivateKey, error) {
	var a app
	d := json.NewDecoder(bytes.NewReader([]byte(token)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, nil, fmt.Errorf("the credentials of a GitHub App must be a JSON object with appId, installationId and privateKey: %w", err)
	}
	block, _ := pem.Decode([]byte(a.PrivateKey))
	if a.AppID == "" || a.InstallationID == "" || block == nil {
		return a, nil, errors.New("the credentials of a GitHub App must have appId, installationId and privateKey, which is a PEM block")
	}
	if _, err := a.InstallationID.Int64(); err != nil {
		return a, nil, fmt.Errorf("installationId of the GitHub App is %q, not a number", a.InstallationID)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return a, key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return a, nil, errors.New("privateKey of the GitHub App is not an RSA key")
	}
	return a, key, nil
}

// assertion is the signed statement by which an App identifies itself.
func (a app) assertion(key *rsa.PrivateKey, now time.Time) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d,"iss":%q}`, now.Add(-time.Minute).Unix(), now.Add(9*time.Minute).Unix(), a.AppID)
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + encode(signature), err
}

// installationToken asks for a token, which lives for an hour.
func (f *Forges) installationToken(ctx context.Context, s Server) (appToken, error) {
	a, key, err := parseApp(s.Token)
	if err != nil {
		return appToken{}, err
	}
	jwt, err := a.assertion(key, f.now())
	if err != nil {
		return appToken{}, err
	}
	id, err := a.InstallationID.Int64()
	if err != nil {
		return appToken{}, err
	}
	g, err := newGitHub(f.http, s.URL, auth.Secret(jwt))
	if err != nil {
		return appToken{}, err
	}
	made, _, err := g.Apps.CreateInstallationToken(ctx, id, nil)
	if err != nil {
		return appToken{}, plain(err)
	}
	if made.GetToken() == "" {
		return appToken{}, errors.New("the server answered without one")
	}
	return appToken{auth.Secret(made.GetToken()), made.GetExpiresAt().Add(-5 * time.Minute)}, nil
}
