package auth

import (
	"context"
	"net/netip"
	"time"
)

// Principal is who a request comes from, the Region it is for, and how it came.
type Principal struct {
	AccessKeyID string
	AccountID   string // 12 digits
	Region      string // of the credential scope
	// ARN is arn:aws:iam::<account>:root, :user/<name>, or that of a session,
	// arn:aws:sts::<account>:assumed-role/<role>/<session>.
	ARN string
	// Policy says what the principal may do; nil for the root of an account,
	// who may do everything in it.
	Policy  *Policy
	Session *Session // nil for credentials that last
	// Provider vouches for somebody of elsewhere, whose name there ends the ARN
	// and who may do nothing but become a role.
	Provider string

	SourceIP  netip.Addr
	Secure    bool // the request came by TLS
	UserAgent string
}

// Session is what temporary credentials add to a principal.
type Session struct {
	Role     string // ARN of the role they are of
	IssuedAt time.Time
	Expires  time.Time
	Policy   *Policy // narrows what the role may do; nil: it does not
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
