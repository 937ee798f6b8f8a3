package jinja

import (
	"math"
	"math/big"
	"sort"
	"strings"
)

type compareOp uint8

const (
	opEq compareOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn
	opNotIn
)

var compareNames = [...]string{"==", "!=", "<", "<=", ">", ">=", "in", "not in"}

func (x *compareExpr) eval(r *run) any {
	left := x.first.eval(r)
	for i := range x.rest {
		c := &x.rest[i]
		right := c.right.eval(r)
		r.pos = c.pos
		if !r.compare(c.op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (r *run) compare(op compareOp, a, b any) bool {
	switch op {
	case opEq:
		return r.equal(a, b)
	case opNe:
		return !r.equal(a, b)
	case opIn:
		return r.contains(b, a)
	case opNotIn:
		return !r.contains(b, a)
	}
	return r.ordered(op, a, b, 0)
}

func (r *run) equal(a, b any) bool { return r.equalAt(a, b, 0) }

// same is Python's comparison of items in containers: identical or equal.
func (r *run) same(a, b any, depth int) bool {
	if u, ok := a.(*undefined); ok && any(u) == b {
		return true
	}
	return r.equalAt(a, b, depth)
}

func (r *run) equalAt(a, b any, depth int) bool {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			r.scan(min(len(s), len(t)))
			return s == t
		}
	}
	if depth > maxValueDepth {
		r.failf("the value is nested more than %d deep, or holds itself", maxValueDepth)
	}
	if ua, ok := a.(*undefined); ok {
		return r.equalUndefined(ua, b)
	}
	if ub, ok := b.(*undefined); ok {
		return r.equalUndefined(ub, a)
	}
	if s, ok := text(a); ok {
		t, ok := text(b)
		return ok && s == t
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && compareNumbers(x, y) == 0
	}
	switch x := a.(type) {
	case *list:
		y, ok := b.(*list)
		return ok && r.equalItems(x.items, y.items, depth)
	case *tuple:
		y, ok := b.(*tuple)
		return ok && r.equalItems(x.items, y.items, depth)
	case *dict:
		y, ok := b.(*dict)
		return ok && r.equalDicts(x, y, depth)
	case *rangeValue:
		y, ok := b.(*rangeValue)
		return ok && x.equals(y)
	case *dictView:
		y, ok := b.(*dictView)
		return ok && r.equalViews(x, y, depth)
	case *boundMethod:
		y, ok := b.(*boundMethod)
		return ok && x.fn == y.fn && x.self == y.self
	}
	return a == b
}

func (r *run) equalUndefined(u *undefined, other any) bool {
	if !u.lenient {
		r.use(u)
	}
	o, ok := other.(*undefined)
	if ok && !o.lenient {
		r.use(o)
	}
	return ok
}

func (r *run) equalItems(a, b []any, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		r.work(1)
		if !r.same(a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

func (r *run) equalDicts(a, b *dict, depth int) bool {
	if a.len() != b.len() {
		return false
	}
	for _, e := range a.all(r) {
		r.work(1)
		other, ok := b.get(r, e.key)
		if !ok || !r.same(e.value, other, depth+1) {
			return false
		}
	}
	return true
}

func (r *run) equalViews(a, b *dictView, depth int) bool {
	if a.kind == "values" || b.kind == "values" {
		return a == b
	}
	if a.dict.len() != b.dict.len() || a.kind != b.kind {
		return false
	}
	if a.kind == "items" {
		return r.equalDicts(a.dict, b.dict, depth)
	}
	for _, e := range a.dict.all(r) {
		if _, ok := b.dict.get(r, e.key); !ok {
			return false
		}
	}
	return true
}

// isSet reports whether a view can be compared as a set.
func (v *dictView) isSet() bool { return v.kind != "values" }

// orderedSets compares views by what one has of the other.
func (r *run) orderedSets(op compareOp, a, b *dictView) bool {
	switch op {
	case opGt, opGe:
		a, b = b, a
	}
	if n, m := a.dict.len(), b.dict.len(); n > m || n == m && (op == opLt || op == opGt) {
		return false
	}
	for _, item := range r.collect(a) {
		if !r.contains(b, item) {
			return false
		}
	}
	return true
}

// compareNumbers orders two numbers exactly; it returns 2 where one is NaN.
func compareNumbers(a, b any) int {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return compareOrdered(x, y)
		case float64:
			return compareIntFloat(big.NewInt(x), y)
		}
	case float64:
		switch y := b.(type) {
		case float64:
			if math.IsNaN(x) || math.IsNaN(y) {
				return 2
			}
			return compareOrdered(x, y)
		default:
			c := compareIntFloat(toBig(b), x)
			if c == 2 {
				return 2
			}
			return -c
		}
	case *big.Int:
		if y, ok := b.(float64); ok {
			return compareIntFloat(x, y)
		}
	}
	return toBig(a).Cmp(toBig(b))
}

func compareOrdered[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareIntFloat(i *big.Int, f float64) int {
	if math.IsNaN(f) {
		return 2
	}
	if math.IsInf(f, 0) {
		if f > 0 {
			return -1
		}
		return 1
	}
	x := new(big.Float).SetInt(i)
	return x.Cmp(big.NewFloat(f))
}

func orderHolds(op compareOp, c int) bool {
	switch op {
	case opLt:
		return c == -1
	case opLe:
		return c == -1 || c == 0
	case opGt:
		return c == 1
	}
	return c == 1 || c == 0
}

// ordered is one of <, <=, > and >=.
func (r *run) ordered(op compareOp, a, b any, depth int) bool {
	if depth > maxValueDepth {
		r.failf("the value is nested more than %d deep, or holds itself", maxValueDepth)
	}
	r.refuse(a)
	r.refuse(b)
	if s, ok := text(a); ok {
		if t, ok := text(b); ok {
			r.scan(min(len(s), len(t)))
			return orderHolds(op, strings.Compare(s, t))
		}
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return orderHolds(op, compareNumbers(x, y))
		}
	}
	switch x := a.(type) {
	case *list:
		if y, ok := b.(*list); ok {
			return r.orderedItems(op, x.items, y.items, depth)
		}
	case *tuple:
		if y, ok := b.(*tuple); ok {
			return r.orderedItems(op, x.items, y.items, depth)
		}
	case *dictView:
		if y, ok := b.(*dictView); ok && x.isSet() && y.isSet() {
			return r.orderedSets(op, x, y)
		}
	}
	r.failf("'%s' not supported between instances of '%s' and '%s'", compareNames[op], typeName(a), typeName(b))
	return false
}

func (r *run) orderedItems(op compareOp, a, b []any, depth int) bool {
	for i := range min(len(a), len(b)) {
		r.work(1)
		if !r.same(a[i], b[i], depth+1) {
			return r.ordered(op, a[i], b[i], depth+1)
		}
	}
	return orderHolds(op, compareOrdered(int64(len(a)), int64(len(b))))
}

// contains is item in container.
func (r *run) contains(container, item any) bool {
	if s, ok := text(container); ok {
		sub, ok := text(item)
		if !ok {
			r.refuse(item)
			r.failf("'in <string>' requires string as left operand, not %s", typeName(item))
		}
		r.scan(len(s))
		return strings.Contains(s, sub)
	}
	switch c := container.(type) {
	case *dict:
		_, ok := c.get(r, item)
		return ok
	case *dictView:
		switch _, isPair := item.(*tuple); {
		case c.kind == "keys":
			_, ok := c.dict.get(r, item)
			return ok
		case c.kind == "items" && !isPair:
			return false
		}
	case *rangeValue:
		if n, ok := number(item); ok {
			return c.has(n)
		}
	}
	next, ok := r.iterate(container)
	if !ok {
		r.failf("argument of type '%s' is not iterable", typeName(container))
	}
	for {
		v, ok := next()
		if !ok {
			return false
		}
		r.work(1)
		if r.same(v, item, 0) {
			return true
		}
	}
}

// sortBy orders n things by a key, without moving equal ones, and hands the
// order to apply.
func (r *run) sortBy(n int, reverse bool, key func(i int) any, apply func(order []int)) {
	r.allocItems(2 * n)
	keys := make([]any, n)
	order := make([]int, n)
	for i := range n {
		keys[i] = key(i)
		order[i] = i
	}
	less := func(i, j int) bool {
		r.work(1)
		if reverse {
			i, j = j, i
		}
		return r.ordered(opLt, keys[order[i]], keys[order[j]], 0)
	}
	sort.SliceStable(order, less)
	apply(order)
}
