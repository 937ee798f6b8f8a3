package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/jobs"
	"go.opentelemetry.io/otel/trace"
)

// NewLogger makes the logger that a configuration asks for.
func NewLogger(c Config, w io.Writer) *slog.Logger {
	level, _ := logLevel(c.LogLevel)
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(withOrigin{slog.NewJSONHandler(w, opts)})
	}
	return slog.New(withOrigin{slog.NewTextHandler(w, opts)})
}

func logLevel(name string) (level slog.Level, err error) {
	switch name {
	case "debug", "info", "warn", "error":
		err = level.UnmarshalText([]byte(name))
		return level, err
	}
	return level, fmt.Errorf("unknown log level %q", name)
}

// withOrigin adds to each line which call it is about, and its trace, also
// where the call's work is done by a job.
type withOrigin struct{ slog.Handler }

func (h withOrigin) Handle(ctx context.Context, r slog.Record) error {
	id := awsjson.RequestID(ctx)
	if id == "" {
		id = jobs.OriginOf(ctx).RequestID
	}
	span := trace.SpanContextFromContext(ctx)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "request_id" {
			id = "" // it is there
		}
		return id != ""
	})
	if id != "" || span.IsValid() {
		r = r.Clone()
	}
	if id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h withOrigin) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withOrigin{h.Handler.WithAttrs(attrs)}
}
func (h withOrigin) WithGroup(name string) slog.Handler { return withOrigin{h.Handler.WithGroup(name)} }
