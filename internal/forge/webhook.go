package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
)

// ErrSignature says that a webhook was not sent by who knows its secret.
var ErrSignature = errors.New("the signature is wrong or missing")

// signatureHeaders are where the kinds put the signature of a body:
// HMAC-SHA-256 with the secret, in hexadecimal.
var signatureHeaders = map[Kind][]string{
	GitHub:    {"X-Hub-Signature-256"},
	Gitea:     {"X-Gitea-Signature", "X-Forgejo-Signature", "X-Hub-Signature-256"},
	Bitbucket: {"X-Hub-Signature"},
	Plain:     {"X-Hub-Signature-256"},
}

// Webhook checks who sent a webhook and answers which repository it is about;
// empty if it is about none. What has happened there has to be looked at: a
// webhook only says when. ErrSignature.
func Webhook(kind Kind, secret auth.Secret, header http.Header, body []byte) (repository string, err error) {
	if !signed(kind, secret, header, body) {
		return "", ErrSignature
	}
	var event struct {
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return "", errors.New("the body is not a JSON object")
	}
	if kind == GitLab {
		return event.Project.Path, nil
	}
	return event.Repository.FullName, nil
}

func signed(kind Kind, secret auth.Secret, header http.Header, body []byte) bool {
	if kind == GitLab { // which sends the secret itself
		return subtle.ConstantTimeCompare([]byte(header.Get("X-Gitlab-Token")), []byte(secret)) == 1
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, name := range signatureHeaders[kind] {
		got, err := hex.DecodeString(strings.TrimPrefix(header.Get(name), "sha256="))
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
