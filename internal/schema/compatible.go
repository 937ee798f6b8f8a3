package schema

import (
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Property describes one input for forms and documentation.
type Property struct {
	Name, Type string
	Required   bool // must be given: required and without default
	HasDefault bool
	// Line and Column are where the schema declares it, from 1.
	Line, Column int
}

// Properties lists the inputs of a type in the order of the schema.
func (t *Type) Properties() []Property {
	required := requiredBy(t.root)
	var out []Property
	for _, p := range t.types.properties(t.root) {
		hasDefault := !t.types.source(p.schema).Get("default").IsNull()
		out = append(out, Property{Name: p.name, Type: kindOf(p.schema), HasDefault: hasDefault,
			Required: required[p.name] && !hasDefault, Line: p.line, Column: p.column})
	}
	return out
}

// TakesAny says whether the type accepts values that it does not describe.
func (t *Type) TakesAny() bool {
	extra := t.root.AdditionalProperties
	return extra.Schema != nil || extra.Has != nil && *extra.Has
}

// Example is an object as Apply makes it of nothing given, with made-up values
// for the inputs that must be given.
func (t *Type) Example() *Object {
	out, _, _ := t.Apply(nil)
	if out == nil {
		out = NewObject()
	}
	required := requiredBy(t.root)
	for _, p := range t.types.properties(t.root) {
		if _, ok := out.Get(p.name); !ok && required[p.name] {
			out.Set(p.name, t.types.example(p.schema))
		}
	}
	return out
}

// example is the schema's own example, or its first enum value, or a value of
// its kind.
func (t *Types) example(s *openapi3.Schema) any {
	n := t.source(s)
	if e := n.Get("example"); !e.IsNull() {
		return scalarAs(e, kindOf(s))
	}
	if e := n.Get("enum"); e != nil && e.Kind == List && len(e.Items) > 0 {
		return scalarAs(e.Items[0], kindOf(s))
	}
	switch kindOf(s) {
	case "number", "integer":
		if e := n.Get("minimum"); !e.IsNull() {
			return e.Value()
		}
		return int64(1)
	case "boolean":
		return true
	case "array":
		return []any{}
	case "object":
		return NewObject()
	}
	return "example"
}

func requiredBy(s *openapi3.Schema) map[string]bool {
	out := map[string]bool{}
	visited := map[*openapi3.Schema]bool{}
	var walk func(*openapi3.Schema)
	walk = func(s *openapi3.Schema) {
		if s == nil || visited[s] {
			return
		}
		visited[s] = true
		for _, name := range s.Required {
			out[name] = true
		}
		for _, part := range s.AllOf {
			walk(part.Value)
		}
	}
	walk(s)
	return out
}

// Incompatible lists why a value that previous accepted may be refused by
// next without anything new being known: Proton's best-effort rule for minor
// versions. Removed properties are only warnings, because specs keep unknown
// keys.
func Incompatible(previous, next *Type) (warnings, problems []Issue) {
	c := &comparison{old: previous.types, new: next.types, seen: map[[2]*openapi3.Schema]bool{}}
	c.compare(previous.root, next.root, "")
	return c.warnings, c.problems
}

type comparison struct {
	old, new           *Types
	seen               map[[2]*openapi3.Schema]bool
	warnings, problems []Issue
}

func (c *comparison) problem(s *openapi3.Schema, path, format string, args ...any) {
	c.problems = append(c.problems, issue(c.new.source(s), path, format, args...))
}

func (c *comparison) compare(a, b *openapi3.Schema, path string) {
	if c.seen[[2]*openapi3.Schema{a, b}] {
		return
	}
	c.seen[[2]*openapi3.Schema{a, b}] = true
	was, is := kindOf(a), kindOf(b)
	if was != is && !(was == "integer" && is == "number") && is != "" {
		if was == "" {
			was = "any"
		}
		c.problem(b, path, "type changed from %s to %s", was, is)
		return
	}
	c.values(a, b, path)
	c.bounds(a, b, path)
	c.objects(a, b, path)
	if a.Items != nil && b.Items != nil {
		c.compare(a.Items.Value, b.Items.Value, path+"[]")
	}
}

func (c *comparison) values(a, b *openapi3.Schema, path string) {
	if len(b.Enum) > 0 {
		if len(a.Enum) == 0 {
			c.problem(b, path, "enum added")
		}
		for _, v := range a.Enum {
			if !slices.ContainsFunc(b.Enum, func(w any) bool { return show(v) == show(w) }) {
				c.problem(b, path, "enum value %s removed", show(v))
			}
		}
	}
	switch {
	case b.Pattern == "" || a.Pattern == b.Pattern:
	case a.Pattern == "":
		c.problem(b, path, "pattern %s added", b.Pattern)
	default:
		c.problem(b, path, "pattern changed from %s to %s", a.Pattern, b.Pattern)
	}
}

func (c *comparison) bounds(a, b *openapi3.Schema, path string) {
	lower := func(name string, was, is *float64) {
		if is != nil && (was == nil || *is > *was) {
			c.problem(b, path, "%s raised to %s", name, show(*is))
		}
	}
	upper := func(name string, was, is *float64) {
		if is != nil && (was == nil || *is < *was) {
			c.problem(b, path, "%s lowered to %s", name, show(*is))
		}
	}
	lower("minLength", least(a.MinLength), least(b.MinLength))
	upper("maxLength", most(a.MaxLength), most(b.MaxLength))
	lower("minItems", least(a.MinItems), least(b.MinItems))
	upper("maxItems", most(a.MaxItems), most(b.MaxItems))
	lower("minimum", a.Min, b.Min)
	upper("maximum", a.Max, b.Max)
	if exclusive(b.ExclusiveMin) && !exclusive(a.ExclusiveMin) && b.Min != nil && a.Min != nil && *a.Min >= *b.Min {
		c.problem(b, path, "minimum became exclusive")
	}
	if exclusive(b.ExclusiveMax) && !exclusive(a.ExclusiveMax) && b.Max != nil && a.Max != nil && *a.Max <= *b.Max {
		c.problem(b, path, "maximum became exclusive")
	}
}

func exclusive(b openapi3.ExclusiveBound) bool { return b.Bool != nil && *b.Bool }

func least(n uint64) *float64 {
	if n == 0 {
		return nil
	}
	f := float64(n)
	return &f
}

func most(n *uint64) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

func (c *comparison) objects(a, b *openapi3.Schema, path string) {
	before := map[string]*openapi3.Schema{}
	for _, p := range c.old.properties(a) {
		before[p.name] = p.schema
	}
	wasRequired, isRequired := requiredBy(a), requiredBy(b)
	for _, p := range c.new.properties(b) {
		at := join(path, p.name)
		old, existed := before[p.name]
		delete(before, p.name)
		hasDefault := !c.new.source(p.schema).Get("default").IsNull()
		switch {
		case !existed && isRequired[p.name] && !hasDefault:
			c.problem(p.schema, at, "new required property without default")
		case existed && isRequired[p.name] && !hasDefault && !c.satisfied(wasRequired, p.name, old):
			c.problem(p.schema, at, "was optional and is now required without default")
		}
		if existed {
			c.compare(old, p.schema, at)
		}
	}
	for _, name := range sortedKeys(before) {
		c.warnings = append(c.warnings, issue(c.new.source(b), join(path, name), "property removed; specs that give it are still accepted"))
	}
}

// satisfied says whether every old spec gave the property itself.
func (c *comparison) satisfied(required map[string]bool, name string, old *openapi3.Schema) bool {
	return required[name] && c.old.source(old).Get("default").IsNull()
}
