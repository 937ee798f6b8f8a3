package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Sample is the smallest input of an operation that keeps to the model. The
// resources that it names do not exist.
func (m *Model) Sample(operation string) map[string]any {
	return m.sample(m.input(operation)).(map[string]any)
}

// Break gives an input that breaks a pattern or a set of values, which no
// client checks by itself; nil if the operation's input has neither.
func (m *Model) Break(operation string) map[string]any {
	name := m.input(operation)
	in := m.sample(name).(map[string]any)
	for _, member := range slices.Sorted(maps.Keys(m.shapes[name].Members)) {
		s := m.shapes[m.shapes[name].Members[member].Shape]
		if s.Type == "string" && (s.pattern != nil && !s.pattern.MatchString("!!!") || s.Enum != nil) {
			in[member] = "!!!"
			return in
		}
	}
	return nil
}

// Models reports whether the model lists an exception for an operation.
func (m *Model) Models(operation, exception string) bool {
	return slices.Contains(m.operation(operation).Errors, exception)
}

func (m *Model) operation(name string) *operation {
	for _, o := range m.operations {
		if o.Name == name {
			return o
		}
	}
	panic("there is no operation " + name)
}

func (m *Model) input(operation string) string { return m.operation(operation).Input }

// samples are values for patterns, by the shape that has them.
var samples = map[string]string{
	"Arn":                            "arn:aws:proton:eu-west-1:123456789012:service/nope",
	"AwsAccountId":                   "123456789012",
	"DeploymentId":                   "01234567-89ab-4def-8123-456789abcdef",
	"EnvironmentAccountConnectionId": "01234567-89ab-4def-8123-456789abcdef",
	"FullTemplateVersionNumber":      "1.0",
	"PipelineRoleArn":                "arn:aws:iam::123456789012:role/nope",
	"RepositoryName":                 "nope/nope",
	"ResourceArn":                    "arn:aws:proton:eu-west-1:123456789012:service/nope",
	"RoleArn":                        "arn:aws:iam::123456789012:role/nope",
	"S3Bucket":                       "nope-nope",
	"TemplateVersionPart":            "1",
}

func (m *Model) sample(name string) any {
	s := m.shapes[name]
	switch s.Type {
	case "structure":
		object := map[string]any{}
		required := s.Required
		if s.Union {
			required = slices.Sorted(maps.Keys(s.Members))[:1]
		}
		for _, member := range required {
			object[member] = m.sample(s.Members[member].Shape)
		}
		return object
	case "list":
		list := []any{}
		for range max(1, value(s.Min)) {
			list = append(list, m.sample(s.Member.Shape))
		}
		return list
	case "integer":
		return max(1, value(s.Min))
	case "boolean":
		return false
	}
	text := "nope"
	switch {
	case s.Enum != nil:
		return s.Enum[0]
	case samples[name] != "":
		text = samples[name]
	case value(s.Min) > 4:
		text = strings.Repeat("n", int(*s.Min))
	}
	if s.pattern != nil && !s.pattern.MatchString(text) {
		panic(fmt.Sprintf("%q is no sample of %s, which must match %s", text, name, s.Pattern))
	}
	return text
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// IsProton reports whether an operation is one of Proton's, not of our own.
func (m *Model) IsProton(operation string) bool {
	return m.operations["AwsProton20200720."+operation] != nil
}
