package engines

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

// An archive of the bus that holds events of Hadron's source counts what was
// put on it. The bus is made after the first change: that is tried again.
func TestStatusChangesAreOnAnEventBus(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), enginetest.Moto(t)
	s := serve(t, "HADRON_EVENT_BUS=platform", "HADRON_EVENTBRIDGE_ENDPOINT="+url)
	must(s.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: p("net")}))(t)
	buses := eventbridge.New(eventbridge.Options{Region: region, Credentials: someone, BaseEndpoint: &url})
	bus := must(buses.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: p("platform")}))(t)
	must(buses.CreateArchive(ctx, &eventbridge.CreateArchiveInput{ArchiveName: p("all"), EventSourceArn: bus.EventBusArn, EventPattern: p(`{"source":["hadron.proton"]}`)}))(t)
	must(s.DeleteEnvironmentTemplate(ctx, &api.DeleteEnvironmentTemplateInput{Name: p("net")}))(t)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		archive := must(buses.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: p("all")}))(t)
		if archive.EventCount >= 1 {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%d events are on the bus, want one and more", archive.EventCount)
		}
	}
}
