package schema

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// maxValues bounds how many values the defaults of a recursive schema may
// grow to.
const maxValues = 10_000

// Apply checks the values of a spec against an object type and completes them.
// values may be nil or null: nothing given. The result has the order of the
// schema; defaults are filled in, nested objects included when present; null
// means not given; text and numbers are converted to what the schema demands
// where nothing is lost. Keys that the type does not have are left out with a
// warning. Problems name every value that does not fit.
func (t *Type) Apply(values *Node) (o *Object, warnings, problems []Issue) {
	f := &filler{types: t.types}
	if !values.IsNull() && values.Kind != Map {
		return nil, nil, []Issue{issue(values, "", "must be a mapping from input names to values, not a %s", values.Kind)}
	}
	o = f.object(t.root, values, "")
	if f.made > maxValues {
		return nil, f.warnings, []Issue{issue(values, "", "the values and defaults expand to more than %d values", maxValues)}
	}
	for _, p := range validate(t.root, plain(o)) {
		if f.badDefault[topOf(p.Path)] {
			f.warnings = append(f.warnings, Issue{Path: p.Path, Message: "the default " + p.Message})
			continue
		}
		if n := at(values, p.Path); n != nil {
			p.Line, p.Column = n.Line, n.Column
		}
		problems = append(problems, p)
	}
	return o, f.warnings, problems
}

// filler builds the complete value.
type filler struct {
	types    *Types
	warnings []Issue
	made     int
	// badDefault names the top inputs that hold a default which their own
	// schema refuses; such schemas are in use, and the default is passed on.
	badDefault map[string]bool
}

func topOf(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// at finds the source of the value that a path leads to.
func at(n *Node, path string) *Node {
	for path != "" && n != nil {
		if strings.HasPrefix(path, "[") {
			end := strings.IndexByte(path, ']')
			var i int
			if _, err := fmt.Sscanf(path[1:end], "%d", &i); err != nil || n.Kind != List || i >= len(n.Items) {
				return nil
			}
			n, path = n.Items[i], strings.TrimPrefix(path[end+1:], ".")
			continue
		}
		key := topOf(path)
		n, path = n.Get(key), strings.TrimPrefix(path[len(key):], ".")
	}
	return n
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (f *filler) object(s *openapi3.Schema, values *Node, path string) *Object {
	out := NewObject()
	known := map[string]bool{}
	for _, p := range f.types.properties(s) {
		known[p.name] = true
		given := values.Get(p.name)
		if given.IsNull() {
			given = f.defaultOf(p, path, join(path, p.name))
		}
		if f.made > maxValues || given.IsNull() {
			continue
		}
		out.Set(p.name, f.value(p.schema, given, join(path, p.name)))
	}
	if values == nil {
		return out
	}
	keep := f.types.keepsUnknown(s) && path != "" || s.AdditionalProperties.Has != nil || s.AdditionalProperties.Schema != nil
	for _, field := range values.Fields {
		switch {
		case known[field.Key]:
		case keep && !field.Value.IsNull():
			out.Set(field.Key, f.unknown(s, field.Value, join(path, field.Key)))
		case !keep:
			f.warnings = append(f.warnings, Issue{Path: join(path, field.Key), Line: field.Line, Column: field.Column,
				Message: "is not an input of the template and is ignored"})
		}
	}
	return out
}

// unknown converts the value of a key the schema does not declare.
func (f *filler) unknown(s *openapi3.Schema, n *Node, path string) any {
	if extra := s.AdditionalProperties.Schema; extra != nil {
		return f.value(extra.Value, n, path)
	}
	f.made++
	return n.Value()
}

// defaultOf returns a property's default as it was written, or nil.
func (f *filler) defaultOf(p property, path, at string) *Node {
	n := f.types.source(p.schema).Get("default")
	if n.IsNull() {
		return nil
	}
	if len(defaultProblems(f.types, p.schema, n)) > 0 {
		if f.badDefault == nil {
			f.badDefault = map[string]bool{}
		}
		f.badDefault[topOf(at)] = true
	}
	return n
}

// value converts a given value, or a default, to what its schema demands, as
// far as nothing is lost; the rest is for validation to refuse.
func (f *filler) value(s *openapi3.Schema, n *Node, path string) any {
	if f.made++; f.made > maxValues {
		return nil
	}
	kind := kindOf(s)
	switch {
	case n.Kind == Map && (kind == "object" || kind == ""):
		return f.object(s, n, path)
	case n.Kind == List && kind == "array" && s.Items != nil && s.Items.Value != nil:
		items := make([]any, 0, len(n.Items))
		for i, item := range n.Items {
			if item.IsNull() {
				items = append(items, nil)
				continue
			}
			items = append(items, f.value(s.Items.Value, item, fmt.Sprintf("%s[%d]", path, i)))
		}
		return items
	}
	return scalarAs(n, kind)
}

// scalarAs converts a scalar to the kind a schema demands: any number to the
// text it was written as, text that is a number or boolean to that.
func scalarAs(n *Node, kind string) any {
	switch {
	case kind == "string" && (n.Kind == Int || n.Kind == Float):
		return n.Text
	case (kind == "number" || kind == "integer") && n.Kind == String:
		if v, ok := ParseNumber(n.Text); ok {
			return v
		}
	case kind == "boolean" && n.Kind == String && n.Text == "true":
		return true
	case kind == "boolean" && n.Kind == String && n.Text == "false":
		return false
	}
	return n.Value()
}

func defaultProblems(t *Types, s *openapi3.Schema, n *Node) []Issue {
	f := &filler{types: t}
	return validate(s, plain(f.value(s, n, "")))
}

// checkDefaults warns of defaults that their own property refuses.
func (t *Types) checkDefaults() []Issue {
	var out []Issue
	for _, name := range sortedKeys(t.byName) {
		typ := t.byName[name]
		for _, p := range t.properties(typ.root) {
			n := t.source(p.schema).Get("default")
			if n.IsNull() {
				continue
			}
			for _, problem := range defaultProblems(t, p.schema, n) {
				out = append(out, issue(n, name+".properties."+p.name+".default", "%s", problem))
			}
		}
	}
	return out
}
