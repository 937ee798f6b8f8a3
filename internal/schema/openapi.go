package schema

// The only file that knows the schema library, whose interface is not stable.

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Types are the compiled types of one schema file. They never change and may
// be used concurrently.
type Types struct {
	byName map[string]*Type
	nodes  []*Node // source of the schemas, by mark
}

// Type is one named type of a schema file.
type Type struct {
	Name  string
	types *Types
	root  *openapi3.Schema
}

// Lookup returns the type of a name, or nil.
func (t *Types) Lookup(name string) *Type { return t.byName[name] }

// nodeMark is the extension by which a schema of the library remembers its
// source: order of properties and kinds of defaults are only known there.
const nodeMark = "x-node"

func load(schemas map[string]any, names map[string]string, nodes []*Node) (*Types, error) {
	data, err := json.Marshal(map[string]any{
		"openapi": "3.0.0", "info": map[string]any{"title": "inputs", "version": "1"}, "paths": map[string]any{},
		"components": map[string]any{"schemas": schemas},
	})
	if err != nil {
		return nil, fmt.Errorf("read the types: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("read the types: %w", err)
	}
	t := &Types{byName: map[string]*Type{}, nodes: nodes}
	for name, inner := range names {
		ref := doc.Components.Schemas[inner]
		if ref == nil || ref.Value == nil {
			return nil, fmt.Errorf("type %s refers to nothing", name)
		}
		t.byName[name] = &Type{Name: name, types: t, root: ref.Value}
	}
	return t, nil
}

// source returns what a schema was written as.
func (t *Types) source(s *openapi3.Schema) *Node {
	if mark, ok := s.Extensions[nodeMark].(float64); ok && int(mark) < len(t.nodes) {
		return t.nodes[int(mark)]
	}
	return nil
}

// property is a named part of an object type.
type property struct {
	name         string
	schema       *openapi3.Schema
	line, column int
}

// properties lists the properties of an object schema in source order, then
// those of its allOf parts.
func (t *Types) properties(s *openapi3.Schema) []property {
	var out []property
	names, visited := map[string]bool{}, map[*openapi3.Schema]bool{}
	var walk func(*openapi3.Schema)
	walk = func(s *openapi3.Schema) {
		if s == nil || visited[s] {
			return
		}
		visited[s] = true
		if props := t.source(s).Get("properties"); props != nil {
			for _, f := range props.Fields {
				if ref := s.Properties[f.Key]; ref != nil && ref.Value != nil && !names[f.Key] {
					names[f.Key] = true
					out = append(out, property{f.Key, ref.Value, f.Line, f.Column})
				}
			}
		}
		for _, part := range s.AllOf {
			walk(part.Value)
		}
	}
	walk(s)
	return out
}

// kindOf returns the type a schema demands, its own or that of an allOf part;
// empty when it leaves it open.
func kindOf(s *openapi3.Schema) string {
	visited := map[*openapi3.Schema]bool{}
	var walk func(*openapi3.Schema) string
	walk = func(s *openapi3.Schema) string {
		if s == nil || visited[s] {
			return ""
		}
		visited[s] = true
		if s.Type != nil && len(*s.Type) > 0 {
			return (*s.Type)[0]
		}
		if len(s.Properties) > 0 {
			return "object"
		}
		for _, part := range s.AllOf {
			if kind := walk(part.Value); kind != "" {
				return kind
			}
		}
		return ""
	}
	return walk(s)
}

func composed(s *openapi3.Schema) bool { return len(s.OneOf) > 0 || len(s.AnyOf) > 0 || s.Not != nil }

// keepsUnknown says whether undeclared keys of an object are part of its
// value: when it says so, declares none, or leaves them to alternatives.
func (t *Types) keepsUnknown(s *openapi3.Schema) bool {
	extra := s.AdditionalProperties
	return extra.Has != nil || extra.Schema != nil || composed(s) || len(t.properties(s)) == 0
}

// branches reports schemas that hold one value against too many others.
func (c *compiler) branches(t *Types, f Field) {
	cost := map[*openapi3.Schema]int{}
	seen := map[*openapi3.Schema]bool{}
	var count func(s *openapi3.Schema) int
	count = func(s *openapi3.Schema) int {
		if n, done := cost[s]; done {
			return n
		}
		cost[s] = 1 // what a cycle costs: the library stops there
		total := 1
		for _, part := range parts(s) {
			total = min(total+count(part), maxBranches+1)
		}
		cost[s] = total
		return total
	}
	var walk func(s *openapi3.Schema)
	walk = func(s *openapi3.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if count(s) > maxBranches {
			c.problem(t.source(s), f.Key, "allOf, anyOf, oneOf and not are nested too much: one value would be checked more than %d times", maxBranches)
			return
		}
		for _, part := range parts(s) {
			walk(part)
		}
		for _, p := range t.properties(s) {
			walk(p.schema)
		}
		if s.Items != nil {
			walk(s.Items.Value)
		}
		if extra := s.AdditionalProperties.Schema; extra != nil {
			walk(extra.Value)
		}
	}
	walk(t.byName[f.Key].root)
}

// parts are the schemas that are held against the same value as s.
func parts(s *openapi3.Schema) []*openapi3.Schema {
	var out []*openapi3.Schema
	for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, ref := range refs {
			out = append(out, ref.Value)
		}
	}
	if s.Not != nil {
		out = append(out, s.Not.Value)
	}
	return out
}

// jsonNumber converts our numbers to the library's.
func jsonNumber(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case float64:
		return v
	}
	return 0
}

// plain converts a value to what the library checks.
func plain(v any) any {
	switch v := v.(type) {
	case int64, *big.Int:
		return jsonNumber(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case *Object:
		out := make(map[string]any, v.Len())
		for _, k := range v.Keys() {
			out[k] = plain(v.values[k])
		}
		return out
	}
	return v
}

// validate holds a value against a schema and words every objection.
func validate(s *openapi3.Schema, v any) []Issue {
	return worded(visit(s, v), nil)
}

func visit(s *openapi3.Schema, v any) error {
	return s.VisitJSON(v, openapi3.MultiErrors(), openapi3.SetSchemaRegexCompiler(matcher))
}

func matcher(pattern string) (openapi3.RegexMatcher, error) {
	re, err := compilePattern(pattern)
	if err != nil {
		return nil, err
	}
	return re, nil
}

// worded looks at the error itself, not at what it wraps: an objection to
// alternatives wraps those of each.
func worded(err error, base []string) []Issue {
	switch e := err.(type) {
	case nil:
		return nil
	case openapi3.MultiError:
		var out []Issue
		for _, one := range e {
			out = append(out, worded(one, base)...)
		}
		return out
	case *openapi3.SchemaError:
		path := append(append([]string{}, base...), e.JSONPointer()...)
		if e.SchemaField != "allOf" {
			return []Issue{{Path: pathOf(path), Message: message(e)}}
		}
		var out []Issue
		for _, part := range e.Schema.AllOf {
			out = append(out, worded(visit(part.Value, e.Value), path)...)
		}
		return out
	}
	return []Issue{{Path: pathOf(base), Message: err.Error()}}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// pathOf writes a path as people do: a.b[0].c.
func pathOf(keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		switch {
		case digits.MatchString(k):
			b.WriteString("[" + k + "]")
		case b.Len() > 0:
			b.WriteString("." + k)
		default:
			b.WriteString(k)
		}
	}
	return b.String()
}

var typeNames = map[string]string{"string": "a string", "number": "a number", "integer": "a whole number",
	"boolean": "a boolean", "array": "a list", "object": "a mapping"}

// message words one objection.
func message(e *openapi3.SchemaError) string {
	s, v := e.Schema, show(e.Value)
	size := 0
	switch value := e.Value.(type) {
	case []any:
		size = len(value)
	case map[string]any:
		size = len(value)
	}
	switch e.SchemaField {
	case "required":
		return "is required but not given"
	case "type":
		return fmt.Sprintf("%s is not %s", v, typeNames[kindOf(s)])
	case "nullable":
		return "must not be null"
	case "enum":
		allowed := make([]string, len(s.Enum))
		for i, item := range s.Enum {
			allowed[i] = show(item)
		}
		return fmt.Sprintf("%s is not one of %s", v, strings.Join(allowed, ", "))
	case "minLength":
		return fmt.Sprintf("%s is shorter than minimum length %d", v, s.MinLength)
	case "maxLength":
		return fmt.Sprintf("%s is longer than maximum length %d", v, *s.MaxLength)
	case "pattern":
		return fmt.Sprintf("%s does not match pattern %s", v, s.Pattern)
	case "minimum":
		return fmt.Sprintf("%s is less than minimum %s", v, show(*s.Min))
	case "maximum":
		return fmt.Sprintf("%s is greater than maximum %s", v, show(*s.Max))
	case "exclusiveMinimum":
		return fmt.Sprintf("%s is not greater than %s", v, show(*s.Min))
	case "exclusiveMaximum":
		return fmt.Sprintf("%s is not less than %s", v, show(*s.Max))
	case "multipleOf":
		return fmt.Sprintf("%s is not a multiple of %s", v, show(*s.MultipleOf))
	case "minItems":
		return fmt.Sprintf("has %d items, fewer than minimum %d", size, s.MinItems)
	case "maxItems":
		return fmt.Sprintf("has %d items, more than maximum %d", size, *s.MaxItems)
	case "uniqueItems":
		return "has the same item twice"
	case "minProperties":
		return fmt.Sprintf("has %d keys, fewer than minimum %d", size, s.MinProps)
	case "maxProperties":
		return fmt.Sprintf("has %d keys, more than maximum %d", size, *s.MaxProps)
	case "anyOf":
		return fmt.Sprintf("%s matches none of the alternatives in anyOf", v)
	case "oneOf":
		return fmt.Sprintf("%s must match exactly one of the alternatives in oneOf", v)
	case "not":
		return fmt.Sprintf("%s is what the schema excludes with not", v)
	}
	return e.Reason
}

// show writes a value for an error message, cut when long.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		const most = 100
		if r := []rune(v); len(r) > most {
			return strconv.Quote(string(r[:most])) + "..."
		}
		return strconv.Quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprint(v)
}
