package app

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
)

// awsToken is what "aws eks get-token" makes: a presigned GetCallerIdentity.
func awsToken(t *testing.T, endpoint string, k signedBy, audience string, more ...string) string {
	t.Helper()
	query := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {"60"}}
	for n := 0; n < len(more); n += 2 {
		query.Set(more[n], more[n+1])
	}
	r, err := http.NewRequest(http.MethodGet, endpoint+"/?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if audience != "" {
		r.Header.Set("X-K8s-Aws-Id", audience)
	}
	if err := auth.Presign(r, k.id, k.secret, k.token, "eu-west-1", "sts", time.Now()); err != nil {
		t.Fatal(err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(r.URL.String()))
}

// Another Hadron server stands in for AWS: its token service answers as AWS's.
func TestCallersWithAWSCredentialsAloneAreAdmitted(t *testing.T) {
	t.Parallel()
	aws := start(t, func(c *Config) { c.AccountID = "444455556666" })
	f := start(t, func(c *Config) { c.AWSSignIn, c.StsEndpoint = "my-hadron", aws.server.URL })
	const anything = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	pipeline, stranger := aws.user(t, "pipeline", anything), aws.user(t, "stranger", anything)
	role := f.role(t, "deployer", `{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"sts.amazonaws.com"},
		"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:user/pipe*"}}}`, `{"Effect":"Allow","Action":"proton:*","Resource":"*"}`)
	other := f.role(t, "other", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}`, anything)
	exchange := func(role, token string) stsAnswer {
		return f.sts(t, nil, "Action", "AssumeRoleWithWebIdentity", "RoleArn", role, "RoleSessionName", "build", "WebIdentityToken", token)
	}
	good := awsToken(t, aws.server.URL, pipeline, "my-hadron")
	session := exchange(role, good).want(t, "").WebRole
	if want := "arn:aws:sts::" + f.account + ":assumed-role/deployer/build"; session.ARN != want {
		t.Errorf("session %s, want %s", session.ARN, want)
	}
	must(f.clientOf(session.key()).ListServices(t.Context(), &api.ListServicesInput{}))(t)
	exchange(other, good).want(t, "AccessDenied")
	exchange(role, awsToken(t, aws.server.URL, stranger, "my-hadron")).want(t, "AccessDenied")
	for name, token := range map[string]string{
		"for another service":   awsToken(t, aws.server.URL, pipeline, "another"),
		"for nobody in special": awsToken(t, aws.server.URL, pipeline, ""),
		"with a wrong secret":   awsToken(t, aws.server.URL, signedBy{id: pipeline.id, secret: "wrong"}, "my-hadron"),
		"to another host":       awsToken(t, f.server.URL, f.root(), "my-hadron"),
		"for another action":    awsToken(t, aws.server.URL, pipeline, "my-hadron", "Action", "AssumeRole"),
		"with more parameters":  awsToken(t, aws.server.URL, pipeline, "my-hadron", "RoleArn", "x"),
		"not base64":            "k8s-aws-v1.?",
		"of another kind":       "eyJhbGciOiJub25lIn0.e30.",
		"too long":              "k8s-aws-v1." + strings.Repeat("A", 9000),
	} {
		if a := exchange(role, token); a.Code != "InvalidIdentityToken" {
			t.Errorf("a token %s: %s: %s", name, a.Code, a.Text)
		}
	}
	if records := f.audited(t, "AssumeRoleWithWebIdentity"); len(records) == 0 || strings.Contains(records[0]["eventName"].(string), "k8s-aws-v1") {
		t.Errorf("records %v", records)
	}
	off := start(t)
	off.sts(t, nil, "Action", "AssumeRoleWithWebIdentity", "RoleArn", role, "RoleSessionName", "build", "WebIdentityToken", good).want(t, "InvalidIdentityToken")
}
