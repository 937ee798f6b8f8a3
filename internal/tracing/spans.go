package tracing

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
)

// resourceSpans are spans of one process as OTLP has them: by scope.
func resourceSpans(spans []sdk.ReadOnlySpan) []*trace.ResourceSpans {
	if len(spans) == 0 {
		return nil
	}
	all := &trace.ResourceSpans{Resource: &resource.Resource{Attributes: attributes(spans[0].Resource().Attributes())}}
	scopes := map[string]*trace.ScopeSpans{}
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		if scopes[name] == nil {
			scopes[name] = &trace.ScopeSpans{Scope: &common.InstrumentationScope{Name: name}}
			all.ScopeSpans = append(all.ScopeSpans, scopes[name])
		}
		scopes[name].Spans = append(scopes[name].Spans, span(s))
	}
	return []*trace.ResourceSpans{all}
}

// remote are the flags that say whether the parent is in another process.
const (
	knowsRemote = uint32(trace.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	isRemote    = uint32(trace.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
)

func span(s sdk.ReadOnlySpan) *trace.Span {
	is, parent := s.SpanContext(), s.Parent()
	traceID, spanID, parentID := is.TraceID(), is.SpanID(), parent.SpanID()
	out := &trace.Span{
		TraceId: traceID[:], SpanId: spanID[:], TraceState: is.TraceState().String(), Flags: uint32(is.TraceFlags()) | knowsRemote,
		Name: s.Name(), Kind: trace.Span_SpanKind(s.SpanKind()), // the numbers are the same
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: attributes(s.Attributes()), Status: &trace.Status{Message: s.Status().Description},
	}
	if parentID.IsValid() {
		out.ParentSpanId = parentID[:]
	}
	if parent.IsRemote() {
		out.Flags |= isRemote
	}
	switch s.Status().Code {
	case codes.Ok:
		out.Status.Code = trace.Status_STATUS_CODE_OK
	case codes.Error:
		out.Status.Code = trace.Status_STATUS_CODE_ERROR
	}
	return out
}

// attributes are texts, whole numbers and truth values; what else there may be,
// from OTEL_RESOURCE_ATTRIBUTES, is text.
func attributes(list []attribute.KeyValue) []*common.KeyValue {
	var out []*common.KeyValue
	for _, a := range list {
		v := &common.AnyValue{}
		switch a.Value.Type() {
		case attribute.INT64:
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		case attribute.BOOL:
			v.Value = &common.AnyValue_BoolValue{BoolValue: a.Value.AsBool()}
		case attribute.STRING:
			v.Value = &common.AnyValue_StringValue{StringValue: a.Value.AsString()}
		default:
			v.Value = &common.AnyValue_StringValue{StringValue: fmt.Sprint(a.Value.AsInterface())}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: v})
	}
	return out
}
