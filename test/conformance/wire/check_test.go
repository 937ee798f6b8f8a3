package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

func model(t *testing.T) *Model {
	t.Helper()
	m, err := LoadModel(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const template = `"name":"web","arn":"arn:aws:proton:eu-west-1:123456789012:service-template/web","createdAt":1795422600.214,"lastModifiedAt":1795422600`

func TestAnswersOutsideTheModel(t *testing.T) {
	t.Parallel()
	m := model(t)
	for _, c := range []struct {
		name, operation, body string
		status                int
		want                  string // of the problems; empty for none
	}{
		{"right", "GetServiceTemplate", `{"serviceTemplate":{` + template + `}}`, 200, ""},
		{"empty", "TagResource", `{}`, 200, ""},
		{"no JSON", "TagResource", ``, 200, "no JSON object"},
		{"a list", "TagResource", `[]`, 200, "no JSON object"},
		{"more than an object", "TagResource", `{}{}`, 200, "more follows"},
		{"unknown member", "GetServiceTemplate", `{"serviceTemplate":{` + template + `,"status":"DRAFT"}}`, 200, "ServiceTemplate has no member status"},
		{"member in capitals", "TagResource", `{"Tags":[]}`, 200, "has no member Tags"},
		{"required member", "GetServiceTemplate", `{"serviceTemplate":{"name":"web"}}`, 200, "the required member arn is missing"},
		{"null", "GetServiceTemplate", `{"serviceTemplate":null}`, 200, "is no structure"},
		{"type", "GetServiceTemplate", `{"serviceTemplate":{` + template + `,"description":1}}`, 200, "is no string"},
		{"timestamp as text", "GetServiceTemplate", `{"serviceTemplate":{` + strings.Replace(template, "1795422600.214", `"2026-11-23T08:30:00Z"`, 1) + `}}`, 200, "is no timestamp"},
		{"timestamp in milliseconds", "GetServiceTemplate", `{"serviceTemplate":{` + strings.Replace(template, "1795422600.214", `1795422600214`, 1) + `}}`, 200, "is no timestamp"},
		{"enum", "GetServiceTemplate", `{"serviceTemplate":{` + template + `,"pipelineProvisioning":"MANAGED"}}`, 200, `"MANAGED" is not among`},
		{"pattern", "GetServiceTemplate", `{"serviceTemplate":{` + strings.Replace(template, `"web"`, `"w.b"`, 1) + `}}`, 200, "does not match"},
		{"length", "GetServiceTemplate", `{"serviceTemplate":{` + template + `,"displayName":""}}`, 200, "beyond the limits"},
		{"token where there is none", "ListEnvironmentOutputs", `{"outputs":[],"nextToken":"x"}`, 200, "beyond the limits"},
		{"element", "ListTagsForResource", `{"tags":[{"key":"a","value":"b"},{"key":"a"}]}`, 200, "tags[1]: the required member value is missing"},
		{"too many", "ListTagsForResource", `{"tags":[` + strings.Repeat(`{"key":"a","value":"b"},`, 50) + `{"key":"a","value":"b"}]}`, 200, "51 is beyond the limits of the list"},
		{"success of nothing", "GetServicePipeline", `{}`, 200, "there is no operation"},
		{"exception", "GetService", `{"__type":"com.amazonaws.proton.v20200720#ResourceNotFoundException","message":"no"}`, 400, ""},
		{"exception with another status", "GetService", `{"__type":"com.amazonaws.proton.v20200720#ResourceNotFoundException","message":"no"}`, 404, "has status 404"},
		{"exception of another namespace", "GetService", `{"__type":"x#ResourceNotFoundException","message":"no"}`, 400, "namespace x"},
		{"exception without a text", "GetService", `{"__type":"com.amazonaws.proton.v20200720#ResourceNotFoundException"}`, 400, "has no message"},
		{"exception of other operations", "ListServices", `{"__type":"com.amazonaws.proton.v20200720#ConflictException","message":"no"}`, 400, "not among the errors of ListServices"},
		{"exception with more", "GetService", `{"__type":"com.amazonaws.proton.v20200720#ResourceNotFoundException","message":"no","cause":"SQL"}`, 400, "the error has cause"},
		{"unknown exception", "GetService", `{"__type":"com.amazonaws.proton.v20200720#NotFound","message":"no"}`, 400, "NotFound is not among"},
		{"internal", "GetService", `{"__type":"com.amazonaws.proton.v20200720#InternalServerException","message":"internal error"}`, 500, "HTTP 500"},
		{"protocol", "GetService", `{"__type":"com.amazon.coral.service#SerializationException","Message":"no"}`, 400, ""},
		{"deployed environment without a version", "GetEnvironment", `{"environment":{"deploymentStatus":"SUCCEEDED"}}`, 200, "templateMajorVersion is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"6f0b8f0e-5a53-4c0a-9a2c-0d6d0f6f7f11"}}
			_, problems := m.check(answer{false, "AwsProton20200720." + c.operation, c.status, header, []byte(c.body)})
			got := strings.Join(problems, "\n")
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What has no version yet may lack it.
func TestEnvironmentThatWasNeverDeployed(t *testing.T) {
	t.Parallel()
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	_, problems := model(t).check(answer{false, "AwsProton20200720.GetEnvironment", 200, header, []byte(`{"environment":{"name":"dev","templateName":"vpc",
		"arn":"arn:aws:proton:eu-west-1:123456789012:environment/dev","createdAt":1795422600,"lastDeploymentAttemptedAt":1795422600.1,"deploymentStatus":"IN_PROGRESS"}}`)})
	if want := `x-amzn-RequestId is "", not a UUID`; len(problems) != 1 || problems[0] != want {
		t.Errorf("got %q, want only %q", problems, want)
	}
}

func TestProxyReplacesAndRecords(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("X-Amzn-Requestid", "6f0b8f0e-5a53-4c0a-9a2c-0d6d0f6f7f11")
		body, _ := io.ReadAll(r.Body)
		w.Write(body) // an echo
	}))
	defer backend.Close()
	record := NewRecord()
	front := httptest.NewServer(NewProxy(model(t), record, strings.TrimPrefix(backend.URL, "http://")))
	defer front.Close()
	call := func(body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AwsProton20200720.ListServices")
		r.Header.Set("User-Agent", "Boto3/1.2.3 more")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got, want := call(`{"services":[]}`), `{"services":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := call(`{"services":[{}]}`); !strings.Contains(got, "AnswerOutsideTheModel") {
		t.Errorf("got %s", got)
	}
	if got := len(record.Problems()); got != 1 {
		t.Errorf("%d problems", got)
	}
	file := filepath.Join(t.TempDir(), "record")
	if err := record.Save(file); err != nil {
		t.Fatal(err)
	}
	again := NewRecord()
	if err := again.Add(file); err != nil {
		t.Fatal(err)
	}
	if got, want := string(again.claims(Clients[1])), "# boto3\nListServices ok\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClaimsMustHaveHappened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	proven := filepath.Join(dir, "internal", "gen", "model", "proven")
	if err := os.MkdirAll(proven, 0o700); err != nil {
		t.Fatal(err)
	}
	record, c := NewRecord(), Clients[1]
	record.call("Boto3/1", "GetService", "ok")
	record.call("Boto3/1", "GetService", "ResourceNotFoundException")
	if err := record.Check(dir, c, false); err == nil || !strings.Contains(err.Error(), "-update") {
		t.Errorf("a success that nobody claims: %v", err)
	}
	if err := record.Check(dir, c, true); err != nil {
		t.Fatal(err)
	}
	if err := record.Check(dir, c, false); err != nil {
		t.Error(err)
	}
	if err := NewRecord().Check(dir, c, false); err == nil || strings.Count(err.Error(), "did not happen") != 2 {
		t.Errorf("claims without a call: %v", err)
	}
}
