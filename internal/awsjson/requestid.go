package awsjson

import (
	"context"

	"github.com/google/uuid"
)

type requestIDKey struct{}

// WithRequestID gives the requests handled under ctx their id, so that whoever made it can
// log the same one.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID gives the id of the request being handled, or "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// ensureRequestID gives ctx an id if it has none.
func ensureRequestID(ctx context.Context) (context.Context, string) {
	if id := RequestID(ctx); id != "" {
		return ctx, id
	}
	id := uuid.NewString()
	return WithRequestID(ctx, id), id
}
