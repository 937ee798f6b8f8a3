package app

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer makes the spans of calls and jobs. Without anywhere to send them (nil)
// it hands on which call a job comes from, and nothing else.
type tracer struct {
	*tracing.Tracing
	spans trace.Tracer
}

// newTracer answers nil if no spans are wanted.
func newTracer(c Config, node string, log *slog.Logger) (*tracer, error) {
	if c.OtlpEndpoint == "" {
		return nil, nil
	}
	headers, err := otlpHeaders(c.OtlpHeaders)
	if err != nil {
		return nil, err
	}
	t, err := tracing.New(tracing.Config{
		Endpoint: tracesURL(c.OtlpEndpoint), Headers: headers, Service: "hadron", Version: Version, Node: node, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return &tracer{t, t.Tracer()}, nil
}

// calls makes a span of each HTTP request, below the caller's if that says which.
func (t *tracer) calls(h http.Handler) http.Handler {
	if t == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.spans.Start(ctx, "call", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		h.ServeHTTP(w, r.WithContext(worked(ctx)))
	})
}

type around func(context.Context, *awsjson.Operation, any, func(context.Context) (any, error)) (any, error)

// operations gives what a call changes the call as its origin. A call that came
// over HTTP has its span already, one from within this process gets its own.
func (t *tracer) operations(next around) around {
	return func(ctx context.Context, op *awsjson.Operation, in any, do func(context.Context) (any, error)) (_ any, err error) {
		if t != nil && !trace.SpanFromContext(ctx).IsRecording() {
			var span trace.Span
			ctx, span = t.spans.Start(worked(ctx), op.Name)
			defer func() { finishSpan(span, err) }()
		}
		if control.ReadOnly(op.Name) {
			return next(ctx, op, in, do)
		}
		origin := jobs.Origin{RequestID: awsjson.RequestID(ctx), Trace: traceParent(ctx)}
		return next(jobs.WithOrigin(ctx, origin), op, in, do)
	}
}

// answered says in the span of a call what it was and how it was answered.
func answered(ctx context.Context, c awsjson.Finished) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if c.Operation != "" {
		span.SetName(c.Operation)
	}
	span.SetAttributes(attribute.String("rpc.method", c.Operation), attribute.Int("http.response.status_code", c.Status),
		attribute.String("aws.request_id", awsjson.RequestID(ctx)))
	if c.Code != "" {
		span.SetAttributes(attribute.String("error.type", c.Code))
	}
	if c.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// jobs makes a span of each job, below that of the call it comes from.
func (t *tracer) jobs(kind jobs.Kind, handle jobs.Handler) jobs.Handler {
	if t == nil {
		return handle
	}
	return func(ctx context.Context, j jobs.Job) (next jobs.Next, err error) {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": j.Origin.Trace})
		ctx, span := t.spans.Start(worked(ctx), string(kind), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String("hadron.job.key", j.Key), attribute.Int64("hadron.job.generation", j.Generation),
			attribute.String("aws.request_id", j.Origin.RequestID)))
		defer func() { finishSpan(span, err) }()
		return handle(ctx, j)
	}
}

// worked has what engines do in ctx be spans too.
func worked(ctx context.Context) context.Context { return engine.WithTracer(ctx, tracing.Work{}) }

func (t *tracer) close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.Close(ctx)
}

func finishSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "") // no text: it may have a secret in it
	}
	span.End()
}

// traceParent is the span that ctx is in as the header has it; empty outside of one.
func traceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}
