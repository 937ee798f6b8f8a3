package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Policy is an IAM policy document: statements that allow or deny actions on
// resources. A denial outweighs every permission; what no statement allows is
// not allowed. Conditions, principals and policy variables are not understood,
// and a document that has them is refused rather than read as something else.
type Policy struct {
	statements []statement
	document   string
}

type statement struct {
	deny                    bool
	actions, notActions     []string
	resources, notResources []string
}

// oneOrMany is a string or a list of strings.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("must be a string or a list of strings")
	}
	*o = many
	return nil
}

// ParsePolicy reads a policy document. The error names the statement and the
// element that cannot be used.
func ParsePolicy(document []byte) (*Policy, error) {
	var d struct {
		Version   string
		Id        string
		Statement json.RawMessage
	}
	if err := strictJSON(document, &d); err != nil {
		return nil, fmt.Errorf("policy document: %w", err)
	}
	if d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return nil, fmt.Errorf("policy document: Version is %q, want \"2012-10-17\"", d.Version)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(d.Statement, &raw); err != nil {
		raw = []json.RawMessage{d.Statement} // a single statement needs no list
	}
	p := &Policy{document: string(document)}
	for n, text := range raw {
		s, err := parseStatement(text)
		if err != nil {
			return nil, fmt.Errorf("policy document: Statement %d: %w", n+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(text []byte) (statement, error) {
	var in struct {
		Sid         string
		Effect      string
		Action      oneOrMany
		NotAction   oneOrMany
		Resource    oneOrMany
		NotResource oneOrMany
		Condition   map[string]any
	}
	if err := strictJSON(text, &in); err != nil {
		return statement{}, err
	}
	s := statement{
		deny: in.Effect == "Deny", actions: in.Action, notActions: in.NotAction,
		resources: in.Resource, notResources: in.NotResource,
	}
	switch {
	case in.Effect != "Allow" && in.Effect != "Deny":
		return s, fmt.Errorf("Effect is %q, want \"Allow\" or \"Deny\"", in.Effect)
	case (in.Action == nil) == (in.NotAction == nil):
		return s, errors.New("needs Action or NotAction, and not both")
	case (in.Resource == nil) == (in.NotResource == nil):
		return s, errors.New("needs Resource or NotResource, and not both")
	case len(in.Condition) > 0:
		return s, errors.New("Condition is not supported yet: without it the statement would mean something else")
	}
	for _, list := range [][]string{in.Resource, in.NotResource} {
		for _, pattern := range list {
			if strings.Contains(pattern, "${") {
				return s, fmt.Errorf("resource %q: policy variables are not supported yet", pattern)
			}
		}
	}
	return s, nil
}

// strictJSON refuses members that v does not have.
func strictJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// String is the document as it was given.
func (p *Policy) String() string { return p.document }

// Allows reports whether an action on a resource is allowed and not denied.
func (p *Policy) Allows(action, resource string) bool {
	allowed := false
	for _, s := range p.statements {
		if !s.matches(action, resource) {
			continue
		}
		if s.deny {
			return false
		}
		allowed = true
	}
	return allowed
}

func (s statement) matches(action, resource string) bool {
	about := matchesAny(s.actions, strings.ToLower(action), true)
	if s.notActions != nil {
		about = !matchesAny(s.notActions, strings.ToLower(action), true)
	}
	if !about {
		return false
	}
	if s.notResources != nil {
		return !matchesAny(s.notResources, resource, false)
	}
	return matchesAny(s.resources, resource, false)
}

func matchesAny(patterns []string, value string, fold bool) bool {
	for _, pattern := range patterns {
		if fold {
			pattern = strings.ToLower(pattern)
		}
		if wildcard(pattern, value) {
			return true
		}
	}
	return false
}

// wildcard matches value against a pattern in which * stands for any text and
// ? for one character, in time proportional to their product at most.
func wildcard(pattern, value string) bool {
	p, v, star, mark := 0, 0, -1, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == value[v]):
			p++
			v++
		case star >= 0:
			mark++
			p, v = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
