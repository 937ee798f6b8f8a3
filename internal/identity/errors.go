package identity

import (
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

// Explain words an error of a request to AWS for the person who deployed, who
// knows the role it was made as (empty: the server's own identity), and marks
// it as worth repeating or final. An error that is marked already stays so.
func Explain(err error, role string) error {
	var marked interface{ Transient() bool }
	if err == nil || errors.As(err, &marked) {
		return err
	}
	final := worded(err, role)
	if passing(err) {
		return engine.MarkTransient(final)
	}
	return engine.MarkPermanent(final)
}

// worded says who could not do what.
func worded(err error, role string) error {
	who := "the server's own AWS identity"
	if role != "" {
		who = "role " + role
	}
	op := innermost(err)
	switch {
	case errors.Is(err, ErrNone) && role != "":
		return fmt.Errorf("role %s could not be assumed: %w", role, ErrNone)
	case errors.Is(err, ErrNone):
		return ErrNone
	case op == nil:
		return fmt.Errorf("as %s: %w", who, err)
	}
	action := strings.ReplaceAll(strings.ToLower(op.Service()), " ", "") + ":" + op.Operation()
	why := op.Err
	var api smithy.APIError
	if errors.As(err, &api) {
		why = answer{err, api}
	}
	switch op.Service() {
	case "STS":
		return fmt.Errorf("role %s could not be assumed (%s): %w", role, action, why)
	case "ec2imds", "SSO", "SSO OIDC":
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
	if op := innermost(err); errors.Is(err, ErrNone) || op != nil && op.Service() == "ec2imds" {
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

// Header is one of AWS's answer that was an error; empty without an answer.
func Header(err error, name string) string {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return ""
	}
	return response.Response.Header.Get(name)
}

// Says reports whether err is AWS's answer with one of the codes.
func Says(err error, codes ...string) bool {
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
