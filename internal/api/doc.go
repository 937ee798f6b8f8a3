// Package api is the contract: the shapes, limits and operations of AWS Proton's API and
// of Hadron's own operations, as Go types and tables, and a client for them.
//
// All but this file is generated from the service models in internal/gen. A server
// implements the interfaces Proton and Hadron, embedding Unimplemented for what it lacks;
// awsjson.NewHandler serves it with Operations. Members of a shape are pointers or slices;
// nil means absent. Ptr and Value turn values into them and back.
//
// It holds no rules but those the models state, and does no I/O of its own.
package api

import "github.com/hadronhq/hadron/internal/awsjson"

// Ptr gives a pointer to a copy of v.
func Ptr[T any](v T) *T { return &v }

// Value gives what p points to, or the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Implemented lists the operations that impl carries out itself, those it does not inherit
// from an embedded Unimplemented, in the order of Operations. It is meant for tests.
func Implemented(impl any) []string {
	return awsjson.Overridden(Operations, impl, Unimplemented{})
}
