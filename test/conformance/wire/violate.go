package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Violation is an input that breaks one member's constraints, and the failures
// that the server must name for it; for a wrong type, the one message.
type Violation struct {
	Path     string // of the member
	Input    map[string]any
	Failures []Failure
	Message  string // of a SerializationException
}

// Failure is one part of a ValidationException's message.
type Failure struct {
	Path       string
	Value      string // quoted, null, or empty if it must not be shown; "*" is any
	Constraint string
}

// Violations breaks each constraint of each member of an operation's input
// once, however deep the member is.
func (m *Model) Violations(operation string) []Violation {
	v := violator{model: m, operation: operation}
	v.structure(m.input(operation), "", func(in map[string]any) map[string]any { return in })
	return v.all
}

type violator struct {
	model     *Model
	operation string
	all       []Violation
}

// add keeps a violation: change is done to a fresh sample.
func (v *violator) add(path string, failures []Failure, message string, change func(in map[string]any)) {
	in := v.model.Sample(v.operation)
	change(in)
	v.all = append(v.all, Violation{path, in, failures, message})
}

// structure breaks the members of one structure. at finds it in an input,
// making what leads to it.
func (v *violator) structure(name, prefix string, at func(in map[string]any) map[string]any) {
	s := v.model.shapes[name]
	for _, member := range slices.Sorted(maps.Keys(s.Members)) {
		path, shape := prefix+member, s.Members[member].Shape
		set := func(value any) func(map[string]any) {
			return func(in map[string]any) { at(in)[member] = value }
		}
		if slices.Contains(s.Required, member) {
			v.add(path, []Failure{{path, "null", "Member must not be null"}}, "", func(in map[string]any) { delete(at(in), member) })
		}
		v.member(shape, path, set)
		switch inner := v.model.shapes[shape]; {
		case inner.Type == "structure":
			v.structure(shape, path+".", func(in map[string]any) map[string]any {
				object, ok := at(in)[member].(map[string]any)
				if !ok {
					object = v.model.sample(shape).(map[string]any)
					at(in)[member] = object
				}
				return object
			})
		case inner.Type == "list" && v.model.shapes[inner.Member.Shape].Type == "structure":
			v.structure(inner.Member.Shape, path+".1.member.", func(in map[string]any) map[string]any {
				list, ok := at(in)[member].([]any)
				if !ok {
					list = v.model.sample(shape).([]any)
					at(in)[member] = list
				}
				return list[0].(map[string]any)
			})
		}
	}
}

// member breaks what one value is held against.
func (v *violator) member(name, path string, set func(any) func(map[string]any)) {
	s := v.model.shapes[name]
	v.wrongType(s, path, set)
	switch s.Type {
	case "string":
		for _, text := range s.badTexts() {
			v.add(path, s.broken(path, text), "", set(text))
		}
	case "integer":
		if s.Min != nil {
			v.add(path, []Failure{{path, quote(*s.Min - 1), atLeast("value", *s.Min)}}, "", set(*s.Min-1))
		}
		if s.Max != nil {
			v.add(path, []Failure{{path, quote(*s.Max + 1), atMost("value", *s.Max)}}, "", set(*s.Max+1))
		}
	case "structure":
		if s.Union {
			v.add(path, []Failure{{path, "", "Member must have exactly one of its members set: [" + strings.Join(slices.Sorted(maps.Keys(s.Members)), ", ") + "]"}},
				"", set(map[string]any{}))
		}
	case "list":
		v.list(s, path, set)
	}
}

func (v *violator) list(s *shape, path string, set func(any) func(map[string]any)) {
	element := v.model.shapes[s.Member.Shape]
	if s.Min != nil && *s.Min > 0 {
		v.add(path, []Failure{{path, "*", atLeast("length", *s.Min)}}, "", set([]any{}))
	}
	if s.Max != nil {
		long := []any{}
		for range *s.Max + 1 {
			long = append(long, v.model.sample(s.Member.Shape))
		}
		v.add(path, []Failure{{path, "*", atMost("length", *s.Max)}}, "", set(long))
	}
	if element.Type != "string" {
		return
	}
	if bad := element.badTexts(); len(bad) > 0 {
		good := v.model.sample(s.Member.Shape).(string)
		shown := quote("[" + good + ", " + bad[0] + "]")
		if element.Sensitive || s.Sensitive {
			shown = ""
		}
		v.add(path, []Failure{{path, shown, "Member must satisfy constraint: [" + strings.Join(element.constraints(), ", ") + "]"}}, "", set([]any{good, bad[0]}))
	}
}

// wrongType gives a value that JSON calls something else.
func (v *violator) wrongType(s *shape, path string, set func(any) func(map[string]any)) {
	switch s.Type {
	case "string":
		v.add(path, nil, "NUMBER_VALUE can not be converted to String", set(json.Number("1")))
		v.add(path, nil, "Start of list found where not expected", set([]any{}))
	case "integer":
		v.add(path, nil, "STRING_VALUE can not be converted to Integer", set("1"))
	case "boolean":
		v.add(path, nil, "STRING_VALUE can not be converted to Boolean", set("true"))
	case "list":
		v.add(path, nil, "Expected list or null", set("[]"))
		v.add(path, nil, "NULL_VALUE is not allowed as an element of a list", set([]any{nil}))
	case "structure":
		v.add(path, nil, "Expected null or structure, found STRING_VALUE", set("{}"))
	}
}

// badTexts break a string's constraints, each one as far as it can be broken alone.
func (s *shape) badTexts() []string {
	var bad []string
	if s.Enum != nil {
		bad = append(bad, "WRONG")
	}
	if s.pattern != nil {
		text := strings.Repeat("!", int(max(1, value(s.Min))))
		if s.pattern.MatchString(text) {
			text = strings.Repeat("ü", utf8.RuneCountInString(text))
		}
		if !s.pattern.MatchString(text) {
			bad = append(bad, text)
		}
	}
	if s.Min != nil && *s.Min > 0 {
		bad = append(bad, strings.Repeat("a", int(*s.Min)-1))
	}
	if s.Max != nil {
		bad = append(bad, strings.Repeat("a", int(*s.Max)+1))
	}
	return bad
}

// broken lists the failures of a text: what it breaks, one by one.
func (s *shape) broken(path, text string) []Failure {
	shown := quote(text)
	if s.Sensitive {
		shown = ""
	}
	n := int64(utf8.RuneCountInString(text))
	var all []Failure
	if s.pattern != nil && !s.pattern.MatchString(text) && !(s.Max != nil && n > *s.Max && len(text) > 8<<10) {
		all = append(all, Failure{path, shown, "Member must satisfy regular expression pattern: " + s.Pattern})
	}
	if s.Min != nil && n < *s.Min {
		all = append(all, Failure{path, shown, atLeast("length", *s.Min)})
	}
	if s.Max != nil && n > *s.Max {
		all = append(all, Failure{path, shown, atMost("length", *s.Max)})
	}
	if s.Enum != nil && !slices.Contains(s.Enum, text) {
		all = append(all, Failure{path, shown, "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"})
	}
	return all
}

// constraints are all of a string, as a failure of a list of strings shows them.
func (s *shape) constraints() []string {
	var all []string
	if s.Max != nil {
		all = append(all, atMost("length", *s.Max))
	}
	if s.Min != nil || s.Max != nil {
		all = append(all, atLeast("length", value(s.Min)))
	}
	if s.Pattern != "" {
		all = append(all, "Member must satisfy regular expression pattern: "+s.Pattern)
	}
	if s.Enum != nil {
		all = append(all, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
	return all
}

func quote(v any) string { return fmt.Sprintf("'%v'", v) }

func atLeast(what string, n int64) string {
	return fmt.Sprintf("Member must have %s greater than or equal to %d", what, n)
}

func atMost(what string, n int64) string {
	return fmt.Sprintf("Member must have %s less than or equal to %d", what, n)
}
