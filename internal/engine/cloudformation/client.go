package cloudformation

import (
	"fmt"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go/middleware"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// client returns the API as a run's role sees it in the run's region.
func (d *Driver) client(r engine.Run) (*cfn.Client, error) {
	if r.Region == "" {
		return nil, engine.MarkPermanent(fmt.Errorf("the region to provision in is empty"))
	}
	// Options are set by hand: a configuration read from the environment would
	// send requests to AWS_ENDPOINT_URL, which may be this very server.
	return cfn.New(cfn.Options{
		Region: r.Region, Credentials: d.Identity.Credentials(r.Region, r.RoleARN),
		BaseEndpoint: identity.Endpoint(d.Endpoint), HTTPClient: d.http, Retryer: identity.Retryer(d.PollMax),
		APIOptions: []func(*middleware.Stack) error{identity.Traced},
	}), nil
}
