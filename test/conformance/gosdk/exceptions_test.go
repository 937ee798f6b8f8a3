package gosdk

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
	_ "modernc.org/sqlite"
)

// Limits of an account are refused with the exception that says so.
func TestQuotas(t *testing.T) {
	t.Parallel()
	s := own(t, "HADRON_QUOTA_SERVICES=1", "HADRON_QUOTA_INSTANCES_PER_SERVICE=2", "HADRON_QUOTA_TEMPLATES=2",
		"HADRON_QUOTA_ENVIRONMENTS=1", "HADRON_QUOTA_VERSIONS_PER_TEMPLATE=1")
	c, name := clientOf(t, s), aws.String
	nothing := steps{provision: []string{"true"}}
	c.environmentTemplate(t, "vpc", environmentBundle(t, nothing))
	c.environment(t, "dev", "vpc")
	c.serviceTemplate(t, "plain", false, instanceBundle(t, nothing), "vpc")
	service := func(name, spec string) *proton.CreateServiceInput {
		return &proton.CreateServiceInput{Name: &name, TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"), Spec: &spec}
	}
	const quota = "ServiceQuotaExceededException"
	_, err := c.CreateServiceWithContext(c.ctx, service("orders", instances("dev", "a", "b", "c")))
	refused(t, "third instance", err, quota, "The maximum number of service instances per service has been reached.")
	must(t)(c.CreateServiceWithContext(c.ctx, service("orders", instances("dev", "a", "b"))))
	_, err = c.CreateServiceWithContext(c.ctx, service("shop", instances("dev", "a")))
	refused(t, "second service", err, quota, "The maximum number of services for this account has been reached.")
	must(t)(c.CreateServiceWithContext(c.ctx, service("orders", instances("dev", "a", "b")))) // a repeat is no new one
	_, err = c.CreateEnvironmentWithContext(c.ctx, &proton.CreateEnvironmentInput{
		Name: name("prod"), TemplateName: name("vpc"), TemplateMajorVersion: name("1"), Spec: name(environmentSpec),
	})
	refused(t, "second environment", err, quota, "The maximum number of environments for this account has been reached.")
	_, err = c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: name("third")})
	refused(t, "third template", err, quota, "The maximum number of templates for this account has been reached.")
	_, err = c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: name("vpc"), Source: &proton.TemplateVersionSourceInput{S3: &proton.S3ObjectSource{Bucket: &c.bucket, Key: name("vpc.tar.gz")}},
	})
	if code(err) != quota {
		t.Errorf("second version: %v", err)
	}
	if err := c.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: name("orders")}, fast); err != nil {
		t.Error(err)
	}
}

// An account that calls too fast is told to slow down, and the SDK does so by
// itself.
func TestThrottling(t *testing.T) {
	t.Parallel()
	s := own(t, "HADRON_THROTTLE_RATE=5")
	c := s.client(t, "eu-west-1", rootKey, rootSecret)
	in := serviceRequest("orders", "nope", instances("dev", "one"))
	throttled := 0
	for range 40 {
		_, err := c.CreateServiceWithContext(c.ctx, in)
		switch code(err) {
		case "ThrottlingException":
			throttled++
			refused(t, "throttled", err, "ThrottlingException", "Rate exceeded")
		case "ResourceNotFoundException":
		default:
			t.Fatal(err)
		}
	}
	if throttled == 0 {
		t.Error("40 calls at once were all answered")
	}
	patient := s.client(t, "eu-west-1", rootKey, rootSecret, aws.NewConfig().WithMaxRetries(8))
	if _, err := patient.CreateServiceWithContext(c.ctx, in); code(err) != "ResourceNotFoundException" {
		t.Errorf("with the SDK's own retries: %v", err)
	}
}

// A user may do what the policy says, and nothing else.
func TestAccessDenied(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	policy := filepath.Join(t.TempDir(), "policy.json")
	text := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"},
		{"Effect": "Allow", "Action": "proton:CreateService", "Resource": "` + c.arn("service/mine-*") + `"},
		{"Effect": "Allow", "Action": "codestar-connections:PassConnection", "Resource": "*"}]}`
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(c.ctx, binary, "user", "create", "developer-"+c.region, "--policy", policy, "--output", "json")
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+c.server.url(), "AWS_REGION="+c.region, "AWS_ACCESS_KEY_ID="+rootKey, "AWS_SECRET_ACCESS_KEY="+rootSecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("hadron user create: %v\n%s", err, stderr.String())
	}
	var key struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(out, &key); err != nil || key.AccessKeyID == "" || key.SecretAccessKey == "" {
		t.Fatalf("hadron user create printed %s (%v)", out, err)
	}
	user := c.server.client(t, c.region, key.AccessKeyID, key.SecretAccessKey)
	before := c.everything(t)
	_, err = user.CreateServiceWithContext(c.ctx, serviceRequest("orders", "web", instances("dev", "one")))
	refused(t, "another name", err, "AccessDeniedException", "User: arn:aws:iam::"+account+":user/developer-"+c.region+
		" is not authorized to perform: proton:CreateService on resource: "+c.arn("service/orders"))
	tagged := serviceRequest("mine-tagged", "web", instances("dev", "one"))
	tagged.Tags = []*proton.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	if _, err = user.CreateServiceWithContext(c.ctx, tagged); code(err) != "AccessDeniedException" {
		t.Errorf("tags without permission: %v", err)
	}
	diff(t, "what is there after the refusals", before, c.everything(t))
	must(t)(user.CreateServiceWithContext(c.ctx, serviceRequest("mine-orders", "web", instances("dev", "one"))))
	if err := user.WaitUntilServiceCreatedWithContext(c.ctx, &proton.GetServiceInput{Name: aws.String("mine-orders")}, fast); err != nil {
		t.Error(err)
	}
	if _, err := user.DeleteServiceWithContext(c.ctx, &proton.DeleteServiceInput{Name: aws.String("mine-orders")}); code(err) != "AccessDeniedException" {
		t.Errorf("delete: %v", err)
	}
}

// A database that cannot be read is the server's trouble: the caller gets
// status 500 without details, and nothing is lost once it is mended.
func TestInternalServerError(t *testing.T) {
	t.Parallel()
	s := &server{data: t.TempDir(), broken: true}
	s.up(t)
	c := clientOf(t, s)
	must(t)(c.CreateServiceTemplateWithContext(c.ctx, &proton.CreateServiceTemplateInput{Name: aws.String("web")}))
	db, err := sql.Open("sqlite", filepath.Join(s.data, "hadron.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, rename := range []string{"ALTER TABLE services RENAME TO hidden", "ALTER TABLE hidden RENAME TO services"} {
		if _, err := db.ExecContext(c.ctx, rename); err != nil {
			t.Fatal(err)
		}
		in := serviceRequest("orders", "web", instances("dev", "one"))
		_, err := c.CreateServiceWithContext(c.ctx, in)
		if rename[len(rename)-6:] != "hidden" {
			if code(err) != "ResourceNotFoundException" { // the template has no version
				t.Errorf("after the repair: %v", err)
			}
			continue
		}
		if code(err) != "InternalServerException" {
			t.Errorf("with a broken database: %v", err)
		}
		a := c.send(t, raw{target: prefix + "GetService", body: `{"name":"orders"}`})
		if a.status != 500 || a.typ != models+"InternalServerException" || bytes.Contains([]byte(a.message), []byte("services")) {
			t.Errorf("with a broken database: %d %s: %q", a.status, a.typ, a.message)
		}
	}
	if got := c.everything(t); len(got) != 1 {
		t.Errorf("after the repair there is %v", got)
	}
}
