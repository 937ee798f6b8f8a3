package awsjson

import (
	"context"
	"reflect"
)

// Service is what the operations of one service share.
type Service struct {
	Name         string
	SigningName  string // the service in a SigV4 credential scope
	TargetPrefix string // what precedes ".Operation" in X-Amz-Target
	Namespace    string // what precedes "#Exception" in an error's __type
}

// Operation describes one operation of a service.
type Operation struct {
	Service    *Service
	Name       string
	Input      *Shape
	Output     *Shape
	Errors     []string // the exceptions the model lists for it
	Idempotent bool     // a repeat has no further effect
	Method     Method
}

// Target is the operation's X-Amz-Target header.
func (o *Operation) Target() string { return o.Service.TargetPrefix + "." + o.Name }

// Method connects an operation to the Go method that carries it out.
type Method struct {
	// New makes an empty input, a pointer to a struct.
	New func() any
	// NewOutput makes an empty output, a pointer to a struct.
	NewOutput func() any
	// Invoke calls the method of impl with an input that New made. It panics when impl
	// does not implement the service.
	Invoke func(ctx context.Context, impl, in any) (out any, err error)
	// Implements reports whether impl has the service's methods.
	Implements func(impl any) bool
}

// Bind makes the Method of a method expression such as Proton.CreateService. A nil output
// without an error counts as an empty one.
func Bind[S, I, O any](call func(S, context.Context, *I) (*O, error)) Method {
	return Method{
		New:       func() any { return new(I) },
		NewOutput: func() any { return new(O) },
		Invoke: func(ctx context.Context, impl, in any) (any, error) {
			out, err := call(impl.(S), ctx, in.(*I))
			if err != nil {
				return nil, err
			}
			if out == nil {
				out = new(O)
			}
			return out, nil
		},
		Implements: func(impl any) bool {
			return impl != nil && reflect.TypeOf(impl).Implements(reflect.TypeFor[S]())
		},
	}
}
