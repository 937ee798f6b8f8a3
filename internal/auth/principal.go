package auth

import "context"

// Principal is who a request comes from, and the Region it is for.
type Principal struct {
	AccessKeyID string
	AccountID   string // 12 digits
	Region      string // of the credential scope
	ARN         string // arn:aws:iam::<account>:root, or :user/<name>
	// Policy says what the principal may do; nil for the root of an account,
	// who may do everything in it.
	Policy *Policy
}

// May reports whether the principal may carry out an action ("proton:GetService")
// on a resource (an ARN, or "*").
func (p Principal) May(action, resource string) bool {
	return p.Policy == nil || p.Policy.Allows(action, resource)
}

type principalKey struct{}

// WithPrincipal is ctx for a request of p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom is the principal of the request that ctx belongs to.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
