// Package awsjson speaks the awsJson1.0 protocol, as server and as client, for any
// service described by a table of operations and shapes.
//
// It hides the wire: the X-Amz-Target header, request ids, the JSON reader that tells
// wrong types apart, the constraint messages, the error bodies and their statuses.
// A Handler serves an implementation; Call sends one request through a Transport, which
// is HTTP or, inside the same process, the Handler itself; both ways take the same path
// through decoding and validation.
//
// It never names an operation, checks a signature, or decides who may do what: those come
// in through the table and the Handler's hooks.
package awsjson
