package awsjson

import (
	"fmt"
	"net/http"
)

// Error is an error of the protocol or of a service, as it goes over the wire.
type Error struct {
	Code      string // such as ConflictException
	Message   string // for the caller; names no cause
	Status    int    // HTTP status; 0 means 400
	Namespace string // what precedes "#Code"; empty means that of the operation's service
	Member    string // path of the member a SerializationException is about, if any
	Cause     error  // for the log; never sent
	RequestID string // on the client's side: the request that the server refused
}

// Error gives the code and the message, not the cause.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// wireError is the body of an error.
type wireError struct {
	Type    string `json:"__type"`
	Message string `json:"message,omitzero"`
	Capital string `json:"Message,omitzero"` // AWS writes it so in a SerializationException
	Member  string `json:"member,omitzero"`
}

const (
	coral = "com.amazon.coral.service"

	codeInternal      = "InternalServerException"
	codeSerialization = "SerializationException"
	codeTooLarge      = "RequestEntityTooLargeException"
	codeUnknown       = "UnknownOperationException"
	codeValidation    = "ValidationException"
)

// UnknownOperation says that there is no such operation, or none yet.
func UnknownOperation(format string, args ...any) *Error {
	return &Error{Code: codeUnknown, Namespace: coral, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Unimplemented is the answer of an operation that the model has and the server does not.
func Unimplemented(operation string) *Error {
	return UnknownOperation("%s is not implemented by this version of the server", operation)
}

// Serialization says that a body cannot be read; member is the path to the value at fault,
// empty when the body as a whole is.
func Serialization(member, message string) *Error {
	return &Error{Code: codeSerialization, Namespace: coral, Status: http.StatusBadRequest, Message: message, Member: member}
}

// Validation says that an input breaks a rule; its message is a plain sentence.
func Validation(message string) *Error {
	return &Error{Code: codeValidation, Status: http.StatusBadRequest, Message: message}
}

// TooLarge says that a body has more than limit bytes.
func TooLarge(limit int64) *Error {
	return &Error{Code: codeTooLarge, Namespace: coral, Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the request body is larger than %d bytes", limit)}
}

// Internal hides cause behind "internal error".
func Internal(cause error) *Error {
	return &Error{Code: codeInternal, Status: http.StatusInternalServerError, Message: "internal error", Cause: cause}
}
