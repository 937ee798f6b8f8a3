package identity

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"github.com/hadronhq/hadron/internal/engine"
)

// Traced has each call of a client be a span: give it to the client's APIOptions.
func Traced(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("HadronTrace", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		ctx, ended := engine.Trace(ctx, service+" "+operation, "rpc.service", service, "rpc.method", operation)
		out, metadata, err = next.HandleInitialize(ctx, in)
		if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
			engine.Note(ctx, "aws.request_id", id)
		}
		ended(err)
		return out, metadata, err
	}), middleware.After)
}
