package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Kind says what a Node is.
type Kind int

// The kinds of YAML 1.2's core schema.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

var kindNames = [...]string{"null", "boolean", "number", "number", "string", "list", "mapping"}

func (k Kind) String() string { return kindNames[k] }

// Node is one value of a YAML document with the place it was written at.
type Node struct {
	Kind         Kind
	Line, Column int
	// Tag is a tag of the document's own, such as !Ref; empty without one.
	Tag string
	// Text is the source text of a scalar, without quotes: `1.10` stays "1.10".
	Text string
	// Scalar is the typed value of a scalar: nil, bool, int64, *big.Int,
	// float64 or string.
	Scalar any
	Items  []*Node // of a list
	Fields []Field // of a mapping, in source order, keys unique
}

// Field is one entry of a mapping.
type Field struct {
	Key          string
	Line, Column int
	Value        *Node
}

// Get returns the value of a mapping's key, or nil. It may be called on nil
// and on other kinds.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			return n.Fields[i].Value
		}
	}
	return nil
}

// IsNull says whether n is absent or an explicit null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Null }

// IsScalar says whether n is a single value other than null.
func (n *Node) IsScalar() bool {
	return n != nil && n.Kind != Null && n.Kind != List && n.Kind != Map
}

// Value converts n and what is below it to plain values: nil, bool, int64,
// *big.Int, float64, string, []any and *Object.
func (n *Node) Value() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case List:
		items := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			items = append(items, item.Value())
		}
		return items
	case Map:
		o := NewObject()
		for _, f := range n.Fields {
			o.Set(f.Key, f.Value.Value())
		}
		return o
	default:
		return n.Scalar
	}
}

// SyntaxError is a text that is not acceptable YAML. Line is 0 when the whole
// text is meant.
type SyntaxError struct {
	Line, Column int
	Message      string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Bounds of one document. They are far above anything written by hand.
const (
	maxText      = 1 << 20
	maxNodes     = 100_000
	maxDepth     = 100
	maxIntDigits = 100
)

// ParseYAML reads one YAML document. Scalars follow the core schema of YAML
// 1.2: only true and false are booleans, dates and versions are text, and so
// are .inf and .nan, which no input can hold. Anchors, aliases and merge keys
// are expanded. Duplicate keys, alias cycles, several documents and texts that
// are too large, too deep or expand to too much are refused with a
// *SyntaxError. An empty text is a null node.
func ParseYAML(text []byte) (*Node, error) {
	if len(text) > maxText {
		return nil, &SyntaxError{Message: fmt.Sprintf("YAML text of %d bytes is larger than %d", len(text), maxText)}
	}
	doc, err := document(text)
	if err != nil {
		return nil, syntaxError(err).found(text)
	}
	c := converter{open: map[*yaml.Node]bool{}}
	return c.convert(doc, 0)
}

var errDocuments = errors.New("the text holds more than one document; remove what starts at the second ---")

func document(text []byte) (*yaml.Node, error) {
	l, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithV3Defaults())
	if err != nil {
		return nil, err
	}
	var doc, more yaml.Node
	switch err := l.Load(&doc); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{}, nil
	case err != nil:
		return nil, err
	}
	switch err := l.Load(&more); {
	case errors.Is(err, io.EOF):
		return &doc, nil
	case err != nil:
		return nil, err
	}
	return nil, errDocuments
}

// found gives an error about a character its place: the library has none for it.
func (e *SyntaxError) found(text []byte) *SyntaxError {
	if e.Column != 0 {
		return e
	}
	line, column := 1, 1
	for _, r := range string(text) {
		switch {
		case r == '\n':
			line, column = line+1, 0
		case r == 0x7f, r < ' ' && r != '\t' && r != '\r':
			e.Line, e.Column, e.Message = line, column, fmt.Sprintf("invalid YAML: the control character %U is not allowed", r)
			return e
		}
		column++
	}
	return e
}

func syntaxError(err error) *SyntaxError {
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		return &SyntaxError{Line: max(e.Mark.Line, 1), Column: e.Mark.Column, Message: "invalid YAML: " + strings.TrimPrefix(e.Message, "yaml: ")}
	}
	if errors.Is(err, errDocuments) {
		return &SyntaxError{Message: err.Error()}
	}
	return &SyntaxError{Message: "invalid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
}

// converter turns the parser's nodes into ours. Aliases are expanded, so it
// counts what it makes and remembers which anchors it is inside.
type converter struct {
	made int
	open map[*yaml.Node]bool
}

func (c *converter) fail(n *yaml.Node, format string, args ...any) error {
	return &SyntaxError{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

func (c *converter) convert(n *yaml.Node, depth int) (*Node, error) {
	if c.made++; c.made > maxNodes {
		return nil, c.fail(n, "the document expands to more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, c.fail(n, "the document is nested deeper than %d levels", maxDepth)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return &Node{Line: 1, Column: 1}, nil
		}
		return c.convert(n.Content[0], depth)
	case yaml.AliasNode:
		if n.Alias == nil || c.open[n.Alias] {
			return nil, c.fail(n, "alias *%s refers to a value that contains it", n.Value)
		}
		return c.convert(n.Alias, depth+1)
	case yaml.SequenceNode, yaml.MappingNode:
		c.open[n] = true
		defer delete(c.open, n)
		if n.Kind == yaml.SequenceNode {
			return c.list(n, depth)
		}
		return c.mapping(n, depth)
	case yaml.ScalarNode:
		return scalar(n), nil
	default: // the parser leaves an empty text as a zero node
		return &Node{Line: 1, Column: 1}, nil
	}
}

func (c *converter) list(n *yaml.Node, depth int) (*Node, error) {
	out := &Node{Kind: List, Line: n.Line, Column: n.Column, Tag: ownTag(n)}
	for _, item := range n.Content {
		v, err := c.convert(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

func (c *converter) mapping(n *yaml.Node, depth int) (*Node, error) {
	out := &Node{Kind: Map, Line: n.Line, Column: n.Column, Tag: ownTag(n)}
	seen := make(map[string]bool, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMerge(key) {
			merges = append(merges, value)
			continue
		}
		name, err := c.key(key)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, c.fail(key, "duplicate key %q", name)
		}
		seen[name] = true
		v, err := c.convert(value, depth+1)
		if err != nil {
			return nil, err
		}
		out.Fields = append(out.Fields, Field{Key: name, Line: key.Line, Column: key.Column, Value: v})
	}
	for _, m := range merges {
		if err := c.merge(out, seen, m, depth); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *converter) key(n *yaml.Node) (string, error) {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", c.fail(n, "a key must be a single value, not a list or mapping")
	}
	return n.Value, nil
}

// merge adds the fields of a merge key's mapping, or mappings, that out lacks.
func (c *converter) merge(out *Node, seen map[string]bool, value *yaml.Node, depth int) error {
	v, err := c.convert(value, depth+1)
	if err != nil {
		return err
	}
	from := []*Node{v}
	if v.Kind == List {
		from = v.Items
	}
	for _, m := range from {
		if m.Kind != Map {
			return c.fail(value, "a merge key (<<) needs a mapping, not a %s", m.Kind)
		}
		for _, f := range m.Fields {
			if !seen[f.Key] {
				seen[f.Key] = true
				out.Fields = append(out.Fields, f)
			}
		}
	}
	return nil
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&quoted == 0
}

var (
	intForm   = regexp.MustCompile(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	floatForm = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

func scalar(n *yaml.Node) *Node {
	out := &Node{Kind: String, Line: n.Line, Column: n.Column, Tag: ownTag(n), Text: n.Value, Scalar: n.Value}
	tagged := n.Style&yaml.TaggedStyle != 0
	if (n.Style&quoted != 0 && !tagged) || (tagged && !coreTag(n.Tag)) {
		return out
	}
	resolve(out)
	return out
}

// ownTag is a tag that is not one of YAML's.
func ownTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 || strings.HasPrefix(n.Tag, "!!") || strings.HasPrefix(n.Tag, "tag:yaml.org,2002:") || n.Tag == "!" {
		return ""
	}
	return n.Tag
}

func coreTag(tag string) bool {
	switch strings.TrimPrefix(tag, "tag:yaml.org,2002:") {
	case "!!int", "!!float", "!!bool", "!!null", "int", "float", "bool", "null":
		return true
	}
	return false
}

// resolve gives a plain scalar its kind and typed value.
func resolve(n *Node) {
	switch n.Text {
	case "", "~", "null", "Null", "NULL":
		n.Kind, n.Scalar = Null, nil
		return
	case "true", "True", "TRUE":
		n.Kind, n.Scalar = Bool, true
		return
	case "false", "False", "FALSE":
		n.Kind, n.Scalar = Bool, false
		return
	}
	if v, ok := ParseNumber(n.Text); ok {
		n.Scalar = v
		n.Kind = Int
		if _, float := v.(float64); float {
			n.Kind = Float
		}
	}
}

// ParseNumber reads a number as YAML 1.2 writes it, as int64, *big.Int or
// float64. Numbers beyond float64, or of more than 100 digits, are not numbers.
func ParseNumber(text string) (any, bool) {
	if len(text) > maxIntDigits || len(text) == 0 {
		return nil, false
	}
	if intForm.MatchString(text) {
		digits, base := text, 10
		switch {
		case strings.HasPrefix(text, "0o"):
			digits, base = text[2:], 8
		case strings.HasPrefix(text, "0x"):
			digits, base = text[2:], 16
		}
		if v, err := strconv.ParseInt(digits, base, 64); err == nil {
			return v, true
		}
		v, ok := new(big.Int).SetString(digits, base)
		return v, ok
	}
	if floatForm.MatchString(text) {
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil
	}
	return nil, false
}
