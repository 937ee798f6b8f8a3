package awsjson

import (
	"fmt"
	"math"
	"regexp"
)

// Kind is the type of a shape.
type Kind uint8

// The kinds a shape can have. In Go they are *string (or a pointer to a named string when
// the shape has an Enum), *int64, *bool, *Timestamp, a pointer to a struct, and a slice.
const (
	String Kind = iota
	Integer
	Boolean
	Time
	Structure
	List
)

// A Shape describes one type of a service model. Shapes are made by the generator and tied
// together by Link; they are read-only afterwards.
type Shape struct {
	Name      string
	Kind      Kind
	Limits    *Limits
	Pattern   string   // a string must match it from first to last character
	Enum      []string // the values a string may have; nil for any
	Sensitive bool     // values must not appear in messages or logs
	Union     bool     // a structure of which exactly one member is set
	Members   []Member // of a structure; member i is field i of the Go struct
	ElementID int      // of a list: position of the element's shape in the linked table

	Element *Shape // set by Link
	pattern *regexp.Regexp
}

// Limits bounds a string's length in characters, a list's length in elements, or a number.
type Limits struct{ Min, Max int64 }

// Limits that nothing is beyond.
const (
	NoMin = math.MinInt64
	NoMax = math.MaxInt64
)

// Member is one member of a structure.
type Member struct {
	Name             string // as on the wire
	ShapeID          int    // position of its shape in the linked table
	Required         bool
	IdempotencyToken bool // a client may fill it with a random value

	Shape *Shape // set by Link
}

// Link ties the shapes of a generated table to each other and compiles their patterns. It
// panics on a table that no generator should have written.
func Link(shapes []Shape) []Shape {
	for i := range shapes {
		s := &shapes[i]
		if s.Pattern != "" {
			s.pattern = regexp.MustCompile(`\A(?:` + s.Pattern + `)\z`)
		}
		if s.Kind == List {
			s.Element = &shapes[s.ElementID]
		}
		for j := range s.Members {
			m := &s.Members[j]
			m.Shape = &shapes[m.ShapeID]
			if m.Shape.Name == "" {
				panic(fmt.Sprintf("member %s of shape %s has no shape", m.Name, s.Name))
			}
		}
	}
	return shapes
}

// member gives the position of the member with exactly this name, or -1.
func (s *Shape) member(name string) int {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return i
		}
	}
	return -1
}
