package engines

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

var someone = credentials.NewStaticCredentialsProvider("AKIASOMEONE", "secret", "")

const secretsManifest = `infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: any
        env:
          secrets_manager:
            WHOLE: plain
            FIELD: db:password
            PORT: db:port:AWSCURRENT
          parameter_store:
            PARAMETER: /team/token
        provision:
          - echo "values are $WHOLE, $FIELD and $PARAMETER"
          - test "$WHOLE $FIELD $PORT $PARAMETER" = "hunter2-whole hunter2-field 5432 hunter2-parameter"
        deprovision: ["true"]
`

func TestBundlesInS3AndSecretsOfManifestsAreReadAtAWS(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), enginetest.Moto(t)
	buckets := s3.New(s3.Options{Region: "us-east-1", Credentials: someone, BaseEndpoint: &url, UsePathStyle: true})
	must(buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: p("acme-bundles")}))(t)
	bundle := files{"schema/schema.yaml": sizeSchema, "infrastructure/manifest.yaml": secretsManifest}.archive()
	must(buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: p("acme-bundles"), Key: p("net/v1.tar.gz"), Body: bytes.NewReader(bundle)}))(t)
	secrets := secretsmanager.New(secretsmanager.Options{Region: region, Credentials: someone, BaseEndpoint: &url})
	must(secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: p("plain"), SecretString: p("hunter2-whole")}))(t)
	parameters := ssm.New(ssm.Options{Region: region, Credentials: someone, BaseEndpoint: &url})
	must(parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: p("/team/token"), Value: p("hunter2-parameter"), Type: types.ParameterTypeSecureString}))(t)

	s := serve(t, "HADRON_S3_ENDPOINT="+url, "HADRON_SECRETSMANAGER_ENDPOINT="+url, "HADRON_SSM_ENDPOINT="+url)
	must(s.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	register := func(bucket, key string) (*api.EnvironmentTemplateVersion, error) {
		v := must(s.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: p("net"),
			Source: &api.TemplateVersionSourceInput{S3: &api.S3ObjectSource{Bucket: &bucket, Key: &key}}}))(t).EnvironmentTemplateVersion
		get := &api.GetEnvironmentTemplateVersionInput{TemplateName: p("net"), MajorVersion: v.MajorVersion, MinorVersion: v.MinorVersion}
		err := api.WaiterEnvironmentTemplateVersionRegistered.Every(10*time.Millisecond).Wait(ctx, s.Client, get)
		return must(s.GetEnvironmentTemplateVersion(ctx, get))(t).EnvironmentTemplateVersion, err
	}
	for source, want := range map[[2]string]string{
		{"acme-bundles", "nothing"}: "s3://acme-bundles/nothing could not be read: the object does not exist in S3.",
		{"no-bundles", "nothing"}:   "s3://no-bundles/nothing could not be read: the bucket does not exist, neither here nor in S3.",
	} {
		if v, err := register(source[0], source[1]); err == nil || !strings.HasSuffix(api.Value(v.StatusMessage), want) {
			t.Errorf("%s: %v, %s", source, err, api.Value(v.StatusMessage))
		}
	}
	v, err := register("acme-bundles", "net/v1.tar.gz")
	if err != nil {
		t.Fatalf("%v: %s", err, api.Value(v.StatusMessage))
	}
	s.createEnvironment("one", "net", "{}", func(in *api.CreateEnvironmentInput) {
		in.TemplateMajorVersion, in.TemplateMinorVersion = v.MajorVersion, v.MinorVersion
	})
	message := s.environmentEnds("one", api.DeploymentStatusFailed)
	if want := `variable FIELD: secrets manager reference "db:password": secretsmanager:GetSecretValue as the server's own AWS identity: ResourceNotFoundException`; !strings.Contains(message, want) {
		t.Errorf("message without the secret: %s\nwant %s", message, want)
	}
	must(secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: p("db"), SecretString: aws.String(`{"password": "hunter2-field", "port": 5432}`)}))(t)
	must(s.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion)}))(t)
	s.environmentEnds("one", api.DeploymentStatusSucceeded)
	if log := s.environmentLog("one"); strings.Contains(log, "hunter2") || !strings.Contains(log, "values are ") {
		t.Errorf("log:\n%s", log)
	}
}
