// Package auth says who a request comes from and what they may do: it verifies
// AWS Signature Version 4 and evaluates IAM policies.
//
// It hides canonical requests, signing keys and chunked uploads. Secrets are a
// type that prints as REDACTED. It never looks at what a request asks for, and
// it knows no operation; the caller names action and resource.
package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Secret is a secret access key. It prints as REDACTED everywhere.
type Secret string

func (Secret) String() string       { return "REDACTED" }
func (Secret) GoString() string     { return "REDACTED" }
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Format prints REDACTED for every verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "REDACTED") }

// MarshalText keeps secrets out of JSON too; who stores one converts it.
func (Secret) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// Key is an access key and whose it is.
type Key struct {
	Secret    Secret
	AccountID string
	ARN       string
	Policy    *Policy  // nil: everything in the account
	Session   *Session // of temporary credentials
}

// Keys finds access keys; ok is false for an unknown id, and for a session
// token that does not belong to it. The token is empty for keys without one.
type Keys interface {
	Key(ctx context.Context, accessKeyID, sessionToken string) (key Key, ok bool, err error)
}

// Error is a refusal of a request's signature, with the code, text and HTTP
// status that AWS services answer.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

var errMismatch = refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")

const (
	algorithm  = "AWS4-HMAC-SHA256"
	dateFormat = "20060102T150405Z"
	// maxSkew is how far a request's date may be from the server's.
	maxSkew = 15 * time.Minute
)

// Verifier checks signatures. It is safe for concurrent use.
type Verifier struct {
	Keys Keys
	Now  func() time.Time // nil: time.Now

	mu   sync.RWMutex
	keys map[signingScope][]byte // signing keys, derived once a day
	// Refused, if set, is told of requests for the bucket store that are refused,
	// and answers whether they are too many.
	Refused func(*http.Request) bool
}

type signingScope struct {
	secret                Secret
	date, region, service string
}

// credential is what an Authorization header says.
type credential struct {
	accessKeyID, date, region, service string
	signedHeaders                      []string
	signature                          string
}

// Verify checks the Authorization header of a request whose whole body is
// given, signed for one of the named services, and answers who signed it. The
// error is an *Error unless keys could not be read.
func (v *Verifier) Verify(r *http.Request, body []byte, services ...string) (Principal, error) {
	header := r.Header["Authorization"]
	if len(header) == 0 || header[0] == "" {
		return Principal{}, refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if len(header) > 1 {
		return Principal{}, refuse("IncompleteSignature", "A request has one 'Authorization' header, not %d.", len(header))
	}
	c, err := parseAuthorization(header[0])
	if err != nil {
		return Principal{}, err
	}
	if !slices.Contains(services, c.service) {
		return Principal{}, refuse("InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", services[0])
	}
	if name := unsignedOf(r.Header, c.signedHeaders); name != "" {
		return Principal{}, refuse("InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
	}
	amzDate := strings.Join(r.Header["X-Amz-Date"], ",")
	if err := v.checkDate(amzDate, c.date); err != nil {
		return Principal{}, err
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != payload {
		return Principal{}, refuse("InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	key, err := v.key(r.Context(), c.accessKeyID, strings.Join(r.Header["X-Amz-Security-Token"], ","))
	if err != nil {
		return Principal{}, err
	}
	signature := v.sign(key.Secret, c, amzDate, canonicalRequest(r, r.URL.RawQuery, c.signedHeaders, payload, true))
	if !hmac.Equal([]byte(signature), []byte(c.signature)) {
		return Principal{}, errMismatch
	}
	if key.Expired(v.now()) {
		return Principal{}, refuse("ExpiredTokenException", "The security token included in the request is expired")
	}
	return key.Principal(c.accessKeyID, c.region, r), nil
}

// unsignedOf is a header that decides what a request means but is not signed.
func unsignedOf(h http.Header, signed []string) string {
	if !slices.Contains(signed, "x-amz-date") {
		return "X-Amz-Date"
	}
	for _, name := range []string{"X-Amz-Target", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		if len(h[name]) > 0 && !slices.Contains(signed, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}

// Expired reports whether temporary credentials have ended.
func (k Key) Expired(now time.Time) bool {
	return k.Session != nil && !now.Before(k.Session.Expires)
}

// Principal is who sends a request with the key.
func (k Key) Principal(accessKeyID, region string, r *http.Request) Principal {
	p := Principal{
		AccessKeyID: accessKeyID, AccountID: k.AccountID, Region: region, ARN: k.ARN, Policy: k.Policy, Session: k.Session,
		Secure: r.TLS != nil, UserAgent: r.UserAgent(),
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.SourceIP = from.Addr()
	}
	return p
}

func (v *Verifier) key(ctx context.Context, id, token string) (Key, error) {
	key, ok, err := v.Keys.Key(ctx, id, token)
	if err == nil && !ok {
		err = refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	return key, err
}

// parseAuthorization reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func parseAuthorization(header string) (credential, error) {
	var c credential
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		return c, refuse("IncompleteSignature", "Unsupported AWS 'algorithm': %.40q, want %s.", scheme, algorithm)
	}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			if err := c.parseScope(value); err != nil {
				return c, err
			}
		case "SignedHeaders":
			c.signedHeaders = splitHeaders(value)
		case "Signature":
			c.signature = value
		}
	}
	return c, c.check()
}

func splitHeaders(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ";")
}

func increasing(list []string) bool {
	for n := 1; n < len(list); n++ {
		if list[n-1] >= list[n] {
			return false
		}
	}
	return true
}

func (c *credential) parseScope(value string) error {
	parts := strings.Split(value, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || slices.Contains(parts, "") {
		return refuse("IncompleteSignature", "Credential must have the form ACCESS_KEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
	}
	c.accessKeyID, c.date, c.region, c.service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

// check refuses what is incomplete, and signatures that leave out what makes
// them belong to this host and instant.
func (c *credential) check() error {
	switch {
	case c.accessKeyID == "":
		return refuse("IncompleteSignature", "Authorization header requires 'Credential' parameter.")
	case c.signature == "":
		return refuse("IncompleteSignature", "Authorization header requires 'Signature' parameter.")
	case len(c.signedHeaders) == 0:
		return refuse("IncompleteSignature", "Authorization header requires 'SignedHeaders' parameter.")
	case !increasing(c.signedHeaders):
		return refuse("InvalidSignatureException", "SignedHeaders must be in alphabetical order.")
	case !slices.Contains(c.signedHeaders, "host"):
		return refuse("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

// checkDate holds a request's date against the clock and its credential's scope.
func (v *Verifier) checkDate(amzDate, scopeDate string) error {
	date, err := time.Parse(dateFormat, amzDate)
	if err != nil {
		return refuse("IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%.40s'. See https://en.wikipedia.org/wiki/ISO_8601", amzDate)
	}
	if !strings.HasPrefix(amzDate, scopeDate) || len(scopeDate) != 8 {
		return refuse("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.20s' != '%.8s'.", scopeDate, amzDate)
	}
	now := v.now()
	switch {
	case date.Before(now.Add(-maxSkew)):
		return refuse("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 15 min.)", amzDate, now.Add(-maxSkew).Format(dateFormat), now.Format(dateFormat))
	case date.After(now.Add(maxSkew)):
		return refuse("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 15 min.)", amzDate, now.Add(maxSkew).Format(dateFormat), now.Format(dateFormat))
	}
	return nil
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now().UTC()
	}
	return time.Now().UTC()
}

// sign is the hexadecimal signature of a canonical request.
func (v *Verifier) sign(secret Secret, c credential, amzDate string, canonical []byte) string {
	sum := sha256.Sum256(canonical)
	text := algorithm + "\n" + amzDate + "\n" + c.scope() + "\n" + hex.EncodeToString(sum[:])
	return hex.EncodeToString(hmacSHA256(v.signingKey(secret, c), text))
}

func (c credential) scope() string {
	return c.date + "/" + c.region + "/" + c.service + "/aws4_request"
}

// maxSigningKeys bounds the cache of signing keys.
const maxSigningKeys = 10000

func (v *Verifier) signingKey(secret Secret, c credential) []byte {
	scope := signingScope{secret, c.date, c.region, c.service}
	v.mu.RLock()
	key := v.keys[scope]
	v.mu.RUnlock()
	if key != nil {
		return key
	}
	key = deriveKey(scope)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil || len(v.keys) >= maxSigningKeys {
		v.keys = map[signingScope][]byte{}
	}
	v.keys[scope] = key
	return key
}

func deriveKey(s signingScope) []byte {
	key := hmacSHA256([]byte("AWS4"+string(s.secret)), s.date)
	key = hmacSHA256(key, s.region)
	key = hmacSHA256(key, s.service)
	return hmacSHA256(key, "aws4_request")
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// canonicalRequest is the text that is signed. S3 alone does not encode the
// path a second time.
func canonicalRequest(r *http.Request, rawQuery string, signedHeaders []string, payload string, encodeTwice bool) []byte {
	var b bytes.Buffer
	b.WriteString(r.Method)
	b.WriteByte('\n')
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if encodeTwice {
		path = uriEncode(path, false)
	} else {
		path = uriEncode(r.URL.Path, false)
	}
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(rawQuery))
	b.WriteByte('\n')
	for _, name := range signedHeaders {
		b.WriteString(name)
		b.WriteByte(':')
		for n, value := range headerValues(r, name) {
			if n > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.Fields(value), " "))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(signedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payload)
	return b.Bytes()
}

// headerValues also finds the headers that net/http keeps elsewhere.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host":
		if r.Host == "" && r.URL != nil {
			return []string{r.URL.Host}
		}
		return []string{r.Host}
	case "content-length":
		if len(r.Header["Content-Length"]) == 0 && r.ContentLength >= 0 {
			return []string{fmt.Sprint(r.ContentLength)}
		}
	case "transfer-encoding":
		return r.TransferEncoding
	}
	return r.Header.Values(name)
}

// canonicalQuery sorts parameters by encoded name, then value.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, pair{reencode(name), reencode(value)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	texts := make([]string, len(pairs))
	for n, p := range pairs {
		texts[n] = p.name + "=" + p.value
	}
	return strings.Join(texts, "&")
}

// reencode gives a query part the one encoding that signatures use.
func reencode(part string) string {
	text, err := url.QueryUnescape(part)
	if err != nil {
		text = part
	}
	return uriEncode(text, true)
}

const upperHex = "0123456789ABCDEF"

// uriEncode percent-encodes all but unreserved characters, and slashes if asked.
func uriEncode(s string, slash bool) string {
	var b strings.Builder
	for n := range len(s) {
		c := s[n]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && !slash:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// Sign signs a request as a client does, over the headers it has.
func Sign(r *http.Request, body []byte, accessKeyID string, secret Secret, sessionToken, region, service string, now time.Time) error {
	amzDate := now.UTC().Format(dateFormat)
	r.Header.Set("X-Amz-Date", amzDate)
	if sessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", sessionToken)
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	c := credential{accessKeyID: accessKeyID, date: amzDate[:8], region: region, service: service, signedHeaders: []string{"host"}}
	for name := range r.Header {
		switch lower := strings.ToLower(name); lower {
		case "authorization", "user-agent", "accept-encoding":
		default:
			c.signedHeaders = append(c.signedHeaders, lower)
		}
	}
	slices.Sort(c.signedHeaders)
	signature := (&Verifier{}).sign(secret, c, amzDate, canonicalRequest(r, r.URL.RawQuery, c.signedHeaders, payload, service != "s3"))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		algorithm, accessKeyID, c.scope(), strings.Join(c.signedHeaders, ";"), signature))
	return nil
}
