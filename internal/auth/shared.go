package auth

import (
	"fmt"
	"slices"
	"strings"
)

// sharedProviders issue tokens to everybody who has an account with them. Each
// has the claims that say whose a token is, and what every such claim begins
// with, whoever it is about.
var sharedProviders = map[string]struct {
	claims []string
	prefix string
}{
	"token.actions.githubusercontent.com": {[]string{
		"sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "job_workflow_ref", "enterprise", "enterprise_id",
	}, "repo:"},
	"gitlab.com":          {[]string{"sub", "project_path", "project_id", "namespace_path", "namespace_id"}, "project_path:"},
	"app.terraform.io":    {[]string{"sub"}, "organization:"},
	"agent.buildkite.com": {[]string{"sub", "organization_slug", "organization_id"}, "organization:"},
}

// CheckSharedProviders refuses a trust policy that a stranger could use: one
// that trusts a provider where anybody can have an account, and does not say
// whose tokens.
func (p *Policy) CheckSharedProviders() error {
	for n := range p.statements {
		s := &p.statements[n]
		if s.deny || s.principals == nil {
			continue
		}
		for _, provider := range s.principals.federated {
			_, host, _ := strings.Cut(provider, ":oidc-provider/")
			shared, ok := sharedProviders[host]
			if ok && !slices.ContainsFunc(s.conditions, func(c condition) bool { return c.narrows(host, shared.claims, shared.prefix) }) {
				return fmt.Errorf("%v trusts %s, which issues tokens to everybody, without saying whose: add a condition on %[2]s:sub, as {\"StringLike\": {\"%[2]s:sub\": \"%[3]sNAME/...\"}}", s.place, host, shared.prefix)
			}
		}
	}
	return nil
}

// narrows reports whether a condition holds for the tokens of somebody alone.
func (c condition) narrows(host string, claims []string, prefix string) bool {
	claim, ok := strings.CutPrefix(c.key, host+":")
	if !ok || !slices.Contains(claims, claim) || c.operator.negated || c.operator.null || c.operator.set == allValues || c.operator.ifExists && claim != "sub" {
		return false
	}
	name := strings.TrimSuffix(c.operator.name[strings.Index(c.operator.name, ":")+1:], "IfExists")
	exact := strings.HasPrefix(name, "StringEquals")
	if !exact && name != "StringLike" {
		return false
	}
	return !slices.ContainsFunc(c.values, func(o operand) bool {
		known, _, open := strings.Cut(strings.Map(wildcard, o.pattern.text), "*")
		if claim == "sub" {
			known = strings.TrimPrefix(known, prefix)
		}
		return open && !exact && known == ""
	})
}

// wildcard makes all that stands for other text one character.
func wildcard(r rune) rune {
	if r == '?' || r == '$' {
		return '*'
	}
	return r
}
