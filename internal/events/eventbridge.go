package events

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/hadronhq/hadron/internal/identity"
)

// busSource is the source of events on a real event bus: AWS lets nobody else
// put events whose source begins with "aws.".
const busSource = "hadron.proton"

// bus is a real EventBridge event bus.
type bus struct {
	name     string // or ARN
	endpoint string
	identity *identity.Source
}

// Bus puts events on an event bus with the server's own identity: in the
// Region of the bus's ARN, or of each event if it is only named. Their source
// is hadron.proton; all else is as on AWS. An empty endpoint is AWS's own.
func Bus(name, endpoint string, who *identity.Source) Target {
	return &bus{name: name, endpoint: endpoint, identity: who}
}

func (b *bus) Name() string { return "bus " + b.name }

func (b *bus) Deliver(ctx context.Context, e Envelope) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return err
	}
	region := identity.RegionOf(b.name, e.Region)
	client := eventbridge.New(eventbridge.Options{
		Region: region, Credentials: b.identity.Credentials(region, ""), BaseEndpoint: identity.Endpoint(b.endpoint),
		HTTPClient: identity.HTTPClient(), Retryer: identity.Retryer(0),
	})
	out, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: &b.name, Source: aws.String(busSource), DetailType: &e.DetailType, Detail: aws.String(string(detail)),
		Resources: e.Resources, Time: &e.at,
	}}})
	if err != nil {
		return identity.Explain(err, "")
	}
	if len(out.Entries) > 0 && out.Entries[0].ErrorCode != nil {
		return fmt.Errorf("events:PutEvents: %s: %s", *out.Entries[0].ErrorCode, aws.ToString(out.Entries[0].ErrorMessage))
	}
	return nil
}
