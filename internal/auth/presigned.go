package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxQueryLife is the longest life of a presigned request of other services
// than S3.
const maxQueryLife = 12 * time.Hour

// VerifyPresigned checks a request whose signature is in its query, as a
// presigned GetCallerIdentity is, and answers who signed it. The error is an
// *Error unless keys could not be read.
func (v *Verifier) VerifyPresigned(r *http.Request, services ...string) (Principal, error) {
	query := r.URL.Query()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return Principal{}, refuse("IncompleteSignature", "A presigned request needs exactly one query parameter '%s'.", name)
		}
	}
	if query.Get("X-Amz-Algorithm") != algorithm || len(r.Header["Authorization"]) > 0 {
		return Principal{}, refuse("IncompleteSignature", "A presigned request has X-Amz-Algorithm=%s and no 'Authorization' header.", algorithm)
	}
	c := credential{signedHeaders: splitHeaders(query.Get("X-Amz-SignedHeaders")), signature: query.Get("X-Amz-Signature")}
	if err := c.parseScope(query.Get("X-Amz-Credential")); err != nil {
		return Principal{}, err
	}
	if err := c.check(); err != nil {
		return Principal{}, err
	}
	if !slices.Contains(services, c.service) {
		return Principal{}, refuse("InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", services[0])
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(c.signedHeaders, lower) {
			return Principal{}, refuse("InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	if err := v.checkQueryLife(query.Get("X-Amz-Date"), query.Get("X-Amz-Expires"), c.date); err != nil {
		return Principal{}, err
	}
	key, err := v.key(r.Context(), c.accessKeyID, query.Get("X-Amz-Security-Token"))
	if err != nil {
		return Principal{}, err
	}
	empty := sha256.Sum256(nil)
	text := canonicalRequest(r, withoutSignature(r.URL.RawQuery), c.signedHeaders, hex.EncodeToString(empty[:]), true)
	if !hmac.Equal([]byte(v.sign(key.Secret, c, query.Get("X-Amz-Date"), text)), []byte(c.signature)) {
		return Principal{}, errMismatch
	}
	if key.Expired(v.now()) {
		return Principal{}, refuse("ExpiredTokenException", "The security token included in the request is expired")
	}
	return key.Principal(c.accessKeyID, c.region, r), nil
}

func (v *Verifier) checkQueryLife(amzDate, expires, scopeDate string) error {
	date, err := time.Parse(dateFormat, amzDate)
	if err != nil || amzDate[:8] != scopeDate {
		return refuse("IncompleteSignature", "X-Amz-Date must be an instant like 20261231T235959Z, on the date of X-Amz-Credential.")
	}
	life := maxSkew
	if expires != "" {
		seconds, err := strconv.Atoi(expires)
		if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxQueryLife {
			return refuse("IncompleteSignature", "X-Amz-Expires must be a number of seconds, from 1 to %d.", int(maxQueryLife.Seconds()))
		}
		life = time.Duration(seconds) * time.Second
	}
	now := v.now()
	if now.After(date.Add(life)) || now.Before(date.Add(-maxSkew)) {
		return refuse("InvalidSignatureException", "Signature expired: %s is not within %s and %s.", now.Format(dateFormat), amzDate, date.Add(life).Format(dateFormat))
	}
	return nil
}

// Presign puts a request's signature into its query, over the headers it has.
func Presign(r *http.Request, accessKeyID string, secret Secret, sessionToken, region, service string, now time.Time) error {
	c := credential{accessKeyID: accessKeyID, date: now.UTC().Format("20060102"), region: region, service: service, signedHeaders: []string{"host"}}
	for name := range r.Header {
		c.signedHeaders = append(c.signedHeaders, strings.ToLower(name))
	}
	slices.Sort(c.signedHeaders)
	amzDate := now.UTC().Format(dateFormat)
	query := r.URL.Query()
	for name, value := range map[string]string{
		"X-Amz-Algorithm": algorithm, "X-Amz-Credential": accessKeyID + "/" + c.scope(), "X-Amz-Date": amzDate,
		"X-Amz-SignedHeaders": strings.Join(c.signedHeaders, ";"), "X-Amz-Security-Token": sessionToken,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	r.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	empty := sha256.Sum256(nil)
	text := canonicalRequest(r, r.URL.RawQuery, c.signedHeaders, hex.EncodeToString(empty[:]), true)
	r.URL.RawQuery += "&X-Amz-Signature=" + (&Verifier{}).sign(secret, c, amzDate, text)
	return nil
}
