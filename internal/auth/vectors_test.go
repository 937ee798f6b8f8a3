package auth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The requests in testdata/botocore.json were signed by botocore 1.43.11 with
// this key at this instant.
const (
	vectorID     = "AKIDEXAMPLE"
	vectorSecret = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
)

var vectorTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type vector struct {
	Name, Service, Method, URL, Body string
	Headers                          map[string]string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("testdata/botocore.json has no requests")
	}
	return list
}

func (v vector) request(t testing.TB) *http.Request {
	t.Helper()
	body := make([]byte, 0, len(v.Body))
	for _, c := range v.Body { // bytes as Latin-1
		body = append(body, byte(c))
	}
	r, err := http.NewRequest(v.Method, v.URL, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func verifierAt(now time.Time) *Verifier {
	return &Verifier{
		Keys: keySet{vectorID: {Secret: vectorSecret, AccountID: "123456789012", ARN: "arn:aws:iam::123456789012:root"}},
		Now:  func() time.Time { return now },
	}
}

// check verifies a request and reads its whole body.
func check(v *Verifier, r *http.Request, service string) (Principal, []byte, error) {
	if service != "s3" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return Principal{}, nil, err
		}
		p, err := v.Verify(r, body, service)
		return p, body, err
	}
	p, err := v.VerifyS3(r)
	if err != nil {
		return p, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return p, body, err
}

func TestRequestsOfBotocoreAreAccepted(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			p, _, err := check(verifierAt(vectorTime.Add(time.Minute)), v.request(t), v.Service)
			if err != nil {
				t.Fatal(err)
			}
			if p.AccountID != "123456789012" || p.AccessKeyID != vectorID {
				t.Errorf("principal %+v", p)
			}
			if want := "eu-west-1"; p.Region != want && !strings.Contains(v.Name, "Version 2") {
				t.Errorf("region %q, want %q", p.Region, want)
			}
		})
	}
}

// A request that differs in anything from what was signed is refused.
func TestChangedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*http.Request){
		"method": func(r *http.Request) { r.Method = "DELETE" },
		"path":   func(r *http.Request) { r.URL.Path, r.URL.RawPath = r.URL.Path+"x", "" },
		"query": func(r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "Signature=") {
				r.URL.RawQuery += "&acl="
			} else {
				r.URL.RawQuery += "&x=y"
			}
		},
		"an added x-amz header": func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "other") },
	}
	for _, v := range vectors(t) {
		for what, change := range changes {
			t.Run(v.Name+"/"+what, func(t *testing.T) {
				t.Parallel()
				r := v.request(t)
				change(r)
				_, _, err := check(verifierAt(vectorTime), r, v.Service)
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("error %v, want a refusal", err)
				}
			})
		}
		for name := range v.Headers {
			if !strings.Contains(v.Headers["Authorization"], strings.ToLower(name)) && name != "Authorization" {
				continue // not signed
			}
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := v.request(t)
				r.Header.Set(name, r.Header.Get(name)+"0")
				_, _, err := check(verifierAt(vectorTime), r, v.Service)
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("error %v, want a refusal", err)
				}
			})
		}
		t.Run(v.Name+"/another secret", func(t *testing.T) {
			t.Parallel()
			verifier := verifierAt(vectorTime)
			verifier.Keys = keySet{vectorID: {Secret: "another"}}
			_, _, err := check(verifier, v.request(t), v.Service)
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != "SignatureDoesNotMatch" && e.Code != "InvalidSignatureException" {
				t.Errorf("error %v, want a signature that does not match", err)
			}
		})
	}
}

func TestChangedBodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.Body == "" {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			middle := len(v.Body) / 2
			v.Body = v.Body[:middle] + "!" + v.Body[middle+1:]
			_, _, err := check(verifierAt(vectorTime), v.request(t), v.Service)
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("error %v, want a refusal", err)
			}
		})
	}
}
