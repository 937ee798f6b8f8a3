package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v4"
)

// FormField describes one input for people: a form is made of it, or a table.
type FormField struct {
	Name, Title, Description string
	// Kind is string, number, integer, boolean, array or object; empty when the
	// schema leaves it open, or nests too deep to be laid out.
	Kind       string
	Required   bool
	Default    any // of the kinds that Object holds; nil without one
	Example    string
	Enum       []string
	Pattern    string
	Minimum    string // empty without a bound, as all of these
	Maximum    string
	Step       string
	MinLength  string
	MaxLength  string
	Items      *FormField  // what an array holds
	Properties []FormField // of an object
}

// maxFormDepth bounds how deep forms nest; what is below is written as YAML.
const maxFormDepth = 5

// FormFields describes the properties of an object type, in its order.
func (t *Type) FormFields() []FormField {
	if t == nil {
		return nil
	}
	return t.types.formFields(t.root, 0)
}

func (t *Types) formFields(s *openapi3.Schema, depth int) []FormField {
	var fields []FormField
	required := requiredBy(s)
	for _, p := range t.properties(s) {
		f := t.formField(p.schema, depth)
		f.Name, f.Required = p.name, required[p.name]
		fields = append(fields, f)
	}
	return fields
}

func (t *Types) formField(s *openapi3.Schema, depth int) FormField {
	source := t.source(s)
	f := FormField{
		Title: text(source.Get("title")), Description: text(source.Get("description")), Kind: kindOf(s), Pattern: s.Pattern,
		Example: text(source.Get("example")), MinLength: count(s.MinLength),
	}
	if n := source.Get("default"); !n.IsNull() {
		f.Default = scalarAs(n, f.Kind)
		if !n.IsScalar() {
			f.Default = n.Value()
		}
	}
	for _, v := range s.Enum {
		f.Enum = append(f.Enum, choice(v))
	}
	if s.MaxLength != nil {
		f.MaxLength = strconv.FormatUint(*s.MaxLength, 10)
	}
	f.Minimum, f.Maximum, f.Step = bound(s.Min), bound(s.Max), bound(s.MultipleOf)
	if composed(s) || depth >= maxFormDepth {
		f.Kind = ""
	}
	switch f.Kind {
	case "array":
		if s.Items != nil && s.Items.Value != nil {
			item := t.formField(s.Items.Value, depth+1)
			f.Items = &item
		}
	case "object":
		f.Properties = t.formFields(s, depth+1)
	}
	return f
}

// choice is an enum's value as a spec writes it.
func choice(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return show(v)
}

func text(n *Node) string {
	if n.IsScalar() {
		return n.Text
	}
	return ""
}

func count(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func bound(n *float64) string {
	if n == nil {
		return ""
	}
	return show(*n)
}

// WriteYAML writes a value of the kinds that Object holds as YAML, in the
// order of its keys.
func WriteYAML(v any) (string, error) {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(yamlNode(v)); err != nil {
		return "", fmt.Errorf("write YAML: %w", err)
	}
	return b.String(), e.Close()
}

func yamlNode(v any) *yaml.Node {
	switch v := v.(type) {
	case *Object:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, key := range v.Keys() {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, yamlNode(v.values[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v {
			n.Content = append(n.Content, yamlNode(item))
		}
		return n
	case string:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}
		if strings.Contains(v, "\n") {
			n.Style = yaml.LiteralStyle
		}
		return n
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	var b strings.Builder
	writePlain(&b, v)
	return &yaml.Node{Kind: yaml.ScalarNode, Value: b.String()}
}

func writePlain(b *strings.Builder, v any) {
	if f, ok := v.(float64); ok {
		b.WriteString(formatFloat(f))
		return
	}
	fmt.Fprint(b, v)
}
