package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/control"
)

// audited lists what the log has recorded of an operation, newest first.
func (f *fixture) audited(t *testing.T, name string) []map[string]any {
	t.Helper()
	out := must(f.ListAuditEvents(t.Context(), &api.ListAuditEventsInput{EventName: &name}))(t)
	var all []map[string]any
	for _, e := range out.Events {
		var r map[string]any
		if err := json.Unmarshal([]byte(*e.Record), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestCallsThatChangeSomethingAndRefusalsAreAudited(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	ann := f.user(t, "ann", `[{"Sid":"Make","Effect":"Allow","Action":["proton:*Template","proton:TagResource"],"Resource":"*"},{"Sid":"Never","Effect":"Deny","Action":"proton:Delete*","Resource":"*"}]`)
	c := f.clientOf(ann)
	must(c.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("web"), Description: p("the launch code is 1234"), Tags: []api.Tag{{Key: p("team"), Value: p("red")}}}))(t)

	records := f.audited(t, "CreateServiceTemplate")
	if len(records) != 1 {
		t.Fatalf("%d records, want 1", len(records))
	}
	got := records[0]
	for _, varying := range []string{"eventID", "requestID", "eventTime", "userAgent"} {
		if text, _ := got[varying].(string); text == "" {
			t.Errorf("the record has no %s", varying)
		}
		delete(got, varying)
	}
	identity := got["userIdentity"].(map[string]any)
	if id, _ := identity["principalId"].(string); !strings.HasPrefix(id, "AIDA") {
		t.Errorf("principalId %q", id)
	}
	delete(identity, "principalId")
	arn := f.arn("service-template/web")
	want := map[string]any{
		"eventVersion": "1.11", "eventSource": "proton.amazonaws.com", "eventName": "CreateServiceTemplate", "awsRegion": region,
		"sourceIPAddress": "127.0.0.1", "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
		"recipientAccountId": f.account, "responseElements": nil,
		"userIdentity": map[string]any{
			"type": "IAMUser", "accountId": f.account, "arn": "arn:aws:iam::" + f.account + ":user/ann", "userName": "ann", "accessKeyId": ann.id,
		},
		"requestParameters": map[string]any{
			"name": "web", "description": "HIDDEN_DUE_TO_SECURITY_REASONS", "tags": []any{map[string]any{"key": "team", "value": "red"}},
		},
		"resources": []any{map[string]any{"ARN": arn, "accountId": f.account}},
		"additionalEventData": map[string]any{"authorization": []any{
			map[string]any{"action": "proton:CreateServiceTemplate", "resource": arn, "decision": "allowed", "statement": "Make"},
			map[string]any{"action": "proton:TagResource", "resource": arn, "decision": "allowed", "statement": "Make"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	ann := f.user(t, "ann", `[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"Never","Effect":"Deny","Action":["proton:Delete*","proton:GetService"],"Resource":"*"}]`)
	c := f.clientOf(ann)
	if _, err := c.GetService(ctx, &api.GetServiceInput{Name: p("x")}); code(err) != "AccessDeniedException" {
		t.Fatal(err)
	}
	if _, err := c.DeleteService(ctx, &api.DeleteServiceInput{Name: p("x")}); code(err) != "AccessDeniedException" {
		t.Fatal(err)
	}
	if _, err := c.UpdateService(ctx, &api.UpdateServiceInput{Name: p("x")}); code(err) != "ResourceNotFoundException" {
		t.Fatal(err)
	}
	if _, err := c.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: p("x"), Tags: []api.Tag{{Key: p("aws:x"), Value: p("y")}}}); code(err) != "ValidationException" {
		t.Fatal(err)
	}
	must(c.ListServices(ctx, &api.ListServicesInput{}))(t)
	forged := f.clientOf(signedBy{id: ann.id, secret: "wrong"})
	if _, err := forged.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p("x")}); code(err) != "InvalidSignatureException" {
		t.Fatal(err)
	}
	f.sts(t, &ann, "Action", "AssumeRole", "RoleArn", "arn:aws:iam::"+f.account+":role/none", "RoleSessionName", "me").want(t, "AccessDenied")
	for _, tt := range []struct{ operation, code, statement string }{
		{"GetService", "AccessDeniedException", "Never"},
		{"DeleteService", "AccessDeniedException", "Never"},
		{"UpdateService", "ResourceNotFoundException", "1"},
		{"CreateServiceTemplate", "ValidationException", "1"},
		{"DeleteEnvironment", "InvalidSignatureException", ""},
		{"AssumeRole", "AccessDenied", ""},
	} {
		records := f.audited(t, tt.operation)
		if len(records) != 1 || records[0]["errorCode"] != tt.code {
			t.Errorf("%s: records %v, want one with %s", tt.operation, records, tt.code)
			continue
		}
		text, _ := json.Marshal(records[0]["additionalEventData"])
		if tt.statement != "" && !strings.Contains(string(text), `"statement":"`+tt.statement+`"`) {
			t.Errorf("%s: decided by %s, want statement %s", tt.operation, text, tt.statement)
		}
	}
	if records := f.audited(t, "ListServices"); len(records) != 0 {
		t.Errorf("a call that changes nothing was recorded: %v", records)
	}
	out := must(f.VerifyAuditLog(ctx, &api.VerifyAuditLogInput{}))(t)
	if !*out.Whole || *out.Records < 7 {
		t.Errorf("the log is %+v", out)
	}
}

func TestTheAuditLogShowsTampering(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ statement, want string }{
		"a changed record": {"UPDATE audit_records SET record = record || ' ' WHERE sequence = 2", "Record 2 is not as it was written."},
		"a missing record": {"DELETE FROM audit_records WHERE sequence = 2", "Record 2 is missing."},
		"a shortened log":  {"DELETE FROM audit_records WHERE sequence = 3", "The log ends with record 2, but 3 were written."},
		"a shortened log with its head": {`DELETE FROM audit_records WHERE sequence = 3;
			UPDATE audit_heads SET sequence = 2, hash = (SELECT hash FROM audit_records WHERE sequence = 2)`, "The log was not written by this server: its end is not sealed with the master key."},
		"a log pruned by somebody, with the seal of its end": {`UPDATE audit_heads SET pruned_sequence = 3, pruned_hash = hash, pruned_seal = seal; DELETE FROM audit_records`,
			"The log was not pruned by this server: its beginning is not sealed with the master key."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			f.threeAuditRecords(t)
			f.inDatabase(t, tt.statement)
			out := must(f.VerifyAuditLog(t.Context(), &api.VerifyAuditLogInput{}))(t)
			if *out.Whole || api.Value(out.Problem) != tt.want {
				t.Errorf("whole %v, problem %q; want %q", *out.Whole, api.Value(out.Problem), tt.want)
			}
		})
	}
}

// threeAuditRecords are linked into the log.
func (f *fixture) threeAuditRecords(t *testing.T) {
	t.Helper()
	for _, name := range []string{"app", "web", "job"} {
		must(f.CreateServiceTemplate(t.Context(), &api.CreateServiceTemplateInput{Name: &name}))(t)
	}
	if out := must(f.VerifyAuditLog(t.Context(), &api.VerifyAuditLogInput{}))(t); *out.Records != 3 || !*out.Whole {
		t.Fatalf("%+v", out)
	}
}

// inDatabase does what somebody can who has the database.
func (f *fixture) inDatabase(t *testing.T, statements string) {
	t.Helper()
	driver, database := "sqlite", "file:"+filepath.Join(f.server.config.Data, "hadron.db")+"?_pragma=busy_timeout(10000)"
	if onPostgres() {
		driver, database = "pgx", f.server.config.Database
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func TestOldAuditRecordsArePrunedAndTheRestIsWhole(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.threeAuditRecords(t)
	f.inDatabase(t, "UPDATE audit_records SET at = at - 172800000000 WHERE sequence < 3")
	events := func() []api.AuditEvent {
		return must(f.ListAuditEvents(t.Context(), &api.ListAuditEventsInput{OldestFirst: api.Ptr(true)}))(t).Events
	}
	second := *events()[1].Hash
	plane, err := control.New(t.Context(), control.Config{Store: f.server.store, Sealer: f.server.keys.sealer, Logger: f.server.log, AuditRetention: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go plane.KeepAudit(ctx)
	eventually(t, "the old records are pruned", func() bool { return len(events()) == 1 })
	out := must(f.VerifyAuditLog(t.Context(), &api.VerifyAuditLogInput{}))(t)
	if !*out.Whole || *out.Records != 3 || *out.PrunedRecords != 2 || *out.PrunedHash != second || *events()[0].Sequence != 3 {
		t.Errorf("%+v", out)
	}
	must(f.CreateServiceTemplate(t.Context(), &api.CreateServiceTemplateInput{Name: p("more")}))(t)
	if out := must(f.VerifyAuditLog(t.Context(), &api.VerifyAuditLogInput{}))(t); !*out.Whole || *out.Records != 4 {
		t.Errorf("one that came later: %+v", out)
	}
}

func TestFailedSignaturesAreLimited(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	forged := f.clientOf(signedBy{id: f.root().id, secret: "wrong"})
	for n := range failuresAtOnce {
		if _, err := forged.ListServices(ctx, &api.ListServicesInput{}); code(err) != "InvalidSignatureException" {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if _, err := forged.ListServices(ctx, &api.ListServicesInput{}); code(err) != "ThrottlingException" {
		t.Errorf("a try too many: %v", err)
	}
	must(f.ListServices(ctx, &api.ListServicesInput{}))(t) // who signs rightly is not locked out
	other := f.clientOf(signedBy{id: "AKIAOTHEROTHEROTHERO", secret: "wrong"})
	if _, err := other.ListServices(ctx, &api.ListServicesInput{}); code(err) != "UnrecognizedClientException" {
		t.Errorf("another key: %v", err)
	}
}

// What the bucket store changes and refuses is in the same log.
func TestBucketCallsAreAudited(t *testing.T) {
	t.Parallel()
	f := start(t)
	reader := f.user(t, "reader", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`)
	send := func(k signedBy, method, path, body string) int {
		t.Helper()
		r := must(http.NewRequestWithContext(t.Context(), method, f.server.URL+path, strings.NewReader(body)))(t)
		if err := auth.Sign(r, []byte(body), k.id, k.secret, k.token, region, "s3", time.Now()); err != nil {
			t.Fatal(err)
		}
		res := must(http.DefaultClient.Do(r))(t)
		res.Body.Close()
		return res.StatusCode
	}
	root := f.root()
	send(root, "PUT", "/bundles", "")
	send(root, "PUT", "/bundles/a/b.tar.gz", "secret content")
	send(root, "POST", "/bundles/up?uploads", "")
	send(reader, "GET", "/bundles/a/b.tar.gz", "") // reading is not recorded
	send(reader, "DELETE", "/bundles/a/b.tar.gz", "")
	send(reader, "GET", "/bundles?list-type=2", "")
	send(signedBy{id: root.id, secret: "wrong"}, "PUT", "/bundles/x", "")
	send(root, "DELETE", "/bundles/a/b.tar.gz", "")
	type record struct{ Name, Code, Resource, By string }
	var got []record
	for _, e := range must(f.ListAuditEvents(t.Context(), &api.ListAuditEventsInput{OldestFirst: api.Ptr(true)}))(t).Events {
		var r struct {
			EventName, EventSource, ErrorCode string
			Resources                         []struct{ ARN string }
			UserIdentity                      struct{ Arn string }
		}
		if err := json.Unmarshal([]byte(*e.Record), &r); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(*e.Record, "secret content") {
			t.Error("content is recorded")
		}
		if r.EventSource == "s3.amazonaws.com" {
			resource := ""
			if len(r.Resources) > 0 {
				resource = strings.TrimPrefix(r.Resources[0].ARN, "arn:aws:s3:::")
			}
			got = append(got, record{r.EventName, r.ErrorCode, resource, r.UserIdentity.Arn[strings.LastIndex(r.UserIdentity.Arn, ":")+1:]})
		}
	}
	want := []record{
		{"CreateBucket", "", "bundles", "root"}, {"PutObject", "", "bundles/a/b.tar.gz", "root"}, {"CreateMultipartUpload", "", "bundles/up", "root"},
		{"DeleteObject", "AccessDenied", "bundles/a/b.tar.gz", "user/reader"}, {"ListBucket", "AccessDenied", "bundles", "user/reader"},
		{"PUT", "SignatureDoesNotMatch", "", ""}, {"DeleteObject", "", "bundles/a/b.tar.gz", "root"},
	}
	for _, list := range [][]record{want, got} { // those of one millisecond have no order
		slices.SortFunc(list, func(a, b record) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if out := must(f.VerifyAuditLog(t.Context(), &api.VerifyAuditLogInput{}))(t); !*out.Whole {
		t.Errorf("the chain: %s", api.Value(out.Problem))
	}
}
