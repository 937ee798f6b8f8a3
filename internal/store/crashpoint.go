//go:build !crashpoints

package store

// crashPoint is where test/crash has the program killed, which it builds with the
// tag crashpoints for that: right before and right after each commit of a change.
func crashPoint() {}
