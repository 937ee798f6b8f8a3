package awsjson

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxFailures is how many failures one message spells out; all are counted.
	maxFailures = 100
	// patternReach is the length in bytes from which a value that is too long anyhow is not
	// held against its pattern too: matching costs time for nothing there.
	patternReach = 8 << 10
)

// Validate holds the struct that in points to, the Go form of the structure s, against the
// model's constraints. It returns nil or one ValidationException that lists all failures in
// the order of the model's members, in the words AWS services use.
func Validate(s *Shape, in any) error {
	var v validator
	v.members(s, reflect.ValueOf(in).Elem(), "")
	switch v.count {
	case 0:
		return nil
	case 1:
		return Validation("1 validation error detected: " + v.failures[0])
	}
	return Validation(fmt.Sprintf("%d validation errors detected: %s", v.count, strings.Join(v.failures, "; ")))
}

type validator struct {
	failures []string
	count    int
}

// fail notes a failure of the value at path. The value is not echoed when it is sensitive.
func (v *validator) fail(value any, sensitive bool, path, constraint string) {
	if v.count++; v.count > maxFailures {
		return
	}
	var text string
	switch {
	case value == nil:
		text = "Value null at '"
	case sensitive:
		text = "Value at '"
	default:
		text = fmt.Sprintf("Value '%v' at '", value)
	}
	v.failures = append(v.failures, text+path+"' failed to satisfy constraint: "+constraint)
}

// members checks each member of a structure; prefix is its path with a dot behind, or "".
func (v *validator) members(s *Shape, structure reflect.Value, prefix string) {
	for i := range s.Members {
		m := &s.Members[i]
		field := structure.Field(i)
		if field.IsNil() {
			if m.Required {
				v.fail(nil, false, prefix+m.Name, "Member must not be null")
			}
			continue
		}
		v.value(m.Shape, field, prefix, m.Name)
	}
}

// value checks one value that is present, at path prefix+name.
func (v *validator) value(s *Shape, field reflect.Value, prefix, name string) {
	switch s.Kind {
	case String:
		v.text(s, field.Elem().String(), prefix, name)
	case Integer:
		n := field.Elem().Int()
		for _, c := range s.Limits.broken(n, "value") {
			v.fail(n, s.Sensitive, prefix+name, c)
		}
	case Structure:
		v.structure(s, field.Elem(), prefix+name)
	case List:
		v.list(s, field, prefix+name)
	}
}

func (v *validator) text(s *Shape, text, prefix, name string) {
	if s.accepts(text) {
		return
	}
	for _, c := range s.brokenBy(text) {
		v.fail(text, s.Sensitive, prefix+name, c)
	}
}

func (v *validator) structure(s *Shape, structure reflect.Value, path string) {
	if s.Union {
		set := 0
		for i := range s.Members {
			if !structure.Field(i).IsNil() {
				set++
			}
		}
		if set != 1 {
			v.fail("", true, path, "Member must have exactly one of its members set: "+list(s.memberNames()))
		}
	}
	v.members(s, structure, path+".")
}

// list checks the length of a list and then its elements: those of a list of strings all
// at once, those of a list of structures one by one.
func (v *validator) list(s *Shape, elements reflect.Value, path string) {
	n := elements.Len()
	broken := s.Limits.broken(int64(n), "length")
	for _, c := range broken {
		v.fail(echo(s, elements), s.hides(), path, c)
	}
	if len(broken) > 0 && int64(n) > s.Limits.Max {
		return // the surplus could be most of a large body
	}
	if s.Element.Kind == Structure {
		for i := range n {
			v.structure(s.Element, elements.Index(i), path+"."+strconv.Itoa(i+1)+".member")
		}
		return
	}
	if s.Element.Kind != String {
		return
	}
	for i := range n {
		if !s.Element.accepts(elements.Index(i).String()) {
			v.fail(echo(s, elements), s.hides(), path, "Member must satisfy constraint: "+list(s.Element.constraints()))
			return
		}
	}
}

// accepts is the quick answer for a string that keeps to all constraints.
func (s *Shape) accepts(text string) bool {
	if s.Limits != nil {
		if n := int64(utf8.RuneCountInString(text)); n < s.Limits.Min || n > s.Limits.Max {
			return false
		}
	}
	if s.Enum != nil && !slices.Contains(s.Enum, text) {
		return false
	}
	return s.pattern == nil || s.pattern.MatchString(text)
}

// brokenBy lists the constraints that a string does not keep to.
func (s *Shape) brokenBy(text string) []string {
	lengths := s.Limits.broken(int64(utf8.RuneCountInString(text)), "length")
	var broken []string
	tooLong := len(lengths) > 0 && len(text) > patternReach
	if s.pattern != nil && !tooLong && !s.pattern.MatchString(text) {
		broken = append(broken, s.patternConstraint())
	}
	broken = append(broken, lengths...)
	if s.Enum != nil && !slices.Contains(s.Enum, text) {
		broken = append(broken, s.enumConstraint())
	}
	return broken
}

// constraints lists all constraints of a string, in the order of the message that AWS
// gives about an element of a list.
func (s *Shape) constraints() []string {
	var all []string
	if s.Limits != nil {
		if s.Limits.Max != NoMax {
			all = append(all, atMost("length", s.Limits.Max))
		}
		all = append(all, atLeast("length", s.Limits.Min))
	}
	if s.Pattern != "" {
		all = append(all, s.patternConstraint())
	}
	if s.Enum != nil {
		all = append(all, s.enumConstraint())
	}
	return all
}

func (s *Shape) patternConstraint() string {
	return "Member must satisfy regular expression pattern: " + s.Pattern
}

func (s *Shape) enumConstraint() string {
	return "Member must satisfy enum value set: " + list(s.Enum)
}

// broken lists the limits that n, a length or a value, is beyond.
func (l *Limits) broken(n int64, what string) []string {
	switch {
	case l == nil:
		return nil
	case n < l.Min:
		return []string{atLeast(what, l.Min)}
	case n > l.Max:
		return []string{atMost(what, l.Max)}
	}
	return nil
}

func atLeast(what string, n int64) string {
	return fmt.Sprintf("Member must have %s greater than or equal to %d", what, n)
}

func atMost(what string, n int64) string {
	return fmt.Sprintf("Member must have %s less than or equal to %d", what, n)
}

// hides reports whether a value of this shape must not be echoed.
func (s *Shape) hides() bool {
	return s.Sensitive || s.Kind == List && s.Element.hides()
}

// echo shows a list as AWS does, [a, b] and [Tag(key=a, value=b)], leaving out sensitive
// members.
func echo(s *Shape, elements reflect.Value) string {
	all := make([]string, elements.Len())
	for i := range all {
		e := elements.Index(i)
		if s.Element.Kind == Structure {
			all[i] = s.Element.echo(e)
		} else {
			all[i] = fmt.Sprint(e.Interface())
		}
	}
	return list(all)
}

// echo shows the scalar members of a structure.
func (s *Shape) echo(structure reflect.Value) string {
	var all []string
	for i, m := range s.Members {
		field := structure.Field(i)
		if field.IsNil() || m.Shape.Kind == Structure || m.Shape.Kind == List {
			continue
		}
		text := "***"
		if !m.Shape.Sensitive {
			text = fmt.Sprint(field.Elem().Interface())
		}
		all = append(all, m.Name+"="+text)
	}
	return s.Name + "(" + strings.Join(all, ", ") + ")"
}

func (s *Shape) memberNames() []string {
	names := make([]string, len(s.Members))
	for i, m := range s.Members {
		names[i] = m.Name
	}
	return names
}

func list(all []string) string { return "[" + strings.Join(all, ", ") + "]" }
