package gosdk

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
)

// answer is what came back for a raw request.
type answer struct {
	status  int
	header  http.Header
	typ     string // of the error, with its namespace
	message string
	body    map[string]any
}

// raw is a signed request that no SDK would send; change may spoil it.
type raw struct {
	target, body string
	region       string // of the signature; empty: the client's
	service      string // of the signature; empty: proton
	id, secret   string // empty: the root key
	at           time.Time
	contentType  string // empty: the protocol's
	change       func(r *http.Request)
}

const prefix = "AwsProton20200720."

func (c *client) send(t *testing.T, q raw) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.server.url()+"/", strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	or := func(value, fallback string) string {
		if value == "" {
			return fallback
		}
		return value
	}
	req.Header.Set("Content-Type", or(q.contentType, "application/x-amz-json-1.0"))
	if q.target != "" {
		req.Header.Set("X-Amz-Target", q.target)
	}
	if q.at.IsZero() {
		q.at = time.Now()
	}
	key := credentials.NewStaticCredentials(or(q.id, rootKey), or(q.secret, rootSecret), "")
	if _, err := v4.NewSigner(key).Sign(req, bytes.NewReader([]byte(q.body)), or(q.service, "proton"), or(q.region, c.region), q.at); err != nil {
		t.Fatal(err)
	}
	if q.change != nil {
		q.change(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			t.Fatalf("the answer is not a JSON object: %v\n%s", err, text)
		}
	}
	a.typ, _ = a.body["__type"].(string)
	for _, name := range []string{"message", "Message"} {
		if s, ok := a.body[name].(string); ok {
			a.message = s
		}
	}
	return a
}

const (
	coral  = "com.amazon.coral.service#"
	models = "com.amazonaws.proton.v20200720#"
)

// Requests that break the protocol get the answers that AWS's services give,
// and change nothing.
func TestWire(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	create := func(body string) raw { return raw{target: prefix + "CreateServiceTemplate", body: body} }
	signature := regexp.MustCompile(`Signature=[0-9a-f]{4}`)
	for name, test := range map[string]struct {
		request raw
		status  int
		typ     string // with its namespace; without one it is any
		message string // part of it
	}{
		"malformed JSON":       {create(`{"name":`), 400, coral + "SerializationException", ""},
		"no object":            {create(`["name"]`), 400, coral + "SerializationException", ""},
		"two values":           {create(`{"name":"x"}{}`), 400, coral + "SerializationException", ""},
		"number for a string":  {create(`{"name":1}`), 400, coral + "SerializationException", "NUMBER_VALUE can not be converted to String"},
		"boolean for a string": {create(`{"name":true}`), 400, coral + "SerializationException", "String"},
		"list for a string":    {create(`{"name":["x"]}`), 400, coral + "SerializationException", "Start of list found where not expected"},
		"string for a number":  {raw{target: prefix + "ListServices", body: `{"maxResults":"10"}`}, 400, coral + "SerializationException", "STRING_VALUE can not be converted to Integer"},
		"string for a list":    {create(`{"name":"x","tags":"y"}`), 400, coral + "SerializationException", ""},
		"null in a list":       {create(`{"name":"x","tags":[null]}`), 400, coral + "SerializationException", ""},
		"missing member":       {create(`{}`), 400, models + "ValidationException", "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"null member":          {create(`{"name":null}`), 400, models + "ValidationException", "Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"empty body":           {create(``), 400, models + "ValidationException", "Value null at 'name'"},
		"unknown enum value":   {create(`{"name":"x","pipelineProvisioning":"MINE"}`), 400, models + "ValidationException", "Member must satisfy enum value set: [CUSTOMER_MANAGED]"},
		"nested member":        {create(`{"name":"x","tags":[{"key":"a","value":""},{"key":"","value":"v"}]}`), 400, models + "ValidationException", "at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"page too large":       {raw{target: prefix + "ListServices", body: `{"maxResults":101}`}, 400, models + "ValidationException", "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		"page of nothing":      {raw{target: prefix + "ListServices", body: `{"maxResults":0}`}, 400, models + "ValidationException", "Member must have value greater than or equal to 1"},
		"empty union": {raw{target: prefix + "CreateEnvironmentTemplateVersion", body: `{"templateName":"x","source":{}}`},
			400, models + "ValidationException", "source"},
		"unknown operation":        {raw{target: prefix + "CreatePonies", body: `{}`}, 400, coral + "UnknownOperationException", ""},
		"operation in lower case":  {raw{target: prefix + "listservices", body: `{}`}, 400, coral + "UnknownOperationException", ""},
		"another service's target": {raw{target: "DynamoDB_20120810.ListTables", body: `{}`}, 400, coral + "UnknownOperationException", ""},
		"no target":                {raw{body: `{}`}, 400, coral + "UnknownOperationException", ""},
		"unknown key":              {raw{target: prefix + "ListServices", id: "AKIANOBODY0000000001"}, 400, "UnrecognizedClientException", "The security token included in the request is invalid."},
		"wrong secret":             {raw{target: prefix + "ListServices", secret: "wrong"}, 400, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."},
		"another service's key":    {raw{target: prefix + "ListServices", service: "s3"}, 400, "", ""},
		"signed too long ago":      {raw{target: prefix + "ListServices", at: time.Now().Add(-20 * time.Minute)}, 400, "InvalidSignatureException", "Signature expired"},
		"signed in the future":     {raw{target: prefix + "ListServices", at: time.Now().Add(20 * time.Minute)}, 400, "InvalidSignatureException", ""},
		"body changed after signing": {raw{target: prefix + "CreateServiceTemplate", body: `{"name":"a"}`, change: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"name":"b"}`)), 12
		}}, 400, "InvalidSignatureException", ""},
		"target changed after signing": {raw{target: prefix + "ListServices", body: `{}`, change: func(r *http.Request) {
			r.Header.Set("X-Amz-Target", prefix+"DeleteService")
		}}, 400, "InvalidSignatureException", ""},
		"signature changed": {raw{target: prefix + "ListServices", body: `{}`, change: func(r *http.Request) {
			r.Header.Set("Authorization", signature.ReplaceAllString(r.Header.Get("Authorization"), "Signature=0000"))
		}}, 400, "InvalidSignatureException", ""},
		"region changed after signing": {raw{target: prefix + "ListServices", body: `{}`, change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), c.region, "eu-west-1", 1))
		}}, 400, "InvalidSignatureException", ""},
		"not signed": {raw{target: prefix + "ListServices", body: `{}`, change: func(r *http.Request) { r.Header.Del("Authorization") }},
			400, coral + "MissingAuthenticationTokenException", "Missing Authentication Token"},
		"half an Authorization": {raw{target: prefix + "ListServices", body: `{}`, change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+rootKey)
		}}, 400, "", ""},
		"over the size limit": {create(`{"name":"x","description":"` + strings.Repeat("x", 1<<20) + `"}`), 413, "RequestEntityTooLargeException", ""},
		"another method": {raw{target: prefix + "ListServices", change: func(r *http.Request) { r.Method = http.MethodPut }},
			404, "UnknownOperationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.send(t, test.request)
			if a.status != test.status || !strings.Contains(a.typ, test.typ) || !strings.Contains(a.message, test.message) {
				t.Errorf("\n got %d %s: %s\nwant %d %s: %s", a.status, a.typ, a.message, test.status, test.typ, test.message)
			}
			checkHeaders(t, a)
		})
	}
	if left := c.everything(t); len(left) > 0 {
		t.Errorf("refused requests left %v", left)
	}
}

func checkHeaders(t *testing.T, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("Content-Type: %q", got)
	}
	if id := a.header.Get("X-Amzn-Requestid"); !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("x-amzn-RequestId: %q", id)
	}
}

// What a correct answer looks like.
func TestWireAnswers(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	before := float64(time.Now().Add(-time.Second).UnixMilli()) / 1000
	a := c.send(t, raw{target: prefix + "CreateServiceTemplate", body: `{"name":"web","displayName":null,"colour":{"unknown":["member"]}}`})
	checkHeaders(t, a)
	template, _ := a.body["serviceTemplate"].(map[string]any)
	created, ok := template["createdAt"].(float64)
	if a.status != 200 || !ok || created < before || template["name"] != "web" {
		t.Fatalf("%d %v", a.status, a.body)
	}
	if _, ok := template["displayName"]; ok {
		t.Error("an absent member is in the answer")
	}
	a = c.send(t, raw{target: prefix + "ListServices"}) // no body at all
	if services, ok := a.body["services"].([]any); a.status != 200 || !ok || len(services) != 0 || len(a.body) != 1 {
		t.Errorf("an empty list: %d %v", a.status, a.body)
	}
	for _, contentType := range []string{"application/json", "application/x-amz-json-1.1"} {
		a = c.send(t, raw{target: prefix + "GetAccountSettings", body: "{}", contentType: contentType})
		if a.status != 200 {
			t.Errorf("%s: %d %v", contentType, a.status, a.body)
		}
	}
	tag := c.send(t, raw{target: prefix + "TagResource", body: `{"resourceArn":"` + c.arn("service-template/web") + `","tags":[{"key":"a","value":"b"}]}`})
	if tag.status != 200 || len(tag.body) != 0 {
		t.Errorf("an operation without output: %d %v", tag.status, tag.body)
	}
}

var open = regexp.MustCompile("(?m)^\\| (\\w+) \\| open \\|")

// everyMember has what any open operation requires; unknown members do not
// matter, so it is a good request for all of them.
const everyMember = `{"branch":"main","componentName":"x","connectionArn":"` + connection + `","deploymentType":"NONE","environmentName":"x",
	"filePath":"f","id":"0f0e0d0c-1111-2222-3333-444455556666","managementAccountId":"123456789012","manifest":"m","name":"NAME","provider":"GITHUB",
	"repositoryName":"acme/app","repositoryProvider":"GITHUB","requestedBy":"MANAGEMENT_ACCOUNT","resolvedReason":"r","serviceInstanceName":"x",
	"serviceName":"x","spec":"s","syncType":"TEMPLATE_SYNC","templateFile":"t","templateName":"x","templateType":"SERVICE","templateVersion":"1"}`

// Every operation that the compatibility table calls open says so to a good request.
func TestOpenOperations(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	table, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	matches := open.FindAllSubmatch(table, -1)
	if listed := strings.Count(string(table), " | implemented | ") + len(matches); listed < 87 {
		t.Fatalf("the table lists %d operations, and Proton has 87", listed)
	}
	for _, m := range matches {
		operation, name := string(m[1]), "x"
		if strings.HasSuffix(operation, "Repository") {
			name = "acme/app"
		}
		a := c.send(t, raw{target: prefix + operation, body: strings.Replace(everyMember, "NAME", name, 1)})
		if a.status != 400 || a.typ != coral+"UnknownOperationException" {
			t.Errorf("%s: %d %s: %s", operation, a.status, a.typ, a.message)
		}
	}
}
