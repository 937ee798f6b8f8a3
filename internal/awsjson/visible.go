package awsjson

import "reflect"

// Hidden stands in a Visible input for what must not be seen.
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// Visible is an input as it may be written down: its members by their names on
// the wire, with sensitive ones hidden. Absent members are left out.
func Visible(s *Shape, in any) any { return visible(s, reflect.ValueOf(in)) }

func visible(s *Shape, v reflect.Value) any {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if s.Sensitive {
		return Hidden
	}
	switch s.Kind {
	case Structure:
		members := map[string]any{}
		for n, m := range s.Members {
			if field := v.Field(n); !field.IsNil() {
				members[m.Name] = visible(m.Shape, field)
			}
		}
		return members
	case List:
		elements := make([]any, v.Len())
		for n := range elements {
			elements[n] = visible(s.Element, v.Index(n))
		}
		return elements
	}
	return v.Interface()
}
