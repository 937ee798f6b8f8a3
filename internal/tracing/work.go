package tracing

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	api "go.opentelemetry.io/otel/trace"
)

// Work makes the spans of what engines do, below the one that a context is in. It
// is an engine.Tracer.
type Work struct{}

// Trace begins a span; outside of one it does nothing, and costs nothing. The
// returned function ends the span; of an error it says that there was one, not
// which: its text may have a secret in it.
func (Work) Trace(ctx context.Context, name string, about ...any) (context.Context, func(error)) {
	above := api.SpanFromContext(ctx)
	if !above.SpanContext().IsValid() {
		return ctx, func(error) {}
	}
	tracer := above.TracerProvider().Tracer("github.com/hadronhq/hadron/internal/engine")
	ctx, span := tracer.Start(ctx, name, api.WithAttributes(pairs(about)...))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Note adds to what the span says that ctx is in.
func (Work) Note(ctx context.Context, about ...any) {
	api.SpanFromContext(ctx).SetAttributes(pairs(about)...)
}

// Variables are those by which a program joins the trace that ctx is in.
func (Work) Variables(ctx context.Context) map[string]string {
	in := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, in)
	return in
}

func pairs(about []any) []attribute.KeyValue {
	var all []attribute.KeyValue
	for n := 0; n+1 < len(about); n += 2 {
		key := attribute.Key(fmt.Sprint(about[n]))
		if number, ok := about[n+1].(int); ok {
			all = append(all, key.Int(number))
		} else {
			all = append(all, key.String(fmt.Sprint(about[n+1])))
		}
	}
	return all
}
