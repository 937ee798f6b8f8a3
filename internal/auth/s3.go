package auth

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What x-amz-content-sha256 may say instead of a hash.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsigned      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// maxPresign is the longest life of a presigned URL.
const maxPresign = 7 * 24 * time.Hour

// refuseS3 is a refusal in S3's words, which differ from other services'.
func refuseS3(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

func s3Mismatch() *Error {
	return refuseS3(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
}

// VerifyS3 checks the signature of an S3 request, in the Authorization header
// or in the query of a presigned URL (there also of Version 2, which names no
// Region), and answers who signed it. The error is
// an *Error, with the codes and statuses of S3, unless keys could not be read.
//
// It does not read the body. It replaces r.Body by one that decodes aws-chunked
// framing and checks the payload's hash, chunk signatures and trailing
// checksum; what does not agree is an *Error of the read that would end the
// body. r.ContentLength becomes the decoded length, and aws-chunked leaves
// Content-Encoding. A handler gives it a shallow copy of the server's request:
// net/http judges by its own what to do with a body that is not read.
func (v *Verifier) VerifyS3(r *http.Request) (Principal, error) {
	p, err := v.verifyS3(r)
	if refused, ok := errors.AsType[*Error](err); ok && v.Refused != nil && v.Refused(r) {
		return p, &Error{Code: "SlowDown", Message: "Please reduce your request rate. Too many of your requests are refused: " + refused.Code, Status: http.StatusServiceUnavailable}
	}
	return p, err
}

func (v *Verifier) verifyS3(r *http.Request) (Principal, error) {
	query := r.URL.Query()
	header, presigned := r.Header.Values("Authorization"), query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature")
	switch {
	case len(header) > 1 || len(header) == 1 && presigned:
		return Principal{}, refuseS3(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified.")
	case presigned:
		return v.verifyPresigned(r, query)
	case len(header) == 0 && query.Has("Signature"):
		return v.verifyPresignedV2(r, query)
	case len(header) == 0:
		return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "Access Denied")
	}
	c, err := parseAuthorization(header[0])
	if err != nil {
		return Principal{}, malformedS3("AuthorizationHeaderMalformed", "The authorization header is malformed; ", err)
	}
	if c.service != "s3" {
		return Principal{}, refuseS3(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; incorrect service %q. This endpoint belongs to \"s3\".", c.service)
	}
	amzDate, date, err := s3Date(r.Header.Values("X-Amz-Date"), c.date)
	if err != nil {
		return Principal{}, err
	}
	if skew := v.now().Sub(date); skew > maxSkew || skew < -maxSkew {
		return Principal{}, refuseS3(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		return Principal{}, refuseS3(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	return v.finishS3(r, c, amzDate, r.URL.RawQuery, payload)
}

// malformedS3 says what is wrong with a signature's form in S3's way.
func malformedS3(code, prefix string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return refuseS3(http.StatusBadRequest, code, "%s%s", prefix, e.Message)
	}
	return err
}

func s3Date(values []string, scopeDate string) (string, time.Time, error) {
	if len(values) != 1 {
		return "", time.Time{}, refuseS3(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
	}
	date, err := time.Parse(dateFormat, values[0])
	if err != nil {
		return "", date, refuseS3(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
	}
	if values[0][:8] != scopeDate {
		return "", date, refuseS3(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", scopeDate, values[0][:8])
	}
	return values[0], date, nil
}

// verifyPresigned checks a request whose signature is in its query.
func (v *Verifier) verifyPresigned(r *http.Request, query url.Values) (Principal, error) {
	const code = "AuthorizationQueryParametersError"
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return Principal{}, refuseS3(http.StatusBadRequest, code, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if query.Get("X-Amz-Algorithm") != algorithm {
		return Principal{}, refuseS3(http.StatusBadRequest, code, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
	}
	c := credential{signedHeaders: splitHeaders(query.Get("X-Amz-SignedHeaders")), signature: query.Get("X-Amz-Signature")}
	err := c.parseScope(query.Get("X-Amz-Credential"))
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return Principal{}, malformedS3(code, "Error parsing the query parameters; ", err)
	}
	if c.service != "s3" {
		return Principal{}, refuseS3(http.StatusBadRequest, code, "Error parsing the X-Amz-Credential parameter; incorrect service %q. This endpoint belongs to \"s3\".", c.service)
	}
	amzDate, date, err := s3Date(query["X-Amz-Date"], c.date)
	if err != nil {
		return Principal{}, malformedS3(code, "", err)
	}
	if err := v.checkExpiry(date, query.Get("X-Amz-Expires")); err != nil {
		return Principal{}, err
	}
	payload := unsignedPayload
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" {
		payload = claimed
	} else if claimed := query.Get("X-Amz-Content-Sha256"); claimed != "" {
		payload = claimed
	}
	return v.finishS3(r, c, amzDate, withoutSignature(r.URL.RawQuery), payload)
}

func (v *Verifier) checkExpiry(date time.Time, expires string) error {
	seconds, err := strconv.Atoi(expires)
	switch {
	case err != nil:
		return refuseS3(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires should be a number")
	case seconds < 1:
		return refuseS3(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be greater than 0")
	case seconds > int(maxPresign/time.Second):
		return refuseS3(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case v.now().Before(date.Add(-maxSkew)):
		return refuseS3(http.StatusForbidden, "AccessDenied", "Request is not valid yet")
	case v.now().After(date.Add(time.Duration(seconds) * time.Second)):
		return refuseS3(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	return nil
}

// withoutSignature is a raw query without its X-Amz-Signature.
func withoutSignature(raw string) string {
	parts := slices.DeleteFunc(strings.Split(raw, "&"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return reencode(name) == "X-Amz-Signature"
	})
	return strings.Join(parts, "&")
}

// finishS3 checks the signature itself and puts the checking body in place.
func (v *Verifier) finishS3(r *http.Request, c credential, amzDate, rawQuery, payload string) (Principal, error) {
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(c.signedHeaders, lower) {
			return Principal{}, refuseS3(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed: %s", lower)
		}
	}
	token := cmp.Or(strings.Join(r.Header["X-Amz-Security-Token"], ","), r.URL.Query().Get("X-Amz-Security-Token"))
	key, err := v.s3Key(r.Context(), c.accessKeyID, token)
	if err != nil {
		return Principal{}, err
	}
	signature := v.sign(key.Secret, c, amzDate, canonicalRequest(r, rawQuery, c.signedHeaders, payload, false))
	if !hmac.Equal([]byte(signature), []byte(c.signature)) {
		return Principal{}, s3Mismatch()
	}
	if err := v.checkPayload(r, key.Secret, c, amzDate, payload); err != nil {
		return Principal{}, err
	}
	if key.Expired(v.now()) {
		return Principal{}, expiredS3()
	}
	return key.Principal(c.accessKeyID, c.region, r), nil
}

func expiredS3() error {
	return refuseS3(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
}

func (v *Verifier) s3Key(ctx context.Context, id, token string) (Key, error) {
	key, ok, err := v.Keys.Key(ctx, id, token)
	switch {
	case err != nil || ok:
		return key, err
	case token != "":
		return key, refuseS3(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise not valid.")
	}
	return key, refuseS3(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
}

// checkPayload replaces the body by one that checks what was signed of it.
func (v *Verifier) checkPayload(r *http.Request, secret Secret, c credential, amzDate, payload string) error {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	switch payload {
	case unsignedPayload:
		return nil
	case streamingSigned, streamingSignedTrailer, streamingUnsigned:
		body, err := newChunkedBody(r, payload)
		if err != nil {
			return err
		}
		if payload != streamingUnsigned {
			body.signer = &chunkSigner{key: v.signingKey(secret, c), prefix: amzDate + "\n" + c.scope() + "\n", previous: c.signature}
		}
		r.Body, r.ContentLength = body, body.left
		dropChunkedEncoding(r.Header)
		return nil
	}
	want, err := hex.DecodeString(payload)
	if err != nil || len(want) != sha256.Size {
		return refuseS3(http.StatusBadRequest, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
	}
	body := &hashedBody{source: r.Body, left: r.ContentLength, hash: sha256.New(), want: want}
	if r.ContentLength == 0 {
		return body.finish()
	}
	r.Body = body
	return nil
}

func dropChunkedEncoding(h http.Header) {
	var kept []string
	for _, value := range h.Values("Content-Encoding") {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !strings.EqualFold(token, "aws-chunked") {
				kept = append(kept, token)
			}
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// hashedBody checks a body against the SHA-256 that was signed. The verdict
// comes with the last byte, so that a reader which stops at the announced
// length hears it too.
type hashedBody struct {
	source io.ReadCloser
	left   int64 // bytes to come; -1 unknown
	hash   hash.Hash
	want   []byte
	err    error
}

func (b *hashedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.source.Read(p)
	b.hash.Write(p[:n])
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err == io.EOF || b.left == 0 {
		if b.err = b.finish(); b.err == nil {
			b.err = io.EOF
		}
		return n, b.err
	}
	b.err = err
	return n, err
}

func (b *hashedBody) finish() error {
	if !hmac.Equal(b.hash.Sum(nil), b.want) {
		return refuseS3(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return nil
}

func (b *hashedBody) Close() error { return b.source.Close() }
