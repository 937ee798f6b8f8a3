package proton

import (
	"errors"
	"fmt"
)

// Kind classes an error by what the API answers for it. The seven kinds are
// exactly the API's seven exceptions.
type Kind int

const (
	Internal      Kind = iota // InternalServerException: ours to mend
	Invalid                   // ValidationException
	NotFound                  // ResourceNotFoundException
	Conflict                  // ConflictException
	QuotaExceeded             // ServiceQuotaExceededException
	Denied                    // AccessDeniedException
	Throttled                 // ThrottlingException
)

func (k Kind) String() string {
	return [...]string{"internal", "invalid", "not found", "conflict", "quota exceeded", "denied", "throttled"}[k]
}

// Error is a refusal. Message is for the caller and reaches the wire; Err is
// for the log and does not.
type Error struct {
	Kind    Kind
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind with a message for the caller.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of the first Error in err's chain; Internal without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// IsNotFound reports whether err is a refusal because something is missing.
func IsNotFound(err error) bool { return err != nil && KindOf(err) == NotFound }
