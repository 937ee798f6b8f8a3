package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// jsonWriter writes values as Python's json.dumps with sorted keys.
type jsonWriter struct {
	r      *run
	b      strings.Builder
	indent string
	pretty bool
}

// htmlSafe escapes what could end a script element or an attribute.
var htmlSafe = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`)

func filterToJSON(r *run, a []any) any {
	w := &jsonWriter{r: r}
	switch indent := a[1].(type) {
	case *missingValue, nil:
	case string:
		w.indent, w.pretty = indent, true
	default:
		w.indent, w.pretty = strings.Repeat(" ", r.smallInt(indent, 0)), true
	}
	w.value(a[0], 0)
	return markup(htmlSafe.Replace(w.b.String()))
}

func (w *jsonWriter) value(v any, depth int) {
	if depth > maxValueDepth {
		w.r.failf("the value is nested more than %d deep, or holds itself", maxValueDepth)
	}
	before := w.b.Len()
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strings.ToLower(w.r.repr(v)))
	case int64, *big.Int:
		w.b.WriteString(w.r.repr(v))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.text(v)
	case markup:
		w.text(string(v))
	case multiline:
		w.text(string(v))
	case *list:
		w.array(v.items, depth)
		return
	case *tuple:
		w.array(v.items, depth)
		return
	case *dict:
		w.object(v, depth)
		return
	case *undefined:
		if !v.lenient {
			w.r.use(v)
		}
		w.r.failf("Object of type Undefined is not JSON serializable")
	default:
		w.r.failf("Object of type %s is not JSON serializable", typeName(v))
	}
	w.r.alloc(w.b.Len() - before)
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return reprFloat(f)
}

// separate starts the i-th element of a container.
func (w *jsonWriter) separate(i, depth int) {
	w.r.work(1)
	if i > 0 {
		w.b.WriteByte(',')
		if !w.pretty {
			w.b.WriteByte(' ')
		}
	}
	w.line(depth + 1)
}

func (w *jsonWriter) line(depth int) {
	if w.pretty {
		w.r.alloc(1 + len(w.indent)*depth)
		w.b.WriteByte('\n')
		for range depth {
			w.b.WriteString(w.indent)
		}
	}
}

func (w *jsonWriter) array(items []any, depth int) {
	if len(items) == 0 {
		w.b.WriteString("[]")
		return
	}
	w.b.WriteByte('[')
	for i, item := range items {
		w.separate(i, depth)
		w.value(item, depth+1)
	}
	w.line(depth)
	w.b.WriteByte(']')
}

func (w *jsonWriter) object(d *dict, depth int) {
	entries := slices.Clone(d.all(w.r))
	if len(entries) == 0 {
		w.b.WriteString("{}")
		return
	}
	w.r.allocItems(len(entries))
	w.r.sortBy(len(entries), false, func(i int) any { return entries[i].key }, func(order []int) {
		sorted := make([]dictEntry, len(entries))
		for to, from := range order {
			sorted[to] = entries[from]
		}
		entries = sorted
	})
	w.b.WriteByte('{')
	for i, e := range entries {
		w.separate(i, depth)
		w.text(w.key(e.key))
		w.b.WriteString(": ")
		w.value(e.value, depth+1)
	}
	w.line(depth)
	w.b.WriteByte('}')
}

func (w *jsonWriter) key(k any) string {
	switch k := k.(type) {
	case nil:
		return "null"
	case bool:
		return strings.ToLower(w.r.repr(k))
	case int64, *big.Int:
		return w.r.repr(k)
	case float64:
		return jsonFloat(k)
	}
	s, ok := text(k)
	if !ok {
		w.r.failf("keys must be str, int, float, bool or None, not %s", typeName(k))
	}
	return s
}

func (w *jsonWriter) text(s string) {
	w.b.WriteByte('"')
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case c == '"' || c == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(c)
		case c == '\n':
			w.b.WriteString(`\n`)
		case c == '\r':
			w.b.WriteString(`\r`)
		case c == '\t':
			w.b.WriteString(`\t`)
		case c == '\f':
			w.b.WriteString(`\f`)
		case c == '\b':
			w.b.WriteString(`\b`)
		case c >= ' ' && c < 0x7f:
			w.b.WriteByte(byte(c))
		case c >= 0x10000:
			c -= 0x10000
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			fmt.Fprintf(&w.b, `\u%04x`, c)
		}
	}
	w.b.WriteByte('"')
}
