package cloudformation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// A template that is too large for a request lies in a bucket until its change
// set is made: in the one that the server was given, which it writes as itself
// and CloudFormation reads by a signed link; or else in one that is made on
// demand in the account of the stack, with the credentials of the run.
type stage struct {
	api    *s3.Client
	bucket string
	owner  string // account that the bucket must belong to; empty: any
	role   string // that the bucket is written as
	region string
	signed bool // CloudFormation reads it by a signed link
}

// linkTime is how long a link to a template is valid. It is used at once.
const linkTime = 15 * time.Minute

func (s *session) openStage(ctx context.Context) (stage, error) {
	g := stage{bucket: s.Bucket, region: s.run.Region, signed: true}
	if s.Bucket == "" {
		account, err := s.Identity.Account(ctx, s.run.Region, s.run.RoleARN)
		if err != nil {
			return g, identity.Explain(err, s.run.RoleARN)
		}
		g = stage{bucket: "hadron-templates-" + account + "-" + s.run.Region, owner: account, role: s.run.RoleARN, region: s.run.Region}
	}
	g.api = s.storage(g.region, g.role)
	if !g.signed {
		return g, nil
	}
	// A bucket may be in any region; asking it tells which.
	if region, err := regionOf(ctx, g.api, g.bucket); err != nil {
		return g, s.unstaged(g, err)
	} else if region != "" && region != g.region {
		g.region = region
		g.api = s.storage(region, g.role)
	}
	return g, nil
}

func (s *session) storage(region, role string) *s3.Client {
	return s3.New(s3.Options{
		Region: region, Credentials: s.Identity.Credentials(region, role), BaseEndpoint: identity.Endpoint(s.S3Endpoint), UsePathStyle: s.S3Endpoint != "",
		HTTPClient: s.http, Retryer: identity.Retryer(s.PollMax),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// regionOf is the region of a bucket, empty if it does not say.
func regionOf(ctx context.Context, api *s3.Client, bucket string) (string, error) {
	out, err := api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	if err == nil {
		return aws.ToString(out.BucketRegion), nil
	}
	if region := identity.Header(err, "X-Amz-Bucket-Region"); region != "" {
		return region, nil
	}
	return "", err
}

// key is where a change set's template lies.
func (s *session) key(changeSet string) string { return s.name + "/" + changeSet }

// stage puts a template into the bucket and answers its URL.
func (s *session) stage(ctx context.Context, changeSet, body string) (string, error) {
	g, err := s.openStage(ctx)
	if err != nil {
		return "", err
	}
	err = s.put(ctx, g, changeSet, body)
	if identity.Says(err, "NoSuchBucket") && g.owner != "" {
		if err = g.create(ctx); err == nil {
			err = s.put(ctx, g, changeSet, body)
		}
	}
	if err != nil {
		return "", s.unstaged(g, err)
	}
	// Both kinds of URL are those of the signer, which knows partitions and
	// endpoints; the one that needs no signature loses it.
	link, err := s3.NewPresignClient(g.api, s3.WithPresignExpires(linkTime)).PresignGetObject(ctx,
		&s3.GetObjectInput{Bucket: &g.bucket, Key: aws.String(s.key(changeSet))})
	if err != nil {
		return "", s.unstaged(g, err)
	}
	if !g.signed {
		url, _, _ := strings.Cut(link.URL, "?")
		return url, nil
	}
	return link.URL, nil
}

func (s *session) put(ctx context.Context, g stage, changeSet, body string) error {
	_, err := g.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &g.bucket, Key: aws.String(s.key(changeSet)), Body: strings.NewReader(body), ExpectedBucketOwner: given(g.owner),
	})
	return err
}

// create makes the bucket. What is left there by a crash goes after a day.
func (g stage) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &g.bucket}
	if g.region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(g.region)}
	}
	if _, err := g.api.CreateBucket(ctx, in); err != nil && !identity.Says(err, "BucketAlreadyOwnedByYou") {
		return err
	}
	_, err := g.api.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &g.bucket, ExpectedBucketOwner: given(g.owner),
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: aws.String("hadron-templates"), Status: types.ExpirationStatusEnabled,
			Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
		}}},
	})
	if identity.Says(err, "AccessDenied") {
		err = nil // each template is removed after its use as well
	}
	return err
}

// unstage removes a template that CloudFormation has read. That it can't holds
// nothing up.
func (s *session) unstage(ctx context.Context, changeSet string) {
	if body, err := template(s.run); err != nil || len(body) <= maxTemplate {
		return
	}
	g, err := s.openStage(ctx)
	if err == nil {
		_, err = g.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &g.bucket, Key: aws.String(s.key(changeSet)), ExpectedBucketOwner: given(g.owner)})
	}
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "a template was left in its bucket", "deployment", s.run.DeploymentID, "engine", engine.CloudFormation, "err", s.clean(s.unstaged(g, err).Error()))
	}
}

// unstaged words why a template can't be put into its bucket.
func (s *session) unstaged(g stage, err error) error {
	help := "name a bucket that the server may use by HADRON_CLOUDFORMATION_BUCKET, or allow it s3:CreateBucket, s3:PutObject, s3:GetObject and s3:DeleteObject on this one"
	if g.signed {
		help = "HADRON_CLOUDFORMATION_BUCKET must name a bucket that the server may read and write"
	}
	said := identity.Explain(err, g.role)
	worded := fmt.Errorf("the rendered template is larger than the %d bytes that a request takes, and bucket %s can't have it: %w (%s)", maxTemplate, g.bucket, said, help)
	if engine.Transient(said) {
		return engine.MarkTransient(worded)
	}
	return engine.MarkPermanent(worded)
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
