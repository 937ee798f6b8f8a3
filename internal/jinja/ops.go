package jinja

import (
	"math"
	"math/big"
	"strings"
)

type operator string

const (
	opAdd      operator = "+"
	opSub      operator = "-"
	opMul      operator = "*"
	opDiv      operator = "/"
	opFloorDiv operator = "//"
	opMod      operator = "%"
	opPow      operator = "**"
)

func (x *binaryExpr) eval(r *run) any {
	a := x.left.eval(r)
	b := x.right.eval(r)
	r.pos = int(x.at)
	return r.binary(x.op, a, b)
}

// binary is a Python operator on two values.
func (r *run) binary(op operator, a, b any) any {
	if i, ok := a.(int64); ok {
		if j, ok := b.(int64); ok {
			return r.intOp(op, i, j)
		}
	}
	r.refuse(a)
	if op == opMod {
		// A text without placeholders can be formatted even by what is undefined.
		if s, ok := a.(markup); ok {
			return markup(r.percentFormat(string(s), b, r.escaped))
		}
		if s, ok := text(a); ok {
			return r.percentFormat(s, b, nil)
		}
	}
	if op == opSub {
		r.refuseSet(a)
	}
	r.refuse(b)
	switch op {
	case opSub:
		r.refuseSet(b)
	case opAdd:
		if v, ok := r.concat(a, b); ok {
			return v
		}
	case opMul:
		if v, ok := r.repeat(a, b); ok {
			return v
		}
	}
	if v, ok := r.arithmetic(op, a, b); ok {
		return v
	}
	name := string(op)
	if op == opPow {
		name = "** or pow()"
	}
	r.failf("unsupported operand type(s) for %s: '%s' and '%s'", name, typeName(a), typeName(b))
	return nil
}

// refuseSet fails for an operand that makes the difference a set.
func (r *run) refuseSet(v any) {
	if view, ok := v.(*dictView); ok && view.kind != "values" {
		r.failf("the difference of %s is a set, which templates do not have", typeName(v))
	}
}

// refuse fails for undefined values, which no operator takes.
func (r *run) refuse(v any) {
	if u, ok := v.(*undefined); ok {
		r.use(u)
	}
}

// strict is v, or nil for what is undefined but leniently so.
func (r *run) strict(v any) any {
	if u, ok := v.(*undefined); ok && u.lenient {
		return nil
	}
	return v
}

// number reads a bool as the integer it is in Python; ok is false for values
// that are not numbers.
func number(v any) (any, bool) {
	switch v := v.(type) {
	case int64, float64, *big.Int:
		return v, true
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	}
	return nil, false
}

func toBig(v any) *big.Int {
	if i, ok := v.(int64); ok {
		return big.NewInt(i)
	}
	return v.(*big.Int)
}

// toFloat converts a number; integers too large for a float fail.
func (r *run) toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	f, _ := new(big.Float).SetInt(v.(*big.Int)).Float64()
	if math.IsInf(f, 0) {
		r.failf("int too large to convert to float")
	}
	return f
}

// normInt brings an integer back to int64 where it fits.
func (r *run) normInt(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	if b.BitLen() > maxIntBits {
		r.failf("an integer has more than 4300 digits")
	}
	r.alloc(b.BitLen()/8 + 16)
	return b
}

func (r *run) arithmetic(op operator, a, b any) (any, bool) {
	x, ok := number(a)
	if !ok {
		return nil, false
	}
	y, ok := number(b)
	if !ok {
		return nil, false
	}
	_, xf := x.(float64)
	_, yf := y.(float64)
	if xf || yf {
		return r.floatOp(op, r.toFloat(x), r.toFloat(y)), true
	}
	if i, ok := x.(int64); ok {
		if j, ok := y.(int64); ok {
			return r.intOp(op, i, j), true
		}
	}
	return r.bigOp(op, toBig(x), toBig(y)), true
}

func (r *run) intOp(op operator, i, j int64) any {
	switch op {
	case opAdd:
		if s := i + j; (s > i) == (j > 0) {
			return s
		}
	case opSub:
		if d := i - j; (d < i) == (j > 0) {
			return d
		}
	case opMul:
		if i == 0 || j == 0 {
			return int64(0)
		}
		if p := i * j; p/j == i && !(i == math.MinInt64 && j == -1) && !(j == math.MinInt64 && i == -1) {
			return p
		}
	case opFloorDiv, opMod:
		if j != 0 && !(i == math.MinInt64 && j == -1) {
			q, m := i/j, i%j
			if m != 0 && (m < 0) != (j < 0) {
				q--
				m += j
			}
			if op == opMod {
				return m
			}
			return q
		}
	case opDiv:
		const exact = 1 << 53
		if j != 0 && i > -exact && i < exact && j > -exact && j < exact {
			return float64(i) / float64(j)
		}
	}
	return r.bigOp(op, big.NewInt(i), big.NewInt(j))
}

func (r *run) bigOp(op operator, a, b *big.Int) any {
	switch op {
	case opAdd:
		return r.normInt(new(big.Int).Add(a, b))
	case opSub:
		return r.normInt(new(big.Int).Sub(a, b))
	case opMul:
		return r.normInt(new(big.Int).Mul(a, b))
	case opPow:
		return r.intPow(a, b)
	}
	if b.Sign() == 0 {
		switch op {
		case opDiv:
			r.failf("division by zero")
		case opMod:
			r.failf("integer modulo by zero")
		}
		r.failf("integer division or modulo by zero")
	}
	if op == opDiv {
		f, _ := new(big.Rat).SetFrac(a, b).Float64()
		if math.IsInf(f, 0) {
			r.failf("integer division result too large for a float")
		}
		if f == 0 && b.Sign() < 0 {
			return math.Copysign(0, -1) // 0 / -1 is -0.0
		}
		return f
	}
	q, m := new(big.Int).QuoRem(a, b, new(big.Int))
	if m.Sign() != 0 && (m.Sign() < 0) != (b.Sign() < 0) {
		q.Sub(q, big.NewInt(1))
		m.Add(m, b)
	}
	if op == opMod {
		return r.normInt(m)
	}
	return r.normInt(q)
}

func (r *run) intPow(a, b *big.Int) any {
	if b.Sign() < 0 {
		return r.floatOp(opPow, r.toFloat(r.normInt(a)), r.toFloat(r.normInt(b)))
	}
	if a.CmpAbs(big.NewInt(1)) > 0 {
		if !b.IsInt64() || b.Int64() > maxIntBits || int64(a.BitLen()-1)*b.Int64() > maxIntBits {
			r.failf("an integer has more than 4300 digits")
		}
	} else {
		// 0, 1 and -1: only whether the exponent is even or zero matters.
		b = new(big.Int).SetInt64(int64(b.Bit(0)) + 2*int64(min(b.Sign(), 1)))
	}
	r.work(maxIntBits / 64)
	return r.normInt(new(big.Int).Exp(a, b, nil))
}

func (r *run) floatOp(op operator, x, y float64) any {
	switch op {
	case opAdd:
		return x + y
	case opSub:
		return x - y
	case opMul:
		return x * y
	case opDiv:
		if y == 0 {
			r.failf("float division by zero")
		}
		return x / y
	case opFloorDiv, opMod:
		if y == 0 {
			if op == opMod {
				r.failf("float modulo")
			}
			r.failf("float floor division by zero")
		}
		q, m := floatDivMod(x, y)
		if op == opMod {
			return m
		}
		return q
	}
	return r.floatPow(x, y)
}

// floatDivMod follows CPython's float_divmod step by step.
func floatDivMod(x, y float64) (q, m float64) {
	m = math.Mod(x, y)
	q = (x - m) / y
	if m != 0 {
		if (y < 0) != (m < 0) {
			m += y
			q--
		}
	} else {
		m = math.Copysign(0, y)
	}
	if q != 0 {
		floor := math.Floor(q)
		if q-floor > 0.5 {
			floor++
		}
		return floor, m
	}
	return math.Copysign(0, x/y), m
}

// concat is + on strings, lists and tuples.
func (r *run) concat(a, b any) (any, bool) {
	s, aText := text(a)
	t, bText := text(b)
	if aText && bText {
		_, am := a.(markup)
		_, bm := b.(markup)
		if am || bm {
			if !am {
				s = escapeHTML(s)
			}
			if !bm {
				t = escapeHTML(t)
			}
			r.alloc(len(s) + len(t))
			return markup(s + t), true
		}
		r.alloc(len(s) + len(t))
		return s + t, true
	}
	if aText || bText {
		left, right := typeName(a), typeName(b)
		if aText {
			r.failf(`can only concatenate str (not "%s") to str`, right)
		}
		r.failf("unsupported operand type(s) for +: '%s' and 'str'", left)
	}
	switch a := a.(type) {
	case *list:
		if b, ok := b.(*list); ok {
			return &list{items: r.join(a.items, b.items)}, true
		}
	case *tuple:
		if b, ok := b.(*tuple); ok {
			return &tuple{items: r.join(a.items, b.items)}, true
		}
	}
	return nil, false
}

func (r *run) join(a, b []any) []any {
	r.allocItems(len(a) + len(b))
	out := make([]any, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

// repeat is * on a string, list or tuple and a number, either way round.
func (r *run) repeat(a, b any) (any, bool) {
	if _, ok := number(a); ok {
		a, b = b, a
	}
	n64, ok := number(b)
	if !ok {
		return nil, false
	}
	n, ok := n64.(int64)
	if _, isFloat := n64.(float64); isFloat {
		return nil, false
	}
	if !ok {
		if _, isText := text(a); isText || isSequence(r, a) {
			r.failf("cannot fit 'int' into an index-sized integer")
		}
	}
	n = max(n, 0)
	times := func(size, unit int) int {
		if size > 0 && n > int64(r.memory/size/unit) {
			r.failf("the template builds more than %d bytes of values", r.limits.Memory)
		}
		if size == 0 {
			return 0
		}
		return int(n)
	}
	repeatItems := func(items []any) []any {
		count := times(len(items), itemBytes)
		r.allocItems(len(items) * count)
		out := make([]any, 0, len(items)*count)
		for range count {
			out = append(out, items...)
		}
		return out
	}
	if s, ok := text(a); ok {
		count := times(len(s), 1)
		r.alloc(len(s) * count)
		s = strings.Repeat(s, count)
		if _, ok := a.(markup); ok {
			return markup(s), true
		}
		return s, true
	}
	switch a := a.(type) {
	case *list:
		return &list{items: repeatItems(a.items)}, true
	case *tuple:
		return &tuple{items: repeatItems(a.items)}, true
	}
	return nil, false
}

func (x *unaryExpr) eval(r *run) any {
	v := x.operand.eval(r)
	r.pos = int(x.at)
	r.refuse(v)
	n, ok := number(v)
	if !ok {
		r.failf("bad operand type for unary %c: '%s'", x.op, typeName(v))
	}
	if x.op == '+' {
		return n
	}
	return r.negate(n)
}

func (r *run) negate(n any) any {
	switch n := n.(type) {
	case float64:
		return -n
	case int64:
		return r.intOp(opSub, 0, n)
	}
	return r.normInt(new(big.Int).Neg(n.(*big.Int)))
}
