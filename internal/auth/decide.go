package auth

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Request is what a principal wants to do.
type Request struct {
	Action   string // "proton:GetService"
	Resource string // an ARN, or "*"
	// Facts are what conditions can ask about the request besides who makes it
	// and when; nil for none.
	Facts Facts
}

// Decision says whether a request is allowed, and what decided that.
type Decision struct {
	Allowed bool
	Denied  bool // a statement denies it; else, if it is not allowed, none allows it
	Session bool // the session's policy decided, not the principal's own
	// Statement decided; nil when no statement did.
	Statement *Statement
}

// Decide judges a request by the policy alone, with all that is known of it in
// its facts.
func (p *Policy) Decide(r Request) Decision {
	facts := r.Facts
	if facts == nil {
		facts = func(string) []string { return nil }
	}
	return p.decide(r, facts)
}

// decide judges a request by one policy.
func (p *Policy) decide(r Request, facts Facts) Decision {
	var allowed *statement
	for n := range p.statements {
		s := &p.statements[n]
		if !s.deny && allowed != nil || !s.matches(r, facts) {
			continue
		}
		if s.deny {
			place := s.place
			return Decision{Denied: true, Statement: &place}
		}
		allowed = s
	}
	if allowed == nil {
		return Decision{}
	}
	place := allowed.place
	return Decision{Allowed: true, Statement: &place}
}

// Decide judges a request of the principal. The root of an account may do
// everything in it; a session may do what both its role and its own policy allow.
func (p Principal) Decide(r Request) Decision {
	facts := p.facts(r)
	d := Decision{Allowed: true}
	if p.Policy != nil {
		d = p.Policy.decide(r, facts)
	}
	if d.Denied || p.Session == nil || p.Session.Policy == nil {
		return d
	}
	own := p.Session.Policy.decide(r, facts)
	own.Session = true
	if own.Denied || d.Allowed {
		return own
	}
	return d
}

// May reports whether the principal may carry out an action ("proton:GetService")
// on a resource (an ARN, or "*") about which nothing else is known.
func (p Principal) May(action, resource string) bool {
	return p.Decide(Request{Action: action, Resource: resource}).Allowed
}

// Grants reports whether a policy of the principal speaks of allowing an
// action, on whatever resources and conditions.
func (p Principal) Grants(action string) bool {
	if p.Policy == nil {
		return true
	}
	for n := range p.Policy.statements {
		if s := &p.Policy.statements[n]; !s.deny && s.about(action) {
			return true
		}
	}
	return false
}

// Refusal is how AWS words that a request is not allowed: for what no policy of
// the principal allows in Proton's own short form.
func (p Principal) Refusal(r Request, d Decision) string {
	text := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", p.ARN, r.Action, r.Resource)
	switch {
	case d.Denied && d.Session:
		return text + " with an explicit deny in a session policy"
	case d.Denied:
		return text + " with an explicit deny in an identity-based policy"
	case d.Session:
		return text + fmt.Sprintf(" because no session policy allows the %s action", r.Action)
	}
	return text
}

// facts answers what conditions ask: about the principal, the instant and the
// connection, then about the request.
func (p Principal) facts(r Request) Facts {
	return func(key string) []string {
		if values, known := p.fact(key, r.Resource); known {
			return values
		}
		if r.Facts == nil {
			return nil
		}
		return r.Facts(key)
	}
}

// fact answers the keys that are about who asks, when and from where.
func (p Principal) fact(key, resource string) (values []string, known bool) {
	one := func(text string) ([]string, bool) {
		if text == "" {
			return nil, true
		}
		return []string{text}, true
	}
	switch key {
	case "aws:principalarn":
		return one(p.IdentityARN())
	case "aws:principalaccount":
		return one(p.AccountID)
	case "aws:principaltype":
		return one(p.Type())
	case "aws:username":
		return one(p.UserName())
	case "aws:userid":
		return one(p.ID())
	case "aws:sourceip":
		if p.SourceIP.IsValid() {
			return one(p.SourceIP.Unmap().String())
		}
		return nil, true
	case "aws:securetransport":
		return one(strconv.FormatBool(p.Secure))
	case "aws:useragent":
		return one(p.UserAgent)
	case "aws:requestedregion":
		return one(p.Region)
	case "aws:currenttime":
		return one(time.Now().UTC().Format(time.RFC3339))
	case "aws:epochtime":
		return one(strconv.FormatInt(time.Now().Unix(), 10))
	case "aws:tokenissuetime":
		if p.Session != nil {
			return one(p.Session.IssuedAt.UTC().Format(time.RFC3339))
		}
		return nil, true
	case "aws:resourceaccount":
		if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 {
			return one(parts[4])
		}
		return nil, true
	}
	return nil, false
}

// IdentityARN is the principal's user or role; for a session its role.
func (p Principal) IdentityARN() string {
	if p.Session != nil && p.Session.Role != "" {
		return p.Session.Role
	}
	return p.ARN
}

// Type is Account (its root), User or AssumedRole.
func (p Principal) Type() string {
	switch {
	case p.Provider != "":
		return "WebIdentityUser"
	case strings.Contains(p.ARN, ":assumed-role/"):
		return "AssumedRole"
	case strings.Contains(p.ARN, ":user/"):
		return "User"
	}
	return "Account"
}

// UserName is a user's name, or what a provider calls somebody; nobody else has
// one.
func (p Principal) UserName() string {
	if p.Provider != "" {
		return strings.TrimPrefix(p.ARN, p.Provider+":")
	}
	_, name, _ := strings.Cut(p.ARN, ":user/")
	return name
}

// ID is what stays the same as long as the principal exists: the account of a
// root, a user's id, a role's with the name of the session.
func (p Principal) ID() string {
	switch p.Type() {
	case "WebIdentityUser":
		return p.ARN
	case "User":
		return identityID("AIDA", p.ARN)
	case "AssumedRole":
		return identityID("AROA", p.IdentityARN()) + ":" + p.ARN[strings.LastIndex(p.ARN, "/")+1:]
	}
	return p.AccountID
}

func identityID(prefix, arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
