// Package tracing sends spans to a collector: OTLP over HTTP, in protobuf.
//
// Spans are made with OpenTelemetry's API where work is done, and gathered by
// its SDK; this package is the way out. It exists because OpenTelemetry's own
// exporter brings gRPC with it, which is 21 MB of program and 17 MB of memory
// (docs/decisions/0002-dependencies.md).
//
// It never holds up what is traced: spans that a collector does not take are
// dropped, and the log says so.
package tracing

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go.
type Config struct {
	Endpoint string            // URL that spans are POSTed to
	Headers  map[string]string // sent along; may be secret
	Service  string            // service.name, unless OTEL_SERVICE_NAME says another
	Version  string
	Node     string
	Logger   *slog.Logger
}

// Tracing gathers spans and sends them.
type Tracing struct{ provider *sdk.TracerProvider }

// New begins to send spans. What is traced of all that begins here, how much is
// gathered and what else is said of this service can be set with
// OpenTelemetry's own variables (OTEL_TRACES_SAMPLER, OTEL_BSP_…,
// OTEL_RESOURCE_ATTRIBUTES), which its SDK reads.
func New(c Config) (*Tracing, error) {
	about, err := resource.New(context.Background(), resource.WithAttributes(
		attribute.String("service.name", c.Service), attribute.String("service.version", c.Version), attribute.String("service.instance.id", c.Node),
	), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	return &Tracing{sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(newExporter(c)))}, nil
}

// Tracer makes the spans that have none above them in this process.
func (t *Tracing) Tracer() trace.Tracer { return t.provider.Tracer("github.com/hadronhq/hadron") }

// Close sends what is left, for at most five seconds.
func (t *Tracing) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
