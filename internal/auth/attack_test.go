package auth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Whatever is changed about a signed request after it was signed, it is refused.
func TestAttacksOnSignedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	authorization := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	const body = `{"name":"billing"}`
	for name, tt := range map[string]struct {
		body   string
		change func(*http.Request)
	}{
		"another body":              {body: `{"name":"other"}`},
		"no body":                   {body: ""},
		"a longer body":             {body: body + " "},
		"another method":            {change: func(r *http.Request) { r.Method = http.MethodPut }},
		"another path":              {change: func(r *http.Request) { r.URL.Path = "/other" }},
		"a path that cleans to it":  {change: func(r *http.Request) { r.URL.Path = "/./" }},
		"a doubled slash":           {change: func(r *http.Request) { r.URL.Path = "//" }},
		"a query":                   {change: func(r *http.Request) { r.URL.RawQuery = "Action=GetCallerIdentity" }},
		"an empty query parameter":  {change: func(r *http.Request) { r.URL.RawQuery = "a" }},
		"another host":              {change: func(r *http.Request) { r.Host = "hadron.example" }},
		"a port more":               {change: func(r *http.Request) { r.Host = "hadron.example:80800" }},
		"another content type":      {change: header("Content-Type", "application/json")},
		"another second":            {change: header("X-Amz-Date", "20261123T120001Z")},
		"a folded header":           {change: header("X-Amz-Target", "AwsProton20200720.GetService\r\n x")},
		"a duplicate header":        {change: func(r *http.Request) { r.Header.Add("Content-Type", "application/x-amz-json-1.0") }},
		"a session token besides":   {change: header("X-Amz-Security-Token", "x")},
		"unsigned payload":          {change: header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")},
		"a streaming payload":       {change: header("X-Amz-Content-Sha256", streamingSigned)},
		"another Region":            {change: authorization("/eu-west-1/", "/us-east-1/")},
		"an older algorithm":        {change: authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")},
		"an asymmetric algorithm":   {change: authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")},
		"another terminator":        {change: authorization("aws4_request", "aws5_request")},
		"an upper-case signature":   {change: func(r *http.Request) { upperSignature(r) }},
		"an empty signature":        {change: func(r *http.Request) { cutSignature(r, 0) }},
		"half a signature":          {change: func(r *http.Request) { cutSignature(r, 32) }},
		"a signature and more":      {change: func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"00") }},
		"a header that is not sent": {change: authorization("content-type;host", "content-type;cookie;host")},
		"an oversized header":       {change: header("X-Amz-Target", strings.Repeat("A", 1<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := apiRequest(t, "proton")
			sent := body
			if tt.change == nil {
				sent = tt.body
			} else {
				tt.change(r)
			}
			if _, err := verifierAt(vectorTime).Verify(r, []byte(sent), "proton"); err == nil {
				t.Error("let in")
			} else if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("not a refusal: %v", err)
			}
		})
	}
	if _, err := verifierAt(vectorTime).Verify(apiRequest(t, "proton"), []byte(body), "proton"); err != nil {
		t.Errorf("the request itself: %v", err)
	}
}

func upperSignature(r *http.Request) {
	before, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", before+"Signature="+strings.ToUpper(signature))
}

func cutSignature(r *http.Request, length int) {
	before, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", before+"Signature="+signature[:length])
}

// presigned is a GetCallerIdentity request with its signature in the query.
func presigned(t *testing.T, service string) *http.Request {
	t.Helper()
	query := url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Algorithm": {algorithm}, "X-Amz-Date": {vectorTime.Format(dateFormat)},
		"X-Amz-Credential": {vectorID + "/20261123/us-east-1/" + service + "/aws4_request"}, "X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host;x-k8s-aws-id"},
	}
	r, err := http.NewRequest(http.MethodGet, "http://hadron.example:8080/?"+strings.ReplaceAll(query.Encode(), "+", "%20"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-K8s-Aws-Id", "hadron")
	c := credential{accessKeyID: vectorID, date: "20261123", region: "us-east-1", service: service}
	text := canonicalRequest(r, r.URL.RawQuery, []string{"host", "x-k8s-aws-id"}, emptySHA256, true)
	r.URL.RawQuery += "&X-Amz-Signature=" + (&Verifier{}).sign(vectorSecret, c, vectorTime.Format(dateFormat), text)
	return r
}

func TestPresignedRequests(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			q.Set(name, value)
			r.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
		}
	}
	for name, tt := range map[string]struct {
		service string
		change  func(*http.Request)
		later   time.Duration
		code    string
	}{
		"as it is":                   {},
		"within its life":            {later: 59 * time.Second},
		"after its life":             {later: 61 * time.Second, code: "InvalidSignatureException"},
		"of the future":              {later: -16 * time.Minute, code: "InvalidSignatureException"},
		"for another service":        {service: "s3", code: "InvalidSignatureException"},
		"another action":             {change: set("Action", "AssumeRole"), code: "InvalidSignatureException"},
		"a longer life":              {change: set("X-Amz-Expires", "3600"), code: "InvalidSignatureException"},
		"a life without end":         {change: set("X-Amz-Expires", "999999"), code: "IncompleteSignature"},
		"a parameter more":           {change: set("RoleArn", "x"), code: "InvalidSignatureException"},
		"another date":               {change: set("X-Amz-Date", "20261124T120000Z"), code: "IncompleteSignature"},
		"a parameter twice":          {change: func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Date=20261123T120000Z" }, code: "IncompleteSignature"},
		"the audience of another":    {change: func(r *http.Request) { r.Header.Set("X-K8s-Aws-Id", "other") }, code: "InvalidSignatureException"},
		"without the host":           {change: set("X-Amz-SignedHeaders", "x-k8s-aws-id"), code: "InvalidSignatureException"},
		"with a header as well":      {change: func(r *http.Request) { r.Header.Set("Authorization", "x") }, code: "IncompleteSignature"},
		"with an unsigned x-amz one": {change: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, code: "InvalidSignatureException"},
		"a token besides":            {change: set("X-Amz-Security-Token", "x"), code: "InvalidSignatureException"},
		"another method":             {change: func(r *http.Request) { r.Method = http.MethodPost }, code: "InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := tt.service
			if service == "" {
				service = "sts"
			}
			r := presigned(t, service)
			if tt.change != nil {
				tt.change(r)
			}
			p, err := verifierAt(vectorTime.Add(tt.later)).VerifyPresigned(r, "sts")
			got := ""
			if e, ok := errors.AsType[*Error](err); ok {
				got = e.Code
			}
			if got != tt.code || err == nil && p.AccessKeyID != vectorID {
				t.Errorf("%v: %q, want %q", err, got, tt.code)
			}
		})
	}
}

// No header makes the verifier panic, or lets anybody in.
func FuzzSignedHeader(f *testing.F) {
	f.Add(apiRequest(f, "proton").Header.Get("Authorization"), "20261123T120000Z", "")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request,SignedHeaders=host;host,Signature=", "2026", "token")
	f.Fuzz(func(t *testing.T, authorization, date, token string) {
		r, err := http.NewRequest("POST", "http://hadron.example:8080/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"], r.Header["X-Amz-Date"] = []string{authorization}, []string{date}
		if token != "" {
			r.Header["X-Amz-Security-Token"] = []string{token}
		}
		if p, err := verifierAt(vectorTime).Verify(r, []byte("another body"), "proton"); err == nil {
			t.Errorf("let in %+v", p)
		}
	})
}

// No token but a sealed one opens, and only for its own key.
func FuzzSessionTokens(f *testing.F) {
	sealer, err := NewSealer(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	token, err := sealer.SealGrant(Grant{AccountID: "123456789012", RoleName: "r", SessionName: "s"}, "ASIAONE")
	if err != nil {
		f.Fatal(err)
	}
	if _, ok := sealer.OpenGrant(token, "ASIAONE"); !ok {
		f.Fatal("a token does not open")
	}
	f.Add(token, "ASIATWO")
	f.Add(token[:len(token)-4]+"AAAA", "ASIAONE")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, text, key string) {
		if g, ok := sealer.OpenGrant(text, key); ok && (text != token || key != "ASIAONE") {
			t.Errorf("%q opens for %q: %+v", text, key, g)
		}
	})
}
