package proton

// Creation is what a resource remembers of the call that made it, so that a
// repeat of the call can be judged. Creates keyed by name are idempotent.
type Creation struct {
	RequestHash string // of every member the call gave; tag order does not count
	Modified    bool   // by a later successful update call, or by a deployment of other inputs
}

// JudgeRepeat decides what a create call on a taken name means: nil to answer
// with the resource as it is, or the refusal.
func JudgeRepeat(c Creation, requestHash string, arn ARN, deleting bool) error {
	switch {
	case deleting:
		return Errorf(Conflict, "%s is being deleted.", arn)
	case c.RequestHash != requestHash:
		return Errorf(Invalid, "Idempotent parameter mismatch")
	case c.Modified:
		return Errorf(Conflict, "Resource already exists and has been modified: %s", arn)
	}
	return nil
}
