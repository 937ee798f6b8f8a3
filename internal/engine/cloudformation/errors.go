package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hadronhq/hadron/internal/engine"
)

// classed words an error for the person who deployed, and marks it as worth
// repeating or final. An ended context gives its cause.
func classed(ctx context.Context, r engine.Run, err error) error {
	var marked interface{ Transient() bool }
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &marked):
		return err
	}
	final := worded(r, err)
	if passing(err) {
		return engine.MarkTransient(final)
	}
	return engine.MarkPermanent(final)
}

// worded says who could not do what.
func worded(r engine.Run, err error) error {
	who := "the server's own AWS identity"
	if r.RoleARN != "" {
		who = "role " + r.RoleARN
	}
	op := innermost(err)
	if op == nil {
		return fmt.Errorf("cloudformation as %s: %w", who, err)
	}
	action := strings.ToLower(op.Service()) + ":" + op.Operation()
	why := op.Err
	var api smithy.APIError
	if errors.As(err, &api) {
		why = answer{err, api}
	}
	switch {
	case op.Service() == "STS":
		return fmt.Errorf("role %s could not be assumed (%s): %w", r.RoleARN, action, why)
	case op.Service() != "CloudFormation":
		return fmt.Errorf("there are no AWS credentials for %s (%s): %w", who, action, why)
	}
	return fmt.Errorf("%s as %s: %w", action, who, why)
}

// answer is an API error that reads as AWS worded it.
type answer struct {
	error
	api smithy.APIError
}

func (a answer) Error() string {
	if a.api.ErrorMessage() == "" {
		return a.api.ErrorCode()
	}
	return fmt.Sprintf("%s: %s", a.api.ErrorCode(), a.api.ErrorMessage())
}

func (a answer) Unwrap() error { return a.error }

// innermost returns the operation that went wrong: for credentials, one within
// the one that needed them.
func innermost(err error) (found *smithy.OperationError) {
	for {
		var op *smithy.OperationError
		if !errors.As(err, &op) {
			return found
		}
		found, err = op, op.Err
	}
}

// passing reports whether AWS may well answer better the next time: it was out
// of reach, broken, busy, or changing at that moment.
func passing(err error) bool {
	if op := innermost(err); op != nil && op.Service() == "ec2imds" {
		return false // the last link of the credential chain: there are none
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "OperationInProgressException", "InvalidChangeSetStatus", "TokenAlreadyExistsException",
			"ServiceUnavailable", "InternalFailure", "InternalError":
			return true
		case "LimitExceededException", "LimitExceeded":
			return false // of stacks, not of requests
		}
		if _, busy := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; busy {
			return true
		}
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests || api == nil && status < 300
	}
	var send *smithyhttp.RequestSendError
	var network net.Error
	return errors.As(err, &send) || errors.As(err, &network) || engine.Transient(err)
}

// says reports whether err is AWS's answer with one of the codes.
func says(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, code := range codes {
		if api.ErrorCode() == code {
			return true
		}
	}
	return false
}
