package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hadronhq/hadron/internal/awsread"
	"github.com/hadronhq/hadron/internal/bucketstore"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
	"github.com/hadronhq/hadron/internal/provision"
)

// objects reads template bundles from the built-in bucket store, and those of
// buckets that it does not have from S3, where there is one.
type objects struct {
	buckets buckets
	aws     *awsread.Reader
}

func (o objects) Object(ctx context.Context, account, bucket, key string) (io.ReadCloser, int64, error) {
	body, size, err := o.buckets.Object(ctx, account, bucket, key)
	why := ""
	switch {
	case errors.Is(err, bucketstore.ErrNoSuchBucket) && o.aws.ReadsObjects(ctx):
		body, size, err = o.aws.Object(ctx, bucket, key)
		if err == nil || engine.Transient(err) {
			return body, size, err
		}
		why = err.Error()
		switch {
		case identity.Says(err, "NoSuchBucket"):
			why = "the bucket does not exist, neither here nor in S3"
		case identity.Says(err, "NoSuchKey"):
			why = "the object does not exist in S3"
		}
	case errors.Is(err, bucketstore.ErrNoSuchBucket):
		why = "the bucket does not exist, and S3 was not asked: the server has neither AWS credentials nor a HADRON_S3_ENDPOINT"
	case errors.Is(err, bucketstore.ErrNoSuchKey):
		why = "the object does not exist"
	case errors.Is(err, bucketstore.ErrAccessDenied):
		why = "the bucket belongs to another account"
	default:
		return body, size, err
	}
	return nil, 0, &provision.UnreadableError{Message: fmt.Sprintf("Template bundle s3://%s/%s could not be read: %s.", bucket, key, why)}
}
