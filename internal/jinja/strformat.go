package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFormatWidth bounds the width and precision in format strings.
const maxFormatWidth = 100_000

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
	case *dict, *list, *rangeValue:
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
func (p *percentFormatter) numberOrStar(s string) (n int, rest string, given bool) {
	if strings.HasPrefix(s, "*") {
		v, ok := p.next().(int64)
		if !ok {
			p.r.failf("* wants int")
		}
		return p.r.formatWidth(int(v)), s[1:], true
	}
	end := 0
	for end < len(s) && isDecimal(s[end]) {
		end++
	}
	if end == 0 {
		return 0, s, false
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		n = maxFormatWidth + 1
	}
	return p.r.formatWidth(n), s[end:], true
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
	spec.width, s, _ = p.numberOrStar(s)
	if spec.width < 0 {
		spec.align, spec.width = '<', -spec.width
	}
	if strings.HasPrefix(s, ".") {
		spec.precision, s, _ = p.numberOrStar(s[1:])
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
	r.refuse(v)
	switch verb {
	case 's', 'r', 'a':
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

// formatSpec is Python's format specification.
type formatSpec struct {
	fill      string
	align     byte // 0 where none is given
	sign      byte
	alternate bool
	zero      bool
	width     int
	group     byte
	precision int // -1 where none is given
	kind      byte
}

func (r *run) parseSpec(s string) *formatSpec {
	spec := &formatSpec{fill: " ", sign: '-', precision: -1}
	whole := s
	isAlign := func(c byte) bool { return strings.IndexByte("<>=^", c) >= 0 }
	if _, size := utf8.DecodeRuneInString(s); size < len(s) && isAlign(s[size]) {
		spec.fill, spec.align, s = s[:size], s[size], s[size+1:]
	} else if s != "" && isAlign(s[0]) {
		spec.align, s = s[0], s[1:]
	}
	take := func(chars string) byte {
		if s != "" && strings.IndexByte(chars, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	if c := take("+- "); c != 0 {
		spec.sign = c
	}
	spec.alternate = take("#") != 0
	if take("0") != 0 {
		if spec.align == 0 {
			spec.align, spec.zero = '=', true
		}
		if spec.fill == " " && spec.zero {
			spec.fill = "0"
		}
	}
	digits := func() int {
		end := 0
		for end < len(s) && isDecimal(s[end]) {
			end++
		}
		if end == 0 {
			return -1
		}
		n, err := strconv.Atoi(s[:end])
		if err != nil {
			n = maxFormatWidth + 1
		}
		s = s[end:]
		return r.formatWidth(n)
	}
	spec.width = max(0, digits())
	spec.group = take(",_")
	if take(".") != 0 {
		if spec.precision = digits(); spec.precision < 0 {
			r.failf("Format specifier missing precision")
		}
	}
	if s != "" {
		spec.kind, s = s[0], s[1:]
	}
	if s != "" {
		r.failf("Invalid format specifier '%s'", whole)
	}
	return spec
}

// formatValue is Python's format(v, spec).
func (r *run) formatValue(v any, specText string) string {
	if specText == "" {
		return r.str(v)
	}
	r.refuse(v)
	spec := r.parseSpec(specText)
	if s, ok := text(v); ok {
		if spec.kind != 0 && spec.kind != 's' {
			r.failf("Unknown format code '%c' for object of type 'str'", spec.kind)
		}
		if spec.sign != '-' || spec.alternate || spec.group != 0 || spec.align == '=' && !spec.zero {
			r.failf("this format specifier is not allowed for strings")
		}
		if spec.zero {
			spec.align = '<'
		}
		return r.formatText(s, spec)
	}
	n, ok := number(v)
	if !ok {
		r.failf("unsupported format string passed to %s.__format__", typeName(v))
	}
	if f, isFloat := n.(float64); isFloat {
		if strings.IndexByte("\x00eEfFgGn%", spec.kind) < 0 {
			r.failf("Unknown format code '%c' for object of type 'float'", spec.kind)
		}
		return r.formatFloat(f, spec)
	}
	switch spec.kind {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return r.formatFloat(r.toFloat(n), spec)
	case 'c':
		c, ok := n.(int64)
		if !ok || c < 0 || c > 0x10ffff {
			r.failf("%%c arg not in range(0x110000)")
		}
		if spec.align == 0 {
			spec.align = '<'
		}
		return r.formatText(string(rune(c)), spec)
	case 0, 'b', 'd', 'o', 'x', 'X', 'n':
	default:
		r.failf("Unknown format code '%c' for object of type 'int'", spec.kind)
	}
	if spec.precision >= 0 {
		r.failf("Precision not allowed in integer format specifier")
	}
	sign, prefix, body := intParts(toBig(n), spec)
	return r.padNumber(sign, prefix, body, spec)
}

// intParts writes an integer in the base its format asks for.
func intParts(n *big.Int, spec *formatSpec) (sign, prefix, body string) {
	base := 10
	switch spec.kind {
	case 'b':
		base = 2
	case 'o':
		base = 8
	case 'x', 'X':
		base = 16
	}
	body = new(big.Int).Abs(n).Text(base)
	if spec.alternate && base != 10 {
		prefix = "0" + string(spec.kind)
	}
	if spec.kind == 'X' {
		body = strings.ToUpper(body)
	}
	return signOf(n.Sign() < 0, spec), prefix, body
}

func signOf(negative bool, spec *formatSpec) string {
	if negative {
		return "-"
	}
	if spec.sign != '-' {
		return string(spec.sign)
	}
	return ""
}

// padNumber puts sign, prefix and digits together at the width asked for.
func (r *run) padNumber(sign, prefix, body string, spec *formatSpec) string {
	size := 3
	if strings.IndexByte("boxX", spec.kind) >= 0 && spec.kind != 0 {
		size = 4
	}
	zeros := spec.zero || spec.align == '=' && spec.fill == "0"
	if spec.group != 0 {
		least := 0
		if zeros {
			least = spec.width - len(sign) - len(prefix)
		}
		body = group(body, spec.group, size, least)
	}
	pad := spec.width - len(sign) - len(prefix) - runeLen(body)
	if pad <= 0 {
		return sign + prefix + body
	}
	head := sign + prefix
	fillWith := spec.fill
	if spec.zero {
		fillWith = "0"
	}
	switch {
	case spec.align == '=' || spec.zero:
		return head + r.fill(pad, fillWith) + body
	case spec.align == '<':
		return head + body + r.fill(pad, fillWith)
	case spec.align == '^':
		return r.fill(pad/2, fillWith) + head + body + r.fill(pad-pad/2, fillWith)
	}
	return r.fill(pad, fillWith) + head + body
}

// group puts separators into the digits before the point, filling them with
// zeros up to least characters.
func group(body string, sep byte, size, least int) string {
	whole := len(body)
	for i := range len(body) {
		if !isDecimal(body[i]) && !(size == 4 && strings.IndexByte("abcdefABCDEF", body[i]) >= 0) {
			whole = i
			break
		}
	}
	digits, tail := body[:whole], body[whole:]
	count := len(digits)
	for count+(count-1)/size < least-len(tail) {
		count++
	}
	digits = strings.Repeat("0", count-len(digits)) + digits
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			b.WriteByte(sep)
		}
		b.WriteByte(digits[i])
	}
	return b.String() + tail
}

// formatText pads a string, left by default in format() and right in %.
func (r *run) formatText(s string, spec *formatSpec) string {
	if spec.precision >= 0 && runeLen(s) > spec.precision {
		s = s[:byteOffset(s, spec.precision)]
	}
	pad := spec.width - runeLen(s)
	if pad <= 0 {
		return s
	}
	switch spec.align {
	case '>':
		return r.fill(pad, spec.fill) + s
	case '^':
		return r.fill(pad/2, spec.fill) + s + r.fill(pad-pad/2, spec.fill)
	}
	return s + r.fill(pad, spec.fill)
}

func (r *run) formatFloat(f float64, spec *formatSpec) string {
	kind, precision, percent := spec.kind, spec.precision, ""
	if kind == '%' {
		f *= 100
		kind, percent = 'f', "%"
	}
	negative := math.Signbit(f) && !math.IsNaN(f)
	f = math.Abs(f)
	var body string
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		body = strings.TrimPrefix(reprFloat(f), "+")
		if kind == 'E' || kind == 'F' || kind == 'G' {
			body = strings.ToUpper(body)
		}
	case kind == 0:
		body = plainFloat(f, precision)
	default:
		if precision < 0 {
			precision = 6
		}
		body = floatDigits(f, kind, precision, spec.alternate)
	}
	spec.kind = 'f'
	return r.padNumber(signOf(negative, spec), "", body+percent, spec)
}

// plainFloat is a float without a format letter: like str(), to a precision.
func plainFloat(f float64, precision int) string {
	if precision < 0 {
		return reprFloat(f)
	}
	precision = max(precision, 1)
	exp := decimalExponent(f, precision)
	if exp < -4 || exp >= precision-1 && exp > 0 || exp >= precision {
		return trimZeros(strconv.FormatFloat(f, 'e', precision-1, 64))
	}
	s := trimZeros(strconv.FormatFloat(f, 'f', max(0, precision-1-exp), 64))
	if strings.IndexByte(s, '.') < 0 {
		s += ".0"
	}
	return s
}

// decimalExponent is the exponent of f rounded to so many digits.
func decimalExponent(f float64, digits int) int {
	s := strconv.FormatFloat(f, 'e', digits-1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	return exp
}

// trimZeros drops zeros after the point, before an exponent if there is one.
func trimZeros(s string) string {
	mantissa, exp := s, ""
	if i := strings.IndexByte(s, 'e'); i >= 0 {
		mantissa, exp = s[:i], s[i:]
	}
	if strings.IndexByte(mantissa, '.') >= 0 {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + exp
}

func floatDigits(f float64, kind byte, precision int, alternate bool) string {
	var s string
	switch kind {
	case 'f', 'F':
		s = strconv.FormatFloat(f, 'f', precision, 64)
	case 'e', 'E':
		s = strconv.FormatFloat(f, 'e', precision, 64)
	default: // g, G, n
		precision = max(precision, 1)
		exp := decimalExponent(f, precision)
		if exp < -4 || exp >= precision {
			s = strconv.FormatFloat(f, 'e', precision-1, 64)
		} else {
			s = strconv.FormatFloat(f, 'f', precision-1-exp, 64)
		}
		if !alternate {
			s = trimZeros(s)
		}
	}
	if alternate && strings.IndexByte(s, '.') < 0 {
		if i := strings.IndexByte(s, 'e'); i >= 0 {
			s = s[:i] + "." + s[i:]
		} else {
			s += "."
		}
	}
	if kind == 'E' || kind == 'G' {
		s = strings.ToUpper(s)
	}
	return s
}

// methodFormat is str.format.
func methodFormat(r *run, args []any, kw []kwarg) any {
	f := &fieldFormatter{r: r, args: args[1:], escape: r.escapeOf(args[0])}
	f.named = func(name string) (any, bool) {
		for _, k := range kw {
			if k.name == name {
				return k.value, true
			}
		}
		return nil, false
	}
	return sameKind(args[0], f.format(r.mustText(args[0]), 2))
}

// formatMap is str.format_map.
func formatMap(r *run, s, mapping any) any {
	r.refuse(mapping)
	d, ok := mapping.(*dict)
	if !ok {
		r.failf("'%s' object is not a mapping", typeName(mapping))
	}
	f := &fieldFormatter{r: r, escape: r.escapeOf(s)}
	f.named = func(name string) (any, bool) { return d.getString(r, name) }
	return sameKind(s, f.format(r.mustText(s), 2))
}

// escapeOf is how values are made safe in the markup s; nil for plain strings.
func (r *run) escapeOf(s any) func(string) string {
	if _, ok := s.(markup); ok {
		return escapeHTML
	}
	return nil
}

type fieldFormatter struct {
	r      *run
	args   []any
	named  func(name string) (any, bool)
	auto   int // fields numbered so far
	manual bool
	escape func(string) string
}

// format fills in the {} of s; depth bounds specifications inside each other.
func (f *fieldFormatter) format(s string, depth int) string {
	if depth < 0 {
		f.r.failf("Max string recursion exceeded")
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == s[i] {
			b.WriteByte(s[i])
			s = s[i+2:]
			continue
		}
		if s[i] == '}' {
			f.r.failf("Single '}' encountered in format string")
		}
		field, rest := f.cutField(s[i+1:])
		b.WriteString(f.field(field, depth))
		s = rest
	}
	b.WriteString(s)
	f.r.alloc(b.Len())
	return b.String()
}

func (f *fieldFormatter) cutField(s string) (field, rest string) {
	level := 1
	inBrackets := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inBrackets = true
		case ']':
			inBrackets = false
		case '{':
			level++
		case '}':
			if inBrackets && level == 1 {
				continue
			}
			if level--; level == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	f.r.failf("expected '}' before end of string")
	return "", ""
}

// field formats one replacement field: name, conversion, specification.
func (f *fieldFormatter) field(s string, depth int) string {
	r := f.r
	r.step()
	end := 0
	for brackets := false; end < len(s); end++ {
		if s[end] == '[' {
			brackets = true
		} else if s[end] == ']' {
			brackets = false
		} else if !brackets && (s[end] == '!' || s[end] == ':') {
			break
		}
	}
	name, rest := s[:end], s[end:]
	v := f.lookup(name)
	if strings.HasPrefix(rest, "!") {
		if len(rest) < 2 || len(rest) > 2 && rest[2] != ':' {
			r.failf("expected ':' after conversion specifier")
		}
		switch rest[1] {
		case 's':
			v = r.str(v)
		case 'r':
			r.refuse(v)
			v = r.repr(v)
		case 'a':
			r.refuse(v)
			v = ascii(r.repr(v))
		default:
			r.failf("Unknown conversion specifier %c", rest[1])
		}
		rest = rest[2:]
	}
	spec := f.format(strings.TrimPrefix(rest, ":"), depth-1)
	out := r.formatValue(v, spec)
	if _, safe := v.(markup); f.escape != nil && !safe {
		out = f.escape(out)
	}
	return out
}

// lookup finds what a field's name means: an argument, then attributes and items.
func (f *fieldFormatter) lookup(name string) any {
	r := f.r
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.argument(name[:end])
	for rest := name[end:]; rest != ""; {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			if end == 0 {
				r.failf("Empty attribute in format string")
			}
			v = r.library.attr(r, v, rest[1:1+end], hintNode(name))
			rest = rest[1+end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 2 {
			r.failf("Missing ']' in format string")
		}
		v = r.library.item(r, v, fieldKey(rest[1:end]), hintNode(name))
		rest = rest[end+1:]
	}
	return v
}

func hintNode(name string) expr { return &nameExpr{name: name} }

func fieldKey(s string) any {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return int64(n)
	}
	return s
}

func (f *fieldFormatter) argument(first string) any {
	r := f.r
	if first == "" {
		if f.manual {
			r.failf("cannot switch from manual field specification to automatic field numbering")
		}
		first = strconv.Itoa(f.auto)
		f.auto++
	} else if isDecimal(first[0]) {
		if f.auto > 0 {
			r.failf("cannot switch from manual field specification to automatic field numbering")
		}
		f.manual = true
	}
	if i, ok := fieldKey(first).(int64); ok {
		if int(i) >= len(f.args) {
			r.failf("Replacement index %d out of range for positional args tuple", i)
		}
		return f.args[i]
	}
	v, ok := f.named(first)
	if !ok {
		r.failf("KeyError: %s", reprString(first))
	}
	return v
}
