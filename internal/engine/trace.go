package engine

import (
	"context"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace begins a span below the one that ctx is in; outside of one it does
// nothing, and costs nothing. The returned function ends the span; of an error
// it says that there was one, not which: its text may have a secret in it.
func Trace(ctx context.Context, name string, about ...attribute.KeyValue) (context.Context, func(error)) {
	above := trace.SpanFromContext(ctx)
	if !above.SpanContext().IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := above.TracerProvider().Tracer("github.com/hadronhq/hadron/internal/engine").Start(ctx, name, trace.WithAttributes(about...))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Joined is env with the variables by which a program that knows of tracing joins
// the trace that ctx is in; env itself outside of one.
func Joined(ctx context.Context, env map[string]string) map[string]string {
	in := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, in)
	if len(in) == 0 {
		return env
	}
	env = maps.Clone(env)
	for name, value := range in {
		env[strings.ToUpper(name)] = value
	}
	return env
}

// Note adds to what the span says that ctx is in.
func Note(ctx context.Context, about ...attribute.KeyValue) {
	trace.SpanFromContext(ctx).SetAttributes(about...)
}
