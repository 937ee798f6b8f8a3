package jobs

import (
	"context"
	"encoding/json"
)

// Origin is the call that a job comes from, for logs and traces.
type Origin struct {
	RequestID string `json:"request_id,omitempty"`
	// Trace is the call's span, as the header traceparent (W3C Trace Context) has it.
	Trace string `json:"traceparent,omitempty"`
}

type originKey struct{}

// WithOrigin says in ctx which call is being carried out.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf answers it; zero if nobody has said it. A handler's context says it
// of the job's.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// metadata is an origin as River keeps it beside the arguments, which tell jobs
// apart; nil for none.
func (o Origin) metadata() []byte {
	if o == (Origin{}) {
		return nil
	}
	text, _ := json.Marshal(o) // two texts cannot be refused
	return text
}

// originFrom reads what metadata has written. River keeps notes of its own there.
func originFrom(metadata []byte) (o Origin) {
	_ = json.Unmarshal(metadata, &o) // what can't be read tells of no call
	return o
}
