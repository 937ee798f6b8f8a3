package auth

import (
	"fmt"
	"strings"
)

// Policy is an IAM policy document, or several read as one: statements that
// allow or deny actions on resources, some on conditions. A denial outweighs
// every permission; what no statement allows is not allowed.
type Policy struct {
	statements []statement
	document   string
}

type statement struct {
	place                   Statement
	deny                    bool
	actions, notActions     []pattern
	resources, notResources []pattern
	principals              *principals // of a trust policy
	conditions              []condition
}

// Statement names a statement of a policy.
type Statement struct {
	Policy string // its name; empty for a document without one
	Number int    // 1 for the first
	Sid    string
	Line   int // where it begins
}

func (s Statement) String() string {
	text := fmt.Sprintf("statement %d", s.Number)
	if s.Sid != "" {
		text += fmt.Sprintf(" (%s)", s.Sid)
	}
	if s.Policy != "" {
		text += " of policy " + s.Policy
	}
	return text + fmt.Sprintf(", line %d", s.Line)
}

// ParsePolicy reads a policy document of a user or role. The error is a
// *DocumentError, which names the place.
func ParsePolicy(document []byte) (*Policy, error) { return parsePolicy(document, false) }

// ParseTrustPolicy reads the document that says who may assume a role: its
// statements have principals, and no resources. The error is a *DocumentError.
func ParseTrustPolicy(document []byte) (*Policy, error) { return parsePolicy(document, true) }

func parsePolicy(document []byte, trust bool) (*Policy, error) {
	p := &parser{text: document}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	if err := p.only(root, "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	variables := false // the older version does not know them
	if version, given := root.get("Version"); given {
		if variables = version.text == "2012-10-17"; !variables && version.text != "2008-10-17" {
			return nil, p.fail(version, "the version is %q, and must be \"2012-10-17\" or \"2008-10-17\"", version.text)
		}
	}
	list, given := root.get("Statement")
	if !given {
		return nil, p.fail(root, "the element Statement is missing")
	}
	all := []*node{list} // a single statement needs no list
	if list.array {
		all = list.elements
	}
	if len(all) == 0 {
		return nil, p.fail(list, "there must be a statement")
	}
	policy := &Policy{document: string(document)}
	for n, text := range all {
		r := statementReader{parser: p, variables: variables, trust: trust}
		s, err := r.read(text)
		if err != nil {
			return nil, err
		}
		s.place.Number = n + 1
		policy.statements = append(policy.statements, s)
	}
	return policy, nil
}

// String is the document as it was given.
func (p *Policy) String() string { return p.document }

// Named is the policy with a name, by which decisions are explained.
func (p *Policy) Named(name string) *Policy {
	named := &Policy{document: p.document}
	for _, s := range p.statements {
		s.place.Policy = name
		named.statements = append(named.statements, s)
	}
	return named
}

// JoinPolicies reads several policies as one. Without any, nothing is allowed.
func JoinPolicies(policies ...*Policy) *Policy {
	joined := &Policy{}
	for _, p := range policies {
		joined.statements = append(joined.statements, p.statements...)
	}
	return joined
}

// statementReader reads one statement.
type statementReader struct {
	*parser
	variables, trust bool
}

func (r statementReader) read(n *node) (statement, error) {
	names := []string{"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
	if r.trust {
		names = []string{"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"}
	}
	if !n.object {
		return statement{}, r.fail(n, "a statement must be an object")
	}
	if _, given := n.get("Principal"); given && !r.trust {
		return statement{}, r.fail(n, "Principal belongs in the trust policy of a role, not in what a user or role may do")
	}
	if err := r.only(n, names...); err != nil {
		return statement{}, err
	}
	s := statement{place: Statement{Line: r.line(n.at)}}
	if sid, given := n.get("Sid"); given {
		s.place.Sid = sid.text
	}
	effect, given := n.get("Effect")
	if !given {
		return s, r.fail(n, "the element Effect is missing: \"Allow\" or \"Deny\"")
	}
	if s.deny = effect.text == "Deny"; !s.deny && effect.text != "Allow" {
		return s, r.fail(effect, "the effect is %q, and must be \"Allow\" or \"Deny\"", effect.text)
	}
	var err error
	if s.actions, s.notActions, err = r.either(n, "Action", "NotAction", r.action); err != nil {
		return s, err
	}
	if r.trust {
		s.principals, err = r.principals(n)
	} else {
		s.resources, s.notResources, err = r.either(n, "Resource", "NotResource", r.resource)
	}
	if err != nil {
		return s, err
	}
	s.conditions, err = r.conditions(n)
	return s, err
}

// either reads two elements of which a statement has exactly one.
func (r statementReader) either(n *node, name, not string, read func(*node) (pattern, error)) (patterns, notPatterns []pattern, err error) {
	element, given := n.get(name)
	notElement, notGiven := n.get(not)
	if given == notGiven {
		return nil, nil, r.fail(n, "a statement needs %s or %s, and not both", name, not)
	}
	if notGiven {
		element = notElement
	}
	values, err := r.list(element, false)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range values {
		p, err := read(v)
		if err != nil {
			return nil, nil, err
		}
		patterns = append(patterns, p)
	}
	if notGiven {
		return nil, patterns, nil
	}
	return patterns, nil, nil
}

func (r statementReader) action(n *node) (pattern, error) {
	service, name, found := strings.Cut(n.text, ":")
	if n.text != "*" && (!found || service == "" || name == "") {
		return pattern{}, r.fail(n, "%q is not an action, as \"proton:GetService\" or \"*\" is", n.text)
	}
	return newPattern(n.text, false)
}

func (r statementReader) resource(n *node) (pattern, error) {
	if !strings.HasPrefix(n.text, "arn:") && !strings.HasPrefix(n.text, "*") && !strings.HasPrefix(n.text, "${") {
		return pattern{}, r.fail(n, "%q is not a resource: it must be an ARN, in which * and ? may stand, or \"*\"", n.text)
	}
	p, err := newPattern(n.text, r.variables)
	if err != nil {
		return p, r.fail(n, "%v", err)
	}
	return p, nil
}

func (r statementReader) conditions(n *node) ([]condition, error) {
	block, given := n.get("Condition")
	if !given {
		return nil, nil
	}
	if !block.object {
		return nil, r.fail(block, "must be an object of operators, as {\"StringEquals\": {\"aws:username\": \"ann\"}}")
	}
	var all []condition
	for _, m := range block.members {
		o, k, err := parseOperator(m.name)
		if err != nil {
			return nil, r.fail(m.value, "%v", err)
		}
		if !m.value.object {
			return nil, r.fail(m.value, "must be an object of condition keys")
		}
		for _, entry := range m.value.members {
			c, err := r.condition(o, k, entry)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func (r statementReader) condition(o operator, k kind, entry member) (condition, error) {
	c := condition{operator: o, key: strings.ToLower(entry.name)}
	if !strings.Contains(c.key, ":") {
		return c, r.fail(entry.value, "%q is not a condition key, as aws:username is", entry.name)
	}
	values, err := r.list(entry.value, true)
	if err != nil {
		return c, err
	}
	for _, v := range values {
		var operand operand
		if err := k.read(&operand, v.text, r.variables); err != nil {
			return c, r.fail(v, "%v", err)
		}
		c.values = append(c.values, operand)
	}
	return c, nil
}

// matches reports whether the statement is about a request.
func (s *statement) matches(r Request, facts Facts) bool {
	if !s.about(r.Action) {
		return false
	}
	if s.notResources != nil && matchesAny(s.notResources, r.Resource, facts, false) ||
		s.resources != nil && !matchesAny(s.resources, r.Resource, facts, false) {
		return false
	}
	for _, c := range s.conditions {
		if !c.holds(facts) {
			return false
		}
	}
	return true
}

// about reports whether the statement is about an action, whatever else it says.
func (s *statement) about(action string) bool {
	if s.notActions != nil {
		return !matchesAny(s.notActions, action, nil, true)
	}
	return matchesAny(s.actions, action, nil, true)
}

func matchesAny(patterns []pattern, value string, facts Facts, fold bool) bool {
	for _, p := range patterns {
		if p.matches(value, facts, fold) {
			return true
		}
	}
	return false
}
