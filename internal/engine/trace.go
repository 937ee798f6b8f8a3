package engine

import (
	"context"
	"maps"
	"strings"
)

// Tracer makes spans. It comes in the context of what is traced: supervisors have
// this package too, and must not wait for what makes spans to be initialized.
// What is told of a span is pairs of a name and a text or a number.
type Tracer interface {
	// Trace begins a span below the one that ctx is in; outside of one it does
	// nothing. The function ends it; of an error it says only that there was one.
	Trace(ctx context.Context, name string, about ...any) (context.Context, func(error))
	// Note adds to what the span says that ctx is in.
	Note(ctx context.Context, about ...any)
	// Variables are those by which a program joins the trace that ctx is in.
	Variables(ctx context.Context) map[string]string
}

type tracerKey struct{}

// WithTracer has what is done with the context traced.
func WithTracer(ctx context.Context, t Tracer) context.Context {
	return context.WithValue(ctx, tracerKey{}, t)
}

func tracerOf(ctx context.Context) Tracer {
	t, _ := ctx.Value(tracerKey{}).(Tracer)
	return t
}

// Trace is Tracer.Trace of the context's; without one it costs nothing.
func Trace(ctx context.Context, name string, about ...any) (context.Context, func(error)) {
	if t := tracerOf(ctx); t != nil {
		return t.Trace(ctx, name, about...)
	}
	return ctx, func(error) {}
}

// Note is Tracer.Note of the context's.
func Note(ctx context.Context, about ...any) {
	if t := tracerOf(ctx); t != nil {
		t.Note(ctx, about...)
	}
}

// Joined is env with the variables by which a program that knows of tracing joins
// the trace that ctx is in; env itself outside of one.
func Joined(ctx context.Context, env map[string]string) map[string]string {
	t := tracerOf(ctx)
	if t == nil {
		return env
	}
	in := t.Variables(ctx)
	if len(in) == 0 {
		return env
	}
	env = maps.Clone(env)
	for name, value := range in {
		env[strings.ToUpper(name)] = value
	}
	return env
}
