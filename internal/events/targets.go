package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// A webhook is POSTed to, signed as the Standard Webhooks specification says,
// for which receivers have libraries.
type webhook struct {
	url    string
	key    []byte // empty: unsigned
	cloud  bool
	client *http.Client
}

// Webhook posts EventBridge's envelope to a URL, or CloudEvents in their JSON
// format. With a secret (text, or whsec_ and base64) requests are signed. Any 2xx answer
// takes the event.
func Webhook(to, secret string, cloudEvents bool) (Target, error) {
	if u, err := url.Parse(to); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not a URL, as in https://hooks.example.com/proton", to)
	}
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the secret begins with whsec_, but base64 does not follow")
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &webhook{url: to, key: key, cloud: cloudEvents, client: client}, nil
}

// Name has no more of the URL than its host: the rest may be a secret.
func (w *webhook) Name() string {
	u, _ := url.Parse(w.url) // Webhook has
	sum := sha256.Sum256([]byte(w.url))
	kind := map[bool]string{true: "cloudevents", false: "webhook"}[w.cloud]
	return fmt.Sprintf("%s %s %x", kind, u.Host, sum[:4])
}

func (w *webhook) Deliver(ctx context.Context, e Envelope) error {
	body, err := json.Marshal(e)
	kind := "application/json"
	if w.cloud {
		body, err = e.cloudEvent()
		kind = "application/cloudevents+json; charset=utf-8"
	}
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("User-Agent", "Hadron")
	w.sign(r.Header, e.ID, body)
	answer, err := w.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %s", answer.Status)
	}
	return nil
}

func (w *webhook) sign(h http.Header, id string, body []byte) {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	if len(w.key) == 0 {
		return
	}
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// withoutURL cuts the URL, which may hold a token, out of an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// file appends a line of JSON for each event.
type file struct{ path string }

// File appends EventBridge's envelopes to a file, one in each line; "-" is
// standard output. A file that was moved away is made anew.
func File(path string) Target { return &file{path: path} }

func (f *file) Name() string { return "file " + f.path }

func (f *file) Deliver(_ context.Context, e Envelope) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if f.path == "-" {
		_, err := os.Stdout.Write(line)
		return err
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(line)
	return errors.Join(err, out.Sync(), out.Close())
}
