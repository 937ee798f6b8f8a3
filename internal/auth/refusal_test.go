package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mismatchText = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

func apiRequest(t testing.TB, service string) *http.Request {
	t.Helper()
	body := `{"name":"billing"}`
	r, err := http.NewRequest("POST", "http://hadron.example:8080/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AwsProton20200720.GetService")
	if err := Sign(r, []byte(body), vectorID, vectorSecret, "", "eu-west-1", service, vectorTime); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRefusalsOfTheAPI(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			h := r.Header.Get("Authorization")
			if !strings.Contains(h, old) {
				panic("no " + old + " in " + h)
			}
			r.Header.Set("Authorization", strings.Replace(h, old, new, 1))
		}
	}
	tests := []struct {
		name          string
		service       string
		change        func(*http.Request)
		later         time.Duration
		code, message string
	}{
		{name: "no header", change: func(r *http.Request) { r.Header.Del("Authorization") }, code: "MissingAuthenticationTokenException", message: "Missing Authentication Token"},
		{name: "two headers", change: func(r *http.Request) { r.Header.Add("Authorization", "x") }, code: "IncompleteSignature", message: "A request has one 'Authorization' header, not 2."},
		{name: "another scheme", change: func(r *http.Request) { r.Header.Set("Authorization", "Basic Zm9v") }, code: "IncompleteSignature", message: `Unsupported AWS 'algorithm': "Basic", want AWS4-HMAC-SHA256.`},
		{name: "no credential", change: edit("Credential=", "Credentials="), code: "IncompleteSignature", message: "Authorization header requires 'Credential' parameter."},
		{name: "no signature", change: edit("Signature=", "Sig="), code: "IncompleteSignature", message: "Authorization header requires 'Signature' parameter."},
		{name: "no signed headers", change: edit("SignedHeaders=", "SignedHeader="), code: "IncompleteSignature", message: "Authorization header requires 'SignedHeaders' parameter."},
		{name: "short scope", change: edit("/eu-west-1", ""), code: "IncompleteSignature", message: "Credential must have the form ACCESS_KEY/YYYYMMDD/REGION/SERVICE/aws4_request."},
		{name: "another service", service: "s3x", code: "InvalidSignatureException", message: "Credential should be scoped to correct service: 'proton'."},
		{name: "unsigned host", change: edit("host;", ""), code: "InvalidSignatureException", message: "'Host' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "unsigned date", change: edit("x-amz-date;", ""), code: "InvalidSignatureException", message: "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "unsigned target", change: edit(";x-amz-target", ""), code: "InvalidSignatureException", message: "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "unsorted headers", change: edit("content-type;host", "host;content-type"), code: "InvalidSignatureException", message: "SignedHeaders must be in alphabetical order."},
		{name: "header named twice", change: edit("host;", "host;host;"), code: "InvalidSignatureException", message: "SignedHeaders must be in alphabetical order."},
		{name: "date of another form", change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "yesterday") }, code: "IncompleteSignature", message: "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See https://en.wikipedia.org/wiki/ISO_8601"},
		{name: "two dates", change: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20261123T120001Z") }, code: "IncompleteSignature", message: "Date must be in ISO-8601 'basic format'. Got '20261123T120000Z,20261123T120001Z'. See https://en.wikipedia.org/wiki/ISO_8601"},
		{name: "scope of another day", change: edit("/20261123/", "/20261122/"), code: "InvalidSignatureException", message: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123'."},
		{name: "too old", later: 15*time.Minute + time.Second, code: "InvalidSignatureException", message: "Signature expired: 20261123T120000Z is now earlier than 20261123T120001Z (20261123T121501Z - 15 min.)"},
		{name: "too early", later: -15*time.Minute - time.Second, code: "InvalidSignatureException", message: "Signature not yet current: 20261123T120000Z is still later than 20261123T115959Z (20261123T114459Z + 15 min.)"},
		{name: "unknown key", change: edit(vectorID, "AKIDUNKNOWN"), code: "UnrecognizedClientException", message: "The security token included in the request is invalid."},
		{name: "changed target", change: func(r *http.Request) { r.Header.Set("X-Amz-Target", "AwsProton20200720.DeleteService") }, code: "InvalidSignatureException", message: mismatchText},
		{name: "second target", change: func(r *http.Request) { r.Header.Add("X-Amz-Target", "AwsProton20200720.DeleteService") }, code: "InvalidSignatureException", message: mismatchText},
		{name: "changed host", change: func(r *http.Request) { r.Host = "other.example" }, code: "InvalidSignatureException", message: mismatchText},
		{name: "changed query", change: func(r *http.Request) { r.URL.RawQuery = "a=b" }, code: "InvalidSignatureException", message: mismatchText},
		{name: "another body hash", change: func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", emptySHA256)
			edit("host;", "host;x-amz-content-sha256;")(r)
		}, code: "InvalidSignatureException", message: "The provided 'x-amz-content-sha256' header does not match what was computed."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			service := tt.service
			if service == "" {
				service = "proton"
			}
			r := apiRequest(t, service)
			if tt.change != nil {
				tt.change(r)
			}
			_, _, err := check(verifierAt(vectorTime.Add(tt.later)), r, "proton")
			got, _ := errors.AsType[*Error](err)
			want := &Error{Code: tt.code, Message: tt.message, Status: 400}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrderAndSpacesOfHeadersDoNotMatter(t *testing.T) {
	t.Parallel()
	r := apiRequest(t, "proton")
	r.Header.Set("Content-Type", "  application/x-amz-json-1.0 ")
	h := r.Header.Get("Authorization")
	r.Header.Set("Authorization", strings.ReplaceAll(h, ", ", ","))
	if _, _, err := check(verifierAt(vectorTime), r, "proton"); err != nil {
		t.Error(err)
	}
}

func TestRefusalsOfS3(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			q.Set(name, value)
			r.URL.RawQuery = q.Encode()
		}
	}
	tests := []struct {
		name, vector string
		change       func(*http.Request)
		later        time.Duration
		status       int
		code         string
	}{
		{name: "unsigned", vector: "list buckets", change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 403, code: "AccessDenied"},
		{name: "both forms", vector: "a presigned URL", change: func(r *http.Request) { r.Header.Set("Authorization", "x") }, status: 400, code: "InvalidArgument"},
		{name: "malformed", vector: "list buckets", change: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }, status: 400, code: "AuthorizationHeaderMalformed"},
		{name: "another service", vector: "an API call", status: 400, code: "AuthorizationHeaderMalformed"},
		{name: "skew", vector: "list buckets", later: 16 * time.Minute, status: 403, code: "RequestTimeTooSkewed"},
		{name: "skew back", vector: "list buckets", later: -16 * time.Minute, status: 403, code: "RequestTimeTooSkewed"},
		{name: "no payload kind", vector: "list buckets", change: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, status: 400, code: "InvalidRequest"},
		{name: "unsigned x-amz header", vector: "list buckets", change: func(r *http.Request) { r.Header.Set("X-Amz-Acl", "private") }, status: 403, code: "AccessDenied"},
		{name: "no date", vector: "list buckets", change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, status: 403, code: "AccessDenied"},
		{name: "unknown key", vector: "list buckets", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), vectorID, "AKIDOTHER", 1))
		}, status: 403, code: "InvalidAccessKeyId"},
		{name: "expired URL", vector: "a presigned URL", later: 601 * time.Second, status: 403, code: "AccessDenied"},
		{name: "URL of the future", vector: "a presigned URL", later: -16 * time.Minute, status: 403, code: "AccessDenied"},
		{name: "no life", vector: "a presigned URL", change: set("X-Amz-Expires", "0"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "life over a week", vector: "a presigned URL", change: set("X-Amz-Expires", "604801"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "longer life", vector: "a presigned URL", change: set("X-Amz-Expires", "604800"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "life is no number", vector: "a presigned URL", change: set("X-Amz-Expires", "1h"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "parameter missing", vector: "a presigned URL", change: set("X-Amz-Date", ""), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "parameter twice", vector: "a presigned URL", change: func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Expires=1" }, status: 400, code: "AuthorizationQueryParametersError"},
		{name: "presigned for another service", vector: "a presigned URL", change: set("X-Amz-Credential", vectorID+"/20261123/eu-west-1/sts/aws4_request"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "expired Version 2", vector: "a URL presigned with Version 2", later: time.Hour, status: 403, code: "AccessDenied"},
		{name: "Version 2 for longer than a week", vector: "a URL presigned with Version 2", change: set("Expires", "1999999999"), status: 403, code: "AccessDenied"},
		{name: "Version 2 with what it does not sign", vector: "a URL presigned with Version 2", change: set("attributes", ""), status: 403, code: "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range vectors(t) {
				if v.Name != tt.vector {
					continue
				}
				r := v.request(t)
				if tt.change != nil {
					tt.change(r)
				}
				_, _, err := check(verifierAt(vectorTime.Add(tt.later)), r, "s3")
				got, ok := errors.AsType[*Error](err)
				if !ok || got.Code != tt.code || got.Status != tt.status {
					t.Errorf("error %v (%+v), want %s with status %d", err, got, tt.code, tt.status)
				}
				return
			}
			t.Fatalf("no request %q", tt.vector)
		})
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	key := Key{Secret: "hunter2", AccountID: "1"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", key.Secret, "key", key)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", key.Secret, "key", key)
	encoded, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(key.Secret), fmt.Sprintf("%s %v %q %x %#v %d", key.Secret, key.Secret, key.Secret, key.Secret, key.Secret, key.Secret),
		fmt.Sprintf("%+v %#v", key, &key), log.String(), string(encoded),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("printed: %s", text)
		}
	}
}
