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
	"net/http"
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
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, githubAPI(s.URL)+"app/installations/"+a.InstallationID.String()+"/access_tokens", nil)
	if err != nil {
		return appToken{}, err
	}
	r.Header.Set("Authorization", "Bearer "+jwt)
	r.Header.Set("Accept", "application/vnd.github+json")
	res, err := f.http.Do(r)
	if err != nil {
		return appToken{}, err
	}
	defer res.Body.Close()
	var answer struct {
		Token     auth.Secret `json:"token"`
		ExpiresAt time.Time   `json:"expires_at"`
		Message   string      `json:"message"`
	}
	if err := decode(res, &answer); err != nil || res.StatusCode != http.StatusCreated || answer.Token == "" {
		return appToken{}, fmt.Errorf("the server answered %s %s", res.Status, answer.Message)
	}
	return appToken{answer.Token, answer.ExpiresAt.Add(-5 * time.Minute)}, nil
}
