package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// filters are Jinja's, by name, and Proton's own. Each takes the value first.
var filters = mergeTables(numberFilters, textFilters, sequenceFilters, protonFilters, table(
	define("default", "value default? boolean?", filterDefault),
	define("d", "value default? boolean?", filterDefault),
	define("attr", "obj name", func(r *run, a []any) any {
		u, ok := a[0].(*undefined)
		if ok {
			return r.attrOfUndefined(u)
		}
		if d, ok := a[0].(*dict); ok {
			// Unlike a dot, the filter never looks at a dict's items.
			name := r.mustText(a[1])
			if m := dictMethods[name]; m != nil {
				return &boundMethod{d, m}
			}
			return r.named(&undefined{}, a[0], name)
		}
		name := r.mustText(a[1])
		if v, ok := r.attribute(a[0], name, nil); ok {
			return v
		}
		return r.named(&undefined{}, a[0], name)
	}),
	define("tojson", "value indent?", filterToJSON),
	define("pprint", "value", filterPprint),
	define("safe", "value", func(r *run, a []any) any { return markup(r.str(a[0])) }),
	define("escape", "value", func(r *run, a []any) any { return markup(r.escaped(a[0])) }),
	define("e", "value", func(r *run, a []any) any { return markup(r.escaped(a[0])) }),
	define("forceescape", "value", func(r *run, a []any) any { return markup(escapeHTML(r.str(a[0]))) }),
))

func mergeTables(ts ...map[string]*builtin) map[string]*builtin {
	all := map[string]*builtin{}
	for _, t := range ts {
		for name, b := range t {
			all[name] = b
		}
	}
	return all
}

// named gives an undefined value Jinja's wording for a missing attribute.
func (r *run) named(u *undefined, of any, name any) *undefined {
	if s, ok := text(name); ok {
		u.hint = "'" + objectName(of) + "' has no attribute " + reprString(s)
	} else {
		u.hint = objectName(of) + " has no element " + r.repr(name)
	}
	return u
}

func objectName(v any) string {
	if v == nil {
		return "None"
	}
	return typeName(v) + " object"
}

func filterDefault(r *run, a []any) any {
	_, isUndefined := a[0].(*undefined)
	if isUndefined || r.optBool(a[2], false) && !r.truth(a[0]) {
		if a[1] == missing {
			return ""
		}
		return a[1]
	}
	return a[0]
}

var numberFilters = table(
	define("abs", "value", func(r *run, a []any) any {
		r.refuse(a[0])
		n, ok := number(a[0])
		if !ok {
			r.failf("bad operand type for abs(): '%s'", typeName(a[0]))
		}
		switch n := n.(type) {
		case float64:
			return math.Abs(n)
		case int64:
			if n >= 0 {
				return n
			}
			return r.negate(n)
		}
		return r.normInt(new(big.Int).Abs(n.(*big.Int)))
	}),
	define("int", "value default? base?", filterInt),
	define("float", "value default?", func(r *run, a []any) any {
		if f, ok := r.parseNumber(a[0]); ok {
			return f
		}
		if a[1] == missing {
			return 0.0
		}
		return a[1]
	}),
	define("round", "value precision? method?", filterRound),
	define("filesizeformat", "value binary?", filterFileSize),
)

// parseNumber is Python's float(v).
func (r *run) parseNumber(v any) (float64, bool) {
	r.refuse(v)
	if n, ok := number(v); ok {
		return r.toFloat(n), true
	}
	s, ok := text(v)
	if !ok {
		return 0, false
	}
	s = latinDigits(strings.TrimFunc(s, isSpace))
	if strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	s, ok = dropUnderscores(s)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// dropUnderscores removes underscores that stand between digits; any other
// makes the number invalid.
func dropUnderscores(s string) (string, bool) {
	if strings.IndexByte(s, '_') < 0 {
		return s, true
	}
	for i := range len(s) {
		if s[i] == '_' && (i == 0 || i == len(s)-1 || !isWordDigit(s[i-1]) || !isWordDigit(s[i+1])) {
			return s, false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

func isWordDigit(c byte) bool { return isWordByte(c) && c != '_' }

// truncate is Python's int(f).
func (r *run) truncate(f float64) any {
	if math.IsNaN(f) {
		r.failf("cannot convert float NaN to integer")
	}
	if math.IsInf(f, 0) {
		r.failf("cannot convert float infinity to integer")
	}
	b, _ := big.NewFloat(f).Int(nil)
	return r.normInt(b)
}

func filterInt(r *run, a []any) any {
	def := any(int64(0))
	if a[1] != missing {
		def = a[1]
	}
	r.refuse(a[0])
	if s, ok := text(a[0]); ok {
		if n, ok := r.parseInt(s, r.optInt(a[2], 10)); ok {
			return n
		}
		f, ok := r.parseNumber(s)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return def
		}
		return r.truncate(f)
	}
	n, ok := number(a[0])
	if !ok {
		return def
	}
	if f, ok := n.(float64); ok {
		if math.IsNaN(f) {
			return def
		}
		return r.truncate(f)
	}
	return n
}

// parseInt is Python's int(s, base).
func (r *run) parseInt(s string, base int) (any, bool) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	s = latinDigits(strings.TrimFunc(s, isSpace))
	if len(s) > 4400 {
		return nil, false
	}
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = "-"
		}
		s = s[1:]
	}
	if len(s) > 2 && s[0] == '0' {
		prefixed := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
		if prefixed != 0 && (base == 0 || base == prefixed) {
			base, s = prefixed, strings.TrimPrefix(s[2:], "_")
		}
	}
	if base == 0 {
		base = 10
		if strings.HasPrefix(s, "0") && strings.Trim(s, "0_") != "" {
			return nil, false
		}
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return nil, false
	}
	s, ok := dropUnderscores(s)
	if !ok {
		return nil, false
	}
	b, ok := new(big.Int).SetString(sign+s, base)
	if !ok {
		return nil, false
	}
	return r.normInt(b), true
}

func filterRound(r *run, a []any) any {
	r.refuse(a[0])
	method := r.optText(a[2], "common")
	precision := any(int64(0))
	if a[1] != missing {
		precision = a[1]
	}
	switch method {
	case "common":
		return r.round(a[0], precision)
	case "ceil", "floor":
	default:
		r.failf("method must be common, ceil or floor")
	}
	scale := r.binary(opPow, int64(10), precision)
	scaled, ok := number(r.binary(opMul, a[0], scale))
	if !ok {
		r.failf("must be real number, not %s", typeName(a[0]))
	}
	if f, ok := scaled.(float64); ok {
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		scaled = r.truncate(f)
	}
	return r.binary(opDiv, scaled, scale)
}

// round is Python's round(v, precision): half goes to the even digit.
func (r *run) round(v, precision any) any {
	n, ok := number(v)
	if !ok {
		r.failf("type %s doesn't define __round__ method", typeName(v))
	}
	f, isFloat := n.(float64)
	if precision == nil {
		if isFloat {
			return r.truncate(math.RoundToEven(f))
		}
		return n
	}
	p := r.smallInt(precision, math.MinInt32)
	if !isFloat {
		return r.roundInt(n, p)
	}
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0) || p > 323:
		return f
	case p < -308:
		return math.Copysign(0, f)
	case p >= 0:
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', p, 64), 64)
		return f
	}
	rounded := roundTens(f, -p)
	if math.IsInf(rounded, 0) {
		r.failf("rounded value too large to represent")
	}
	return rounded
}

// roundTens rounds f exactly to a multiple of 10 to the power of p.
func roundTens(f float64, p int) float64 {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil)
	exact := new(big.Rat).SetFloat64(math.Abs(f))
	exact.Quo(exact, new(big.Rat).SetInt(unit))
	q, m := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	c := m.Lsh(m, 1).Cmp(exact.Denom())
	if c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	rounded, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	return math.Copysign(rounded, f)
}

func (r *run) roundInt(n any, p int) any {
	if p >= 0 {
		return n
	}
	if p < -4300 {
		return int64(0)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-p)), nil)
	q, m := new(big.Int).DivMod(toBig(n), unit, new(big.Int))
	twice := new(big.Int).Lsh(m, 1)
	if c := twice.Cmp(unit); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return r.normInt(q.Mul(q, unit))
}

func filterFileSize(r *run, a []any) any {
	size, ok := r.parseNumber(a[0])
	if !ok {
		r.failf("could not convert %s to float", r.repr(a[0]))
	}
	base, mark := 1000.0, "B"
	units := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if r.optBool(a[1], false) {
		base, mark = 1024, "iB"
		units[0] = "K"
	}
	if size == 1 {
		return "1 Byte"
	}
	if size < base {
		return r.str(r.truncate(size)) + " Bytes"
	}
	unit := base
	for i, u := range units {
		unit *= base
		if size < unit || i == len(units)-1 {
			return strconv.FormatFloat(base*size/unit, 'f', 1, 64) + " " + u + mark
		}
	}
	return nil
}
