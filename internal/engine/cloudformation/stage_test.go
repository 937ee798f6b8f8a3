package cloudformation_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/cloudformation"
	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
)

// large is a template that no request takes.
func large(value string) string {
	return template(value, props{"A": {Value: value, Say: strings.Repeat("x", 60_000)}})
}

func stepped(t *testing.T, d *cloudformation.Driver, r engine.Run) engine.Status {
	t.Helper()
	st := engine.Status{}
	for range 1000 {
		var err error
		if st, err = d.Step(t.Context(), r, st.Checkpoint); err != nil {
			t.Fatalf("step: %v", err)
		}
		if st.Done {
			return st
		}
		time.Sleep(st.Wait)
	}
	t.Fatal("not done after 1000 steps")
	return st
}

func TestLargeTemplatesGoThroughABucketOfTheStacksAccount(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, nil)
	const bucket, role = "hadron-templates-210987654321-us-east-1", "arn:aws:iam::210987654321:role/deploy"
	preview, _ := newRun(engine.Apply, large("one"))
	preview.RoleARN = role
	if c, err := d.Preview(t.Context(), preview); err != nil || len(c.Details) != 1 {
		t.Errorf("preview: %+v, %v", c, err)
	}
	for _, value := range []string{"one", "two"} {
		r, log := newRun(engine.Apply, large(value))
		r.RoleARN = role
		if st := stepped(t, d, r); st.Failure != "" {
			t.Fatalf("%s\n%s", st.Failure, log)
		}
		if stack, _ := stackOf(t, s); stack.Values["A"] != value {
			t.Errorf("the stack has %v", stack.Values)
		}
	}
	if n := len(s.Calls("CreateBucket")); n != 1 {
		t.Errorf("%d buckets were made, want 1", n)
	}
	for _, action := range []string{"CreateBucket", "PutObject", "DeleteObject"} {
		for _, call := range s.Calls(action) {
			if call.Form.Get("Bucket") != bucket || call.Role != role || action != "CreateBucket" && call.Form.Get("Owner") != "210987654321" {
				t.Errorf("%s: %+v", action, call)
			}
		}
	}
	for _, call := range s.Calls("CreateChangeSet") {
		if url := call.Form.Get("TemplateURL"); !strings.HasPrefix(url, s.URL+"/"+bucket+"/AWSProton-dev-") || strings.Contains(url, "?") {
			t.Errorf("URL of the template: %s", url)
		}
	}
	if left, _ := s.Objects(bucket); len(left) != 0 {
		t.Errorf("templates were left in the bucket: %v", left)
	}

	own, _ := newRun(engine.Apply, large("three")) // as the server itself, in its account
	if st := stepped(t, d, own); st.Failure != "" {
		t.Fatal(st.Failure)
	}
	if _, ok := s.Objects("hadron-templates-123456789012-us-east-1"); !ok {
		t.Error("there is no bucket in the server's own account")
	}
}

func TestLargeTemplatesGoThroughTheBucketThatIsNamed(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, func(c *cloudformation.Config) { c.Bucket = "acme-templates" })
	r, _ := newRun(engine.Apply, large("one"))
	r.RoleARN = "arn:aws:iam::210987654321:role/deploy"
	wantFailure(t, stepped(t, d, r), "larger than the 51200 bytes", "bucket acme-templates", "HADRON_CLOUDFORMATION_BUCKET must name a bucket that the server may read and write")
	s.Bucket("acme-templates")
	if st := stepped(t, d, r); st.Failure != "" {
		t.Fatal(st.Failure)
	}
	for _, call := range append(s.Calls("PutObject"), s.Calls("DeleteObject")...) {
		if call.Role != "" {
			t.Errorf("the bucket was used as %s, not as the server", call.Role)
		}
	}
	url := s.Calls("CreateChangeSet")[0].Form.Get("TemplateURL")
	if !strings.Contains(url, "X-Amz-Signature=") || len(url) > 5120 {
		t.Errorf("URL of the template: %s", url)
	}
	if left, _ := s.Objects("acme-templates"); len(left) != 0 {
		t.Errorf("templates were left in the bucket: %v", left)
	}
	if n := len(s.Calls("CreateBucket")); n != 0 {
		t.Errorf("%d buckets were made", n)
	}
}

func TestLargeTemplatesThatHaveNoWayFailClearlyAndLeaveNothing(t *testing.T) {
	t.Parallel()
	s := cfntest.New(t)
	d := newDriver(s, nil)
	huge, _ := newRun(engine.Apply, template("v", props{"A": {Say: strings.Repeat("x", 1_100_000)}}))
	wantFailure(t, stepped(t, d, huge), "cloudformation.yaml has 1100", "at most 1048576")

	r, _ := newRun(engine.Apply, large("one"))
	r.RoleARN = "arn:aws:iam::210987654321:role/deploy"
	for _, action := range []string{"CreateBucket", "PutObject"} {
		s.Fault(action, "AccessDenied", http.StatusForbidden, 1)
		wantFailure(t, stepped(t, d, r), "s3:"+action+" as role arn:aws:iam::210987654321:role/deploy: AccessDenied",
			"hadron-templates-210987654321-us-east-1", "HADRON_CLOUDFORMATION_BUCKET")
	}
	wantStatus(t, s, "")

	wrong, _ := newRun(engine.Apply, "Resources: ["+strings.Repeat(" ", 60_000))
	wantFailure(t, stepped(t, d, wrong), "Template format error")
	if left, ok := s.Objects("hadron-templates-123456789012-us-east-1"); !ok || len(left) != 0 {
		t.Errorf("left in the bucket (%v): %v", ok, left)
	}

	// Cancelled before its change set has come out.
	s.Fault("PutBucketLifecycleConfiguration", "AccessDenied", http.StatusForbidden, 1)
	first, err := d.Step(t.Context(), r, "")
	if err != nil || first.Done {
		t.Fatalf("first step: %+v, %v", first, err)
	}
	if _, err := d.Cancel(t.Context(), r, first.Checkpoint); err != nil {
		t.Fatal(err)
	}
	left, ok := s.Objects("hadron-templates-210987654321-us-east-1")
	if diff := cmp.Diff([]string(nil), left); diff != "" || !ok {
		t.Errorf("left after a cancel (%v): %s", ok, diff)
	}
}
