package cloudformation

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/hadronhq/hadron/internal/engine"
)

// identity is whom a client acts as, and where.
type identity struct{ region, role string }

type client struct{ api *cfn.Client }

const (
	requestTime = time.Minute
	attempts    = 5
)

// client returns the client of an identity. Clients are kept: their assumed
// credentials are renewed before they end.
func (d *Driver) client(ctx context.Context, id identity) (*client, error) {
	if id.region == "" {
		return nil, engine.MarkPermanent(fmt.Errorf("the region to provision in is empty"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.clients[id]; ok {
		return c, nil
	}
	own, err := d.ownCredentials(ctx, id.region)
	if err != nil {
		return nil, err
	}
	// Options are set by hand: a configuration read from the environment would
	// send requests to AWS_ENDPOINT_URL, which may be this very server.
	http := awshttp.NewBuildableClient().WithTimeout(requestTime)
	retryer := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, min(d.PollMax, retry.DefaultMaxBackoff)
	})
	creds := own
	if id.role != "" {
		security := sts.New(sts.Options{
			Region: id.region, Credentials: own, BaseEndpoint: endpoint(d.STSEndpoint), HTTPClient: http, Retryer: retryer,
		})
		assume := stscreds.NewAssumeRoleProvider(security, id.role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "hadron"
		})
		creds = aws.NewCredentialsCache(assume, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	}
	c := &client{cfn.New(cfn.Options{
		Region: id.region, Credentials: creds, BaseEndpoint: endpoint(d.Endpoint), HTTPClient: http, Retryer: retryer,
	})}
	d.clients[id] = c
	return c, nil
}

func (d *Driver) ownCredentials(ctx context.Context, region string) (aws.CredentialsProvider, error) {
	if d.Credentials != nil {
		return d.Credentials, nil
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, engine.MarkPermanent(fmt.Errorf("read the AWS configuration: %w", err))
	}
	d.Credentials = c.Credentials
	return c.Credentials, nil
}

func endpoint(url string) *string {
	if url == "" {
		return nil
	}
	return &url
}
