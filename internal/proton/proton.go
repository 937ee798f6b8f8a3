// Package proton is the domain: Proton's nouns, names, ARNs and statuses, the
// moves between statuses, and the decisions that need more than one record.
//
// It is pure. Records and instants go in, decisions come out; there is no
// context, clock, random id, log or input/output here, so every rule can be
// tested as a table. The shell around it (packages control and provision)
// reads facts in a transaction, asks this package, and writes what it answers.
//
// It never knows the wire's shapes, the database, or any engine.
package proton

// Scope is what names are unique in: an account and a Region.
type Scope struct {
	Account string
	Region  string
}
