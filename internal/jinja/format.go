package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// output collects rendered text.
type output struct {
	buf []byte
}

// write adds text to the current output.
func (r *run) write(s string) {
	if len(r.out.buf)+len(s) > r.limits.Output {
		r.failf("the output is larger than %d bytes", r.limits.Output)
	}
	r.out.buf = append(r.out.buf, s...)
}

// print writes a value the way {{ }} does.
func (r *run) print(v any) {
	switch v := v.(type) {
	case string:
		r.write(v)
	case int64:
		var digits [20]byte
		r.write(string(strconv.AppendInt(digits[:0], v, 10)))
	case multiline:
		r.writeIndented(string(v))
	default:
		r.write(r.str(v))
	}
}

// writeIndented makes every line after the first start in the column in which
// the text starts.
func (r *run) writeIndented(s string) {
	breaks := strings.Count(s, "\n")
	if breaks == 0 {
		r.write(s)
		return
	}
	line := r.out.buf
	for i := len(line) - 1; i >= 0; i-- {
		if line[i] == '\n' {
			line = line[i+1:]
			break
		}
	}
	indent := utf8.RuneCount(line)
	r.scan(len(line))
	if indent > r.limits.Output/breaks {
		r.failf("the output is larger than %d bytes", r.limits.Output)
	}
	r.write(strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", indent)))
}

// capture runs body and returns what it wrote.
func (r *run) capture(body func()) string {
	outer := r.out
	r.out = &output{}
	body()
	s := string(r.out.buf)
	r.out = outer
	r.alloc(len(s))
	return s
}

// str is Python's str().
func (r *run) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case multiline:
		return string(v)
	case *undefined:
		if v.lenient {
			return ""
		}
		r.use(v)
	}
	return r.repr(v)
}

// repr is Python's repr().
func (r *run) repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return reprFloat(v)
	case *big.Int:
		return r.bigText(v)
	}
	var b strings.Builder
	r.appendRepr(&b, v)
	return b.String()
}

func (r *run) bigText(v *big.Int) string {
	s := v.String()
	if len(strings.TrimPrefix(s, "-")) > 4300 {
		r.failf("Exceeds the limit (4300 digits) for integer string conversion")
	}
	return s
}

func (r *run) appendRepr(b *strings.Builder, v any) {
	before := b.Len()
	switch v := v.(type) {
	case string:
		b.WriteString(reprString(v))
	case multiline:
		b.WriteString(reprString(string(v)))
	case markup:
		b.WriteString("Markup(" + reprString(string(v)) + ")")
	case *list, *tuple, *dict:
		r.appendContainer(b, v)
		return
	case *dictView:
		b.WriteString("dict_" + v.kind + "(")
		r.appendRepr(b, &list{items: r.collect(v)})
		b.WriteByte(')')
		return
	case *rangeValue:
		if v.step == int64(1) {
			fmt.Fprintf(b, "range(%d, %d)", v.start, v.stop)
		} else {
			fmt.Fprintf(b, "range(%d, %d, %d)", v.start, v.stop, v.step)
		}
	case *namespace:
		b.WriteString("<Namespace ")
		r.appendRepr(b, v.attrs)
		b.WriteByte('>')
		return
	case *undefined:
		// Python prints containers with undefined values in them.
		b.WriteString("Undefined")
	case *generator:
		r.opaque = true
		b.WriteString("<" + v.kind + ">")
	case *loopContext:
		fmt.Fprintf(b, "<LoopContext %d/%d>", v.index0+1, v.length(r))
	case *macro:
		if v.def.name == "" {
			b.WriteString("<Macro anonymous>")
		} else {
			b.WriteString("<Macro " + reprString(v.def.name) + ">")
		}
	case callable:
		r.opaque = true
		b.WriteString("<function " + v.title() + ">")
	case nil, bool, int64, float64, *big.Int:
		b.WriteString(r.repr(v))
	default:
		r.opaque = true
		b.WriteString("<" + typeName(v) + ">")
	}
	r.alloc(b.Len() - before)
}

// appendContainer writes lists, tuples and dicts, and [...] where one holds
// itself.
func (r *run) appendContainer(b *strings.Builder, v any) {
	if slices.Contains(r.nested, v) {
		switch v.(type) {
		case *dict:
			b.WriteString("{...}")
		case *tuple:
			b.WriteString("(...)")
		default:
			b.WriteString("[...]")
		}
		return
	}
	if len(r.nested) >= maxValueDepth {
		r.failf("the value is nested more than %d deep", maxValueDepth)
	}
	r.nested = append(r.nested, v)
	switch v := v.(type) {
	case *list:
		b.WriteByte('[')
		r.appendItems(b, v.items)
		b.WriteByte(']')
	case *tuple:
		b.WriteByte('(')
		r.appendItems(b, v.items)
		if len(v.items) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case *dict:
		b.WriteByte('{')
		for i, e := range v.all(r) {
			if i > 0 {
				b.WriteString(", ")
			}
			r.work(1)
			r.appendRepr(b, e.key)
			b.WriteString(": ")
			r.appendRepr(b, e.value)
		}
		b.WriteByte('}')
	}
	r.nested = r.nested[:len(r.nested)-1]
}

func (r *run) appendItems(b *strings.Builder, items []any) {
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		r.work(1)
		r.alloc(2)
		r.appendRepr(b, item)
	}
}

// reprFloat writes a float as Python does: the shortest digits that read back
// the same, with an exponent only below 1e-4 and from 1e16.
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if strings.IndexByte(s, '.') < 0 {
		s += ".0"
	}
	return s
}

// reprString quotes a string as Python does.
func reprString(s string) string {
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	b := make([]byte, 0, len(s)+2)
	b = append(b, quote)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '\\' || c == quote:
				b = append(b, '\\', c)
			case c == '\n':
				b = append(b, `\n`...)
			case c == '\r':
				b = append(b, `\r`...)
			case c == '\t':
				b = append(b, `\t`...)
			case c < ' ' || c == 0x7f:
				b = fmt.Appendf(b, `\x%02x`, c)
			default:
				b = append(b, c)
			}
			continue
		}
		c32, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsPrint(c32):
			b = append(b, s[i:i+size]...)
		case c32 < 0x100:
			b = fmt.Appendf(b, `\x%02x`, c32)
		case c32 < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, c32)
		default:
			b = fmt.Appendf(b, `\U%08x`, c32)
		}
		i += size
	}
	return string(append(b, quote))
}
