package awsjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep lists and objects of a body may nest, also in members that are
// ignored.
const maxDepth = 128

// Decode reads a JSON object into the struct that out points to, which must be the Go form
// of the structure s. An empty body counts as {}. Member names match exactly; unknown ones
// are ignored at every depth; null is the same as absent, except as an element of a list;
// of a repeated member the last counts. What cannot be read is a SerializationException.
func Decode(body []byte, s *Shape, out any) error {
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return Serialization("", "the request body is not valid UTF-8")
	}
	if !json.Valid(body) {
		return Serialization("", malformed(body))
	}
	d := decoder{rest: body}
	if d.peek() != '{' {
		return Serialization("", "the request body is not a JSON object")
	}
	if e := d.structure(s, reflect.ValueOf(out).Elem()); e != nil {
		return e
	}
	return nil
}

// malformed says what makes a body something else than JSON.
func malformed(body []byte) string {
	err := json.Unmarshal(body, new(json.RawMessage))
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("the request body is not valid JSON: %s at byte %d", e.Error(), e.Offset)
	}
	return "the request body is not valid JSON"
}

// decoder walks a body that is known to be valid JSON, so it looks at no more of the
// syntax than it needs to find its way.
type decoder struct {
	rest  []byte
	depth int
}

// peek skips white space and gives the byte that follows.
func (d *decoder) peek() byte {
	for {
		switch c := d.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			d.rest = d.rest[1:]
		default:
			return c
		}
	}
}

// accept consumes the next byte if it is c.
func (d *decoder) accept(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

// enter consumes the opening bracket of a list or object.
func (d *decoder) enter() *Error {
	d.rest = d.rest[1:]
	if d.depth++; d.depth > maxDepth {
		return Serialization("", fmt.Sprintf("the request body nests deeper than %d levels", maxDepth))
	}
	return nil
}

// leave is the end of what enter began.
func (d *decoder) leave() { d.depth-- }

// structure reads an object whose opening brace is next.
func (d *decoder) structure(s *Shape, v reflect.Value) *Error {
	if e := d.enter(); e != nil {
		return e
	}
	defer d.leave()
	for first := true; !d.accept('}'); first = false {
		if !first {
			d.accept(',')
		}
		d.peek()
		name, e := d.text()
		if e != nil {
			return e
		}
		d.accept(':')
		i := s.member(name)
		if i < 0 {
			if e := d.skip(); e != nil {
				return e
			}
			continue
		}
		if d.null() {
			v.Field(i).SetZero()
			continue
		}
		if e := d.value(s.Members[i].Shape, v.Field(i)); e != nil {
			return e.within(name)
		}
	}
	return nil
}

// list reads the elements of an array whose opening bracket is next into the slice v.
func (d *decoder) list(s *Shape, v reflect.Value) *Error {
	if e := d.enter(); e != nil {
		return e
	}
	defer d.leave()
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for n := 1; !d.accept(']'); n++ {
		if n > 1 {
			d.accept(',')
		}
		at := strconv.Itoa(n) + ".member"
		if d.null() {
			return Serialization(at, "NULL_VALUE is not allowed as an element of a list")
		}
		v.Grow(1)
		v.SetLen(n)
		if e := d.element(s.Element, v.Index(n-1)); e != nil {
			return e.within(at)
		}
	}
	return nil
}

// element reads a value that is stored itself, not through a pointer.
func (d *decoder) element(s *Shape, v reflect.Value) *Error {
	if s.Kind == List {
		return d.value(s, v)
	}
	p := reflect.New(reflect.PointerTo(v.Type())).Elem()
	if e := d.value(s, p); e != nil {
		return e
	}
	v.Set(p.Elem())
	return nil
}

// value reads what is next into v, a slice or a pointer that it allocates.
func (d *decoder) value(s *Shape, v reflect.Value) *Error {
	switch c := d.peek(); {
	case c == '{' && s.Kind == Structure:
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		return d.structure(s, p.Elem())
	case c == '[' && s.Kind == List:
		return d.list(s, v)
	case c == '{':
		return Serialization("", "Start of structure or map found where not expected.")
	case c == '[':
		return Serialization("", "Start of list found where not expected")
	case s.Kind == Structure:
		return Serialization("", "Expected null or structure, found "+kindOf(c))
	case s.Kind == List:
		return Serialization("", "Expected list or null")
	case c == '"' && s.Kind == String:
		text, e := d.text()
		if e != nil {
			return e
		}
		if p, ok := v.Addr().Interface().(**string); ok {
			*p = &text
			return nil
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().SetString(text)
		v.Set(p)
	case (c == 't' || c == 'f') && s.Kind == Boolean:
		b := string(d.literal()) == "true"
		v.Set(reflect.ValueOf(&b))
	case (c == '-' || '0' <= c && c <= '9') && s.Kind == Integer:
		return d.integer(v)
	case (c == '-' || '0' <= c && c <= '9') && s.Kind == Time:
		t := new(Timestamp)
		if err := t.UnmarshalJSON(d.literal()); err != nil {
			return Serialization("", err.Error())
		}
		v.Set(reflect.ValueOf(t))
	default:
		return Serialization("", kindOf(c)+" can not be converted to "+s.Kind.String())
	}
	return nil
}

// integer reads a number without a fraction that fits 64 bits; 1e2 and 5.0 are such.
func (d *decoder) integer(v reflect.Value) *Error {
	text := string(d.literal())
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
			return Serialization("", fmt.Sprintf("NUMBER_VALUE %.40s can not be converted to Integer", text))
		}
		n = int64(f)
	}
	v.Set(reflect.ValueOf(&n))
	return nil
}

// text reads the string that is next.
func (d *decoder) text() (string, *Error) {
	raw := d.quoted()
	if !bytes.ContainsRune(raw, '\\') {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", Serialization("", err.Error())
	}
	// The standard library turns half of a surrogate pair into U+FFFD without a word.
	if strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return "", Serialization("", "a string has an escape that is half of a surrogate pair")
	}
	if strings.ContainsRune(s, 0) { // PostgreSQL keeps none, and no text has a use for it
		return "", Serialization("", "a string has the character U+0000, which cannot be kept")
	}
	return s, nil
}

// quoted consumes the string that is next, quotes included.
func (d *decoder) quoted() []byte {
	for i := 1; ; i++ {
		switch d.rest[i] {
		case '\\':
			i++
		case '"':
			raw := d.rest[:i+1]
			d.rest = d.rest[i+1:]
			return raw
		}
	}
}

// literal consumes the number, true, false or null that is next.
func (d *decoder) literal() []byte {
	n := bytes.IndexAny(d.rest, ",]} \t\r\n")
	raw := d.rest[:n]
	d.rest = d.rest[n:]
	return raw
}

// null consumes a null, if one is next.
func (d *decoder) null() bool {
	if d.peek() != 'n' {
		return false
	}
	d.rest = d.rest[len("null"):]
	return true
}

// skip consumes a value of any kind.
func (d *decoder) skip() *Error {
	switch d.peek() {
	case '"':
		d.quoted()
	case '{', '[':
		return d.skipNested()
	default:
		d.literal()
	}
	return nil
}

// skipNested consumes a list or an object.
func (d *decoder) skipNested() *Error {
	outside := d.depth
	for {
		switch d.rest[0] {
		case '"':
			d.quoted()
			continue
		case '{', '[':
			if e := d.enter(); e != nil {
				return e
			}
			continue
		case '}', ']':
			d.leave()
		}
		d.rest = d.rest[1:]
		if d.depth == outside {
			return nil
		}
	}
}

// kindOf names the kind of JSON value that begins with c, as AWS does.
func kindOf(c byte) string {
	switch c {
	case '"':
		return "STRING_VALUE"
	case 't':
		return "TRUE_VALUE"
	case 'f':
		return "FALSE_VALUE"
	case 'n':
		return "NULL_VALUE"
	default:
		return "NUMBER_VALUE"
	}
}

// String names the kind as AWS's messages do.
func (k Kind) String() string {
	return [...]string{"String", "Integer", "Boolean", "Timestamp", "Structure", "List"}[k]
}

// within puts a member in front of the path of what could not be read.
func (e *Error) within(member string) *Error {
	if e.Member == "" {
		e.Member = member
	} else {
		e.Member = member + "." + e.Member
	}
	return e
}
