package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFormatWidth bounds the width and precision in format strings.
const maxFormatWidth = 100_000

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
