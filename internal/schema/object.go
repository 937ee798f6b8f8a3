package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Object is a mapping that keeps its order. Values are nil, bool, int64,
// *big.Int, float64, string, []any and *Object.
type Object struct {
	keys   []string
	values map[string]any
}

// NewObject returns an empty object.
func NewObject() *Object { return &Object{values: map[string]any{}} }

// Set adds or replaces a value; a replaced one keeps its place.
func (o *Object) Set(key string, v any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

// Get returns a value. It may be called on nil.
func (o *Object) Get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	v, ok := o.values[key]
	return v, ok
}

// Keys returns the keys in order. The caller must not change them.
func (o *Object) Keys() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

// Len is the number of keys.
func (o *Object) Len() int { return len(o.Keys()) }

// MarshalJSON writes the object in its order. Floats keep their kind: 80.0 is
// written "80.0". Characters of HTML are not escaped.
func (o *Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := WriteJSON(&b, o, "", ""); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Object) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d)
	if err != nil {
		return err
	}
	read, ok := v.(*Object)
	if !ok {
		return fmt.Errorf("want a JSON object, got %s", data[:min(len(data), 20)])
	}
	*o = *read
	return nil
}

func readJSON(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return readJSONList(d)
		}
		return readJSONObject(d)
	case json.Number:
		v, ok := ParseNumber(t.String())
		if !ok {
			return nil, fmt.Errorf("number %s is out of range", t)
		}
		return v, nil
	default:
		return t, nil
	}
}

func readJSONList(d *json.Decoder) (any, error) {
	items := []any{}
	for d.More() {
		v, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.Token()
	return items, err
}

func readJSONObject(d *json.Decoder) (any, error) {
	o := NewObject()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		o.Set(key.(string), v)
	}
	_, err := d.Token()
	return o, err
}

// WriteJSON writes a value as JSON with the order of its objects. With an
// empty indent it is compact; else each line starts with prefix and deeper
// lines are indented further by indent.
func WriteJSON(b *bytes.Buffer, v any, prefix, indent string) error {
	newline, colon := "", ":"
	if indent != "" {
		newline, colon = "\n"+prefix, ": "
	}
	deeper := newline
	if indent != "" {
		deeper += indent
	}
	switch v := v.(type) {
	case *Object:
		if v.Len() == 0 {
			b.WriteString("{}")
			return nil
		}
		b.WriteByte('{')
		for i, k := range v.Keys() {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(deeper)
			writeJSONString(b, k)
			b.WriteString(colon)
			if err := WriteJSON(b, v.values[k], prefix+indent, indent); err != nil {
				return err
			}
		}
		b.WriteString(newline)
		b.WriteByte('}')
	case []any:
		if len(v) == 0 {
			b.WriteString("[]")
			return nil
		}
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(deeper)
			if err := WriteJSON(b, item, prefix+indent, indent); err != nil {
				return err
			}
		}
		b.WriteString(newline)
		b.WriteByte(']')
	default:
		return writeJSONScalar(b, v)
	}
	return nil
}

func writeJSONScalar(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		writeJSONString(b, v)
	default:
		return fmt.Errorf("a %T can't be written as JSON", v)
	}
	return nil
}

// formatFloat writes a float so that it reads back as a float.
func formatFloat(v float64) string {
	format := byte('f')
	if v != 0 && (v >= 1e16 || v <= -1e16 || (v < 1e-4 && v > -1e-4)) {
		format = 'e'
	}
	s := strconv.FormatFloat(v, format, -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func writeJSONString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string into a buffer: cannot fail
	b.Truncate(b.Len() - 1)
}
