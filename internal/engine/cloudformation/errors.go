package cloudformation

import (
	"context"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/identity"
)

// classed words an error for the person who deployed, and marks it as worth
// repeating or final. An ended context gives its cause.
func classed(ctx context.Context, r engine.Run, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return identity.Explain(err, r.RoleARN)
}
