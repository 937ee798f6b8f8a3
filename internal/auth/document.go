package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// node is a value of a JSON document that remembers its place.
type node struct {
	at       int    // offset of its last byte
	pointer  string // RFC 6901
	text     string // of a string, a number or a truth value
	isString bool
	members  []member // of an object, in order
	elements []*node  // of an array
	object   bool
	array    bool
}

type member struct {
	name  string
	value *node
}

// maxDepth is far beyond any policy and far below what hurts.
const maxDepth = 20

// DocumentError says where a policy document is wrong, and how.
type DocumentError struct {
	Line    int
	Pointer string // JSON pointer of the element; empty for the whole document
	Problem string
}

func (e *DocumentError) Error() string {
	place := fmt.Sprintf("line %d", e.Line)
	if e.Pointer != "" {
		place += ", " + e.Pointer
	}
	return "policy document, " + place + ": " + e.Problem
}

// parser reads one document.
type parser struct {
	text    []byte
	decoder *json.Decoder
}

func (p *parser) line(offset int) int {
	return 1 + bytes.Count(p.text[:min(max(offset, 0), len(p.text))], []byte("\n"))
}

func (p *parser) fail(n *node, format string, args ...any) error {
	return &DocumentError{Line: p.line(n.at), Pointer: n.pointer, Problem: fmt.Sprintf(format, args...)}
}

// parse reads the one value that a document is.
func (p *parser) parse() (*node, error) {
	p.decoder = json.NewDecoder(bytes.NewReader(p.text))
	p.decoder.UseNumber()
	root, err := p.value("", 0)
	if err == nil {
		if _, more := p.decoder.Token(); more != io.EOF {
			err = errors.New("something follows the document's end")
		}
	}
	if err == nil {
		return root, nil
	}
	if _, ok := errors.AsType[*DocumentError](err); ok {
		return nil, err
	}
	offset, problem := int(p.decoder.InputOffset()), err.Error()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, problem = len(p.text), "it ends too early"
	}
	return nil, &DocumentError{Line: p.line(offset), Problem: "not JSON: " + problem}
}

func (p *parser) value(pointer string, depth int) (*node, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	n := &node{at: int(p.decoder.InputOffset()), pointer: pointer}
	if depth > maxDepth {
		return nil, p.fail(n, "nested more than %d deep", maxDepth)
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			n.object = true
			return n, p.readObject(n, depth)
		}
		n.array = true
		return n, p.readArray(n, depth)
	case string:
		n.text, n.isString = v, true
	case nil:
		return nil, p.fail(n, "null has no meaning here; leave the element out")
	default:
		n.text = fmt.Sprint(v)
	}
	return n, nil
}

func (p *parser) readObject(n *node, depth int) error {
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the decoder has refused other keys
		pointer := n.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if _, twice := n.get(name); twice {
			return p.fail(&node{at: int(p.decoder.InputOffset()), pointer: pointer}, "given twice")
		}
		value, err := p.value(pointer, depth+1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name, value})
	}
	_, err := p.decoder.Token()
	return err
}

func (p *parser) readArray(n *node, depth int) error {
	for p.decoder.More() {
		value, err := p.value(fmt.Sprintf("%s/%d", n.pointer, len(n.elements)), depth+1)
		if err != nil {
			return err
		}
		n.elements = append(n.elements, value)
	}
	_, err := p.decoder.Token()
	return err
}

func (n *node) get(name string) (*node, bool) {
	for _, m := range n.members {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// only refuses members of an object that are not among the named.
func (p *parser) only(n *node, names ...string) error {
	if !n.object {
		return p.fail(n, "must be an object")
	}
	for _, m := range n.members {
		known := false
		for _, name := range names {
			known = known || name == m.name
		}
		if !known {
			return p.fail(m.value, "there is no element %s here; there may be %s", m.name, strings.Join(names, ", "))
		}
	}
	return nil
}

// list reads a value or a list of values. Numbers and truth values count as
// their text, as in IAM, if scalars says so.
func (p *parser) list(n *node, scalars bool) ([]*node, error) {
	all := []*node{n}
	if n.array {
		all = n.elements
	}
	if len(all) == 0 {
		return nil, p.fail(n, "an empty list means nothing; leave the element out")
	}
	for _, v := range all {
		if v.object || v.array || !v.isString && !scalars {
			return nil, p.fail(v, "must be a string or a list of strings")
		}
	}
	return all, nil
}
