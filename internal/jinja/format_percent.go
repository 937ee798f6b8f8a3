package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// percentFormat is format % args; escape, if given, is used instead of str.
func (r *run) percentFormat(format string, args any, escape func(any) string) string {
	p := &percentFormatter{r: r, args: args, str: r.str}
	if escape != nil {
		p.str = escape
	}
	if t, ok := args.(*tuple); ok {
		p.items = t.items
	} else {
		p.items = []any{args}
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		b.WriteString(format[:i])
		format = p.verb(&b, format[i+1:])
	}
	b.WriteString(format)
	if p.used < len(p.items) && !p.lenient() {
		r.failf("not all arguments converted during string formatting")
	}
	r.alloc(b.Len())
	return b.String()
}

type percentFormatter struct {
	r     *run
	args  any
	items []any
	used  int
	named bool
	str   func(any) string
}

// lenient reports whether arguments may stay unused: Python asks only of
// tuples and plain values.
func (p *percentFormatter) lenient() bool {
	switch p.args.(type) {
	case *dict, *list, *rangeValue, *undefined:
		return true
	}
	return p.named
}

func (p *percentFormatter) next() any {
	if p.used >= len(p.items) {
		p.r.failf("not enough arguments for format string")
	}
	p.used++
	return p.items[p.used-1]
}

// numberOrStar reads a width or precision.
func (p *percentFormatter) numberOrStar(s string) (n int, rest string) {
	if strings.HasPrefix(s, "*") {
		star := p.next()
		p.r.refuse(star)
		v, ok := star.(int64)
		if !ok {
			p.r.failf("* wants int")
		}
		return p.r.formatWidth(int(v)), s[1:]
	}
	end := 0
	for end < len(s) && isDecimal(s[end]) {
		end++
	}
	if end == 0 {
		return 0, s
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		n = maxFormatWidth + 1
	}
	return p.r.formatWidth(n), s[end:]
}

func (r *run) formatWidth(n int) int {
	if n > maxFormatWidth || n < -maxFormatWidth {
		r.failf("a width or precision in a format is more than %d", maxFormatWidth)
	}
	return n
}

// verb formats what follows a % and returns the rest.
func (p *percentFormatter) verb(b *strings.Builder, s string) string {
	r := p.r
	var value any
	haveValue := false
	if strings.HasPrefix(s, "(") {
		value, s = p.namedValue(s)
		haveValue = true
	}
	spec := formatSpec{align: '>', fill: " ", precision: -1, sign: '-'}
	for ; s != ""; s = s[1:] {
		switch s[0] {
		case '-':
			spec.align = '<'
		case '+':
			spec.sign = '+'
		case ' ':
			if spec.sign != '+' {
				spec.sign = ' '
			}
		case '#':
			spec.alternate = true
		case '0':
			spec.zero = true
		default:
			goto width
		}
	}
width:
	spec.width, s = p.numberOrStar(s)
	if spec.width < 0 {
		spec.align, spec.width = '<', -spec.width
	}
	if strings.HasPrefix(s, ".") {
		spec.precision, s = p.numberOrStar(s[1:])
		spec.precision = max(spec.precision, 0)
	}
	s = strings.TrimLeft(s, "hlL")
	if s == "" {
		r.failf("incomplete format")
	}
	verb := s[0]
	if verb == '%' {
		b.WriteByte('%')
		return s[1:]
	}
	if !haveValue {
		value = p.next()
	}
	b.WriteString(p.format(verb, &spec, value))
	return s[1:]
}

func (p *percentFormatter) namedValue(s string) (any, string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.r.refuse(p.args)
				d, ok := p.args.(*dict)
				if !ok {
					p.r.failf("format requires a mapping")
				}
				p.named = true
				v, ok := d.getString(p.r, s[1:i])
				if !ok {
					p.r.failf("KeyError: %s", reprString(s[1:i]))
				}
				return v, s[i+1:]
			}
		}
	}
	p.r.failf("incomplete format key")
	return nil, ""
}

func (p *percentFormatter) format(verb byte, spec *formatSpec, v any) string {
	r := p.r
	switch verb {
	case 's', 'r', 'a': // which print what is undefined as str and repr do
		s := ""
		switch verb {
		case 's':
			s = p.str(v)
		case 'r':
			s = r.repr(v)
		default:
			s = ascii(r.repr(v))
		}
		spec.zero = false
		return r.formatText(s, spec)
	case 'c':
		r.refuse(v)
		s, ok := text(v)
		if n, isInt := index(v); isInt && n >= 0 && n < 0x110000 {
			s, ok = string(rune(n)), true
		}
		if !ok || runeLen(s) != 1 {
			r.failf("%%c requires int or char")
		}
		spec.zero, spec.precision = false, -1
		return r.formatText(s, spec)
	}
	r.refuse(v)
	n, ok := number(v)
	if !ok {
		r.failf("%%%c format: a real number is required, not %s", verb, typeName(v))
	}
	if spec.zero && spec.align == '<' {
		spec.zero = false
	}
	switch verb {
	case 'd', 'i', 'u':
		if f, ok := n.(float64); ok {
			n = r.truncate(f)
		}
		return r.percentInt('d', spec, n)
	case 'o', 'x', 'X':
		if _, ok := n.(float64); ok {
			r.failf("%%%c format: an integer is required, not float", verb)
		}
		return r.percentInt(verb, spec, n)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		spec.kind = verb
		return r.formatFloat(r.toFloat(n), spec)
	}
	r.failf("unsupported format character '%c'", verb)
	return ""
}

// percentInt formats an integer, whose precision is its least count of digits.
func (r *run) percentInt(verb byte, spec *formatSpec, n any) string {
	spec.kind = verb
	digits := spec.precision
	spec.precision = -1
	sign, prefix, body := intParts(toBig(n), spec)
	if pad := digits - len(body); pad > 0 {
		body = r.fill(pad, "0") + body
	}
	return r.padNumber(sign, prefix, body, spec)
}

func ascii(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < utf8.RuneSelf:
			b.WriteByte(byte(c))
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	return b.String()
}
