package auth

import "strings"

// principals are whom a trust policy's statement is about.
type principals struct {
	everyone  bool
	aws       []pattern // ARNs and account numbers
	federated []string  // identity providers
	service   []string
}

// principals reads {"AWS": …}, {"Federated": …}, {"Service": …} or "*".
func (r statementReader) principals(n *node) (*principals, error) {
	element, given := n.get("Principal")
	if !given {
		return nil, r.fail(n, "the element Principal is missing")
	}
	if element.text == "*" {
		return &principals{everyone: true}, nil
	}
	if err := r.only(element, "AWS", "Federated", "Service"); err != nil {
		return nil, err
	}
	ps := &principals{}
	for _, m := range element.members {
		values, err := r.list(m.value, false)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			switch {
			case m.name == "Federated":
				ps.federated = append(ps.federated, v.text)
			case m.name == "Service":
				ps.service = append(ps.service, v.text)
			case v.text == "*":
				ps.everyone = true
			case strings.ContainsAny(v.text, "*?"):
				return nil, r.fail(v, "wildcards have no meaning in a principal; use \"*\" and a condition on aws:PrincipalArn")
			case !strings.HasPrefix(v.text, "arn:") && len(v.text) != 12:
				return nil, r.fail(v, "%q is neither the ARN of a user, role or account nor an account of 12 digits", v.text)
			default:
				ps.aws = append(ps.aws, pattern{text: v.text})
			}
		}
	}
	return ps, nil
}

// Trust is how a trust policy regards somebody who wants to assume its role.
type Trust int

// A role trusts nobody whom its policy does not name. It may name principals
// themselves, or their account, which then has to allow them the action too.
const (
	Untrusted Trust = iota
	TrustedByAccount
	TrustedByName
)

// Trusts judges a principal of this server that wants to assume a role.
func (p *Policy) Trusts(who Principal, action string, facts Facts) Trust {
	r := Request{Action: action, Facts: facts}
	all := who.facts(r)
	trust := Untrusted
	for n := range p.statements {
		s := &p.statements[n]
		named := s.principals.names(who)
		if named == Untrusted || !s.matches(r, all) {
			continue
		}
		if s.deny {
			return Untrusted
		}
		trust = max(trust, named)
	}
	return trust
}

// TrustsFederated judges an identity that a provider vouches for.
func (p *Policy) TrustsFederated(provider, action string, facts Facts) bool {
	r := Request{Action: action}
	trusted := false
	for n := range p.statements {
		s := &p.statements[n]
		named := s.principals.everyone && s.deny
		for _, f := range s.principals.federated {
			named = named || f == provider
		}
		if !named || !s.matches(r, facts) {
			continue
		}
		if s.deny {
			return false
		}
		trusted = true
	}
	return trusted
}

func (ps *principals) names(who Principal) Trust {
	root := "arn:aws:iam::" + who.AccountID + ":root"
	trust := Untrusted
	if ps.everyone {
		trust = TrustedByAccount
	}
	for _, p := range ps.aws {
		switch p.text {
		case who.ARN, who.IdentityARN():
			return TrustedByName
		case who.AccountID, root:
			trust = TrustedByAccount
		}
	}
	return trust
}

// ProviderARN is how trust policies name an OpenID Connect provider under
// Federated. Their conditions begin with what follows its last "oidc-provider/".
func ProviderARN(account, url string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + strings.TrimPrefix(url, "https://")
}
