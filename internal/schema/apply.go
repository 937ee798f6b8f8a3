package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Bounds of what the defaults of a recursive schema may grow to.
const (
	maxValues     = 10_000
	maxObjects    = 2 * maxDepth // inside each other
	tooManyValues = "the values and defaults expand to too many values"
)

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
	if f.exhausted() {
		return nil, f.warnings, []Issue{issue(values, "", "%s", tooManyValues)}
	}
	for _, p := range validate(t.root, plain(o)) {
		if f.isDefault(p.Path) {
			f.warnings = append(f.warnings, Issue{Path: p.Path, Message: "the default " + p.Message})
			continue
		}
		if n := nearest(values, p.Path); n != nil {
			p.Line, p.Column = n.Line, n.Column
		}
		problems = append(problems, p)
	}
	return o, f.warnings, problems
}

// filler builds the complete value.
type filler struct {
	types       *Types
	warnings    []Issue
	made, depth int
	// defaults are the paths that were filled with a default. One that its own
	// schema refuses is passed on, because such schemas are in use.
	defaults []string
}

func (f *filler) exhausted() bool { return f.made > maxValues }

// isDefault says whether a path leads into a default.
func (f *filler) isDefault(path string) bool {
	return slices.ContainsFunc(f.defaults, func(d string) bool {
		rest, ok := strings.CutPrefix(path, d)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

func topOf(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// nearest finds the source of the value that a path leads to or, of one that is
// missing, that of what should have it.
func nearest(n *Node, path string) *Node {
	for {
		if found := at(n, path); found != nil || path == "" {
			return found
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
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
	if f.depth++; f.depth > maxObjects {
		f.made = maxValues + 1
		return out
	}
	defer func() { f.depth-- }()
	known := map[string]bool{}
	for _, p := range f.types.properties(s) {
		known[p.name] = true
		given := values.Get(p.name)
		if given.IsNull() {
			if given = f.types.source(p.schema).Get("default"); !given.IsNull() {
				f.defaults = append(f.defaults, join(path, p.name))
			}
		}
		if given.IsNull() || f.exhausted() {
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
				Message: "is not an input of the template and is ignored", Unknown: true})
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

// value converts a given value, or a default, to what its schema demands, as
// far as nothing is lost; the rest is for validation to refuse.
func (f *filler) value(s *openapi3.Schema, n *Node, path string) any {
	if f.made++; f.exhausted() {
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

// checkDefaults warns of defaults that their own property refuses. It is a
// problem if the defaults of the types never end.
func (t *Types) checkDefaults() (warnings, problems []Issue) {
	f := &filler{types: t}
	for _, name := range sortedKeys(t.byName) {
		for _, p := range t.properties(t.byName[name].root) {
			n := t.source(p.schema).Get("default")
			if n.IsNull() {
				continue
			}
			v := f.value(p.schema, n, "")
			path := name + ".properties." + p.name + ".default"
			if f.exhausted() {
				return nil, []Issue{issue(n, path, "%s", tooManyValues)}
			}
			for _, problem := range validate(p.schema, plain(v)) {
				warnings = append(warnings, issue(n, path, "%s", problem))
			}
		}
	}
	return warnings, nil
}
