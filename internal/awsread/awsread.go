// Package awsread reads at AWS what templates refer to: bundles in S3, secrets
// of Secrets Manager and parameters of the Parameter Store.
//
// It finds a bucket's Region, hides the forms of references, and words what AWS
// refuses. It writes nothing, keeps nothing and never logs what it reads.
package awsread

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// Reader reads. Identity must be set; empty endpoints are AWS's own.
type Reader struct {
	Identity        *identity.Source
	S3Endpoint      string
	SecretsEndpoint string
	SSMEndpoint     string
}

// Who is for whom something is read: the region, and the role to read it with
// (empty: the server's own identity).
type Who struct{ Region, Role string }

// ReadsObjects reports whether there is an S3 to read from: one was configured,
// or the server has AWS credentials.
func (r *Reader) ReadsObjects(ctx context.Context) bool {
	return r.S3Endpoint != "" || r.Identity.Configured(ctx)
}

// anyRegion is where a bucket is asked for whose Region is not known; the
// answer tells it.
const anyRegion = "us-east-1"

// Object opens an object with the server's own identity. Errors are marked as
// worth repeating or final.
func (r *Reader) Object(ctx context.Context, bucket, key string) (io.ReadCloser, int64, error) {
	out, err := r.object(ctx, anyRegion, bucket, key)
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && region != anyRegion {
			out, err = r.object(ctx, region, bucket, key)
		}
	}
	if err != nil {
		return nil, 0, identity.Explain(err, "")
	}
	return out.Body, aws.ToInt64(out.ContentLength), nil
}

func (r *Reader) object(ctx context.Context, region, bucket, key string) (*s3.GetObjectOutput, error) {
	credentials := r.Identity.Credentials(region, "")
	if !r.Identity.Configured(ctx) {
		credentials = aws.AnonymousCredentials{}
	}
	client := s3.New(s3.Options{
		Region: region, Credentials: credentials, BaseEndpoint: identity.Endpoint(r.S3Endpoint), UsePathStyle: r.S3Endpoint != "",
		HTTPClient: identity.HTTPClient(), Retryer: identity.Retryer(0),
	})
	return client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
}

// Secret returns the value of a reference "id[:json-key[:stage[:version]]]",
// where id is a secret's name or ARN.
func (r *Reader) Secret(ctx context.Context, who Who, reference string) (string, error) {
	id, rest := reference, ""
	begin := 0
	if strings.HasPrefix(reference, "arn:") {
		begin = 6 // colons of the ARN itself
	}
	if parts := strings.Split(reference, ":"); len(parts) > begin+1 {
		id, rest = strings.Join(parts[:begin+1], ":"), strings.Join(parts[begin+1:], ":")
	}
	more := append(strings.SplitN(rest, ":", 3), "", "", "")
	client := secretsmanager.New(secretsmanager.Options{
		Region: identity.RegionOf(id, who.Region), Credentials: r.Identity.Credentials(who.Region, who.Role),
		BaseEndpoint: identity.Endpoint(r.SecretsEndpoint), HTTPClient: identity.HTTPClient(), Retryer: identity.Retryer(0),
	})
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: given(more[1]), VersionId: given(more[2])})
	if err != nil {
		return "", identity.Explain(err, who.Role)
	}
	if out.SecretString == nil {
		return "", engine.MarkPermanent(errors.New("the secret is binary: only text can be the value of a variable"))
	}
	if more[0] == "" {
		return *out.SecretString, nil
	}
	return field(*out.SecretString, more[0])
}

// Parameter returns the value of a parameter, decrypted.
func (r *Reader) Parameter(ctx context.Context, who Who, name string) (string, error) {
	client := ssm.New(ssm.Options{
		Region: identity.RegionOf(name, who.Region), Credentials: r.Identity.Credentials(who.Region, who.Role),
		BaseEndpoint: identity.Endpoint(r.SSMEndpoint), HTTPClient: identity.HTTPClient(), Retryer: identity.Retryer(0),
	})
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", identity.Explain(err, who.Role)
	}
	return aws.ToString(out.Parameter.Value), nil
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// field is one value of a secret that is a JSON object. Its text must not be
// in the error.
func field(text, key string) (string, error) {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return "", engine.MarkPermanent(fmt.Errorf("the secret is no JSON object that could have the key %q", key))
	}
	value, ok := object[key]
	if !ok {
		return "", engine.MarkPermanent(fmt.Errorf("the secret has no key %q", key))
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s, nil
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, value)
	return compact.String(), err
}
