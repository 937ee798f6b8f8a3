package enginetest

import (
	"context"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// Traced begins a trace in ctx. The function answers the names of the spans that
// have ended in it, in that order.
func Traced(ctx context.Context) (context.Context, func() []string) {
	kept := tracetest.NewInMemoryExporter()
	ctx, _ = trace.NewTracerProvider(trace.WithSyncer(kept)).Tracer("").Start(ctx, "test")
	return ctx, func() (names []string) {
		for _, span := range kept.GetSpans() {
			names = append(names, span.Name)
		}
		return names
	}
}
