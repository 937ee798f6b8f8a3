package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Issue is one thing that is wrong, or odd, with a schema or with values.
type Issue struct {
	// Path leads to the place from where the caller started: "port",
	// "nested.list[0]", or in a schema "Inputs.properties.port.pattern".
	Path         string
	Line, Column int // 1-based; 0 when there is no place to point at
	Message      string
	// Unknown is true of a value whose key the type does not have.
	Unknown bool
}

func (i Issue) String() string {
	if i.Path == "" {
		return i.Message
	}
	return i.Path + ": " + i.Message
}

// maxBranches bounds how many schemas one value can be held against through
// allOf, anyOf, oneOf and not; nesting them would multiply the work.
const maxBranches = 1000

// Compile checks the map of types of a schema file and makes it ready to
// check values. All problems are reported, and warnings for what Proton
// accepted although it is odd: bounds on the wrong type, defaults that the
// property itself refuses, unknown keywords. Types is nil if there are problems.
func Compile(types *Node) (t *Types, warnings, problems []Issue) {
	c := &compiler{types: map[string]*Node{}, names: map[string]string{}, keywords: openAPIKeywords()}
	if types == nil || types.Kind != Map {
		c.problem(types, "", "must be a mapping from type names to types")
		return nil, nil, c.problems
	}
	for i, f := range types.Fields {
		c.types[f.Key] = f.Value
		c.names[f.Key] = fmt.Sprintf("t%d", i)
	}
	schemas := map[string]any{}
	for _, f := range types.Fields {
		schemas[c.names[f.Key]] = c.schema(f.Value, f.Key)
	}
	if len(c.problems) == 0 {
		c.cycles(types)
	}
	if len(c.problems) > 0 {
		return nil, c.warnings, c.problems
	}
	t, err := load(schemas, c.names, c.nodes)
	if err != nil {
		c.problem(types, "", "%v", err)
		return nil, c.warnings, c.problems
	}
	for _, f := range types.Fields {
		c.branches(t, f)
	}
	if len(c.problems) > 0 {
		return nil, c.warnings, c.problems
	}
	w, p := t.checkDefaults()
	c.warnings = append(c.warnings, w...)
	if len(p) > 0 {
		return nil, c.warnings, p
	}
	return t, c.warnings, nil
}

type compiler struct {
	types              map[string]*Node
	names              map[string]string // type name to the name the library knows it by
	keywords           map[string]keyword
	nodes              []*Node // source of each schema, by the number it is marked with
	warnings, problems []Issue
}

func issue(n *Node, path, format string, args ...any) Issue {
	i := Issue{Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		i.Line, i.Column = n.Line, n.Column
	}
	return i
}

func (c *compiler) problem(n *Node, path, format string, args ...any) {
	c.problems = append(c.problems, issue(n, path, format, args...))
}

func (c *compiler) warn(n *Node, path, format string, args ...any) {
	c.warnings = append(c.warnings, issue(n, path, format, args...))
}

// schema checks one schema and returns it in the form the library reads.
func (c *compiler) schema(n *Node, path string) any {
	if n == nil || n.Kind != Map {
		c.problem(n, path, "must be a mapping that describes a value, such as {type: string}")
		return nil
	}
	if ref := n.Get("$ref"); ref != nil {
		return c.ref(ref, path)
	}
	c.nodes = append(c.nodes, n)
	out := map[string]any{nodeMark: len(c.nodes) - 1}
	kind := c.typeOf(n, path)
	for _, f := range n.Fields {
		check, known := c.keywords[f.Key]
		if !known {
			if !strings.HasPrefix(f.Key, "x-") {
				c.warn(f.Value, path+"."+f.Key, "unknown keyword is ignored")
			}
			continue
		}
		if check.kinds != "" && kind != "" && !strings.Contains(check.kinds, kind) {
			c.warn(f.Value, path+"."+f.Key, "has no effect on a %s and is ignored", kind)
			continue
		}
		if v, keep := check.read(c, f.Value, path+"."+f.Key, kind); keep {
			out[f.Key] = v
		}
	}
	if kind == "array" && n.Get("items") == nil {
		c.problem(n, path, "an array needs items, such as items: {type: string}")
	}
	if kind == "object" {
		c.requiredExist(n, path)
	}
	return out
}

// requiredExist warns of required properties that an object cannot have: what
// a spec gives under such a name is left out, so that no spec is valid.
func (c *compiler) requiredExist(n *Node, path string) {
	for _, other := range []string{"allOf", "anyOf", "oneOf", "additionalProperties"} {
		if n.Get(other) != nil { // the property may be of that
			return
		}
	}
	required := n.Get("required")
	if required == nil || required.Kind != List {
		return
	}
	for _, item := range required.Items {
		if n.Get("properties").Get(item.Text) == nil {
			c.warn(item, path+".required", "%s is not among the properties: no spec can give it, so none is valid", quote(item))
		}
	}
}

func (c *compiler) typeOf(n *Node, path string) string {
	t := n.Get("type")
	if t == nil {
		return ""
	}
	switch t.Text {
	case "string", "number", "integer", "boolean", "array", "object":
		return t.Text
	}
	c.problem(t, path+".type", "%s is not a type; use string, number, integer, boolean, array or object", quote(t))
	return ""
}

func quote(n *Node) string {
	if n.Kind == List || n.Kind == Map {
		return "a " + n.Kind.String()
	}
	return fmt.Sprintf("%q", n.Text)
}

// refForms are the pointers in use: Proton's own tools write the first.
var refForms = []string{"#/components/schemas/", "#/types/", "#/"}

func (c *compiler) refTarget(ref *Node) (string, bool) {
	for _, form := range refForms {
		if name, ok := strings.CutPrefix(ref.Text, form); ok {
			_, known := c.types[name]
			return name, known
		}
	}
	return "", false
}

func (c *compiler) ref(ref *Node, path string) any {
	name, ok := c.refTarget(ref)
	if !ok {
		c.problem(ref, path+".$ref", "%s does not name a type of this schema; write \"#/TypeName\"", quote(ref))
		return nil
	}
	return map[string]any{"$ref": "#/components/schemas/" + c.names[name]}
}

// cycles reports types that are nothing but references to each other.
func (c *compiler) cycles(types *Node) {
	for _, f := range types.Fields {
		seen := map[string]bool{}
		name, n := f.Key, f.Value
		for ref := n.Get("$ref"); ref != nil; ref = n.Get("$ref") {
			if seen[name] {
				c.problem(ref, f.Key+".$ref", "the reference leads back to itself")
				break
			}
			seen[name] = true
			name, _ = c.refTarget(ref)
			n = c.types[name]
		}
	}
}

// keyword says which types a keyword applies to (empty: all) and how its
// value is read. read returns the value for the library and whether to keep it.
type keyword struct {
	kinds string
	read  func(c *compiler, n *Node, path, kind string) (any, bool)
}

// openAPIKeywords is what OpenAPI 3.0 knows.
func openAPIKeywords() map[string]keyword {
	const numbers, strs = "number integer", "string"
	k := map[string]keyword{
		"type":          {"", func(_ *compiler, n *Node, _, _ string) (any, bool) { return n.Text, true }},
		"nullable":      {"", readBool},
		"enum":          {"", readEnum},
		"minimum":       {numbers, readNumber},
		"maximum":       {numbers, readNumber},
		"multipleOf":    {numbers, readMultiple},
		"minLength":     {strs, readCount},
		"maxLength":     {strs, readCount},
		"pattern":       {strs, readPattern},
		"minItems":      {"array", readCount},
		"maxItems":      {"array", readCount},
		"uniqueItems":   {"array", readBool},
		"items":         {"array", readSchema},
		"minProperties": {"object", readCount},
		"maxProperties": {"object", readCount},
		"required":      {"", readRequired},
		"properties":    {"object", readProperties},
		"allOf":         {"", readSchemas},
		"anyOf":         {"", readSchemas},
		"oneOf":         {"", readSchemas},
		"not":           {"", readSchema},
	}
	k["exclusiveMinimum"], k["exclusiveMaximum"] = keyword{numbers, readBool}, keyword{numbers, readBool}
	k["additionalProperties"] = keyword{"object", readAdditional}
	// Read elsewhere (default), for people only, or a hint.
	for _, name := range []string{"default", "title", "description", "example", "externalDocs", "format",
		"deprecated", "readOnly", "writeOnly", "xml", "discriminator"} {
		k[name] = keyword{"", func(*compiler, *Node, string, string) (any, bool) { return nil, false }}
	}
	return k
}

func readBool(c *compiler, n *Node, path, _ string) (any, bool) {
	if n.Kind != Bool {
		c.problem(n, path, "must be true or false, not %s", quote(n))
		return nil, false
	}
	return n.Scalar, true
}

func readNumber(c *compiler, n *Node, path, _ string) (any, bool) {
	if v, ok := ParseNumber(n.Text); ok {
		return jsonNumber(v), true
	}
	c.problem(n, path, "must be a number, not %s", quote(n))
	return nil, false
}

func readMultiple(c *compiler, n *Node, path, kind string) (any, bool) {
	v, ok := readNumber(c, n, path, kind)
	if ok && v.(float64) <= 0 {
		c.problem(n, path, "must be greater than 0")
	}
	return v, ok
}

func readCount(c *compiler, n *Node, path, _ string) (any, bool) {
	v, ok := ParseNumber(n.Text)
	if i, isInt := v.(int64); ok && isInt && i >= 0 {
		return i, true
	}
	c.problem(n, path, "must be a whole number, 0 or more, not %s", quote(n))
	return nil, false
}

func readPattern(c *compiler, n *Node, path, _ string) (any, bool) {
	if !n.IsScalar() {
		c.problem(n, path, "must be a regular expression in a string")
		return nil, false
	}
	if _, err := compilePattern(n.Text); err != nil {
		c.problem(n, path, "%v", err)
		return nil, false
	}
	return n.Text, true
}

var unicodeEscape = regexp.MustCompile(`\\u([0-9a-fA-F]{4})`)

// compilePattern compiles an ECMA-262 pattern. What Go's engine, which never
// backtracks, cannot do is named.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(unicodeEscape.ReplaceAllString(pattern, `\x{$1}`))
	if err == nil {
		return re, nil
	}
	for _, form := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(pattern, form) {
			return nil, fmt.Errorf("pattern %s uses look-around %s...), which is not supported; rewrite it without", pattern, form)
		}
	}
	if regexp.MustCompile(`\\([1-9]|k<)`).MatchString(pattern) {
		return nil, fmt.Errorf("pattern %s uses a back-reference, which is not supported; rewrite it without", pattern)
	}
	return nil, fmt.Errorf("pattern %s is not a valid regular expression: %w", pattern, err)
}

// readEnum keeps the source text of values when a string is described, as
// values of specs do.
func readEnum(c *compiler, n *Node, path, kind string) (any, bool) {
	if n.Kind != List || len(n.Items) == 0 {
		c.problem(n, path, "must be a list of the allowed values")
		return nil, false
	}
	values := []any{}
	for _, item := range n.Items {
		values = append(values, plain(scalarAs(item, kind)))
	}
	return values, true
}

func readRequired(c *compiler, n *Node, path, _ string) (any, bool) {
	if n.Kind == Bool || n.Kind == Null {
		// JSON Schema draft 3 wrote `required: true` on the property itself.
		c.warn(n, path, "must be a list of property names beside properties; %s is ignored", n.Text)
		return nil, false
	}
	if n.Kind != List || slices.ContainsFunc(n.Items, func(i *Node) bool { return !i.IsScalar() }) {
		c.problem(n, path, "must be a list of property names")
		return nil, false
	}
	names := []any{}
	for _, item := range n.Items {
		names = append(names, item.Text)
	}
	return names, true
}

func readSchema(c *compiler, n *Node, path, _ string) (any, bool) { return c.schema(n, path), true }

func readSchemas(c *compiler, n *Node, path, _ string) (any, bool) {
	if n.Kind != List || len(n.Items) == 0 {
		c.problem(n, path, "must be a list of schemas")
		return nil, false
	}
	out := []any{}
	for i, item := range n.Items {
		out = append(out, c.schema(item, fmt.Sprintf("%s[%d]", path, i)))
	}
	return out, true
}

// maxName is Proton's limit of the length of a parameter name.
const maxName = 100

func readProperties(c *compiler, n *Node, path, _ string) (any, bool) {
	if n.Kind == Null {
		return nil, false
	}
	if n.Kind != Map {
		c.problem(n, path, "must be a mapping from property names to schemas")
		return nil, false
	}
	out := map[string]any{}
	for _, f := range n.Fields {
		p := path + "." + f.Key
		if len(f.Key) > maxName {
			c.problem(f.Value, p, "a property name may have at most %d characters, this one has %d", maxName, len(f.Key))
		}
		out[f.Key] = c.schema(f.Value, p)
	}
	return out, true
}

func readAdditional(c *compiler, n *Node, path, kind string) (any, bool) {
	if n.Kind == Bool {
		return n.Scalar, true
	}
	return readSchema(c, n, path, kind)
}
