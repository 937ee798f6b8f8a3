package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/spf13/pflag"
)

// access is how a command reaches a server.
type access struct {
	endpoint    string
	region      string
	accessKeyID string
	secret      auth.Secret
	token       string
	http        *http.Client
}

// endpointFlag adds --endpoint-url.
func endpointFlag(flags *pflag.FlagSet) *string {
	return flags.String("endpoint-url", "", "address of the server (default http://127.0.0.1:8080) [AWS_ENDPOINT_URL]")
}

const credentialsHelp = `The server is found by --endpoint-url or AWS_ENDPOINT_URL. Calls are signed with
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or with a profile (AWS_PROFILE) of the
shared credentials file (AWS_SHARED_CREDENTIALS_FILE); a server keeps its root key
in such a file: DATA/credentials. AWS_CA_BUNDLE names a file of certificate
authorities to trust.`

// access finds the server and the credentials as AWS tools do.
func (t *tool) access(endpoint string) (access, error) {
	a := access{
		endpoint: cmp.Or(endpoint, t.env("AWS_ENDPOINT_URL_PROTON"), t.env("AWS_ENDPOINT_URL"), "http://127.0.0.1:8080"),
		region:   cmp.Or(t.env("AWS_REGION"), t.env("AWS_DEFAULT_REGION"), region),
	}
	if u, err := url.Parse(a.endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return a, usagef("the server's address %q is not a URL, as in http://127.0.0.1:8080", a.endpoint)
	}
	var err error
	if a.http, err = httpClient(t.env("AWS_CA_BUNDLE")); err != nil {
		return a, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	a.accessKeyID, a.secret, a.token = t.env("AWS_ACCESS_KEY_ID"), auth.Secret(t.env("AWS_SECRET_ACCESS_KEY")), t.env("AWS_SESSION_TOKEN")
	switch {
	case a.accessKeyID != "" && a.secret != "":
		return a, nil
	case a.accessKeyID != "" || a.secret != "":
		return a, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together")
	}
	return a, t.profile(&a)
}

// httpClient trusts the authorities of a file instead of the system's, if one
// is given.
func httpClient(bundle string) (*http.Client, error) {
	if bundle == "" {
		return http.DefaultClient, nil
	}
	text, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", bundle)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return &http.Client{Transport: transport}, nil
}

// profile reads the credentials from the shared credentials file.
func (t *tool) profile(a *access) error {
	file := cmp.Or(t.env("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(t.env("HOME"), ".aws", "credentials"))
	name := cmp.Or(t.env("AWS_PROFILE"), "default")
	values, err := readProfile(file, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE to the file DATA/credentials of the server (%s does not exist)", file)
	}
	if err != nil {
		return err
	}
	a.accessKeyID, a.secret, a.token = values["aws_access_key_id"], auth.Secret(values["aws_secret_access_key"]), values["aws_session_token"]
	if a.accessKeyID == "" || a.secret == "" {
		return fmt.Errorf("%s: profile %s needs aws_access_key_id and aws_secret_access_key", file, name)
	}
	return nil
}

// readProfile reads one profile of a shared credentials file.
func readProfile(file, name string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values, inside := map[string]string{}, false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch key, value, ok := strings.Cut(line, "="); {
		case strings.HasPrefix(line, "["):
			inside = strings.TrimSpace(strings.Trim(line, "[]")) == name
		case inside && ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";"):
			values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return values, lines.Err()
}

// client calls the API's operations.
func (a access) client() *api.Client { return api.NewClient(a.transport()) }

func (a access) transport() awsjson.Transport {
	return &awsjson.HTTP{Endpoint: a.endpoint, Client: a.http, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, a.accessKeyID, a.secret, a.token, a.region, api.ServiceProton.SigningName, time.Now())
	}}
}

// explain words an error of a call: what a server refuses as "Exception:
// message", and a server that does not answer with what to do about it.
func (a access) explain(err error) error {
	if unknown, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not one that this machine trusts; name the file of its authority by AWS_CA_BUNDLE: %w", a.endpoint, unknown)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("no server answers at %s; start one with \"hadron serve\", or name another with --endpoint-url or AWS_ENDPOINT_URL: %w", a.endpoint, err)
	}
	return err
}

// object sends a request about one object of the bucket store, or about a
// bucket if key is empty, and answers status and body.
func (a access) object(ctx context.Context, method, bucket, key string, body []byte) (int, []byte, error) {
	address := strings.TrimRight(a.endpoint, "/") + "/" + bucket
	if key != "" {
		address += "/" + key
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if err := auth.Sign(r, body, a.accessKeyID, a.secret, a.token, a.region, "s3", time.Now()); err != nil {
		return 0, nil, err
	}
	res, err := a.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	return res.StatusCode, content, err
}
